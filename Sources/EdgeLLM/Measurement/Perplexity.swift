internal import EdgeEngine
internal import EdgeKernels
internal import EdgeModel

/// How well a model predicts a text: e to the mean negative log-likelihood of its tokens.
///
/// The text is cut into pieces that do not see each other; the second half of each is scored, with the first as context. That is
/// llama.cpp's procedure, so that figures compare.
public struct Perplexity: Sendable, Hashable, Codable {
    /// The perplexity of the pieces scored so far; the lower, the better.
    public var value: Double
    /// One standard error of it.
    public var standardError: Double
    /// Its logarithm, in nats for a token.
    public var meanNegativeLogLikelihood: Double
    /// Tokens that were scored.
    public var scoredTokenCount: Int
    /// Pieces that were scored.
    public var pieceCount: Int
    /// Tokens of a piece.
    public var pieceLength: Int
}

extension GGUFLanguageModel {
    /// Measures how well the model predicts a text. The rest of the text that does not fill a piece is not looked at.
    ///
    /// - Parameters:
    ///   - pieceLength: tokens of a piece, 8 or more; it need not be the model's `contextSize`.
    ///   - maximumPieces: pieces to measure at most; nil for all.
    ///   - adapters: what is added to the weights.
    ///   - progress: called after each piece with the figures so far and the number of pieces in all.
    /// - Throws: `LanguageModelError.invalidOptions` where the text does not fill one piece; `CancellationError` soon after the
    ///   task is cancelled.
    public nonisolated(nonsending) func perplexity(
        of text: String, pieceLength: Int = 512, maximumPieces: Int? = nil, adapters: [LoRAAdapter] = [],
        progress: @escaping @Sendable (_ current: Perplexity, _ pieceCount: Int) -> Void = { _, _ in }
    ) async throws -> Perplexity {
        try await perplexity(
            ofTokens: tokenizer.encode(text), pieceLength: pieceLength, maximumPieces: maximumPieces,
            adapters: adapters, progress: progress)
    }

    /// Measures how well the model predicts a text given as ids; otherwise as
    /// `perplexity(of:pieceLength:maximumPieces:adapters:progress:)`.
    public nonisolated(nonsending) func perplexity(
        ofTokens tokens: [Int], pieceLength: Int = 512, maximumPieces: Int? = nil, adapters: [LoRAAdapter] = [],
        progress: @escaping @Sendable (_ current: Perplexity, _ pieceCount: Int) -> Void = { _, _ in }
    ) async throws -> Perplexity {
        let ids = try tokenizer.checked(tokens)
        guard (8...1 << 24).contains(pieceLength), (maximumPieces ?? 1) > 0 else {
            throw LanguageModelError.invalidOptions("pieces have 8 to \(1 << 24) tokens, and at least one is measured")
        }
        guard ids.count >= pieceLength else {
            throw LanguageModelError.invalidOptions(
                "\(ids.count) tokens of text do not fill one piece of \(pieceLength); give more text or shorter pieces")
        }
        let kernels = try options.floatKernels()
        return try await ModelLoadingError.reporting("model") { try WorkThread() }.run {
            let measurement = try ModelLoadingError.reporting("model") {
                try EdgeEngine.Perplexity(
                    model: engine.model, tokens: ids, beginning: tokenizer.beginningToken.map { Int32($0) },
                    contextSize: pieceLength, threadCount: engine.threadCount,
                    precision: options.cachePrecision.stored, floatKernels: kernels, adapters: adapters.map(\.applied))
            }
            let total = min(maximumPieces ?? .max, measurement.pieceCount)
            while measurement.done < total, try measurement.next() {
                progress(Perplexity(measurement, pieceLength: pieceLength), total)
            }
            return Perplexity(measurement, pieceLength: pieceLength)
        }
    }
}

extension Perplexity {
    fileprivate init(_ measurement: EdgeEngine.Perplexity, pieceLength: Int) {
        self.init(
            value: measurement.value, standardError: measurement.standardError,
            meanNegativeLogLikelihood: measurement.meanNegativeLogLikelihood,
            scoredTokenCount: measurement.scoredCount, pieceCount: measurement.done, pieceLength: pieceLength)
    }
}
