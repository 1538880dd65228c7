internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeKernels
internal import EdgeModel
internal import EdgePlatform
public import Foundation

/// The memory that a model takes with some settings, known before it is spent.
///
/// Computed from the header of the file: nothing is loaded. The parts are what the library itself takes; the program's own memory and
/// that of the Swift runtime come on top.
///
/// ```swift
/// let plan = try MemoryPlan(contentsOf: url, options: .init(contextSize: 4096))
/// print(plan)  // weights 770 MB, cache 128 MB, …
/// ```
public struct MemoryPlan: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Tokens that a prompt and its answer may have together.
    public let contextSize: Int
    /// Tokens of a prompt that are computed together at most.
    public let batchSize: Int
    /// Threads that compute.
    public let threadCount: Int
    /// How the cache stores keys and values.
    public let cachePrecision: GGUFLanguageModel.CachePrecision

    /// Bytes of the model's files, mapped. Of an embedding that is only looked up in, a small context touches less; how much depends on the
    /// system. The system can take back what is not being read, unless the weights are read into large pages.
    public let weights: Int
    /// Bytes of weights that are read from the file for each token, with ``GGUFLanguageModel/LoadOptions/weightMemory``; nil where all are
    /// in memory. Divided by what the disk reads in a second they are the least time of a token.
    public let streamedWeights: Int?
    /// Bytes of keys and values of a full context that lie in a file and are read for each token, with
    /// ``GGUFLanguageModel/LoadOptions/cacheMemory``; nil where all are in memory.
    public let spilledCache: Int?
    /// Bytes of keys and values of one full context. Conversations at the same time that have nothing in common take as much each, unless
    /// ``GGUFLanguageModel/LoadOptions/cacheMemory`` says what all take.
    public let cache: Int
    /// Bytes of the activations of a batch.
    public let activations: Int
    /// Bytes that the threads have for themselves.
    public let scratch: Int

    /// What ``GGUFLanguageModel/LoadOptions/weightMemory`` must be for this plan; nil where all weights are in memory.
    public var weightMemory: Int? { streamedWeights == nil ? nil : weights }

    /// What ``GGUFLanguageModel/LoadOptions/cacheMemory`` must be for this plan; nil where all keys and values are in memory.
    public var cacheMemory: Int? { spilledCache == nil ? nil : cache }

    /// Bytes of all of it.
    public var total: Int { use.total }

    /// Computes the plan of a model; of a split file, give any part.
    ///
    /// - Throws: `ModelLoadingError` when the file is no model that can be run, or the options make no sense.
    public init(contentsOf url: URL, options: GGUFLanguageModel.LoadOptions = .init()) throws {
        self = try Self.translatingErrors(of: url) { try MemoryPlan(Model(GGUFFile(path: url.path)), options) }
    }

    /// Says whether a model fits the options' `memoryLimit`, without loading it.
    ///
    /// - Throws: `ModelLoadingError`; its `shortage` has the numbers and settings that would fit when this model does not.
    public static func requireFit(contentsOf url: URL, options: GGUFLanguageModel.LoadOptions) throws {
        _ = try translatingErrors(of: url) {
            try options.cacheLimit(for: Model(GGUFFile(path: url.path)), path: url.path)
        }
    }

    /// Runs a model with a full context and measures the bytes that the process takes for it; nil where the system does not say.
    ///
    /// Takes the time of a whole context's prompt. Of no use in a process that has had more memory before than the model takes.
    /// - Throws: `ModelLoadingError`.
    public static func measure(contentsOf url: URL, options: GGUFLanguageModel.LoadOptions = .init()) throws -> Int? {
        let plan = try MemoryPlan(contentsOf: url, options: options)
        return try translatingErrors(of: url) {
            try MemoryUse.measure(
                { try Model(GGUFFile(path: url.path), weightLimit: options.checkedWeightMemory()) },
                contextSize: plan.contextSize, batchCapacity: plan.batchSize,
                threadCount: plan.threadCount, precision: plan.cachePrecision.stored, spill: options.checkedSpill()
            ).map { $0.peak - $0.before }
        }
    }

    private static func translatingErrors<Value>(of url: URL, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as GGUFError {
            throw ModelLoadingError(error)
        } catch let error as ModelError {
            throw ModelLoadingError(error, path: url.path)
        }
    }

    /// - Throws: `ModelLoadingError.invalidOptions`, `ModelError.insufficientMemory`.
    init(_ model: Model, _ options: GGUFLanguageModel.LoadOptions) throws {
        try model.requireGeneration()
        contextSize = try options.checkedContextSize(for: model)
        batchSize = options.batchSize
        threadCount = try options.checkedThreadCount() ?? min(256, Processors.usableCoreCount)
        cachePrecision = options.cachePrecision
        let use = try MemoryUse(
            model, contextSize: contextSize, batchCapacity: batchSize, threadCount: threadCount,
            precision: cachePrecision.stored, weightLimit: options.checkedWeightMemory(),
            spill: options.checkedSpill())
        (weights, cache, activations, scratch) = (use.weights, use.cache, use.activations, use.scratch)
        streamedWeights = use.streamed
        spilledCache = use.spilled
    }

    private var use: MemoryUse {
        MemoryUse(weights: weights, cache: cache, activations: activations, scratch: scratch)
    }

    /// All parts in one line.
    public var description: String {
        let parts = [
            ("weights", weights), ("cache", cache), ("activations", activations), ("scratch", scratch),
        ]
        return parts.map { "\($0.0) \(Self.size($0.1))" }.joined(separator: ", ") + "; \(Self.size(total)) in all"
            + (spilledCache.map { ", and \(Self.size($0)) of keys and values in a file" } ?? "")
            + (streamedWeights.map { ", and \(Self.size($0)) of weights read for each token" } ?? "")
    }

    /// A number of bytes for people, rounded up in its last digit.
    public static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["bytes", "KiB", "MiB"] {
            if value < 1024 { return unit == "bytes" ? "\(bytes) bytes" : String(format: "%.1f %@", value, unit) }
            value /= 1024
        }
        return String(format: "%.2f GiB", value)
    }
}

/// A model that does not fit the memory it may take: the numbers, and settings with which it would.
public struct MemoryShortage: Sendable, Hashable {
    /// What the settings asked for.
    public let plan: MemoryPlan
    /// Bytes that there may be.
    public let limit: Int
    /// Settings that fit, the closest to what was asked for first; empty where none do.
    public let alternatives: [MemoryPlan]

    /// What is missing and what to do, in one line.
    var message: String {
        let needs =
            "needs \(MemoryPlan.size(plan.total)) for a context of \(plan.contextSize) tokens (\(plan)), but may take \(MemoryPlan.size(limit))"
        guard !alternatives.isEmpty else {
            return needs + "; no settings fit, as weights and working memory alone take more"
        }
        let settings = alternatives.map { fit in
            var parts = ["a context of \(fit.contextSize)"]
            if fit.cachePrecision != plan.cachePrecision { parts.append("a \(fit.cachePrecision.rawValue) cache") }
            if fit.batchSize != plan.batchSize { parts.append("batches of \(fit.batchSize)") }
            if fit.spilledCache != nil, fit.cache != plan.cache {
                parts.append("\(MemoryPlan.size(fit.cache)) of the cache in memory, the rest in a file")
            }
            if fit.streamedWeights != nil, fit.weights != plan.weights {
                parts.append("\(MemoryPlan.size(fit.weights)) of weights in memory, the others read for each token")
            }
            return parts.joined(separator: " with ")
        }
        return needs + "; what fits: " + settings.joined(separator: ", or ")
    }

    /// Looks for settings that fit: a smaller context as it is, the context with a smaller cache, and a smaller batch; and the whole
    /// context with less of the weights, or of the cache, in memory, which costs the most time.
    init(_ model: Model, _ options: GGUFLanguageModel.LoadOptions, plan: MemoryPlan, limit: Int) {
        self.plan = plan
        self.limit = limit
        var found: [MemoryPlan] = []
        func consider(_ precision: GGUFLanguageModel.CachePrecision, batch: Int) {
            let largest = MemoryUse.largestContext(
                model, within: limit, atMost: plan.contextSize, batchCapacity: batch, threadCount: plan.threadCount,
                precision: precision.stored, weightLimit: options.weightMemory)
            guard let largest else { return }
            var fitting = options
            fitting.contextSize = min(largest, plan.contextSize)
            fitting.cachePrecision = precision
            fitting.batchSize = batch
            fitting.threadCount = plan.threadCount
            guard let fit = try? MemoryPlan(model, fitting), fit.total <= limit else { return }
            // Only what keeps more of the context than what is there already.
            if found.allSatisfy({ $0.contextSize < fit.contextSize }) { found.append(fit) }
        }
        let smaller = GGUFLanguageModel.CachePrecision.allCases.filter {
            $0.stored.bits < plan.cachePrecision.stored.bits
        }
        for batch in [plan.batchSize, 64] where batch <= plan.batchSize {
            consider(plan.cachePrecision, batch: batch)
            for precision in smaller { consider(precision, batch: batch) }
        }
        let rest = limit - (plan.total - plan.weights)
        if rest > 0, !options.usesLargePages {
            var fitting = options
            fitting.contextSize = plan.contextSize
            fitting.threadCount = plan.threadCount
            fitting.weightMemory = rest - plan.threadCount * model.embeddingWindowByteCount(isStreamed: true)
            if let fit = try? MemoryPlan(model, fitting), fit.total <= limit, fit.contextSize == plan.contextSize {
                found.append(fit)
            }
        }
        // Or all of the weights, and less of the cache.
        let left = limit - (plan.total - plan.cache)
        if left > 0 {
            var fitting = options
            fitting.contextSize = plan.contextSize
            fitting.threadCount = plan.threadCount
            fitting.cacheMemory = left
            if let fit = try? MemoryPlan(model, fitting), fit.total <= limit, fit.contextSize == plan.contextSize {
                found.append(fit)
            }
        }
        alternatives = found
    }
}
