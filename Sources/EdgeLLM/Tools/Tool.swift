/// Something that a model may ask the program to do.
///
/// ```swift
/// struct ReadCode: Tool {
///     let description = "Reads a trouble code of the car"
///     struct Arguments: Generable { … }
///     func call(arguments: Arguments) async throws -> String { … }
/// }
/// let session = LanguageModelSession(model: model, tools: [ReadCode()])
/// ```
///
/// Once the model opens a call, a grammar leaves it no choice but the name of a tool and arguments that meet its schema. What a tool
/// returns is data: nothing in it can become a control token.
public protocol Tool<Arguments, Output>: Sendable {
    /// What the model hands over.
    associatedtype Arguments: ConvertibleFromGeneratedContent
    /// What the model is told.
    associatedtype Output: PromptRepresentable

    /// The name, of letters, digits, `_`, `-` and `.`; the type's own unless it is given.
    var name: String { get }
    /// What it does, for the model.
    var description: String { get }
    /// The schema of the arguments. Read again for every request, so it may change.
    var parameters: GenerationSchema { get }
    /// Whether the prompt shows the model the schema; true unless it is given. The grammar holds either way.
    var includesSchemaInInstructions: Bool { get }

    /// Does it. Calls of one turn run at the same time. Cancelled when the answer is.
    ///
    /// - Throws: whatever stands in the way; it reaches the caller of the session as `LanguageModelSession.ToolCallError`, unless the
    ///   session reports failures to the model.
    @concurrent func call(arguments: Arguments) async throws -> Output
}

extension Tool {
    /// The name of the type.
    public var name: String { String(describing: Self.self) }
    /// True.
    public var includesSchemaInInstructions: Bool { true }
}

extension Tool where Arguments: Generable {
    /// The schema of the arguments' type.
    public var parameters: GenerationSchema { Arguments.generationSchema }
}

/// What becomes of a call that the model wants made.
public enum ToolExecutionDecision: Sendable, Equatable {
    /// The tool is called.
    case execute
    /// It is not, and the model is told why.
    case deny(reason: String)
    /// It is not, and the model is given this as if the tool had said it.
    case provide(String)
    /// The turn ends here: none of its open calls is made.
    case stop
}

extension LanguageModelSession {
    /// A tool that failed.
    public struct ToolCallError: Swift.Error, CustomStringConvertible {
        /// The tool.
        public var tool: any Tool
        /// Why it failed.
        public var underlyingError: any Swift.Error

        /// An error of a tool.
        public init(tool: any Tool, underlyingError: any Swift.Error) {
            self.tool = tool
            self.underlyingError = underlyingError
        }

        /// What is wrong, in one line.
        public var description: String { "the tool \(tool.name) failed: \(underlyingError)" }
    }

    /// What becomes of a turn in which a tool fails.
    public enum ToolFailurePolicy: Sendable, Equatable {
        /// The turn fails with `ToolCallError`.
        case throwError
        /// The model is told of the failure and goes on.
        case reportToModel
    }
}
