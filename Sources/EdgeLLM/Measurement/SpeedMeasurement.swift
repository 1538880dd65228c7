internal import EdgeCache
internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeKernels
package import EdgeModel
public import Foundation

/// A model's weights, loaded to be measured: no vocabulary is needed.
public struct MeasuredModel: Sendable {
    package let model: Model

    /// Loads a model; of a split file, give any part. Takes milliseconds, or as long as reading the file takes with large pages.
    ///
    /// - Parameters:
    ///   - weightMemory: bytes of weights that may be in memory, as ``GGUFLanguageModel/LoadOptions/weightMemory``.
    ///   - readsAhead: false to read weights that are not in memory only when their turn comes, to see what reading ahead brings.
    /// - Throws: `ModelLoadingError`, which says what is wrong and where in the file.
    public init(
        contentsOf url: URL, usesLargePages: Bool = false, weightMemory: Int? = nil, readsAhead: Bool = true
    ) throws {
        let options = GGUFLanguageModel.LoadOptions(usesLargePages: usesLargePages, weightMemory: weightMemory)
        let limit = try options.checkedWeightMemory()
        model = try ModelLoadingError.reporting(url.path) {
            try Model(
                GGUFFile(path: url.path, inLargePages: usesLargePages), weightLimit: limit, readsAhead: readsAhead)
        }
    }

    /// Loads an adapter that was made for this model.
    ///
    /// - Throws: `ModelLoadingError`, with the code `adapterMismatch` when the adapter belongs to another model.
    public func loadAdapter(contentsOf url: URL) throws -> LoRAAdapter {
        try LoRAAdapter(path: url.path, for: model)
    }
}

/// Measures a model's speed in the terms of llama.cpp's `llama-bench`.
///
/// Ids are arbitrary, as arithmetic takes the same time for all. One thread uses a measurement, and is kept busy while it lasts.
///
/// ```swift
/// let measurement = try SpeedMeasurement(of: MeasuredModel(contentsOf: url), options: .init(contextSize: 512))
/// let seconds = try measurement.seconds(for: .prompt(512))
/// ```
public final class SpeedMeasurement {
    /// What is measured.
    public enum Test: Sendable, Hashable {
        /// A prompt of so many tokens.
        case prompt(Int)
        /// So many tokens, each computed alone.
        case generation(Int)

        /// `llama-bench`'s name: `pp512`, `tg128`.
        public var name: String { inner.name }

        /// Tokens that are timed.
        public var tokenCount: Int { inner.tokenCount }

        fileprivate var inner: Throughput.Test {
            switch self {
            case .prompt(let count): .prompt(count)
            case .generation(let count): .generation(count)
            }
        }
    }

    private let throughput: Throughput
    /// Tokens that a test may have together with those before it.
    public let contextSize: Int

    /// Starts threads, and allocates.
    ///
    /// - Parameters:
    ///   - options: context, threads, precision and BLAS; without a context one of 512 tokens.
    ///   - batchSize: tokens of a prompt that are computed together at most.
    ///   - adapters: what is added to the weights.
    ///   - readsAhead: false to read keys and values that are not in memory only when their turn comes, to see what reading ahead brings.
    /// - Throws: `ModelLoadingError`.
    public init(
        of model: MeasuredModel, options: GGUFLanguageModel.LoadOptions = .init(), batchSize: Int = 512,
        adapters: [LoRAAdapter] = [], readsAhead: Bool = true
    ) throws {
        contextSize = options.contextSize ?? 512
        guard (1...1 << 24).contains(contextSize), batchSize > 0, (1...256).contains(options.threadCount ?? 1) else {
            throw ModelLoadingError(
                code: .invalidOptions,
                message: "give a context of 1 to \(1 << 24) tokens, a batch, and 1 to 256 threads")
        }
        throughput = try ModelLoadingError.reporting("model") { [contextSize] in
            try Throughput(
                model.model, threadCount: options.threadCount, contextSize: contextSize, batchCapacity: batchSize,
                precision: options.cachePrecision.stored, spill: options.checkedSpill(readsAhead: readsAhead),
                floatKernels: options.floatKernels(),
                adapters: adapters.map(\.applied))
        }
    }

    /// The threads that compute.
    public var threadCount: Int { throughput.threadCount }

    /// The seconds that a test takes after `depth` tokens that are not timed.
    ///
    /// - Throws: `LanguageModelError.invalidOptions` where these are more tokens than the context has room for; `ModelLoadingError` with the
    ///   code `unreadable` where weights that are not in memory cannot be read.
    public func seconds(for test: Test, depth: Int = 0) throws -> Double {
        guard test.tokenCount > 0, depth >= 0, test.tokenCount <= contextSize, depth <= contextSize - test.tokenCount
        else {
            throw LanguageModelError.invalidOptions(
                "\(test.name) after \(depth) tokens does not fit a context of \(contextSize)")
        }
        return try ModelLoadingError.reporting("model") { try throughput.seconds(test.inner, depth: depth) }
    }

    /// Of the last test: seconds in which the threads that compute waited for what was read from a file.
    public var waitedSeconds: Double { throughput.waitedSeconds }

    /// What a token of the test costs on average: multiplications and additions of a prompt's, bytes of weights, keys and values that
    /// a generated one reads.
    public func workPerToken(of test: Test, depth: Int = 0) -> Int {
        switch test {
        case .prompt: throughput.operationsPerToken
        case .generation(let count):
            throughput.weightByteCountPerToken + throughput.cacheByteCount(depth: depth + (count + 1) / 2)
        }
    }
}

/// What this machine does at best, to compare a model's speed with.
public struct MachineCeilings: Sendable, Hashable {
    /// Threads that were used.
    public let threadCount: Int
    /// Bytes read from memory in a second, by loads that do nothing else: what bounds generation.
    public let readBytesPerSecond: Double
    /// Multiplications and additions of int8 in a second, from registers: what bounds prompts.
    public let int8OperationsPerSecond: Double

    /// Measures, in about a second, with 256 MiB of memory.
    ///
    /// - Throws: `ModelLoadingError` with the code `insufficientMemory`, or `invalidOptions` for other than 1 to 256 threads.
    public init(threadCount: Int) throws {
        guard (1...256).contains(threadCount) else {
            throw ModelLoadingError(
                code: .invalidOptions, message: "\(threadCount) threads are not possible; give 1 to 256")
        }
        let measured = try ModelLoadingError.reporting("measuring") { try Ceilings(threadCount: threadCount) }
        self.threadCount = threadCount
        readBytesPerSecond = measured.readBytesPerSecond
        int8OperationsPerSecond = measured.int8OperationsPerSecond
    }
}
