package import EdgeSampling

/// What to generate: a prompt in token ids, how to choose, and when to stop.
package struct GenerationRequest: Sendable {
    package var prompt: [Int32]
    package var sampling: SamplingParameters
    /// Tokens to generate at most; nil for what fits in the context, or with a window for as many as the context has.
    package var maximumTokens: Int?
    /// Texts that end the answer where they begin; they are not part of it.
    package var stopSequences: [String]
    /// Goes on after an end-of-turn token, for measuring.
    package var ignoresEnd: Bool
    /// Control tokens whose text is part of the answer, such as the marks around a thought; others have none.
    package var shownTokens: Set<Int32>
    /// What the answer must follow; nil for any text. It ends where nothing may follow, or with an end token where one may.
    package var constraint: GenerationConstraint?
    /// What says when the constraint begins to bind; nil where it does from the start.
    package var trigger: (any ConstraintTrigger)?
    /// Tokens that are reported as such, without their text.
    package var markTokens: Set<Int32>
    /// Whether drafts from the context may speed the answer up. They change no token of it.
    package var speculates = true
    /// What stays of a text that outgrows the context; nil for refusing a prompt that does, and ending an answer.
    package var window: SlidingWindow?
    /// What may be taken from what was computed of passages elsewhere; nil for nothing.
    package var reuse: PassageReuse?
    /// What is chosen whatever the logits say, for measuring; the answer ends with it. Empty for choosing.
    package var script: [Int32] = []
    /// Tokens that the answer is expected to have, from its first on: drafts as long as they come true. They change no token of it.
    package var expected: [Int32] = []
    /// Called with each token of the answer, the one that ends it included.
    package var onToken: (@Sendable (Int32) -> Void)?

    package init(
        prompt: [Int32], sampling: SamplingParameters, maximumTokens: Int? = nil, stopSequences: [String] = [],
        ignoresEnd: Bool = false, shownTokens: Set<Int32> = [], constraint: GenerationConstraint? = nil,
        trigger: (any ConstraintTrigger)? = nil, markTokens: Set<Int32> = []
    ) {
        self.prompt = prompt
        self.sampling = sampling
        self.maximumTokens = maximumTokens
        self.stopSequences = stopSequences
        self.ignoresEnd = ignoresEnd
        self.shownTokens = shownTokens
        self.constraint = constraint
        self.trigger = trigger
        self.markTokens = markTokens
    }
}

/// Why an answer ended.
package enum StopReason: String, Sendable {
    /// The model ended its turn.
    case endOfTurn
    /// `maximumTokens` were generated, or the context is full.
    case maximumTokens
    case stopSequence
}

/// What a generation took.
package struct GenerationStatistics: Sendable {
    package var promptTokenCount = 0
    /// Prompt tokens whose keys and values were in the cache already.
    package var cachedTokenCount = 0
    /// What became of the request's `reuse`; nil for a request without.
    package var reuse: PassageReuse.Outcome?
    /// Prompt tokens that the window left out from the start, and tokens that it dropped while the answer was generated.
    package var droppedPromptTokenCount = 0
    package var droppedTokenCount = 0
    package var generatedTokenCount = 0
    /// Generated tokens that the constraint left no choice of: they were not sampled, and ran together.
    package var forcedTokenCount = 0
    /// Tokens that drafts proposed, and how many of them were chosen.
    package var draftedTokenCount = 0
    package var acceptedTokenCount = 0
    /// Seconds spent on the prompt, until its logits were there.
    package var prefillSeconds = 0.0
    /// Seconds from the request to the first token chosen.
    package var timeToFirstToken = 0.0
    /// Seconds from the first token chosen to the last.
    package var decodeSeconds = 0.0
    /// Seconds spent on the constraint: on masks, forced stretches and following.
    package var constraintSeconds = 0.0

    package init() {}
}

/// What a generation yields, in order; `finished` is the last.
package enum GenerationEvent: Sendable {
    /// A piece of text of whole characters.
    case text(String)
    /// A token of the request's `markTokens`, in its place between the texts.
    case mark(Int32)
    case finished(StopReason, GenerationStatistics)
}

/// Why a generation could not begin or go on.
package enum EngineError: Error, Sendable {
    /// The prompt does not fit the context; thrown before any work.
    case contextSizeExceeded(contextSize: Int, tokenCount: Int)
    /// So many tokens at the beginning leave a context of this size nothing to slide over; thrown before any work.
    case invalidWindow(contextSize: Int, keeping: Int)
    /// The prompt has no tokens, so there is nothing to continue.
    case emptyPrompt
    /// The context is in use by another request.
    case contextBusy
    /// The contexts that are being computed use all of the memory that there is for keys and values: `capacity` tokens, with which this
    /// one cannot come to have `tokenCount`.
    case cacheExhausted(tokenCount: Int, capacity: Int)
    /// An id of the prompt is not in the vocabulary.
    case invalidToken(Int32)
    /// The model's arithmetic gave no usable number: a damaged or hostile file.
    case nonFiniteLogits
    /// The constraint cannot be followed any further.
    case constraintFailed(String)
    /// What is not in memory could not be read from its file, or written to it; the tokens of that step are not in the context.
    case storageFailed(String)
}
