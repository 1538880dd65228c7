/// A text as a point: texts of like meaning lie near each other.
public struct Embedding: Sendable, Hashable, Codable {
    /// The coordinates.
    public let values: [Float]

    /// A vector as it is.
    public init(_ values: [Float]) { self.values = values }

    /// A vector divided by its length; the vector of zeros stays.
    public init(normalizing values: [Float]) {
        let length = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        self.values = length > 0 ? values.map { Float(Double($0) / length) } : values
    }

    /// Coordinates.
    public var dimensionCount: Int { values.count }

    /// The cosine of the angle between two vectors, from -1 to 1; 0 where one of them is all zeros.
    ///
    /// - Precondition: both have the same number of coordinates.
    public func cosineSimilarity(to other: Embedding) -> Float {
        precondition(
            values.count == other.values.count,
            "vectors of \(values.count) and \(other.values.count) coordinates cannot be compared: they are of different models"
        )
        var product = 0.0
        var own = 0.0
        var others = 0.0
        for (a, b) in zip(values, other.values) {
            product += Double(a) * Double(b)
            own += Double(a) * Double(a)
            others += Double(b) * Double(b)
        }
        guard own > 0, others > 0 else { return 0 }
        return Float(max(-1, min(1, product / (own * others).squareRoot())))
    }
}

/// What a text is to a search.
public enum EmbeddingRole: String, Sendable, Hashable, Codable, CaseIterable {
    /// The text that is searched with.
    case query
    /// A text that may be found.
    case passage
}

/// A model that turns texts into vectors.
public protocol EmbeddingModel: Sendable {
    /// A name for the vectors: those of models with different identifiers must not be compared.
    var identifier: String { get }
    /// Coordinates of a vector.
    var dimensionCount: Int { get }
    /// Tokens of one text at most.
    var maximumInputTokens: Int { get }
    /// The vectors of texts, in their order.
    nonisolated(nonsending) func embed(_ texts: [String], as role: EmbeddingRole) async throws -> [Embedding]
}

/// Why texts cannot be embedded. Thrown before any time is spent on them.
public enum EmbeddingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A text has more tokens than the model takes.
    case textTooLong(index: Int, tokenCount: Int, limit: Int)
    /// A text has no tokens, and the vocabulary none to put around it.
    case emptyText(index: Int)

    /// What is wrong and what to do, in one line.
    public var description: String {
        switch self {
        case .textTooLong(let index, let tokenCount, let limit):
            "text \(index + 1) has \(tokenCount) tokens, but the model takes \(limit); split it, or ask for it to be truncated"
        case .emptyText(let index): "text \(index + 1) is empty"
        }
    }
}
