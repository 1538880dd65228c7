public import Foundation

/// What a session wants of an executor: one round of an answer.
public struct LanguageModelExecutorGenerationRequest: Sendable {
    /// A name that no other request has.
    public var id: UUID
    /// The conversation; what is to be answered stands at its end. Where the answer has a schema that the model is to be told of, the
    /// prompt's `responseFormat` says so.
    public var transcript: Transcript
    /// The tools that may be called. `generationOptions.toolCallingMode` says whether one must be.
    public var enabledToolDefinitions: [Transcript.ToolDefinition]
    /// What the answer must be, as JSON; nil for any text.
    public var schema: GenerationSchema?
    /// How the answer is chosen. `maximumResponseTokens` is what the rounds before this one have left.
    public var generationOptions: GenerationOptions
    /// What is added to the model's weights, in this order.
    public var adapters: [LoRAAdapter]
    /// Where a model from a file writes down its tokens.
    package var trace: TokenTrace?

    /// A request.
    public init(
        id: UUID = UUID(), transcript: Transcript, enabledTools: [Transcript.ToolDefinition] = [],
        schema: GenerationSchema? = nil, generationOptions: GenerationOptions = .init(), adapters: [LoRAAdapter] = []
    ) {
        self.id = id
        self.transcript = transcript
        enabledToolDefinitions = enabledTools
        self.schema = schema
        self.generationOptions = generationOptions
        self.adapters = adapters
    }
}

extension Transcript {
    /// A tool as a model is told of it.
    public struct ToolDefinition: Sendable, Equatable {
        /// The name that calls use.
        public var name: String
        /// What it does.
        public var description: String
        /// The schema of the arguments.
        public var parameters: GenerationSchema
        /// Whether the model is shown the schema.
        public var includesSchemaInInstructions: Bool

        /// A tool.
        public init(
            name: String, description: String, parameters: GenerationSchema, includesSchemaInInstructions: Bool = true
        ) {
            self.name = name
            self.description = description
            self.parameters = parameters
            self.includesSchemaInInstructions = includesSchemaInInstructions
        }

        /// A tool as it is now, with its schema read.
        ///
        /// - Throws: `LanguageModelError.unsupportedGenerationGuide`, for a schema that makes no sense.
        public init(tool: any Tool) throws {
            self.init(
                name: tool.name, description: tool.description,
                parameters: GenerationSchema(node: .document(try tool.parameters.document())),
                includesSchemaInInstructions: tool.includesSchemaInInstructions)
        }
    }
}
