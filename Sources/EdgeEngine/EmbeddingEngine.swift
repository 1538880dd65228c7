package import EdgeKernels
package import EdgeModel
internal import EdgePlatform
package import EdgeTokenizer

/// Embeds texts with one loaded model, on a thread of its own.
package actor EmbeddingEngine {
    private nonisolated let executor: ThreadExecutor
    package nonisolated let model: Model
    package nonisolated let tokenizer: Tokenizer
    package nonisolated let threadCount: Int
    package nonisolated let pooling: Pooling
    /// The most tokens of one text.
    package nonisolated let tokenCapacity: Int
    private let encoder: Encoder

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Starts the threads and allocates the working buffers.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        model: Model, tokenizer: Tokenizer, tokenCapacity: Int, threadCount: Int?, pooling: Pooling?,
        floatKernels: Kernels = .chosen
    ) throws(ModelError) {
        let team: ThreadTeam
        do throws(PlatformError) {
            executor = try ThreadExecutor()
            team = try ThreadTeam(threadCount: min(256, threadCount ?? Processors.usableCoreCount))
        } catch {
            throw ModelError(.insufficientMemory, "cannot start: \(error)")
        }
        self.model = model
        self.tokenizer = tokenizer
        self.threadCount = team.threadCount
        let encoder = try Encoder(
            model, team: team, tokenCapacity: tokenCapacity, pooling: pooling, floatKernels: floatKernels)
        self.encoder = encoder
        self.pooling = encoder.pooling
        self.tokenCapacity = encoder.tokenCapacity
    }

    /// The vectors of texts given as ids.
    ///
    /// Cancelling the task ends it within one batch.
    /// - Throws: `EncoderError` with the index of the text, before anything is computed; `CancellationError`.
    package func embed(_ texts: [[Int32]], normalized: Bool) async throws -> [[Float]] {
        for (index, text) in texts.enumerated() {
            guard !text.isEmpty else { throw EncoderError(.emptyText, text: index) }
            guard text.count <= tokenCapacity else {
                throw EncoderError(.textTooLong(tokens: text.count, limit: tokenCapacity), text: index)
            }
        }
        var vectors: [[Float]] = []
        vectors.reserveCapacity(texts.count)
        while vectors.count < texts.count {
            try Task.checkCancellation()
            let start = vectors.count
            var end = start
            var tokens = 0
            // One batch of the encoder at a time; a text's vector does not depend on its company.
            while end < texts.count, end == start || tokens + texts[end].count <= tokenCapacity {
                tokens += texts[end].count
                end += 1
            }
            do throws(EncoderError) {
                vectors += try encoder.embed(Array(texts[start..<end]), normalized: normalized)
            } catch {
                throw EncoderError(error.code, text: start + error.text)
            }
            if executor.hasWaitingJobs { await Task.yield() }
        }
        return vectors
    }
}
