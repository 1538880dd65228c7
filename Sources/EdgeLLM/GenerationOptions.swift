internal import EdgeEngine
internal import EdgeSampling

/// How an answer is chosen and when it ends.
///
/// The names follow FoundationModels; what only a local model can do is in `local`.
public struct GenerationOptions: Sendable, Equatable, Codable {
    /// How the next token is chosen from the model's probabilities; nil for the default chain of samplers with a random seed.
    public var samplingMode: SamplingMode?
    /// Below 1 the likely becomes likelier; 0 always takes the likeliest. Nil for 0.8.
    public var temperature: Double?
    /// Tokens at most; nil for what fits in the context, or with a sliding window for as many as the context holds. An answer that was cut says so in its `finishReason`.
    public var maximumResponseTokens: Int?
    /// Whether the model may, must or must not call tools; nil for `allowed`.
    public var toolCallingMode: ToolCallingMode?
    /// Settings that FoundationModels does not have.
    public var local: LocalSamplingOptions

    /// Options; each has a default that needs no thought.
    public init(
        samplingMode: SamplingMode? = nil, temperature: Double? = nil, maximumResponseTokens: Int? = nil,
        toolCallingMode: ToolCallingMode? = nil, local: LocalSamplingOptions = .init()
    ) {
        self.samplingMode = samplingMode
        self.temperature = temperature
        self.maximumResponseTokens = maximumResponseTokens
        self.toolCallingMode = toolCallingMode
        self.local = local
    }

    /// Options in the spelling of the first FoundationModels.
    public init(sampling: SamplingMode?, temperature: Double? = nil, maximumResponseTokens: Int? = nil) {
        self.init(
            samplingMode: sampling, temperature: temperature, maximumResponseTokens: maximumResponseTokens)
    }

    /// `samplingMode` in the spelling of the first FoundationModels.
    public var sampling: SamplingMode? {
        get { samplingMode }
        set { samplingMode = newValue }
    }

    /// Whether the model calls tools.
    public enum ToolCallingMode: String, Sendable, Equatable, Codable {
        /// As it sees fit.
        case allowed
        /// The answer begins with at least one call; after its result the model goes on as it sees fit.
        case required
        /// Not in this answer; the model is not told of the tools.
        case disallowed
    }

    /// How the next token is chosen.
    public struct SamplingMode: Sendable, Equatable, Codable {
        enum Kind: Sendable, Equatable, Codable {
            case greedy
            case top(Int)
            case nucleus(Double)
        }

        var kind: Kind
        var seed: UInt64?

        /// Always the likeliest token: the same prompt gives the same answer.
        public static var greedy: SamplingMode { SamplingMode(kind: .greedy) }

        /// Among the `k` likeliest tokens.
        ///
        /// - Parameter seed: with the same seed the same prompt gives the same answer, on any machine and any number of threads.
        public static func random(top k: Int, seed: UInt64? = nil) -> SamplingMode {
            SamplingMode(kind: .top(k), seed: seed)
        }

        /// Among the likeliest tokens whose probabilities add up to the threshold.
        ///
        /// - Parameter seed: as for `random(top:seed:)`.
        public static func random(probabilityThreshold: Double, seed: UInt64? = nil) -> SamplingMode {
            SamplingMode(kind: .nucleus(probabilityThreshold), seed: seed)
        }
    }
}

/// Sampling settings beyond FoundationModels. The defaults are those of llama.cpp.
///
/// Stages act in this order: logit bias, penalties, DRY, top-k, typical, top-p, min-p, XTC, temperature. With `mirostat`, it
/// takes the place of everything between DRY and the draw but the temperature.
public struct LocalSamplingOptions: Sendable, Equatable, Codable {
    /// Seed of the random numbers when `samplingMode` has none; nil for a new one each time.
    public var seed: UInt64?
    /// Keeps the likeliest k tokens; 0 keeps all. Nil for 40.
    public var topK: Int?
    /// Keeps the likeliest tokens whose probabilities add up to this. Nil for 0.95.
    public var topP: Double?
    /// Drops tokens less likely than this share of the likeliest one's probability. Nil for 0.05.
    public var minP: Double?
    /// Locally typical sampling (Meister et al. 2022); 1 is off.
    public var typicalP: Double = 1
    /// Divides the logits of recent tokens (Keskar et al. 2019); 1 is off.
    public var repetitionPenalty: Double = 1
    /// Subtracted for each recent occurrence; 0 is off.
    public var frequencyPenalty: Double = 0
    /// Subtracted once for a recent occurrence; 0 is off.
    public var presencePenalty: Double = 0
    /// Tokens that the penalties look back on; -1 for all.
    public var penaltyWindow: Int = 64
    /// DRY: strength of the penalty on continuing a repeated sequence; 0 is off.
    public var dryMultiplier: Double = 0
    /// DRY: growth of the penalty with the length of the repetition.
    public var dryBase: Double = 1.75
    /// DRY: repetitions up to this length are free.
    public var dryAllowedLength: Int = 2
    /// DRY: tokens looked back on; -1 for all.
    public var dryWindow: Int = -1
    /// DRY: texts that end a repetition.
    public var dryBreakers: [String] = ["\n", ":", "\"", "*"]
    /// XTC: probability of leaving out the likeliest tokens; 0 is off.
    public var xtcProbability: Double = 0
    /// XTC: tokens above this probability are left out but for the least likely of them.
    public var xtcThreshold: Double = 0.1
    /// Mirostat 2 (Basu et al. 2021); nil is off.
    public var mirostat: Mirostat?
    /// Added to the logits of token ids.
    public var logitBias: [Int: Double] = [:]
    /// Texts that end the answer where they begin.
    public var stopSequences: [String] = []
    /// Rounds of tool calls in one answer at most; what the model wants called after them is not, and the answer's `finishReason` is
    /// `toolLimit`.
    public var maximumToolRounds = 8
    /// A grammar that the answer must match, in llama.cpp's notation GBNF; nil leaves it free.
    ///
    /// ```
    /// root ::= <think> (!</think>)* </think> ("yes" | "no") ", because " [^\n]+
    /// ```
    ///
    /// Rules, literals, character classes, groups, `|`, `*`, `+`, `?` and `{m,n}`; the start is `root`. `<think>` and `<[1000]>` are
    /// tokens of the vocabulary, by text and by id, and `!<think>` is any token but that. Where a session has tools, an answer is
    /// what the grammar allows or calls of them, and one with `required` first calls, then what the grammar allows. An answer whose limit of
    /// tokens is met ends there, with `maximumTokens`.
    ///
    /// `LanguageModelError.invalidOptions`, before the first token: for a grammar that is none, with line and column; for a token that
    /// the vocabulary does not have; and together with a schema. Models that are none from a file may not know this option.
    public var grammar: String?
    /// Goes on after the model ended its turn, for measuring.
    public var ignoresEnd = false
    /// What happens where prompt and answer outgrow the context.
    public var contextOverflow = ContextOverflow.error
    /// Whether passages of the prompt are taken from where they were computed in other prompts, though that is not the same; nil for not.
    public var groundingReuse: GroundingReuse?

    /// The defaults.
    public init() {}

    /// What happens where prompt and answer outgrow the context.
    public enum ContextOverflow: Sendable, Equatable, Codable {
        /// A prompt that does not fit is `LanguageModelError.contextSizeExceeded`, and an answer ends where the context is full.
        case error
        /// The oldest tokens after the first `keeping` are dropped, as often as need be, and the answer goes on.
        ///
        /// Each time, half of the tokens after the first `keeping` are dropped, of a prompt that is too long as of a full context. Which
        /// ones depends only on how many tokens prompt and answer have together. What stays moves to its new positions: its keys are turned
        /// to them, which takes next to no time, and still know of the tokens that are gone. The answer depends on the prompt, the options and
        /// the model, as always, and on nothing else. What was turned serves that answer alone: the next prompt is computed without it,
        /// to the same bits in whatever session.
        ///
        /// With `recomputing`, and for models whose keys cannot be turned (layers that look back over a window, learned positions) and caches
        /// that lie partly in a file, what stays is computed anew at its new positions: the answer goes on with the same bits as after
        /// a prompt that never had what is gone, and the next prompt finds it in the cache. That takes the time of a prompt of about half
        /// the context; with layers that look back over a window only, of what stays altogether. What other sessions share is not touched
        /// in either way.
        ///
        /// Only the model forgets: a session's transcript stays whole. What is dropped may begin and end within a sentence or a turn,
        /// and beyond `keeping` it takes instructions, tools and the form of an answer too, which grammars go on to enforce. So keep as
        /// many tokens as those have, the beginning-of-text token included; ``GGUFLanguageModel/tokenCount(for:tools:)`` counts them.
        /// ``Usage/droppedTokenCount`` says how many tokens were dropped. Fewer than 0, or more than the context holds but for
        /// two, is `LanguageModelError.invalidOptions`, before the first token.
        case slidingWindow(keeping: Int, recomputing: Bool = false)

        private enum CodingKeys: String, CodingKey { case error, slidingWindow }
        private enum ErrorKeys: CodingKey {}
        private enum WindowKeys: String, CodingKey { case keeping, recomputing }

        /// Reads what `encode` wrote, or an earlier version, which did not say `recomputing`.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            guard container.contains(.slidingWindow) else {
                _ = try container.nestedContainer(keyedBy: ErrorKeys.self, forKey: .error)
                self = .error
                return
            }
            let window = try container.nestedContainer(keyedBy: WindowKeys.self, forKey: .slidingWindow)
            self = .slidingWindow(
                keeping: try window.decode(Int.self, forKey: .keeping),
                recomputing: try window.decodeIfPresent(Bool.self, forKey: .recomputing) ?? false)
        }

        /// An object with the case's name as its key.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            switch self {
            case .error:
                _ = container.nestedContainer(keyedBy: ErrorKeys.self, forKey: .error)
            case .slidingWindow(let keeping, let recomputing):
                var window = container.nestedContainer(keyedBy: WindowKeys.self, forKey: .slidingWindow)
                try window.encode(keeping, forKey: .keeping)
                try window.encode(recomputing, forKey: .recomputing)
            }
        }

        /// The engine's form of it.
        var window: SlidingWindow? {
            switch self {
            case .error: nil
            case .slidingWindow(let keeping, let recomputing):
                SlidingWindow(keeping: keeping, recomputes: recomputing)
            }
        }
    }

    /// Aims at a constant surprise.
    public struct Mirostat: Sendable, Equatable, Codable {
        /// The surprise aimed at, in bits.
        public var tau: Double
        /// How fast the aim is corrected.
        public var eta: Double

        /// The published settings.
        public init(tau: Double = 5, eta: Double = 0.1) {
            self.tau = tau
            self.eta = eta
        }
    }
}

extension LocalSamplingOptions {
    /// Reads options; what is not said is as in `init()`, so that options that were stored before there was a choice still mean the same.
    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
            if let found = try container.decodeIfPresent(Value.self, forKey: key) { value = found }
        }
        func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value?) throws {
            value = try container.decodeIfPresent(Value.self, forKey: key)
        }
        try read(.seed, &seed)
        try read(.topK, &topK)
        try read(.topP, &topP)
        try read(.minP, &minP)
        try read(.typicalP, &typicalP)
        try read(.repetitionPenalty, &repetitionPenalty)
        try read(.frequencyPenalty, &frequencyPenalty)
        try read(.presencePenalty, &presencePenalty)
        try read(.penaltyWindow, &penaltyWindow)
        try read(.dryMultiplier, &dryMultiplier)
        try read(.dryBase, &dryBase)
        try read(.dryAllowedLength, &dryAllowedLength)
        try read(.dryWindow, &dryWindow)
        try read(.dryBreakers, &dryBreakers)
        try read(.xtcProbability, &xtcProbability)
        try read(.xtcThreshold, &xtcThreshold)
        try read(.mirostat, &mirostat)
        try read(.logitBias, &logitBias)
        try read(.stopSequences, &stopSequences)
        try read(.maximumToolRounds, &maximumToolRounds)
        try read(.grammar, &grammar)
        try read(.ignoresEnd, &ignoresEnd)
        try read(.contextOverflow, &contextOverflow)
        try read(.groundingReuse, &groundingReuse)
    }
}
