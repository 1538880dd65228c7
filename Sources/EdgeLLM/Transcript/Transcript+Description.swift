extension Transcript: CustomStringConvertible {
    /// Who said what, each entry from a line of its own on.
    public var description: String { map(\.description).joined(separator: "\n") }
}

extension Transcript.Entry: CustomStringConvertible {
    /// The kind of entry, and the words.
    public var description: String {
        switch self {
        case .instructions(let entry): "Instructions: \(entry)"
        case .prompt(let entry): "Prompt: \(entry)"
        case .reasoning(let entry): "Reasoning: \(entry)"
        case .toolCalls(let entry): "Calls: \(entry)"
        case .toolOutput(let entry): "Output of \(entry.toolName): \(entry)"
        case .response(let entry): "Response: \(entry)"
        }
    }
}

extension Transcript.ToolCalls: CustomStringConvertible {
    /// The calls, with commas between them.
    public var description: String { calls.map(\.description).joined(separator: ", ") }
}

extension Transcript.Segment: CustomStringConvertible {
    /// The text.
    public var description: String {
        switch self {
        case .text(let segment): segment.content
        }
    }
}

extension Transcript.Instructions: CustomStringConvertible {
    /// The text.
    public var description: String { segments.joinedText }
}

extension Transcript.Prompt: CustomStringConvertible {
    /// The text.
    public var description: String { segments.joinedText }
}

extension Transcript.Reasoning: CustomStringConvertible {
    /// The text.
    public var description: String { segments.joinedText }
}

extension Transcript.Response: CustomStringConvertible {
    /// The text.
    public var description: String { segments.joinedText }
}

extension Transcript.ToolCall: CustomStringConvertible {
    /// The tool's name and the arguments as JSON.
    public var description: String { "\(toolName) \(arguments)" }
}

extension Transcript.ToolOutput: CustomStringConvertible {
    /// What the tool said.
    public var description: String { segments.joinedText }
}

extension [Transcript.Segment] {
    fileprivate var joinedText: String { map(\.description).joined() }
}
