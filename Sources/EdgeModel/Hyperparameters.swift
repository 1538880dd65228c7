internal import EdgeGGUF

/// The numbers that fix the shape of a model, read from a file's metadata and checked.
package struct Hyperparameters: Sendable {
    package var architecture: Architecture
    /// Tokens the model was trained to look back on: `context_length`.
    package var contextLength: Int
    /// Width of the residual stream: `embedding_length`.
    package var embeddingLength: Int
    /// Number of layers: `block_count`.
    package var blockCount: Int
    /// Width inside a feed-forward block: `feed_forward_length`.
    package var feedForwardLength: Int
    /// Query heads: `attention.head_count`.
    package var headCount: Int
    /// Key and value heads, each shared by `headCount / keyValueHeadCount` query heads: `attention.head_count_kv`.
    package var keyValueHeadCount: Int
    /// Width of one head: `attention.key_length`, else `embeddingLength / headCount`.
    package var headSize: Int
    /// `attention.layer_norm_rms_epsilon`.
    package var normEpsilon: Float
    /// Factor of the attention scores.
    package var attentionScale: Float
    package var rotary: RotaryScaling
    /// `expert_count`; 0 for a dense model.
    package var expertCount: Int
    /// Experts that see a token: `expert_used_count`.
    package var expertUsedCount: Int

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
        blockCount = try metadata.int(prefix + "block_count", in: 1...1 << 16)
        feedForwardLength = try metadata.int(prefix + "feed_forward_length", in: 1...Self.limit)
        headCount = try metadata.int(prefix + "attention.head_count", in: 1...1 << 16)
        keyValueHeadCount =
            try metadata.optionalInt(prefix + "attention.head_count_kv", in: 1...1 << 16) ?? headCount
        guard headCount % keyValueHeadCount == 0 else {
            throw ModelError(
                .invalidMetadata, "\(headCount) query heads cannot share \(keyValueHeadCount) key-value heads evenly",
                key: prefix + "attention.head_count_kv")
        }
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
        normEpsilon = try metadata.float(prefix + "attention.layer_norm_rms_epsilon")
        guard normEpsilon >= 0, normEpsilon < 1 else {
            throw ModelError(
                .invalidMetadata, "epsilon \(normEpsilon) is not between 0 and 1",
                key: prefix + "attention.layer_norm_rms_epsilon")
        }
        attentionScale = 1 / Float(headSize).squareRoot()
        rotary = try RotaryScaling(metadata, prefix: prefix, headSize: headSize, contextLength: contextLength)
        expertCount = try metadata.optionalInt(prefix + "expert_count", in: 0...4096) ?? 0
        expertUsedCount = try metadata.optionalInt(prefix + "expert_used_count", in: 0...4096) ?? 0
        guard expertCount == 0 || (1...expertCount).contains(expertUsedCount) else {
            throw ModelError(
                .invalidMetadata, "\(expertUsedCount) of \(expertCount) experts cannot be used",
                key: prefix + "expert_used_count")
        }
    }
}
