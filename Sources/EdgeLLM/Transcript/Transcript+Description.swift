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
