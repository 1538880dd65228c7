/// An answer from documents, with what it rests on.
public struct GroundedResponse: Sendable {
    /// What became of the question.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// There is an answer, and at least one quote of a passage for it.
        case answered
        /// The documents do not say, or nothing was found in them.
        case notInDocuments
        /// There is an answer, but nothing that was quoted for it stands in the passages: do not rely on it.
        case unsupported
    }

    /// What became of the question.
    public let outcome: Outcome
    /// The answer; empty where the documents do not say.
    public let content: String
    /// What it rests on. Each quote was looked up, to the byte, in its passage.
    public let citations: [Citation]
    /// Quotes that stand in no passage; empty for models from files, which cannot write such.
    public let rejectedQuotes: [String]
    /// The passages that the model was given, in the order in which it was given them.
    public let passages: [ScoredPassage]
    /// Tokens and time of the model; zero where nothing was found and the model was not asked.
    public let usage: Usage
    /// Why the answer ends; what was cut before it was whole is here as far as it came.
    public let finishReason: FinishReason
    /// Seconds from the question to the first token of the answer, the search included; nil where the model was not asked.
    public let firstTokenSeconds: Double?
    /// Seconds until the passages were found.
    public let retrievalSeconds: Double
    /// Seconds of the steps of the search, where a `PassageStore` did it.
    public let searchTimings: SearchResult.Timings?
}

/// What happens while a question is answered from documents.
public enum GroundedEvent: Sendable {
    /// The passages that the model is given.
    case passages([ScoredPassage])
    /// A quote, which stands in its passage exactly so.
    case citation(Citation)
    /// More of the answer.
    case text(String)
    /// The whole answer, at the end.
    case finished(GroundedResponse)
}
