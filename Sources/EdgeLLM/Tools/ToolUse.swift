package import EdgeTemplate

/// The tools of one request, as the model is told of them.
package struct ToolUse: Sendable, Equatable {
    /// A tool as its description says.
    package struct Description: Sendable, Equatable {
        package var name: String
        package var description: String
        /// The schema of the arguments, as JSON.
        package var schema: String
        /// Whether the model is shown the schema.
        package var showsSchema: Bool
    }

    package var tools: [Description]
    /// Whether the answer has to be a call.
    package var isRequired: Bool

    package init(tools: [Description], isRequired: Bool = false) {
        self.tools = tools
        self.isRequired = isRequired
    }

    /// The tools of a request; nil where it has none.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    init?(_ request: LanguageModelExecutorGenerationRequest) throws {
        guard !request.enabledToolDefinitions.isEmpty else { return nil }
        try self.init(
            request.enabledToolDefinitions, isRequired: request.generationOptions.toolCallingMode == .required)
    }

    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    init(_ definitions: [Transcript.ToolDefinition], isRequired: Bool) throws {
        tools = try definitions.map { tool in
            Description(
                name: tool.name, description: tool.description, schema: try tool.parameters.jsonSchema(),
                showsSchema: tool.includesSchemaInInstructions)
        }
        self.isRequired = isRequired
    }

    /// The tools of a session, as they are now.
    ///
    /// - Throws: `LanguageModelError.invalidOptions` for a name that cannot be written or is there twice, and what the schema throws.
    static func definitions(_ tools: [any Tool]) throws -> [Transcript.ToolDefinition] {
        var names: Set<String> = []
        return try tools.map { tool in
            let definition = try Transcript.ToolDefinition(tool: tool)
            let name = definition.name
            guard !name.isEmpty, name.utf8.count <= 64, name.utf8.allSatisfy({ isNamePart($0) }) else {
                throw LanguageModelError.invalidOptions(
                    "\"\(name)\" is no name for a tool; use 1 to 64 letters, digits, _, - and .")
            }
            guard names.insert(name).inserted else {
                throw LanguageModelError.invalidOptions("two tools have the name \(name)")
            }
            return definition
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte >= 48 && byte <= 57 || byte | 32 >= 97 && byte | 32 <= 122 || byte == 95 || byte == 45 || byte == 46
    }

    /// The tools as templates know them, in the form of OpenAI and transformers.
    var values: [TemplateValue] {
        tools.map { tool in
            let schema = tool.showsSchema ? (try? TemplateValue(json: tool.schema)) : nil
            let value: TemplateValue = [
                "type": "function",
                "function": [
                    "name": .string(tool.name), "description": .string(tool.description),
                    "parameters": schema ?? ["type": "object", "properties": [:]],
                ],
            ]
            return value.marked(.system)
        }
    }

    /// How arguments are written in a form without quotes, which cannot tell texts from other values: those that can only be texts, and
    /// those that can only be objects or lists.
    var argumentForms: [String: [String: ToolTurnReader.ArgumentForm]] {
        var found: [String: [String: ToolTurnReader.ArgumentForm]] = [:]
        for tool in tools {
            guard case .dict(let properties)? = (try? TemplateValue(json: tool.schema))?["properties"] else { continue }
            for key in properties.keys {
                switch properties[key]?["type"]?.text {
                case "string": found[tool.name, default: [:]][key] = .text
                case "object", "array": found[tool.name, default: [:]][key] = .nested
                default: break
                }
            }
        }
        return found
    }

    /// What a model without a form of its own is told.
    var explanation: String {
        let list = values.compactMap { $0["function"]?.json }.joined(separator: "\n")
        return """
            You can call these tools, described by JSON Schema:
            \(list)

            To call a tool, answer with nothing but a JSON object on one line:
            {"name": "NAME OF THE TOOL", "arguments": {ARGUMENTS}}
            Several calls stand on lines of their own. You are then told the results. When no tool is needed, answer in words.
            """
    }
}

/// How the answer to a request is to be read.
package struct AnswerForm: Sendable {
    /// The marks around a thought.
    package var reasoning: ReasoningMarks?
    /// How calls are written; nil where the answer cannot hold any.
    package var calls: ToolSyntax?
    /// Texts that open calls. A mark that is a token of the vocabulary is none of them: only the token itself opens.
    package var openings: [String]
    /// Tokens that are reported as such, and their spelling.
    package var marks: [Int32: String]
    /// Whether the prompt has opened a call already.
    package var isOpened: Bool
    /// How the arguments of each tool are written, where it is known.
    package var argumentForms: [String: [String: ToolTurnReader.ArgumentForm]]

    package init(
        reasoning: ReasoningMarks? = nil, calls: ToolSyntax? = nil, openings: [String]? = nil,
        marks: [Int32: String] = [:], isOpened: Bool = false,
        argumentForms: [String: [String: ToolTurnReader.ArgumentForm]] = [:]
    ) {
        self.reasoning = reasoning
        self.calls = calls
        self.openings = openings ?? calls.map { ([$0.mark] + $0.otherMarks).filter { !$0.isEmpty } } ?? []
        self.marks = marks
        self.isOpened = isOpened
        self.argumentForms = argumentForms
    }
}
