internal import EdgeCache
package import EdgeEngine
internal import EdgeGGUF
package import EdgeKernels
package import EdgeModel
internal import EdgePlatform
internal import EdgeQuant
internal import EdgeTokenizer
public import Foundation

/// A language model loaded from a GGUF file.
///
/// A cheap immutable handle: copies share the weights, which stay mapped from the file. Loading and generating use no network.
///
/// ```swift
/// let model = try await GGUFLanguageModel(contentsOf: URL(filePath: "model.gguf"))
/// for try await piece in model.streamCompletion(of: "The engine light is") { print(piece, terminator: "") }
/// ```
public struct GGUFLanguageModel: Sendable, CustomStringConvertible {
    /// How a model is loaded.
    public struct LoadOptions: Sendable, Hashable {
        /// Tokens that a prompt and its answer may have together; nil for the trained context, at most 8192 of it. Memory is
        /// taken as the context fills.
        public var contextSize: Int?
        /// Threads that compute; nil for the physical cores this process may use. Does not change a bit of any answer.
        public var threadCount: Int?
        /// How the cache stores keys and values.
        public var cachePrecision: CachePrecision
        /// Whether the system's BLAS (OpenBLAS, Accelerate) multiplies float weights in prompts. Its bits are its own: the
        /// promise that the same model, prompt and seed give the same output everywhere does not hold with it.
        public var usesBLAS: Bool
        /// Whether the weights are read into memory with large pages instead of being mapped from the file. Generation is
        /// faster where the system has such pages (Linux with transparent huge pages); loading takes longer, and the memory is
        /// shared with no other process.
        public var usesLargePages: Bool
        /// Tokens of a prompt that are computed together at most. A smaller batch takes less memory for activations and computes
        /// prompts more slowly. Does not change a bit of any answer.
        public var batchSize: Int
        /// Bytes that the model may take with the keys and values of all its conversations, as ``MemoryPlan`` counts them; nil for no
        /// limit. A model that does not fit with one full context is not loaded. Conversations share what there is: those that rest
        /// make way, and compute their beginning again when they go on.
        public var memoryLimit: Int?
        /// Where the beginnings of prompts are kept for other sessions and processes; nil for nowhere.
        public var prefixStore: PrefixStore?
        /// A knowledge pack whose beginnings and passages are used, mapped, where prompts have them; nil for none. One whose keys and values
        /// are of another model or of other settings is refused, with `packMismatch`.
        public var pack: URL?
        /// Bytes of the file that may be in memory; nil for all of it, mapped. A larger model generates even so, at the speed of its disk:
        /// the weights beyond the limit are read again for each token, those of the next layer while one is computed. Two layers
        /// must fit. Does not change a bit of any answer, and excludes ``usesLargePages``.
        public var weightMemory: Int?
        /// Bytes of keys and values that may be in memory; nil for all. Conversations may be longer even so: what is beyond lies in a file
        /// and is read again for each token, the next part while one is attended to. Those of a batch must fit. Does not change a
        /// bit of any answer.
        public var cacheMemory: Int?
        /// The folder of that file, which has no name and is gone with the model, whatever ends the process; nil for the
        /// temporary folder. It takes up to four contexts of disk. A folder in memory (tmpfs) saves none.
        public var spillFolder: URL?
        /// The chat template, in Jinja, that takes the place of the file's; nil for the file's own.
        public var chatTemplate: String?
        /// Whether all weights are read when the model is loaded, and compared with the checksums of its certificate. Finds damage, and is no
        /// protection against forgery. A file without a certificate is refused then.
        public var verifiesTensors: Bool

        /// Options; the defaults need no thought.
        public init(
            contextSize: Int? = nil, threadCount: Int? = nil, cachePrecision: CachePrecision = .f16,
            chatTemplate: String? = nil, usesBLAS: Bool = false, usesLargePages: Bool = false, batchSize: Int = 512,
            memoryLimit: Int? = nil, weightMemory: Int? = nil, cacheMemory: Int? = nil,
            spillFolder: URL? = nil,
            prefixStore: PrefixStore? = nil, pack: URL? = nil, verifiesTensors: Bool = false
        ) {
            self.contextSize = contextSize
            self.threadCount = threadCount
            self.cachePrecision = cachePrecision
            self.usesBLAS = usesBLAS
            self.usesLargePages = usesLargePages
            self.batchSize = batchSize
            self.memoryLimit = memoryLimit
            self.prefixStore = prefixStore
            self.pack = pack
            self.weightMemory = weightMemory
            self.cacheMemory = cacheMemory
            self.spillFolder = spillFolder
            self.chatTemplate = chatTemplate
            self.verifiesTensors = verifiesTensors
        }
    }

    /// How the cache stores keys and values.
    public enum CachePrecision: String, Sendable, Hashable, Codable, CaseIterable {
        /// Four bytes a value, exact.
        case f32
        /// Two bytes a value.
        case f16
        /// Eight bits a value and a scale for each 32: about half the memory of `f16`.
        case q8_0
        /// Four bits a value and a scale for each 32: about a quarter of the memory of `f16`, at a loss that shows.
        case q4_0

        /// The engine's name of it.
        package var stored: EdgeKernels.CachePrecision {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .q8_0: .q8_0
            case .q4_0: .q4_0
            }
        }
    }

    /// What the file says about itself.
    public struct Metadata: Sendable, Hashable {
        /// `general.name`.
        public var name: String?
        /// `general.architecture`.
        public var architecture: String
        /// Weights, counted over all tensors.
        public var parameterCount: Int
        /// The type that most of the weights have, such as `Q4_K`.
        public var quantization: String
        /// Tokens of context the model was trained with.
        public var trainedContext: Int
        /// Bytes of all files of the model.
        public var byteCount: Int
    }

    /// What the file says about itself.
    public let metadata: Metadata
    /// Tokens that a prompt and its answer may have together.
    public let contextSize: Int
    package let engine: Engine
    /// How it was loaded.
    let options: LoadOptions
    let chat: ChatFormatSource
    let grammars: GrammarCache

    /// The chat template: the one given at loading, else the file's; nil for a model that was not trained to converse.
    public var chatTemplate: String? { chat.template }

    /// The threads that compute.
    public var threadCount: Int { engine.threadCount }

    /// Name, size and type in one line.
    public var description: String {
        let millions = Double(metadata.parameterCount) / 1e6
        let size = millions < 1000 ? String(format: "%.1f M", millions) : String(format: "%.2f G", millions / 1000)
        return
            "\(metadata.name ?? metadata.architecture) (\(metadata.architecture), \(size) parameters, \(metadata.quantization))"
    }

    /// Loads a model; of a split file, give any part.
    ///
    /// - Throws: `ModelLoadingError`, which says what is wrong and where in the file.
    public init(contentsOf url: URL, options: LoadOptions = .init()) async throws {
        // Off the caller's actor: binding a large file takes milliseconds.
        self = try await Task.detached { try GGUFLanguageModel(path: url.path, options: options) }.value
    }

    package init(path: String, options: LoadOptions) throws {
        do {
            let file = try GGUFFile(path: path, inLargePages: options.usesLargePages)
            if options.verifiesTensors { try file.verifyTensors() }
            let cacheLimit = try options.memoryLimit == nil ? nil : options.cacheLimit(for: Model(file), path: path)
            let model = try Model(file, weightLimit: options.checkedWeightMemory())
            let tokenizer = try model.makeTokenizer()
            let trained = model.hyperparameters.contextLength
            let contextSize = try options.checkedContextSize(for: model)
            let threadCount = try options.checkedThreadCount()
            self.options = options
            grammars = GrammarCache()
            engine = try Engine(
                model: model, tokenizer: tokenizer, contextSize: contextSize, threadCount: threadCount,
                precision: options.cachePrecision.stored, batchCapacity: options.batchSize, cacheLimit: cacheLimit,
                spill: options.checkedSpill(), floatKernels: try options.floatKernels(),
                usesOwnArithmetic: !options.usesBLAS, prefixes: try options.prefixStore?.opened(),
                pack: options.openedPack())
            try engine.checkPack()
            chat = ChatFormatSource(
                template: options.chatTemplate ?? file["tokenizer.chat_template"]?.text, tokenizer: tokenizer)
            // A template of the caller's own is refused at once, the file's when it is first needed: texts can be continued
            // without it.
            if options.chatTemplate != nil {
                do throws(LanguageModelError) {
                    _ = try chat.format()
                } catch {
                    throw ModelLoadingError(code: .invalidOptions, message: error.description)
                }
            }
            self.contextSize = contextSize
            metadata = Metadata(file, architecture: model.hyperparameters.architecture.name, trainedContext: trained)
        } catch let error as GGUFError {
            throw ModelLoadingError(error)
        } catch let error as ModelError {
            throw ModelLoadingError(error, path: path)
        } catch let error as SavedContextError {
            throw ModelLoadingError(
                code: .packMismatch, message: "\(options.pack?.path ?? ""): \(error.description)")
        }
    }

    /// Tokens that a text becomes, beginning-of-text token included.
    public func tokenCount(for text: String) -> Int {
        engine.tokenizer.encode(text, addSpecial: true, parseSpecial: false).count
    }
}

extension GGUFLanguageModel.LoadOptions {
    /// Tokens of context, by default the trained ones, at most 8192 of them.
    ///
    /// - Throws: `ModelLoadingError` with code `invalidOptions`; so do the next two.
    package func checkedContextSize(for model: Model) throws(ModelLoadingError) -> Int {
        let size = contextSize ?? min(max(model.hyperparameters.contextLength, 1), 8192)
        guard size > 0, size <= 1 << 30 else {
            throw ModelLoadingError(
                code: .invalidOptions, message: "a context of \(size) tokens is not possible; give 1 or more")
        }
        guard (1...1 << 20).contains(batchSize) else {
            throw ModelLoadingError(
                code: .invalidOptions, message: "batches of \(batchSize) tokens are not possible; give 1 to \(1 << 20)")
        }
        return size
    }

    /// What the pack has of keys and values.
    ///
    /// - Throws: `ModelLoadingError` with code `notAPack`, `damagedPack` or `unreadable`.
    func openedPack() throws(ModelLoadingError) -> PackedContexts? {
        guard let pack else { return nil }
        let file: SectionFile
        do throws(SectionFileError) {
            file = try SectionFile(path: pack.path)
            if let contexts = try PackedContexts.open(file) { return contexts }
        } catch {
            throw ModelLoadingError(error, path: pack.path)
        }
        guard !file.sections.contains(where: { $0.name == PackedContexts.originSection }) else {
            throw ModelLoadingError(
                code: .damagedPack, message: "\(pack.path): the pack does not say what its keys and values are of",
                key: PackedContexts.originSection)
        }
        return nil
    }

    package func checkedThreadCount() throws(ModelLoadingError) -> Int? {
        if let threads = threadCount, !(1...256).contains(threads) {
            throw ModelLoadingError(
                code: .invalidOptions, message: "\(threads) threads are not possible; give 1 to 256")
        }
        return threadCount
    }

    /// How many keys and values may be in memory, and where the others lie.
    func checkedSpill(readsAhead: Bool = true) throws(ModelLoadingError) -> CacheSpill.Options? {
        guard let cacheMemory else { return nil }
        guard cacheMemory > 0 else {
            throw ModelLoadingError(
                code: .invalidOptions, message: "keys and values in \(cacheMemory) bytes of memory are not possible")
        }
        return CacheSpill.Options(
            byteCount: cacheMemory, folder: (spillFolder ?? FileManager.default.temporaryDirectory).path,
            readsAhead: readsAhead)
    }

    /// Bytes of weights that may be in memory.
    func checkedWeightMemory() throws(ModelLoadingError) -> Int? {
        guard let weightMemory else { return nil }
        guard weightMemory > 0, !usesLargePages else {
            throw ModelLoadingError(
                code: .invalidOptions,
                message: weightMemory > 0
                    ? "large pages are for weights that are all in memory; give no limit for them"
                    : "weights in \(weightMemory) bytes of memory are not possible")
        }
        return weightMemory
    }

    /// Bytes that the limit leaves for keys and values; nil without a limit.
    ///
    /// - Throws: besides, with code `insufficientMemory` when one full context does not fit.
    func cacheLimit(for model: Model, path: String) throws -> Int? {
        guard let memoryLimit else { return nil }
        let plan = try MemoryPlan(model, self)
        guard plan.total > memoryLimit else { return memoryLimit - (plan.total - plan.cache) }
        let shortage = MemoryShortage(model, self, plan: plan, limit: memoryLimit)
        var error = ModelLoadingError(code: .insufficientMemory, message: "\(path): the model \(shortage.message)")
        error.shortage = shortage
        throw error
    }

    /// What multiplies float weights.
    ///
    /// - Throws: `ModelLoadingError` with code `blasUnavailable`.
    package func floatKernels() throws -> Kernels { try .multiplyingFloats(usesBLAS: usesBLAS) }
}

extension Kernels {
    /// What multiplies float weights.
    ///
    /// - Throws: `ModelLoadingError` with code `blasUnavailable`.
    static func multiplyingFloats(usesBLAS: Bool) throws -> Kernels {
        guard usesBLAS else { return .chosen }
        do {
            return Kernels.chosen.multiplyingFloats(with: try Kernels.systemBLAS())
        } catch {
            throw ModelLoadingError(code: .blasUnavailable, message: "BLAS cannot be used: \(error)")
        }
    }
}

extension GGUFLanguageModel.Metadata {
    init(_ file: GGUFFile, architecture: String, trainedContext: Int) {
        var counts: [String: Int] = [:]
        for tensor in file.tensors where tensor.dimensions.count > 1 {
            counts[tensor.type.name, default: 0] += tensor.valueCount
        }
        name = file["general.name"]?.text
        self.architecture = architecture
        parameterCount = file.tensors.reduce(0) { $0 + $1.valueCount }
        // Ties go to the name, so that the answer is always the same.
        quantization = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
        self.trainedContext = trainedContext
        byteCount = file.byteCount
    }
}

extension ModelLoadingError {
    init(_ error: SectionFileError, path: String) {
        let code: Code =
            switch error.code {
            case .unreadable: .unreadable
            case .notSections: .notAPack
            case .unsupportedVersion: .unsupportedVersion
            case .truncated, .damaged: .damagedPack
            }
        self.init(
            code: code, message: "\(path): \(error)", byteOffset: error.byteOffset.map { UInt64(max(0, $0)) },
            key: error.section)
    }
}
