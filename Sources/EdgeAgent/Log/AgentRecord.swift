/// What a log says: each step of an agent, with all that it came from.
///
/// Nothing in it depends on time, threads or the processor; what does stands beside the record in its line.
public enum AgentRecord: Sendable, Equatable {
    /// What the agent is made of.
    case begin(Begin)
    /// A question begins.
    case question(Question)
    /// What was found for it.
    case passages(Search)
    /// What the model reads in a round.
    case prompt(Reading)
    /// What the model writes in a round.
    case draft(Draft)
    /// Whether a call is made.
    case verdict(Verdict)
    /// What came of a call.
    case result(AgentOutput)
    /// A limit was met.
    case limit(Limit)
    /// A step ends and another begins.
    case state(Transition)
    /// What the check of an answer found.
    case check(Check)
    /// A question is finished.
    case end(End)
    /// A question was given up: cancelled, or the model failed.
    case stopped(String)

    /// What an agent is made of.
    public struct Begin: Sendable, Equatable, Codable {
        /// The version of the log's form.
        public var version = 1
        /// The model.
        public var model: Model
        /// How the agent works.
        public var options: AgentOptions
        /// The tools as the model is told of them.
        public var tools: [Tool]
        /// The moment that templates may write: year, month, day, hour, minute, second.
        public var moment: [Int]
    }

    /// A model.
    public struct Model: Sendable, Hashable, Codable {
        /// Its name.
        public var name: String
        /// A number that other files do not have, in hexadecimal; empty for a model that is none from a file.
        public var fingerprint: String
        /// Tokens that prompt and answer may have together; nil where the model does not say.
        public var contextSize: Int?
        /// How its cache stores keys and values; nil where the model does not say.
        public var cache: GGUFLanguageModel.CachePrecision?
        /// The chat template that took the place of the file's; nil for the file's own.
        public var chatTemplate: String?
    }

    /// A tool.
    public struct Tool: Sendable, Hashable, Codable {
        /// The name that calls use.
        public var name: String
        /// What it does.
        public var description: String
        /// The schema of the arguments, as JSON.
        public var schema: String
        /// Whether the model is shown the schema.
        public var showsSchema: Bool
    }

    /// A question.
    public struct Question: Sendable, Hashable, Codable {
        /// Its number, from 1.
        public var number: Int
        /// The words.
        public var text: String
        /// How many earlier questions, with their answers, the model is given.
        public var earlier: Int
    }

    /// What was found.
    public struct Search: Sendable, Hashable, Codable {
        /// The passages that the model is given, the best first.
        public var passages: [ScoredPassage]
        /// How many were found beyond those for which the context has no room.
        public var omitted: Int
        /// Why nothing could be looked for; nil where it could.
        public var failure: String?
    }

    /// What the model reads.
    public struct Reading: Sendable, Hashable, Codable {
        /// Tokens at the beginning that are those of the question's prompt before this one and what was written behind it.
        public var shared: Int
        /// The tokens behind them; none for a model that is none from a file.
        public var tokens: [Int32]
        /// Where these tokens come from, in runs.
        public var origins: [Run]
        /// The texts, where there are no tokens.
        public var texts: [Span]
    }

    /// Tokens in a row that come from the same place.
    public struct Run: Sendable, Hashable, Codable {
        /// Where they come from.
        public var origin: Transcript.Origin
        /// How many they are.
        public var count: Int
    }

    /// A text and where it comes from.
    public struct Span: Sendable, Hashable, Codable {
        /// Where it comes from.
        public var origin: Transcript.Origin
        /// The text.
        public var text: String
    }

    /// What the model writes.
    public struct Draft: Sendable, Hashable, Codable {
        /// The seed of the round.
        public var seed: UInt64
        /// The tokens, the one that ends the round included.
        public var tokens: [Int32]
        /// The words.
        public var text: String
        /// What it thought first.
        public var thought: String
        /// The calls that it wants made.
        public var calls: [AgentCall]
        /// Why it ended.
        public var finish: FinishReason
        /// Whether it was cut because the time was over; its text is not used.
        public var isCut: Bool
    }

    /// Whether a call is made.
    public struct Verdict: Sendable, Hashable, Codable {
        /// Who says so.
        public enum Judge: String, Sendable, Hashable, Codable {
            /// The tools and their schemas.
            case schema
            /// A limit.
            case limit
            /// The policy.
            case policy
            /// Whoever approves.
            case approval
        }

        /// The call's number.
        public var call: Int
        /// Who says so: the first who is against it, or the last who was asked.
        public var judge: Judge
        /// Whether it is made.
        public var isAllowed: Bool
        /// Why not.
        public var reason: String
    }

    /// A limit that was met where nothing else tells of it.
    public enum Limit: String, Sendable, Hashable, Codable {
        /// The time of a question.
        case time
        /// The model's context.
        case context
    }

    /// A step and the next.
    public struct Transition: Sendable, Hashable, Codable {
        /// What ends.
        public var from: AgentState
        /// What begins.
        public var to: AgentState
    }

    /// What the check of an answer found.
    public struct Check: Sendable, Hashable, Codable {
        /// Why it is withheld; nil where it is not.
        public var refusal: AgentRefusal?
        /// The passages that it cites, by their numbers.
        public var cites: [Int]
    }

    /// What came of a question.
    public struct End: Sendable, Hashable, Codable {
        /// The answer, or why there is none.
        public var content: String
        /// Why there is none.
        public var refusal: AgentRefusal?
    }

    /// The name of its kind, as it stands in the log.
    public var kind: String { parts.kind.rawValue }
}

extension AgentRecord: Codable {
    private enum Key: String, CodingKey { case kind, value }
    fileprivate enum Kind: String, Codable {
        case begin, question, passages, prompt, draft, verdict, result, limit, state, check, end, stopped
    }

    fileprivate var parts: (kind: Kind, value: any Encodable) {
        switch self {
        case .begin(let value): (.begin, value)
        case .question(let value): (.question, value)
        case .passages(let value): (.passages, value)
        case .prompt(let value): (.prompt, value)
        case .draft(let value): (.draft, value)
        case .verdict(let value): (.verdict, value)
        case .result(let value): (.result, value)
        case .limit(let value): (.limit, value)
        case .state(let value): (.state, value)
        case .check(let value): (.check, value)
        case .end(let value): (.end, value)
        case .stopped(let value): (.stopped, value)
        }
    }

    /// Reads a record.
    ///
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func value<Value: Decodable>() throws -> Value { try container.decode(Value.self, forKey: .value) }
        switch try container.decode(Kind.self, forKey: .kind) {
        case .begin: self = .begin(try value())
        case .question: self = .question(try value())
        case .passages: self = .passages(try value())
        case .prompt: self = .prompt(try value())
        case .draft: self = .draft(try value())
        case .verdict: self = .verdict(try value())
        case .result: self = .result(try value())
        case .limit: self = .limit(try value())
        case .state: self = .state(try value())
        case .check: self = .check(try value())
        case .end: self = .end(try value())
        case .stopped: self = .stopped(try value())
        }
    }

    /// Writes `{"kind": …, "value": …}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        let (kind, value) = parts
        try container.encode(kind, forKey: .kind)
        try container.encode(value, forKey: .value)
    }
}
