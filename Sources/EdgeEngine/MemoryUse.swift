package import EdgeCache
package import EdgeKernels
package import EdgeModel
internal import EdgePlatform

/// The bytes that a model takes with some settings, from its header alone: nothing of it is loaded, and no memory taken.
package struct MemoryUse: Sendable, Hashable {
    /// What texts can bring in of the model's file.
    package var weights: Int
    /// Bytes of weights read from the file for each token; nil where all are in memory.
    package var streamed: Int?
    /// Bytes of keys and values of a full context that lie in a file; nil where all are in memory.
    package var spilled: Int?
    /// Keys and values of one full context, with room for a copy of what it shares.
    package var cache: Int
    /// Rows of activations for a batch.
    package var activations: Int
    /// What the threads have for themselves.
    package var scratch: Int

    package init(weights: Int, cache: Int, activations: Int, scratch: Int) {
        self.weights = weights
        self.cache = cache
        self.activations = activations
        self.scratch = scratch
    }

    package var total: Int {
        [cache, activations, scratch].reduce(weights) { sum, part in
            let (total, overflow) = sum.addingReportingOverflow(part)
            return overflow ? .max : total
        }
    }

    /// What an engine with these settings takes when one context is full.
    ///
    /// - Parameters:
    ///   - weightLimit: bytes of weights in memory; nil for all.
    ///   - spill: bytes of keys and values in memory; nil for all.
    /// - Throws: `ModelError.insufficientMemory` when the sizes overflow, or the limit is too low.
    package init(
        _ model: Model, contextSize: Int, batchCapacity: Int, threadCount: Int, precision: CachePrecision,
        weightLimit: Int? = nil, spill: CacheSpill.Options? = nil
    ) throws(ModelError) {
        let batch = Engine.batchCapacity(batchCapacity, contextSize: contextSize)
        let geometry = model.cacheGeometry(capacity: contextSize, batchCapacity: batch, precision: precision)
        guard let cache = geometry.byteCount(contexts: 1) else {
            throw ModelError(.insufficientMemory, "no memory for a context of \(contextSize) tokens")
        }
        let counts = try ForwardPass.byteCounts(
            model, threadCount: threadCount, batchCapacity: batch, logitsCapacity: Engine.logitsCapacity)
        if let weightLimit, let streamed = try model.streamedByteCounts(limit: weightLimit) {
            (weights, self.streamed) = (streamed.resident, streamed.read)
        } else {
            weights = model.residentByteCount
        }
        self.cache = cache
        if let spill {
            do throws(CacheError) {
                if try geometry.spillLayout(byteCount: spill.byteCount) != nil {
                    self.cache = spill.byteCount
                    spilled = cache - spill.byteCount
                }
            } catch {
                throw ModelError(cache: error)
            }
        }
        activations = counts.activations
        let windows =
            model.embeddingWindowByteCount(isStreamed: streamed != nil)
            - model.embeddingWindowByteCount(isStreamed: false)
        scratch = counts.scratch + max(1, threadCount) * windows
    }

    /// The largest context, in whole blocks, that fits with these settings otherwise; nil where not even one block does.
    package static func largestContext(
        _ model: Model, within limit: Int, atMost most: Int, batchCapacity: Int, threadCount: Int,
        precision: CachePrecision, weightLimit: Int? = nil
    ) -> Int? {
        // Takes more the larger it is: halve the range.
        func fits(_ blocks: Int) -> Bool {
            let use = try? MemoryUse(
                model, contextSize: blocks * KeyValueLayer.blockLength, batchCapacity: batchCapacity,
                threadCount: threadCount, precision: precision, weightLimit: weightLimit)
            return use.map { $0.total <= limit } ?? false
        }
        var (low, high) = (0, max(1, most / KeyValueLayer.blockLength) + 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        return low > 0 ? low * KeyValueLayer.blockLength : nil
    }

    /// What the memory was when a model ran with a full context.
    package struct Measurement: Sendable {
        /// Resident before, and at most, in bytes.
        package var before: Int
        package var peak: Int
    }

    /// Runs a model as an engine does, with one context filled in whole batches and a token after it; nil where the system does not say
    /// what memory is taken. Of no use in a process that has had more memory before than the model takes.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package static func measure(
        _ model: () throws -> Model, contextSize: Int, batchCapacity: Int, threadCount: Int, precision: CachePrecision,
        spill: CacheSpill.Options? = nil
    ) throws -> Measurement? {
        guard let before = ProcessMemory.residentByteCount else { return nil }
        let model = try model()
        let batch = Engine.batchCapacity(batchCapacity, contextSize: contextSize)
        let pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: batch, logitsCapacity: Engine.logitsCapacity)
        let pool = try Engine.makePool(
            model.cacheGeometry(capacity: contextSize, batchCapacity: batch, precision: precision), limit: nil,
            spill: spill)
        let cache = pool.makeCache()
        var position = 0
        while position < contextSize {
            // The last tokens as a draft is run, whose logits are all wanted.
            let rest = contextSize - position
            let count = min(rest > Engine.logitsCapacity ? rest - Engine.logitsCapacity : rest, batch)
            // Spread over the vocabulary, so that they bring in as much of an embedding as so many tokens can.
            let ids = (position..<position + count).map {
                Int32(truncatingIfNeeded: $0 &* model.vocabularySize / contextSize)
            }
            let wanted = rest <= Engine.logitsCapacity ? 0..<count : count - 1..<count
            pass.run(ids[...], cache: cache, logits: wanted)
            if let failure = pass.failure { throw ModelError(.unreadable, failure.description) }
            position += count
        }
        return ProcessMemory.peakByteCount.map { Measurement(before: before, peak: $0) }
    }
}
