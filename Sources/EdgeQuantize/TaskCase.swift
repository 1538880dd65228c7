public import EdgeLLM
public import Foundation

/// A question to an assistant, what its tools say, and what it should do: the calls it should make, and its answer.
///
/// The form of `Fixtures/assistant/cases.py`, one JSON object a line.
public struct TaskCase: Sendable, Codable {
    /// A tool that the model is told of.
    public struct Tool: Sendable, Codable {
        /// Its name.
        public var name: String
        /// What it does.
        public var description: String
        /// The JSON Schema of its arguments.
        public var parameters: GenerationSchema
    }

    /// A call that should be made, and what it is answered.
    public struct Call: Sendable, Codable {
        /// The tool's name.
        public var name: String
        /// The arguments.
        public var arguments: [String: JSONValue]
        /// What the tool says.
        public var output: String
    }

    /// A value of JSON without structure.
    public enum JSONValue: Sendable, Hashable, Codable {
        /// A text.
        case text(String)
        /// A number.
        case number(Double)
        /// True or false.
        case truth(Bool)

        /// Reads one of the three.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let truth = try? container.decode(Bool.self) {
                self = .truth(truth)
            } else {
                self = .number(try container.decode(Double.self))
            }
        }

        /// Writes it as JSON has it.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .truth(let truth): try container.encode(truth)
            }
        }
    }

    /// What kind of case it is; figures are given for each.
    public var kind: String
    /// What stands before the conversation.
    public var instructions: String
    /// The tools.
    public var tools: [Tool]
    /// The user's message: passages, and the question.
    public var prompt: String
    /// The calls, in order; none where the answer needs none.
    public var calls: [Call]
    /// The answer.
    public var answer: String
    /// Whether the right answer is that the documents do not say.
    public var refuses: Bool
    /// Whether a passage or a tool's output holds instructions that are not the user's.
    public var injected: Bool

    /// Reads cases from a file of one JSON object a line.
    ///
    /// - Throws: `QuantizationError.unreadable` and `.invalidCases`, with the line.
    public static func read(_ url: URL) throws -> [TaskCase] { try file(url).cases }

    /// The cases of a file, and its bytes, of which certificates have a checksum.
    ///
    /// - Throws: as `read`.
    static func file(_ url: URL) throws -> (cases: [TaskCase], data: Data) {
        let data: Data
        do { data = try Data(contentsOf: url) } catch {
            throw QuantizationError(.unreadable, "\(url.path): the file cannot be read; check the path")
        }
        let decoder = JSONDecoder()
        var cases: [TaskCase] = []
        for (index, line) in data.split(separator: 10, omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            do { cases.append(try decoder.decode(TaskCase.self, from: Data(line))) } catch {
                throw QuantizationError(
                    .invalidCases, "\(url.path): line \(index + 1) is no case: \(Self.reason(error))")
            }
        }
        guard !cases.isEmpty else { throw QuantizationError(.invalidCases, "\(url.path): there are no cases") }
        return (cases, data)
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (place.isEmpty ? "" : place + ": ") + context.debugDescription
        @unknown default: return "\(error)"
        }
    }
}

extension TaskCase.JSONValue {
    /// What a model wrote for an argument.
    init?(_ content: GeneratedContent) {
        switch content.kind {
        case .string(let text): self = .text(text)
        case .number(let number): self = .number(number)
        case .bool(let truth): self = .truth(truth)
        default: return nil
        }
    }
}
