internal import EdgeCache
package import EdgeKernels
internal import EdgeMath
package import EdgeModel
internal import EdgePlatform

/// Measures how well a model predicts a text: exp of the mean negative log-likelihood of its tokens.
///
/// The text is cut into pieces of `contextSize` tokens that do not see each other; each begins with the beginning-of-text token if
/// the vocabulary wants one, and only its second half is scored, with the first as context. That is llama.cpp's procedure, so
/// figures compare.
package final class Perplexity {
    private let model: Model
    private let pass: ForwardPass
    private let cache: KeyValueCache
    private let adapters: AdapterStack?
    private let contextSize: Int
    private let tokens: [Int32]
    private let beginning: Int32?
    /// Pieces in the text.
    package let pieceCount: Int
    /// Pieces done.
    package private(set) var done = 0
    private var sum = 0.0
    private var sumOfSquares = 0.0
    /// Tokens scored so far.
    package private(set) var scoredCount = 0
    /// Called with the logits before each token that is scored, and with that token; set between pieces.
    package var visitor: ((_ target: Int32, _ logits: Span<Float>) -> Void)?

    /// Prepares the measurement.
    ///
    /// - Parameters:
    ///   - tokens: the text's ids, all below the vocabulary size.
    ///   - beginning: the token to put at the start of each piece, if any.
    ///   - adapters: what is added to the weights.
    ///   - observer: who looks on at the activations of all tokens, scored or not.
    /// - Throws: `ModelError` when there is no memory, or the text is shorter than one piece.
    package init(
        model: Model, tokens: [Int32], beginning: Int32?, contextSize: Int, threadCount: Int?,
        precision: CachePrecision,
        floatKernels: Kernels = .chosen, adapters: [AppliedAdapter] = [], observer: (any ActivationObserver)? = nil
    ) throws(ModelError) {
        guard contextSize >= 8, tokens.count >= contextSize else {
            throw ModelError(
                .invalidMetadata,
                "\(tokens.count) tokens of text do not fill one piece of \(contextSize); give more text or a smaller context"
            )
        }
        self.model = model
        self.tokens = tokens
        self.beginning = beginning
        self.contextSize = contextSize
        pieceCount = tokens.count / contextSize
        pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: 64, logitsCapacity: 64,
            floatKernels: floatKernels)
        self.adapters = try pass.makeStack(adapters)
        pass.observer = observer
        cache = try model.makeCache(capacity: contextSize, precision: precision)
    }

    /// The perplexity over what is done.
    package var value: Double { Deterministic.exponential(sum / Double(max(1, scoredCount))) }

    /// One standard error of `value`.
    package var standardError: Double {
        guard scoredCount > 1 else { return .infinity }
        let mean = sum / Double(scoredCount)
        let variance = max(0, sumOfSquares / Double(scoredCount) - mean * mean)
        return value * (variance / Double(scoredCount - 1)).squareRoot()
    }

    /// The mean negative log-likelihood, in nats.
    package var meanNegativeLogLikelihood: Double { sum / Double(max(1, scoredCount)) }

    /// Scores the next piece; false when none is left.
    ///
    /// - Throws: `CancellationError` where the current task is cancelled, `EngineError.storageFailed`; the piece is then not scored.
    package func next() throws -> Bool {
        guard done < pieceCount else { return false }
        let start = done * contextSize
        var piece = Array(tokens[start..<start + contextSize])
        if let beginning { piece[0] = beginning }
        cache.removeAll()
        let firstScored = contextSize / 2
        var position = 0
        let before = (sum, sumOfSquares, scoredCount)
        while position < contextSize {
            let count = min(pass.batchCapacity, contextSize - position)
            // The last token predicts what belongs to the next piece.
            let wanted = max(position, firstScored)..<max(position, firstScored, min(position + count, contextSize - 1))
            let local = wanted.isEmpty ? 0..<0 : wanted.lowerBound - position..<wanted.upperBound - position
            let isWhole = pass.run(
                piece[position..<position + count], cache: cache, logits: local, adapters: adapters, isStoppable: true)
            guard isWhole else {
                (sum, sumOfSquares, scoredCount) = before
                if let failure = pass.failure { throw EngineError.storageFailed(failure.description) }
                throw CancellationError()
            }
            for (row, token) in wanted.enumerated() { score(row: row, target: piece[token + 1]) }
            position += count
        }
        done += 1
        return true
    }

    private func score(row: Int, target: Int32) {
        var loss = 0.0
        pass.logits.withSpan(row: row) { logits in
            visitor?(target, logits)
            var largest = -Float.infinity
            for i in logits.indices where logits[i] > largest { largest = logits[i] }
            var total = 0.0
            for i in logits.indices { total += Deterministic.exponential(Double(logits[i] - largest)) }
            loss = Deterministic.logarithm(total) - Double(logits[Int(target)] - largest)
        }
        sum += loss
        sumOfSquares += loss * loss
        scoredCount += 1
    }
}
