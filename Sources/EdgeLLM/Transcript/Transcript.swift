internal import Foundation

/// A conversation: what was said by whom, in order.
///
/// `Codable` with a version of its own, so that a conversation can be kept in a file.
public struct Transcript: Sendable, Equatable {
    /// The entries, oldest first.
    public var entries: [Entry]

    /// A conversation of these entries.
    public init(entries: some Sequence<Entry> = []) { self.entries = Array(entries) }

    /// One thing that was said.
    public enum Entry: Sendable, Equatable, Identifiable {
        /// What the model is told about its part, before anything else.
        case instructions(Instructions)
        /// What the user said.
        case prompt(Prompt)
        /// What the model thought before it answered. Templates leave the thoughts of earlier turns out.
        case reasoning(Reasoning)
        /// The tools that the model called, in one go.
        case toolCalls(ToolCalls)
        /// What a tool gave back.
        case toolOutput(ToolOutput)
        /// What the model answered.
        case response(Response)

        /// A name of the entry that no other has.
        public var id: String {
            switch self {
            case .instructions(let entry): entry.id
            case .prompt(let entry): entry.id
            case .reasoning(let entry): entry.id
            case .toolCalls(let entry): entry.id
            case .toolOutput(let entry): entry.id
            case .response(let entry): entry.id
            }
        }
    }

    /// A stretch of an entry.
    public enum Segment: Sendable, Equatable {
        /// Plain text.
        case text(TextSegment)
    }

    /// Plain text.
    public struct TextSegment: Sendable, Equatable {
        /// The text.
        public var content: String
        /// Where the text comes from, where that is not what its entry says: a document that a prompt quotes, for example.
        public var origin: Origin?

        /// A stretch with this text.
        public init(content: String, origin: Origin? = nil) {
            self.content = content
            self.origin = origin
        }
    }

    /// Where a text comes from. In the order of cases each is trusted less than those before it.
    public enum Origin: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        /// The program: its instructions, its descriptions of tools, and the chat template.
        case system
        /// Whoever asks.
        case user
        /// The model itself.
        case model
        /// What a tool said.
        case tool
        /// Text of others.
        case document

        /// The number by which rendered texts and tokens carry it.
        var code: UInt8 {
            switch self {
            case .system: 1
            case .user: 2
            case .model: 3
            case .tool: 4
            case .document: 5
            }
        }

        init?(code: UInt8) {
            guard let known = Self.allCases.first(where: { $0.code == code }) else { return nil }
            self = known
        }

        /// Whether the first is trusted more.
        public static func < (left: Origin, right: Origin) -> Bool { left.code < right.code }
    }

    /// What the model is told about its part.
    public struct Instructions: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The text, in stretches.
        public var segments: [Segment]

        /// An entry with these stretches.
        public init(id: String = Transcript.newID(), segments: [Segment]) {
            self.id = id
            self.segments = segments
        }
    }

    /// What the user said.
    public struct Prompt: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The text, in stretches.
        public var segments: [Segment]
        /// The form that the model is told to answer in, behind the text; nil where it is told of none.
        public var responseFormat: ResponseFormat?

        /// An entry with these stretches.
        public init(
            id: String = Transcript.newID(), segments: [Segment], responseFormat: ResponseFormat? = nil
        ) {
            self.id = id
            self.segments = segments
            self.responseFormat = responseFormat
        }
    }

    /// The form of an answer.
    public struct ResponseFormat: Sendable, Equatable {
        /// What the answer is, as JSON.
        public let schema: GenerationSchema

        /// The form that a schema describes.
        public init(schema: GenerationSchema) { self.schema = schema }

        /// The values of a type.
        public init<Content: Generable>(type: Content.Type) { schema = type.generationSchema }

        /// What a model is told of it.
        var promptText: String {
            "Answer with JSON alone, as this JSON Schema describes it:\n\(schema.debugDescription)"
        }
    }

    /// What the model thought.
    public struct Reasoning: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The text, in stretches.
        public var segments: [Segment]

        /// An entry with these stretches.
        public init(id: String = Transcript.newID(), segments: [Segment]) {
            self.id = id
            self.segments = segments
        }
    }

    /// What the model answered.
    public struct Response: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The text, in stretches.
        public var segments: [Segment]
        /// Why the answer ended; nil where it was cancelled or failed, and for one that no model of this process wrote.
        public var finishReason: FinishReason?

        /// An entry with these stretches.
        public init(id: String = Transcript.newID(), segments: [Segment], finishReason: FinishReason? = nil) {
            self.id = id
            self.segments = segments
            self.finishReason = finishReason
        }
    }

    /// Calls of tools that belong together.
    public struct ToolCalls: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The calls, in the model's order.
        public var calls: [ToolCall]

        /// An entry with these calls.
        public init(id: String = Transcript.newID(), calls: [ToolCall]) {
            self.id = id
            self.calls = calls
        }
    }

    /// A call of a tool.
    public struct ToolCall: Sendable, Equatable, Identifiable, Codable {
        /// The name that the tool's output refers to.
        public var id: String
        /// The tool.
        public var toolName: String
        /// The arguments as JSON, an object.
        public var arguments: String

        /// A call.
        public init(id: String = Transcript.newID(), toolName: String, arguments: String) {
            self.id = id
            self.toolName = toolName
            self.arguments = arguments
        }
    }

    /// What a tool gave back.
    public struct ToolOutput: Sendable, Equatable, Identifiable {
        /// A name that no other entry has.
        public var id: String
        /// The call that this answers.
        public var callID: String
        /// The tool.
        public var toolName: String
        /// The text, in stretches.
        public var segments: [Segment]

        /// An entry with these stretches.
        public init(id: String = Transcript.newID(), callID: String, toolName: String, segments: [Segment]) {
            self.id = id
            self.callID = callID
            self.toolName = toolName
            self.segments = segments
        }
    }

    /// A name that no other entry has.
    public static func newID() -> String { UUID().uuidString }
}

extension Transcript: RandomAccessCollection {
    /// 0.
    public var startIndex: Int { 0 }
    /// The number of entries.
    public var endIndex: Int { entries.count }
    /// An entry.
    public subscript(position: Int) -> Entry { entries[position] }
}

extension [Transcript.Segment] {
    /// One stretch of text.
    public static func text(_ content: String) -> [Transcript.Segment] { [.text(.init(content: content))] }

    /// The text of all stretches.
    public var text: String {
        map { segment in
            switch segment {
            case .text(let segment): segment.content
            }
        }.joined()
    }
}

extension Transcript.Entry {
    /// The words of the entry; of tool calls, the arguments.
    public var text: String {
        switch self {
        case .instructions(let entry): entry.segments.text
        case .prompt(let entry): entry.segments.text
        case .reasoning(let entry): entry.segments.text
        case .toolCalls(let entry): entry.calls.map(\.arguments).joined(separator: "\n")
        case .toolOutput(let entry): entry.segments.text
        case .response(let entry): entry.segments.text
        }
    }
}
