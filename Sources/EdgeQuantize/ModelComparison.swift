internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeLLM
internal import EdgeMath
public import Foundation

/// How far a model is from another of the same vocabulary, on a text: what quantization has cost.
///
/// The text is cut into pieces that do not see each other; the second half of each is scored, with the first as context, as llama.cpp does
/// it. Of the base's distributions the most probable tokens are kept, for one piece at a time, and the others count as one: where the
/// vocabulary is larger than that the divergence is a lower bound.
public struct ModelComparison: Sendable, Hashable, Codable {
    /// A mean, and how sure it is.
    public struct Figure: Sendable, Hashable, Codable {
        /// The mean over all scored tokens.
        public var value: Double
        /// One standard error, from how the pieces differ: tokens of one piece depend on each other. Infinite for one piece.
        public var standardError: Double
        /// The bounds that hold the true mean with a probability of 95 %.
        public var interval: ClosedRange<Double> {
            guard standardError.isFinite else { return -.infinity ... .infinity }
            return value - 1.96 * standardError...value + 1.96 * standardError
        }
    }

    /// Mean negative log-likelihood of the text's tokens for the base, in nats; e to it is the perplexity.
    public var baseLoss: Figure
    /// The same for the model.
    public var loss: Figure
    /// The mean of the differences, which is surer than the difference of the means.
    public var lossDifference: Figure
    /// The mean Kullback-Leibler divergence from the base's distribution to the model's, in nats a token.
    public var divergence: Figure
    /// The largest divergence at a token.
    public var largestDivergence: Double
    /// The divergence that 99 of 100 tokens do not exceed.
    public var divergence99: Double
    /// How often both find the same token the most probable.
    public var agreement: Figure
    /// The base's probability that lies on the tokens that were kept, on average.
    public var coveredProbability: Double
    /// Tokens that were scored.
    public var scoredTokenCount: Int
    /// Pieces that were scored.
    public var pieceCount: Int
    /// Tokens of a piece.
    public var pieceLength: Int

    /// The base's perplexity.
    public var basePerplexity: Double { Deterministic.exponential(baseLoss.value) }
    /// The model's perplexity.
    public var perplexity: Double { Deterministic.exponential(loss.value) }

    /// Compares two models, of which both are in memory.
    ///
    /// - Parameters:
    ///   - base: the model that is taken for right.
    ///   - model: the one to judge.
    ///   - text: what they are judged on; not what the model was calibrated with.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - pieceLength: tokens of a piece, 8 or more.
    ///   - maximumPieces: pieces at most; nil for all.
    ///   - keptTokenCount: tokens of the base's distribution that are kept.
    ///   - threadCount: threads that compute; nil for the physical cores. Does not change a bit of any figure.
    ///   - progress: called after each piece with the figures so far and the number of pieces in all.
    /// - Throws: `ModelLoadingError`; `QuantizationError.invalidOptions` for models of different vocabularies or a text that is too short;
    ///   `CancellationError`.
    public static nonisolated(nonsending) func measure(
        base: URL, model: URL, on text: [UInt8], parsesSpecialTokens: Bool = false, pieceLength: Int = 512,
        maximumPieces: Int? = nil,
        keptTokenCount: Int = 1024, threadCount: Int? = nil,
        progress: @escaping @Sendable (_ current: ModelComparison, _ total: Int) -> Void = { _, _ in }
    ) async throws -> ModelComparison {
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let baseFile = try ModelLoadingError.reporting(base.path) { try GGUFFile(path: base.path) }
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            let scorers = try [baseFile, file].map {
                try TextScorer(
                    $0, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                    threadCount: threadCount)
            }
            let (first, second) = (scorers[0], scorers[1])
            guard first.tokens == second.tokens, first.vocabularySize == second.vocabularySize else {
                throw QuantizationError(
                    .invalidOptions,
                    "\(base.path) and \(model.path) have different vocabularies: they cannot be compared")
            }
            guard keptTokenCount > 0, (maximumPieces ?? 1) > 0 else {
                throw QuantizationError(.invalidOptions, "at least one token is kept, and one piece measured")
            }
            let total = min(maximumPieces ?? .max, first.pieceCount)
            var sums = ComparisonSums(pieceLength: pieceLength)
            while sums.pieceCount < total {
                var kept: [KeptDistribution] = []
                guard try first.next({ kept.append(KeptDistribution($1, target: $0, count: keptTokenCount)) }) else {
                    break
                }
                var piece = ComparisonSums.Piece()
                guard try second.next({ piece.add(kept[piece.count], $1) }) else { break }
                sums.add(piece)
                guard piece.baseLoss.isFinite, piece.loss.isFinite else {
                    let damaged = piece.baseLoss.isFinite ? model : base
                    throw QuantizationError(
                        .notFinite, "\(damaged.path): the model computes no usable numbers; its file is damaged")
                }
                progress(sums.result, total)
            }
            return sums.result
        }
    }
}

/// The most probable tokens of a distribution and the logarithms of their probabilities.
struct KeptDistribution {
    let ids: [Int32]
    let logarithms: [Double]
    /// The token of highest probability, the first of equals.
    let top: Int32
    /// The token that came, and its negative log-likelihood.
    let target: Int32
    let loss: Double

    init(ids: [Int32], logarithms: [Double], top: Int32, target: Int32, loss: Double) {
        self.ids = ids
        self.logarithms = logarithms
        self.top = top
        self.target = target
        self.loss = loss
    }

    init(_ logits: Span<Float>, target: Int32, count: Int) {
        let (largest, top, logTotal) = logSum(logits)
        self.target = target
        self.top = top
        loss = logTotal - Double(logits[Int(target)] - largest)
        if count >= logits.count {
            ids = (0..<Int32(clamping: logits.count)).map { $0 }
        } else {
            ids = largestIndices(logits, count: count)
        }
        logarithms = ids.map { id in Double(logits[Int(id)] - largest) - logTotal }
    }

    /// The divergence to another distribution of the same vocabulary, those that were not kept counted as one token; and what was kept.
    func divergence(to logits: Span<Float>, largest: Float, logTotal: Double) -> (divergence: Double, kept: Double) {
        var divergence = 0.0
        var kept = 0.0
        var otherKept = 0.0
        for (id, logarithm) in zip(ids, logarithms) {
            let probability = Deterministic.exponential(logarithm)
            let other = Double(logits[Int(id)] - largest) - logTotal
            divergence += probability * (logarithm - other)
            kept += probability
            otherKept += Deterministic.exponential(other)
        }
        let (rest, otherRest) = (1 - kept, 1 - otherKept)
        if ids.count < logits.count, rest > 0, otherRest > 0 {
            divergence += rest * (Deterministic.logarithm(rest) - Deterministic.logarithm(otherRest))
        }
        return (max(0, divergence), min(1, kept))
    }
}

/// The largest logit, its first index, and the logarithm of the sum of e^(logit - largest).
private func logSum(_ logits: Span<Float>) -> (largest: Float, top: Int32, logTotal: Double) {
    var largest = -Float.infinity
    var top = 0
    for i in logits.indices where logits[i] > largest { (largest, top) = (logits[i], i) }
    var total = 0.0
    for i in logits.indices { total += Deterministic.exponential(Double(logits[i] - largest)) }
    return (largest, Int32(clamping: top), Deterministic.logarithm(total))
}

/// The indices of the largest values, in no order: a heap whose root is the smallest of them.
private func largestIndices(_ values: Span<Float>, count: Int) -> [Int32] {
    var heap: [Int32] = []
    heap.reserveCapacity(count)
    func sink(_ start: Int) {
        var parent = start
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && values[Int(heap[child])] < values[Int(heap[smallest])] { smallest = child }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
    for i in values.indices {
        if heap.count < count {
            heap.append(Int32(clamping: i))
            if heap.count == count { for parent in (0..<(count + 1) / 2).reversed() { sink(parent) } }
        } else if values[i] > values[Int(heap[0])] {
            heap[0] = Int32(clamping: i)
            sink(0)
        }
    }
    return heap
}

/// What a comparison adds up.
struct ComparisonSums {
    /// The sums of one piece.
    struct Piece {
        var count = 0
        var baseLoss = 0.0
        var loss = 0.0
        var agreements = 0.0
        var kept = 0.0
        var divergences: [Double] = []

        mutating func add(_ base: KeptDistribution, _ logits: Span<Float>) {
            let (largest, top, logTotal) = logSum(logits)
            count += 1
            baseLoss += base.loss
            loss += logTotal - Double(logits[Int(base.target)] - largest)
            agreements += top == base.top ? 1 : 0
            let result = base.divergence(to: logits, largest: largest, logTotal: logTotal)
            divergences.append(result.divergence)
            kept += result.kept
        }
    }

    let pieceLength: Int
    private var pieces: [Piece] = []
    var pieceCount: Int { pieces.count }

    init(pieceLength: Int) { self.pieceLength = pieceLength }

    mutating func add(_ piece: Piece) { pieces.append(piece) }

    private func figure(_ sum: (Piece) -> Double) -> ModelComparison.Figure {
        let means = pieces.map { sum($0) / Double(max(1, $0.count)) }
        let count = Double(max(1, means.count))
        let mean = means.reduce(0, +) / count
        let squares = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return .init(
            value: mean, standardError: means.count > 1 ? (squares / (count - 1) / count).squareRoot() : .infinity)
    }

    var result: ModelComparison {
        let all = pieces.flatMap(\.divergences).sorted()
        let tokens = pieces.reduce(0) { $0 + $1.count }
        return ModelComparison(
            baseLoss: figure(\.baseLoss), loss: figure(\.loss), lossDifference: figure { $0.loss - $0.baseLoss },
            divergence: figure { $0.divergences.reduce(0, +) }, largestDivergence: all.last ?? 0,
            divergence99: all.isEmpty ? 0 : all[min(all.count - 1, all.count * 99 / 100)],
            agreement: figure(\.agreements),
            coveredProbability: pieces.reduce(0) { $0 + $1.kept } / Double(max(1, tokens)), scoredTokenCount: tokens,
            pieceCount: pieces.count, pieceLength: pieceLength)
    }
}
