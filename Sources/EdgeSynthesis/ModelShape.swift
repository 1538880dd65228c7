internal import EdgeGGUF

/// The sizes of a published model, all that speed depends on. From the models' own configuration files.
package struct ModelShape: Sendable {
    package var name: String
    /// `general.architecture`, which also decides what tensors the file has: `FamilyLayout`.
    package var architecture = "llama"
    package var blockCount: Int
    package var embeddingLength: Int
    /// Of a mixture the width that its dense relatives would have; no tensor has it.
    package var feedForwardLength: Int
    package var headCount: Int
    package var keyValueHeadCount: Int
    package var headSize: Int
    package var vocabularySize: Int
    /// Whether logits are computed with the embedding.
    package var isTied: Bool
    package var contextLength: Int
    package var ropeBase: Float
    /// Components of a head that turn; nil for all.
    package var rotaryCount: Int?
    package var normEpsilon: Float = 1e-5
    /// Nil for a dense model.
    package var experts: Experts?
    /// What else the architecture's files state, by keys without its name.
    var statements: [(key: String, value: GGUFValue)] = []

    /// A mixture of experts.
    package struct Experts: Sendable {
        package var count: Int
        package var usedCount: Int
        package var feedForwardLength: Int

        package init(count: Int, usedCount: Int, feedForwardLength: Int) {
            self.count = count
            self.usedCount = usedCount
            self.feedForwardLength = feedForwardLength
        }
    }

    /// The shape of that name, in any case; `NAME/N` is the shape cut to one layer in N: `reduced`. `NAME@llama` has the sizes of another
    /// architecture's model in a file of Llama's: `asLlama`.
    package static func named(_ name: String) -> ModelShape? {
        let parts = name.lowercased().split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first else { return nil }
        let base = first.hasSuffix(llamaSuffix) ? first.dropLast(llamaSuffix.count) : first
        guard var shape = all.first(where: { $0.name == base }) else { return nil }
        if base != first { shape = shape.asLlama }
        if parts.count == 1 { return shape }
        guard parts.count == 2, let divisor = Int(parts[1]), (1...shape.blockCount).contains(divisor) else {
            return nil
        }
        return shape.reduced(by: divisor)
    }

    private static let llamaSuffix = "@llama"

    /// The same sizes, and nothing else that the architecture has: beside it this shows what its own steps cost.
    private var asLlama: ModelShape {
        var shape = self
        shape.name += Self.llamaSuffix
        shape.architecture = "llama"
        shape.feedForwardLength = experts?.feedForwardLength ?? feedForwardLength
        shape.rotaryCount = nil
        shape.statements = []
        return shape
    }

    /// Tokens that a reduced shape keeps.
    private static let reducedVocabularySize = 16_384

    /// The same widths in a smaller file, to compare architectures by: one layer in `divisor`, at most 16,384 tokens, and at most
    /// four experts for each that sees a token.
    private func reduced(by divisor: Int) -> ModelShape {
        var shape = self
        shape.name += "/\(divisor)"
        shape.blockCount = max(1, blockCount / divisor)
        shape.vocabularySize = min(vocabularySize, Self.reducedVocabularySize)
        if let experts { shape.experts?.count = min(experts.count, 4 * experts.usedCount) }
        return shape
    }
}
