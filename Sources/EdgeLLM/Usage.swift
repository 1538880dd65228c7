/// Tokens and time that an answer took.
public struct Usage: Sendable, Equatable {
    /// Tokens that the model read.
    public struct Input: Sendable, Equatable {
        /// Tokens of the prompt.
        public var totalTokenCount: Int
        /// Prompt tokens that did not need computing, because the model had just seen them.
        public var cachedTokenCount: Int
        /// Prompt tokens that the model did not read, because a sliding window had dropped them.
        public var droppedTokenCount: Int
        /// What became of the passages that options asked to reuse; nil where they did not. Their tokens are none of `cachedTokenCount`.
        public var groundingReuse: GroundingReuse.Report?

        /// Counts.
        public init(totalTokenCount: Int, cachedTokenCount: Int, droppedTokenCount: Int = 0) {
            self.totalTokenCount = totalTokenCount
            self.cachedTokenCount = cachedTokenCount
            self.droppedTokenCount = droppedTokenCount
        }
    }

    /// Tokens that the model wrote.
    public struct Output: Sendable, Equatable {
        /// Tokens generated, the end token included.
        public var totalTokenCount: Int
        /// Tokens of the thoughts among them. A model from a file counts them by cutting the thought's text into tokens once more.
        public var reasoningTokenCount: Int
        /// Generated tokens that a schema left no choice of: they ran together, without sampling.
        public var forcedTokenCount: Int
        /// Tokens, of the prompt and the answer itself, that a sliding window dropped while the answer was written.
        public var droppedTokenCount: Int

        /// Counts.
        public init(
            totalTokenCount: Int, reasoningTokenCount: Int, forcedTokenCount: Int = 0, droppedTokenCount: Int = 0
        ) {
            self.totalTokenCount = totalTokenCount
            self.reasoningTokenCount = reasoningTokenCount
            self.forcedTokenCount = forcedTokenCount
            self.droppedTokenCount = droppedTokenCount
        }
    }

    /// Tokens that the model read, in all rounds of tools.
    public var input: Input
    /// Tokens that it wrote.
    public var output: Output
    /// Seconds spent on the prompt; 0 where the model does not say.
    public var prefillSeconds: Double
    /// Seconds from the call to the first token; 0 where the model does not say.
    public var timeToFirstToken: Double
    /// Seconds from the first token to the last; 0 where the model does not say.
    public var decodeSeconds: Double

    /// What an answer took.
    public init(
        input: Input, output: Output, prefillSeconds: Double = 0, timeToFirstToken: Double = 0,
        decodeSeconds: Double = 0
    ) {
        self.input = input
        self.output = output
        self.prefillSeconds = prefillSeconds
        self.timeToFirstToken = timeToFirstToken
        self.decodeSeconds = decodeSeconds
    }

    /// No tokens and no time.
    public static let zero = Usage(
        input: Input(totalTokenCount: 0, cachedTokenCount: 0),
        output: Output(totalTokenCount: 0, reasoningTokenCount: 0))

    /// Tokens that a sliding window dropped, from the prompt before it was read and from both while the answer was written.
    public var droppedTokenCount: Int { Self.sum(input.droppedTokenCount, output.droppedTokenCount) }

    /// Tokens read and written.
    public var totalTokenCount: Int { Self.sum(input.totalTokenCount, output.totalTokenCount) }

    /// A model of somebody else's says what it likes.
    private static func sum(_ one: Int, _ other: Int) -> Int {
        let (sum, isTooLarge) = max(0, one).addingReportingOverflow(max(0, other))
        return isTooLarge ? .max : sum
    }

    /// Adds the tokens and seconds of another answer, and takes over its time to the first token.
    package mutating func add(_ other: Usage) {
        func add(_ count: inout Int, _ other: Int) { count = Self.sum(count, other) }
        add(&input.totalTokenCount, other.input.totalTokenCount)
        add(&input.cachedTokenCount, other.input.cachedTokenCount)
        add(&input.droppedTokenCount, other.input.droppedTokenCount)
        input.groundingReuse = other.input.groundingReuse ?? input.groundingReuse
        add(&output.totalTokenCount, other.output.totalTokenCount)
        add(&output.reasoningTokenCount, other.output.reasoningTokenCount)
        add(&output.forcedTokenCount, other.output.forcedTokenCount)
        add(&output.droppedTokenCount, other.output.droppedTokenCount)
        prefillSeconds += other.prefillSeconds
        timeToFirstToken = other.timeToFirstToken
        decodeSeconds += other.decodeSeconds
    }

    /// Prompt tokens computed per second; 0 when none were.
    public var prefillTokensPerSecond: Double {
        let computed =
            Double(input.totalTokenCount) - Double(input.cachedTokenCount) - Double(input.droppedTokenCount)
            - (input.groundingReuse.map { $0.isRejected ? 0 : Double($0.reusedTokenCount) } ?? 0)
        return computed > 0 && prefillSeconds > 0 ? computed / prefillSeconds : 0
    }

    /// Tokens generated per second after the first; 0 when there was only one.
    public var decodeTokensPerSecond: Double {
        output.totalTokenCount > 1 && decodeSeconds > 0 ? Double(output.totalTokenCount - 1) / decodeSeconds : 0
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
