internal import EdgeGGUF

/// The numbers that fix the shape of a model, read from a file's metadata and checked.
package struct Hyperparameters: Sendable {
    package var architecture: Architecture
    /// Tokens the model was trained to look back on: `context_length`.
    package var contextLength: Int
    /// Width of the residual stream: `embedding_length`.
    package var embeddingLength: Int
    /// Width inside a feed-forward block: `feed_forward_length`, of experts `expert_feed_forward_length` where it is stated.
    package var feedForwardLength: Int
    /// Query heads: `attention.head_count`.
    package var headCount: Int
    /// Key and value heads, each shared by `headCount / keyValueHeadCount` query heads: `attention.head_count_kv`.
    package var keyValueHeadCount: Int
    /// Width of one head: `attention.key_length`, else `embeddingLength / headCount`.
    package var headSize: Int
    /// `attention.layer_norm_rms_epsilon`, or `attention.layer_norm_epsilon`.
    package var normEpsilon: Float
    /// Factor of the attention scores.
    package var attentionScale: Float
    /// Bound of the attention scores by tanh; 0 for none: `attn_logit_softcapping`.
    package var attentionSoftCap: Float = 0
    /// Whether tokens see only what lies before them: `attention.causal`.
    package var isCausal: Bool
    /// How heads are turned; nil where no layer turns them.
    package var rotary: RotaryScaling?
    /// The same in layers with a window, where it differs.
    package var windowedRotary: RotaryScaling?
    /// How fast attention sharpens with each original context that a position lies beyond; 0 for not at all:
    /// `attention.temperature_scale`.
    package var attentionTemperature: Float = 0
    /// By layer, `block_count` of them.
    package var layers: [LayerShape]
    /// `expert_count`; 0 for a dense model.
    package var expertCount: Int
    /// Experts that see a token: `expert_used_count`.
    package var expertUsedCount: Int
    /// Factor of the embeddings.
    package var embeddingScale: Float = 1
    /// Factor of what each branch adds to the residual stream: `residual_scale`.
    package var residualScale: Float = 1
    /// Factor of the logits: 1 / `logit_scale`.
    package var logitScale: Float = 1
    /// Bound of the logits by tanh; 0 for none: `final_logit_softcapping`.
    package var logitSoftCap: Float = 0
    /// `pooling_type`, if the file states one.
    package var pooling: Pooling?
    /// Scores that a reranker gives: the names in `classifier.output_labels`, or one.
    package var labelCount = 1

    /// What differs from layer to layer.
    package struct LayerShape: Sendable, Equatable {
        /// Positions a token sees, itself included; 0 for all.
        package var window = 0
        package var rotation = Rotation.standard

        package enum Rotation: Sendable { case none, standard, windowed }
    }

    /// Number of layers: `block_count`.
    package var blockCount: Int { layers.count }

    /// Upper bounds far beyond any real model, below which no product of sizes can overflow.
    private static let limit = 1 << 24

    init(_ metadata: MetadataReader) throws(ModelError) {
        let name = try metadata.string("general.architecture")
        guard let architecture = Architecture.named(name) else {
            let known = Architecture.all.map(\.name).joined(separator: ", ")
            throw ModelError(
                .unsupportedArchitecture, "architecture '\(name)' cannot be run; these can: \(known)",
                key: "general.architecture")
        }
        self.architecture = architecture
        let prefix = name + "."
        contextLength = try metadata.int(prefix + "context_length", in: 0...Int(UInt32.max))
        embeddingLength = try metadata.int(prefix + "embedding_length", in: 1...Self.limit)
        let blockCount = try metadata.int(prefix + "block_count", in: 1...1 << 16)
        headCount = try metadata.int(prefix + "attention.head_count", in: 1...1 << 16)
        keyValueHeadCount =
            try metadata.optionalInt(prefix + "attention.head_count_kv", in: 1...1 << 16) ?? headCount
        guard headCount % keyValueHeadCount == 0 else {
            throw ModelError(
                .invalidMetadata, "\(headCount) query heads cannot share \(keyValueHeadCount) key-value heads evenly",
                key: prefix + "attention.head_count_kv")
        }
        headSize = try Self.headSize(metadata, prefix, embeddingLength: embeddingLength, headCount: headCount)
        let epsilonKey =
            prefix + (architecture.norm == .layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon")
        normEpsilon = try metadata.float(epsilonKey)
        guard normEpsilon >= 0, normEpsilon < 1 else {
            throw ModelError(.invalidMetadata, "epsilon \(normEpsilon) is not between 0 and 1", key: epsilonKey)
        }
        expertCount = try metadata.optionalInt(prefix + "expert_count", in: 0...4096) ?? 0
        expertUsedCount = try metadata.optionalInt(prefix + "expert_used_count", in: 0...4096) ?? 0
        guard expertCount == 0 || (1...expertCount).contains(expertUsedCount) else {
            throw ModelError(
                .invalidMetadata, "\(expertUsedCount) of \(expertCount) experts cannot be used",
                key: prefix + "expert_used_count")
        }
        let ofExperts =
            expertCount > 0
            ? try metadata.optionalInt(prefix + "expert_feed_forward_length", in: 1...Self.limit) : nil
        if let ofExperts {
            feedForwardLength = ofExperts
        } else {
            feedForwardLength = try metadata.int(prefix + "feed_forward_length", in: 1...Self.limit)
        }
        if architecture.rotaryPairs != nil {
            rotary = try RotaryScaling(
                metadata, prefix: prefix, headSize: headSize, contextLength: contextLength,
                readsDetails: architecture.readsYarnDetails)
        }
        layers = try Self.layers(metadata, prefix, architecture, count: blockCount)
        if layers.contains(where: { $0.rotation == .windowed }), case .unscaled(let base) = architecture.windowedRotary
        {
            let stated = try metadata.optionalFloat(prefix + "rope.freq_base_swa")
            guard stated ?? 1 > 0 else {
                throw ModelError(.invalidMetadata, "the base is not positive", key: prefix + "rope.freq_base_swa")
            }
            windowedRotary = rotary?.unscaled(base: stated ?? base)
        }
        let width = architecture.blockCountOfWidthScale == blockCount ? embeddingLength / headCount : headSize
        attentionScale = 1 / Float(max(1, width)).squareRoot()
        isCausal = try metadata.optionalBool(prefix + "attention.causal") ?? !architecture.isEncoder
        try readFactors(metadata, prefix)
        if let number = try metadata.optionalInt(prefix + "pooling_type", in: 0...255) {
            guard let pooling = Pooling(rawValue: number) else {
                throw ModelError(
                    .invalidMetadata,
                    "pooling \(number) is none of none (0), mean (1), first (2), last (3) and rank (4)",
                    key: prefix + "pooling_type")
            }
            self.pooling = pooling
            if pooling == .rank { labelCount = try Self.labelCount(metadata, prefix, architecture) }
        }
        if try metadata.optionalBool(prefix + "use_parallel_residual") == true {
            throw ModelError(
                .unsupportedArchitecture, "attention and feed-forward side by side are not supported",
                key: prefix + "use_parallel_residual")
        }
    }

    private static func labelCount(
        _ metadata: MetadataReader, _ prefix: String, _ architecture: Architecture
    ) throws(ModelError) -> Int {
        guard architecture.isEncoder else {
            let able = Architecture.all.filter(\.isEncoder).map(\.name).joined(separator: ", ")
            throw ModelError(
                .unsupportedArchitecture, "'\(architecture.name)' cannot rerank; these can: \(able)",
                key: prefix + "pooling_type")
        }
        let key = prefix + "classifier.output_labels"
        guard let labels = try metadata.optionalStrings(key) else { return 1 }
        guard !labels.isEmpty else { throw ModelError(.invalidMetadata, "there are no labels", key: key) }
        return labels.count
    }

    private static func headSize(
        _ metadata: MetadataReader, _ prefix: String, embeddingLength: Int, headCount: Int
    ) throws(ModelError) -> Int {
        let headSize: Int
        if let keyLength = try metadata.optionalInt(prefix + "attention.key_length", in: 1...1 << 16) {
            headSize = keyLength
        } else {
            guard embeddingLength % headCount == 0 else {
                throw ModelError(
                    .invalidMetadata, "embedding length \(embeddingLength) is no multiple of \(headCount) heads",
                    key: prefix + "attention.head_count")
            }
            headSize = embeddingLength / headCount
        }
        let valueLength = try metadata.optionalInt(prefix + "attention.value_length", in: 1...1 << 16) ?? headSize
        guard valueLength == headSize else {
            throw ModelError(
                .invalidMetadata, "values \(valueLength) wide beside keys \(headSize) wide are not supported",
                key: prefix + "attention.value_length")
        }
        return headSize
    }

    /// Each layer's window, from `attention.sliding_window` and `attention.sliding_window_pattern`, and whether it turns heads.
    private static func layers(
        _ metadata: MetadataReader, _ prefix: String, _ architecture: Architecture, count: Int
    ) throws(ModelError) -> [LayerShape] {
        var layers = Array(repeating: LayerShape(), count: count)
        for index in layers.indices {
            let isUnrotated = architecture.unrotatedPeriod.map { (index + 1) % $0 == 0 } ?? false
            if isUnrotated || architecture.rotaryPairs == nil { layers[index].rotation = .none }
        }
        let hasWindow: [Bool]
        var defaultWindow = 0
        switch architecture.windows {
        case .none: return layers
        case .allLayers: hasWindow = Array(repeating: true, count: count)
        case .allButLast(let period, let window):
            defaultWindow = window
            hasWindow = try windowPattern(metadata, prefix, period: period, count: count)
        }
        let stated = try metadata.optionalInt(prefix + "attention.sliding_window", in: 0...Int(UInt32.max))
        let window = stated ?? defaultWindow
        guard window > 0 else { return layers }
        for index in layers.indices where hasWindow[index] {
            layers[index].window = window
            if layers[index].rotation == .standard, case .unscaled = architecture.windowedRotary {
                layers[index].rotation = .windowed
            }
        }
        return layers
    }

    /// The pattern as the file has it: a period, or a truth value for each layer.
    private static func windowPattern(
        _ metadata: MetadataReader, _ prefix: String, period: Int, count: Int
    ) throws(ModelError) -> [Bool] {
        let key = prefix + "attention.sliding_window_pattern"
        if let list = try metadata.optionalFlags(key) {
            guard list.count >= count else {
                throw ModelError(.invalidMetadata, "\(list.count) values for \(count) layers", key: key)
            }
            return Array(list.prefix(count))
        }
        // A period of 0 stands for no windows, as one of 1 does.
        let period = max(1, try metadata.optionalInt(key, in: 0...1 << 16) ?? period)
        return (0..<count).map { $0 % period < period - 1 }
    }

    /// Scales, soft caps and the temperature, where the architecture has them.
    private mutating func readFactors(_ metadata: MetadataReader, _ prefix: String) throws(ModelError) {
        if architecture.scalesEmbedding { embeddingScale = Float(embeddingLength).squareRoot() }
        if architecture.readsMultipliers {
            embeddingScale = try metadata.factor(prefix + "embedding_scale") ?? 1
            residualScale = try metadata.factor(prefix + "residual_scale") ?? 1
            attentionScale = try metadata.factor(prefix + "attention.scale") ?? attentionScale
            logitScale = 1 / (try metadata.factor(prefix + "logit_scale") ?? 1)
        }
        if let standard = architecture.attentionSoftCap {
            attentionSoftCap = max(0, try metadata.optionalFloat(prefix + "attn_logit_softcapping") ?? standard)
        }
        if let standard = architecture.logitSoftCap {
            logitSoftCap = max(0, try metadata.optionalFloat(prefix + "final_logit_softcapping") ?? standard)
        }
        if architecture.readsYarnDetails {
            attentionTemperature = try metadata.optionalFloat(prefix + "attention.temperature_scale") ?? 0
        }
    }
}
