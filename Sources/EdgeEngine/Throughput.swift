internal import EdgeCache
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

    /// Allocates for prompts in batches of `batchCapacity`, and a context of `contextSize`.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        _ model: Model, threadCount: Int?, contextSize: Int, batchCapacity: Int, precision: CachePrecision,
        floatKernels: Kernels = .chosen, adapters: [AppliedAdapter] = []
    ) throws(ModelError) {
        self.model = model
        pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: min(batchCapacity, contextSize), floatKernels: floatKernels)
        self.adapters = try pass.makeStack(adapters)
        cache = try model.makeCache(
            capacity: contextSize, batchCapacity: pass.batchCapacity, precision: precision)
    }

    /// The seconds that the timed tokens took, after `depth` tokens that are not timed.
    package func seconds(_ test: Test, depth: Int) -> Double {
        if cache.count > depth {
            do throws(CacheError) { try cache.truncate(to: depth) } catch { cache.removeAll() }
        }
        prefill(depth - cache.count)
        let start = Clock.nanoseconds
        switch test {
        case .prompt(let count): prefill(count, wantsLogits: true)
        case .generation(let count): for _ in 0..<count { run(1, wantsLogits: true) }
        }
        return Clock.seconds(from: start)
    }

    private func prefill(_ count: Int, wantsLogits: Bool = false) {
        var left = count
        while left > 0 {
            let batch = min(left, pass.batchCapacity)
            left -= batch
            run(batch, wantsLogits: wantsLogits && left == 0)
        }
    }

    private func run(_ count: Int, wantsLogits: Bool) {
        let first = cache.count
        let ids = (0..<count).map { Int32(truncatingIfNeeded: (first + $0) &* 7919 % model.vocabularySize) }
        pass.run(ids[...], cache: cache, logits: wantsLogits ? count - 1..<count : 0..<0, adapters: adapters)
    }

    /// Bytes of weights that one token reads.
    package var weightByteCountPerToken: Int { model.weightByteCountPerToken }

    /// Bytes of keys and values that a token after `depth` others reads.
    package func cacheByteCount(depth: Int) -> Int { cache.byteCount / cache.capacity * depth }

    /// Multiplications and additions of one token's matrix products without the output's, which only the last token needs.
    package var operationsPerToken: Int { 2 * model.layerWeightCountPerToken }
}
