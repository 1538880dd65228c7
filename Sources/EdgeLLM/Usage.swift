/// Tokens and time that an answer took.
public struct Usage: Sendable, Equatable {
    /// Tokens of the prompt.
    public var promptTokenCount: Int
    /// Prompt tokens that did not need computing, because the model had just seen them.
    public var cachedTokenCount: Int
    /// Tokens generated, the end token included.
    public var generatedTokenCount: Int
    /// Generated tokens that a schema left no choice of: they ran together, without sampling.
    public var forcedTokenCount: Int = 0
    /// Seconds spent on the prompt.
    public var prefillSeconds: Double
    /// Seconds from the call to the first token.
    public var timeToFirstToken: Double
    /// Seconds from the first token to the last.
    public var decodeSeconds: Double

    static let zero = Usage(
        promptTokenCount: 0, cachedTokenCount: 0, generatedTokenCount: 0, prefillSeconds: 0, timeToFirstToken: 0,
        decodeSeconds: 0)

    /// Adds the tokens and seconds of another answer, and takes over its time to the first token.
    mutating func add(_ other: Usage) {
        promptTokenCount += other.promptTokenCount
        cachedTokenCount += other.cachedTokenCount
        generatedTokenCount += other.generatedTokenCount
        forcedTokenCount += other.forcedTokenCount
        prefillSeconds += other.prefillSeconds
        timeToFirstToken = other.timeToFirstToken
        decodeSeconds += other.decodeSeconds
    }

    /// Prompt tokens computed per second; 0 when none were.
    public var prefillTokensPerSecond: Double {
        let computed = promptTokenCount - cachedTokenCount
        return computed > 0 && prefillSeconds > 0 ? Double(computed) / prefillSeconds : 0
    }

    /// Tokens generated per second after the first; 0 when there was only one.
    public var decodeTokensPerSecond: Double {
        generatedTokenCount > 1 && decodeSeconds > 0 ? Double(generatedTokenCount - 1) / decodeSeconds : 0
    }
}

/// Why an answer ended.
public enum FinishReason: String, Sendable, Equatable, Codable {
    /// The model ended its turn.
    case endOfTurn
    /// The limit on tokens was reached, or the context is full: the answer is cut.
    case maximumTokens
    /// A stop sequence was met.
    case stopSequence
    /// The model wanted more rounds of tools than `maximumToolRounds`; its last calls were not made.
    case toolLimit
    /// The program's tool approval ended the turn.
    case toolStop
}
