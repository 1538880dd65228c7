/// A call that a model wants made.
public struct AgentCall: Sendable, Hashable, Codable, Identifiable {
    /// Its number among all calls of the agent, from 1. Tools see it in `id`.
    public var number: Int
    /// The tool.
    public var tool: String
    /// The arguments as JSON, an object.
    public var arguments: String

    /// A call.
    public init(number: Int, tool: String, arguments: String) {
        self.number = number
        self.tool = tool
        self.arguments = arguments
    }

    /// The name that the tool's output refers to: nine letters and digits, as some templates want them.
    public var id: String {
        let digits = String(number)
        return "call" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}

/// What came of a call.
public struct AgentOutput: Sendable, Hashable, Codable {
    /// How it went.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// The tool was called and answered.
        case answered
        /// The tool was called and said that it could not.
        case failed
        /// The tool was called and gave no answer in time.
        case timedOut
        /// The tool was not called: the policy does not allow it.
        case refused
        /// The tool was not called: whoever was asked did not approve.
        case denied
        /// The tool was not called: there is none of this name, or the arguments are not what it takes.
        case invalid
        /// The tool was not called: a limit was met.
        case skipped
    }

    /// The call.
    public var call: AgentCall
    /// What the model is told.
    public var text: String
    /// How it went.
    public var outcome: Outcome
}

/// A passage that an answer cites.
public struct AgentCitation: Sendable, Hashable, Codable {
    /// The number by which the answer names it, from 1.
    public var number: Int
    /// The passage.
    public var passage: Passage
    /// Where the answer names it, `[1]`, in bytes of UTF-8.
    public var range: Range<Int>
    /// The sentence of the answer that it is for, in bytes of UTF-8.
    public var sentence: Range<Int>
}

/// Why a question has no answer.
public enum AgentRefusal: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The model says that neither passages nor tools answer it.
    case notInDocuments
    /// The model's answer has numbers that stand neither in the passages, nor in what the tools said, nor in the question.
    case unsupportedNumbers([String])
    /// The model's answer cites passages that there are not.
    case unknownCitations([Int])
    /// The model wanted more rounds of calls than may be.
    case roundLimit(Int)
    /// The answer was not whole when its tokens were used up.
    case tokenLimit(Int)
    /// The time was over.
    case timeLimit(Double)
    /// The conversation has outgrown the model's context.
    case contextFull
    /// The model said nothing.
    case emptyAnswer

    /// Why, in a sentence.
    public var description: String {
        switch self {
        case .notInDocuments: "The documents do not say."
        case .unsupportedNumbers(let numbers):
            "The answer is withheld: \(numbers.joined(separator: ", ")) "
                + (numbers.count == 1 ? "stands" : "stand")
                + " neither in the passages nor in what the tools said nor in the question."
        case .unknownCitations(let numbers):
            "The answer is withheld: it cites \(numbers.map { "[\($0)]" }.joined(separator: ", ")), and there is no such passage."
        case .roundLimit(let rounds): "No answer: the limit of \(rounds) rounds of calls was reached."
        case .tokenLimit(let tokens): "No answer: it was not whole after \(tokens) tokens."
        case .timeLimit(let seconds): "No answer: the limit of \(AgentText.number(seconds)) s was reached."
        case .contextFull: "No answer: the question and what was found do not fit the model's context."
        case .emptyAnswer: "No answer: the model said nothing."
        }
    }
}

/// What came of a question.
public struct AgentResult: Sendable, Equatable {
    /// The question.
    public var question: String
    /// Why it has no answer; nil where it has one.
    public var refusal: AgentRefusal?
    /// The answer, or a sentence that says why there is none, with what the tools said.
    public var content: String
    /// The passages that the answer cites, in its order.
    public var citations: [AgentCitation]
    /// The passages that the model was given.
    public var passages: [ScoredPassage]
    /// Why no passages could be looked for; nil where they could.
    public var searchFailure: String?
    /// What came of the calls, in order.
    public var outputs: [AgentOutput]
    /// What the model wrote last, where it was withheld.
    public var withheld: String?
    /// Tokens and seconds of the model.
    public var usage: Usage
    /// What each step took, in order.
    public var steps: [AgentStep]

    /// What could not be read or done, as the tools said it.
    public var failures: [String] { outputs.filter { $0.outcome != .answered }.map(\.text) }
}

/// A step of a question, and what it took.
public struct AgentStep: Sendable, Hashable {
    /// What was done.
    public var state: AgentState
    /// Seconds.
    public var seconds: Double
}

/// What an agent does.
public enum AgentState: String, Sendable, Hashable, Codable {
    /// Looks for passages.
    case ground
    /// Lets the model decide: for calls, or an answer.
    case decide
    /// Has a call checked, approved and made.
    case call
    /// Tells the model what came of the calls.
    case observe
    /// Checks the answer.
    case answer
    /// Says why there is none.
    case refuse
    /// Has finished.
    case done
    /// Could not go on.
    case failed
}

/// What happens while a question is being answered.
public enum AgentEvent: Sendable, Equatable {
    /// A step begins.
    case state(AgentState)
    /// Passages were found.
    case passages([ScoredPassage])
    /// The model wants a call made.
    case call(AgentCall)
    /// What came of a call.
    case output(AgentOutput)
    /// A piece of the answer. Its numbers and citations have been checked.
    case text(String)
    /// The rest of the answer is withheld.
    case withheld(AgentRefusal)
    /// All of it; the last event.
    case finished(AgentResult)
}

/// Texts that more than one place writes.
enum AgentText {
    /// At most two decimals, no zeros at the end.
    static func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return "\(value)" }
        let hundredths = Int((value * 100).rounded())
        let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
        let sign = hundredths < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(whole)" }
        return "\(sign)\(whole)." + (rest % 10 == 0 ? "\(rest / 10)" : rest < 10 ? "0\(rest)" : "\(rest)")
    }

    /// A text on one line: white space of any kind as single spaces.
    static func line(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    /// A text in which control characters are shown, not obeyed, and that is not longer than a limit.
    static func harmless(_ text: String, limit: Int) -> String {
        var shown = ""
        // What is beyond the limit is not even looked at.
        for scalar in text.unicodeScalars {
            guard shown.utf8.count < limit else {
                return shown + " … (cut after \(limit) of \(text.utf8.count) bytes)"
            }
            let isControl = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return shown
    }
}
