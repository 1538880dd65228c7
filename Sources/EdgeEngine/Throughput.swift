package import EdgeCache
package import EdgeKernels
package import EdgeModel
internal import EdgePlatform

/// Measures a model's speed in llama-bench's terms: a prompt of so many tokens, so many tokens generated one by one, each after
/// a context of a certain depth. Ids are arbitrary: arithmetic takes the same time for all.
package final class Throughput {
    /// What is measured.
    package enum Test: Sendable, Hashable {
        /// `ppN`: N tokens of prompt.
        case prompt(Int)
        /// `tgN`: N tokens, each computed alone.
        case generation(Int)

        /// llama-bench's name.
        package var name: String {
            switch self {
            case .prompt(let count): "pp\(count)"
            case .generation(let count): "tg\(count)"
            }
        }

        /// Tokens that are timed.
        package var tokenCount: Int {
            switch self {
            case .prompt(let count), .generation(let count): count
            }
        }
    }

    package var threadCount: Int { pass.threadCount }
    private let model: Model
    private let pass: ForwardPass
    private let cache: KeyValueCache
    private let adapters: AdapterStack
    /// Of the last test: seconds in which the threads waited for what was read from a file.
    package private(set) var waitedSeconds = 0.0

    /// Allocates for prompts in batches of `batchCapacity`, and a context of `contextSize`.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        _ model: Model, threadCount: Int?, contextSize: Int, batchCapacity: Int, precision: CachePrecision,
        spill: CacheSpill.Options? = nil, floatKernels: Kernels = .chosen, adapters: [AppliedAdapter] = []
    ) throws(ModelError) {
        self.model = model
        pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: min(batchCapacity, contextSize), floatKernels: floatKernels)
        self.adapters = try pass.makeStack(adapters)
        cache = try model.makeCache(
            capacity: contextSize, batchCapacity: pass.batchCapacity, precision: precision, spill: spill)
    }

    /// The seconds that the timed tokens took, after `depth` tokens that are not timed.
    ///
    /// - Throws: `ModelError.unreadable` when weights that are not in memory could not be read.
    package func seconds(_ test: Test, depth: Int) throws(ModelError) -> Double {
        if cache.count > depth {
            do throws(CacheError) { try cache.truncate(to: depth) } catch { cache.removeAll() }
        }
        try prefill(depth - cache.count)
        let waited = waitedInAll
        let start = Clock.nanoseconds
        switch test {
        case .prompt(let count): try prefill(count, wantsLogits: true)
        case .generation(let count): for _ in 0..<count { try run(1, wantsLogits: true) }
        }
        let seconds = Clock.seconds(from: start)
        waitedSeconds = waitedInAll - waited
        return seconds
    }

    private var waitedInAll: Double {
        (model.stream?.waitedSeconds ?? 0) + (cache.pool.spill?.waitedSeconds ?? 0)
    }

    private func prefill(_ count: Int, wantsLogits: Bool = false) throws(ModelError) {
        var left = count
        while left > 0 {
            let batch = min(left, pass.batchCapacity)
            left -= batch
            try run(batch, wantsLogits: wantsLogits && left == 0)
        }
    }

    private func run(_ count: Int, wantsLogits: Bool) throws(ModelError) {
        let first = cache.count
        let ids = (0..<count).map { Int32(truncatingIfNeeded: (first + $0) &* 7919 % model.vocabularySize) }
        pass.run(ids[...], cache: cache, logits: wantsLogits ? count - 1..<count : 0..<0, adapters: adapters)
        if let failure = pass.failure { throw ModelError(.unreadable, failure.description) }
    }

    /// Bytes of weights that one token reads.
    package var weightByteCountPerToken: Int { model.weightByteCountPerToken }

    /// Bytes of keys and values that a token after `depth` others reads.
    package func cacheByteCount(depth: Int) -> Int {
        (cache.pool.geometry.byteCount(contexts: 1) ?? 0) / cache.capacity * depth
    }

    /// Multiplications and additions of one token's matrix products without the output's, which only the last token needs.
    package var operationsPerToken: Int { 2 * model.layerWeightCountPerToken }
}
