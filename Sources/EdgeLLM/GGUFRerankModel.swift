internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeModel
internal import EdgeTokenizer
public import Foundation

/// A reranker loaded from a GGUF file: it tells how well documents answer a query.
///
/// ```swift
/// let reranker = try await GGUFRerankModel(contentsOf: url)
/// let scores = try await reranker.scores(of: documents, for: "What does the flashing light mean?")
/// ```
public struct GGUFRerankModel: Sendable {
    private let engine: RerankEngine

    /// Loads a model.
    ///
    /// - Parameters:
    ///   - tokenLimit: tokens that a query and a document may have together; the positions that the model knows bound it too.
    ///   - threadCount: threads that compute; nil for the physical cores this process may use.
    /// - Throws: `ModelLoadingError`; `unsupportedArchitecture` for a model that gives no scores.
    public init(contentsOf url: URL, tokenLimit: Int = 512, threadCount: Int? = nil) async throws {
        guard (1...1 << 20).contains(tokenLimit), (1...256).contains(threadCount ?? 1) else {
            throw ModelLoadingError(
                code: .invalidOptions, message: "give a token limit of 1 to \(1 << 20), and 1 to 256 threads")
        }
        engine = try await Task.detached {
            do {
                let model = try Model(GGUFFile(path: url.path))
                return try RerankEngine(
                    model: model, tokenizer: model.makeTokenizer(), tokenCapacity: tokenLimit,
                    threadCount: threadCount)
            } catch let error as GGUFError {
                throw ModelLoadingError(error)
            } catch let error as ModelError {
                throw ModelLoadingError(error, path: url.path)
            }
        }.value
    }

    /// One score for each document, in their order; the higher, the better it answers. They are the model's own numbers, of any sign.
    ///
    /// A document's score does not depend on the others. What looks like a control token in a text is not one.
    /// - Throws: `LanguageModelError.invalidOptions` naming a document that is too long, `damagedModel`; `CancellationError`.
    public func scores(of documents: [String], for query: String) async throws -> [Double] {
        do {
            let scores = try await engine.score(query: query, documents: documents)
            guard scores.allSatisfy(\.isFinite) else { throw LanguageModelError.damagedModel }
            return scores.map(Double.init)
        } catch let error as EncoderError {
            throw LanguageModelError.invalidOptions("with the query, \(error)")
        }
    }
}
