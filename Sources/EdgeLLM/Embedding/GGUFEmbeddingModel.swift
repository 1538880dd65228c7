internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeKernels
internal import EdgeModel
internal import EdgeTokenizer
public import Foundation

/// An embedding model loaded from a GGUF file: an encoder such as BERT, or a decoder trained to embed.
///
/// A cheap immutable handle; copies share the weights. The vector of a text has the same bits alone, in company, and for any number
/// of threads.
///
/// ```swift
/// let model = try await GGUFEmbeddingModel(contentsOf: URL(filePath: "all-MiniLM-L6-v2-q8_0.gguf"))
/// let vectors = try await model.embed(["brake fluid", "engine oil"], as: .passage)
/// print(vectors[0].cosineSimilarity(to: vectors[1]))
/// ```
public struct GGUFEmbeddingModel: EmbeddingModel, CustomStringConvertible {
    /// How the vectors of a text's tokens become one.
    public enum Pooling: String, Sendable, Hashable, Codable, CaseIterable {
        /// Their mean.
        case mean
        /// The first token's, BERT's `[CLS]`.
        case first
        /// The last token's.
        case last
    }

    /// How a model is loaded, and what becomes of texts.
    public struct LoadOptions: Sendable, Hashable {
        /// Threads that compute; nil for the physical cores this process may use. Does not change a bit of any vector.
        public var threadCount: Int?
        /// How token vectors become one; nil for what the file says, or where it says nothing the mean for encoders and the last for
        /// others.
        public var pooling: Pooling?
        /// Whether vectors are divided by their lengths.
        public var normalizes: Bool
        /// Whether texts that are too long are cut instead of refused.
        public var truncatesLongTexts: Bool
        /// Tokens of one text at most; nil for what the model was trained with, at most 8192.
        public var maximumInputTokens: Int?
        /// Whether the system's BLAS (OpenBLAS, Accelerate) multiplies float weights. Its bits are its own: vectors then differ from
        /// machine to machine, and with the texts beside them.
        public var usesBLAS: Bool
        /// Put before each query, such as `search_query: `. Some models want that; no file says so, so nothing is put by default.
        public var queryPrefix: String
        /// Put before each passage.
        public var passagePrefix: String

        /// Options; the defaults need no thought.
        public init(
            threadCount: Int? = nil, pooling: Pooling? = nil, normalizes: Bool = true, truncatesLongTexts: Bool = false,
            maximumInputTokens: Int? = nil, queryPrefix: String = "", passagePrefix: String = "", usesBLAS: Bool = false
        ) {
            self.threadCount = threadCount
            self.pooling = pooling
            self.normalizes = normalizes
            self.truncatesLongTexts = truncatesLongTexts
            self.maximumInputTokens = maximumInputTokens
            self.queryPrefix = queryPrefix
            self.passagePrefix = passagePrefix
            self.usesBLAS = usesBLAS
        }
    }

    /// What the file says about itself.
    public let metadata: GGUFLanguageModel.Metadata
    /// Name, size, type and pooling: vectors of models with different identifiers must not be compared.
    public let identifier: String
    /// How the vectors of a text's tokens become one.
    public let pooling: Pooling
    private let options: LoadOptions
    private let engine: EmbeddingEngine

    /// Coordinates of a vector.
    public var dimensionCount: Int { engine.model.hyperparameters.embeddingLength }
    /// Tokens of one text at most, those around it included.
    public var maximumInputTokens: Int { engine.tokenCapacity }
    /// The threads that compute.
    public var threadCount: Int { engine.threadCount }
    /// The identifier.
    public var description: String { identifier }

    /// Loads a model; of a split file, give any part.
    ///
    /// - Throws: `ModelLoadingError`, which says what is wrong and where in the file.
    public init(contentsOf url: URL, options: LoadOptions = .init()) async throws {
        self = try await Task.detached { try GGUFEmbeddingModel(path: url.path, options: options) }.value
    }

    package init(path: String, options: LoadOptions) throws {
        do {
            if let threads = options.threadCount, !(1...256).contains(threads) {
                throw ModelLoadingError(
                    code: .invalidOptions, message: "\(threads) threads are not possible; give 1 to 256")
            }
            let file = try GGUFFile(path: path)
            let model = try Model(file)
            let trained = max(model.hyperparameters.contextLength, 1)
            let limit = options.maximumInputTokens ?? min(trained, 8192)
            guard limit > 0, limit <= min(trained, model.maximumPositions) else {
                throw ModelLoadingError(
                    code: .invalidOptions,
                    message: "texts of \(limit) tokens are not possible; the model takes 1 to "
                        + "\(min(trained, model.maximumPositions))")
            }
            engine = try EmbeddingEngine(
                model: model, tokenizer: model.makeTokenizer(), tokenCapacity: limit,
                threadCount: options.threadCount, pooling: options.pooling?.stored,
                floatKernels: .multiplyingFloats(usesBLAS: options.usesBLAS))
            if engine.pooling == .rank {
                throw ModelLoadingError(
                    code: .invalidOptions,
                    message: "\(path): the model scores documents and gives no vectors; load it as a GGUFRerankModel",
                    key: "pooling_type")
            }
            guard let pooling = Pooling(engine.pooling) else {
                throw ModelLoadingError(
                    code: .invalidOptions,
                    message:
                        "\(path): the file asks for no pooling, so its vectors are of tokens, not of texts; choose one",
                    key: "pooling_type")
            }
            self.pooling = pooling
            self.options = options
            metadata = GGUFLanguageModel.Metadata(
                file, architecture: model.hyperparameters.architecture.name, trainedContext: trained)
            identifier =
                "\(metadata.name ?? metadata.architecture) (\(metadata.architecture), \(metadata.parameterCount) parameters, "
                + "\(metadata.quantization), \(pooling.rawValue))"
        } catch let error as GGUFError {
            throw ModelLoadingError(error)
        } catch let error as ModelError {
            throw ModelLoadingError(error, path: path)
        }
    }

    /// The vectors of texts, in their order. Texts are data: what looks like a control token in them is not one.
    ///
    /// - Throws: `EmbeddingError` for a text that is too long or empty, before anything is computed; `CancellationError`.
    public nonisolated(nonsending) func embed(
        _ texts: [String], as role: EmbeddingRole = .passage
    ) async throws -> [Embedding] {
        let prefix = role == .query ? options.queryPrefix : options.passagePrefix
        let limit = engine.tokenCapacity
        var ids: [[Int32]] = []
        ids.reserveCapacity(texts.count)
        for (index, text) in texts.enumerated() {
            var tokens = engine.tokenizer.encode(prefix + text, addSpecial: true, parseSpecial: false)
            if tokens.count > limit {
                guard options.truncatesLongTexts else {
                    throw EmbeddingError.textTooLong(index: index, tokenCount: tokens.count, limit: limit)
                }
                // The token that closes a text stays, as in the tokenizers that models were trained with.
                let closing = tokens.last.flatMap { engine.tokenizer.isControl($0) ? $0 : nil }
                tokens.removeSubrange((closing == nil ? limit : limit - 1)...)
                if let closing { tokens.append(closing) }
            }
            guard !tokens.isEmpty else { throw EmbeddingError.emptyText(index: index) }
            ids.append(tokens)
        }
        let vectors = try await engine.embed(ids, normalized: options.normalizes)
        return vectors.map { Embedding($0) }
    }

    /// Tokens that a text becomes, those around it included.
    public func tokenCount(for text: String) -> Int {
        engine.tokenizer.encode(text, addSpecial: true, parseSpecial: false).count
    }
}

extension GGUFEmbeddingModel.Pooling {
    fileprivate init?(_ pooling: Pooling) {
        switch pooling {
        case .none, .rank: return nil
        case .mean: self = .mean
        case .first: self = .first
        case .last: self = .last
        }
    }

    fileprivate var stored: Pooling {
        switch self {
        case .mean: .mean
        case .first: .first
        case .last: .last
        }
    }
}
