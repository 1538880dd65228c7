package import EdgeModel
internal import EdgePlatform
package import EdgeTokenizer

/// Scores documents for one loaded reranker, on a thread of its own.
package actor RerankEngine {
    private nonisolated let executor: ThreadExecutor
    package nonisolated let model: Model
    private let reranker: Reranker

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Documents between two looks at whether the task was cancelled.
    private static let pieceCount = 8

    /// Starts the threads and allocates the working buffers.
    ///
    /// - Throws: `ModelError.unsupportedArchitecture` for a model that gives no scores, `insufficientMemory`.
    package init(
        model: Model, tokenizer: Tokenizer, tokenCapacity: Int, threadCount: Int?
    ) throws(ModelError) {
        let team: ThreadTeam
        do throws(PlatformError) {
            executor = try ThreadExecutor()
            team = try ThreadTeam(threadCount: min(256, threadCount ?? Processors.usableCoreCount))
        } catch {
            throw ModelError(.insufficientMemory, "cannot start: \(error)")
        }
        self.model = model
        reranker = try Reranker(model, tokenizer: tokenizer, team: team, tokenCapacity: tokenCapacity)
    }

    /// One score for each document, in their order.
    ///
    /// - Throws: `EncoderError` with the document's index, `CancellationError`.
    package func score(query: String, documents: [String]) async throws -> [Float] {
        var scores: [Float] = []
        for start in stride(from: 0, to: documents.count, by: Self.pieceCount) {
            try Task.checkCancellation()
            let piece = documents[start..<min(documents.count, start + Self.pieceCount)]
            do throws(EncoderError) {
                scores += try reranker.score(query: query, documents: Array(piece))
            } catch {
                throw EncoderError(error.code, text: start + error.text)
            }
            await Task.yield()
        }
        return scores
    }
}
