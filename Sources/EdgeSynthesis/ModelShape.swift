/// The sizes of a published model, all that speed depends on. From the models' own configuration files.
package struct ModelShape: Sendable {
    package let name: String
    package let blockCount: Int
    package let embeddingLength: Int
    package let feedForwardLength: Int
    package let headCount: Int
    package let keyValueHeadCount: Int
    package let headSize: Int
    package let vocabularySize: Int
    /// Whether logits are computed with the embedding.
    package let isTied: Bool
    package let contextLength: Int
    package let ropeBase: Float

    /// The shapes that can be asked for by name. `phi-3-mini` has its sizes in the unfused layout of Llama.
    package static let all: [ModelShape] = [
        ModelShape(
            name: "llama-3.2-1b", blockCount: 16, embeddingLength: 2048, feedForwardLength: 8192, headCount: 32,
            keyValueHeadCount: 8, headSize: 64, vocabularySize: 128_256, isTied: true, contextLength: 131_072,
            ropeBase: 500_000),
        ModelShape(
            name: "llama-3.2-3b", blockCount: 28, embeddingLength: 3072, feedForwardLength: 8192, headCount: 24,
            keyValueHeadCount: 8, headSize: 128, vocabularySize: 128_256, isTied: true, contextLength: 131_072,
            ropeBase: 500_000),
        ModelShape(
            name: "phi-3-mini", blockCount: 32, embeddingLength: 3072, feedForwardLength: 8192, headCount: 32,
            keyValueHeadCount: 32, headSize: 96, vocabularySize: 32_064, isTied: false, contextLength: 4096,
            ropeBase: 10_000),
        ModelShape(
            name: "tinyllama-1.1b", blockCount: 22, embeddingLength: 2048, feedForwardLength: 5632, headCount: 32,
            keyValueHeadCount: 4, headSize: 64, vocabularySize: 32_000, isTied: false, contextLength: 2048,
            ropeBase: 10_000),
        ModelShape(
            name: "smollm2-135m", blockCount: 30, embeddingLength: 576, feedForwardLength: 1536, headCount: 9,
            keyValueHeadCount: 3, headSize: 64, vocabularySize: 49_152, isTied: true, contextLength: 8192,
            ropeBase: 100_000),
    ]

    /// The shape of that name.
    package static func named(_ name: String) -> ModelShape? { all.first { $0.name == name.lowercased() } }
}
