package import EdgeCache
package import EdgeKernels
internal import EdgeMath
package import EdgePlatform
internal import Synchronization

/// Runs tokens through a model: embeddings in, logits or the vectors of texts out, keys and values into a cache.
///
/// Unless the path is exact, activations are quantized once for each phase, as soon as their row is complete, and every matrix that
/// reads them shares the result. All buffers are allocated once, for batches of up to `batchCapacity` tokens. The whole pass is
/// one job of the thread team: every thread runs `run(_:)` below, shares out the work of each phase, and meets the others at a
/// barrier. Read that function first; it is the transformer, of every architecture. How a prompt is cut into batches, and what
/// else is in a batch, does not change a bit of the result.
package final class ForwardPass: TeamJob {
    package let model: Model
    package let batchCapacity: Int
    package let logitsCapacity: Int
    package let path: ComputePath
    /// What multiplies float weights: our own kernels, or the system's BLAS where its bits are wanted.
    private let floatKernels: Kernels
    /// How the vectors of a text's tokens become one; nil for a pass that computes logits.
    package let pooling: Pooling?
    private let team: ThreadTeam
    private let space: Workspace
    /// By layer: in what blocks matrices want their inputs; empty for the exact path.
    private let blocks: [LayerBlocks]
    /// By layer.
    private let attention: [AttentionShape]
    /// Keys and values of the layer being run, for texts that need no cache.
    private let passing: KeyValueLayer?

    /// Tokens whose attention to one head is computed together, sharing each block of keys that is brought in.
    private static let attentionTile = 16

    // The batch being run.
    private var tokenCount = 0
    private var caches: [KeyValueCache] = []
    /// What is added to the weights; nil for nothing.
    private var adapters: AdapterStack?
    private var contextSize = 0
    /// The rows whose logits are wanted, and the row of `logits` that the first of them goes to.
    private var logitTokens: [Int] = []
    private var firstLogitsRow = 0
    /// By row: the token, where it stands in its text, and where its key and value are stored.
    private var tokens: [Int32]
    private var positions: [Int]
    private var slots: [Int]
    /// By row: which of the caches is its.
    private var owners: [Int]
    /// The rows of each text, and the pieces that attention works on.
    private var texts: [Range<Int>] = []
    private var tiles: [Tile] = []
    /// Whether the cancellation of the task that runs the batch ends it, and whether it has.
    private var isStoppable = false
    private let isStopped = Atomic<Bool>(false)
    /// The layer whose keys and values end the batch; nil for all of it.
    private var lastLayer: Int?
    /// The item of the weights' stream that is in use; touched by worker 0 alone.
    private var item: Int?
    /// What brings in keys and values of the batch's sequences that are not in memory; nil where all are.
    private var spill: CacheSpill?
    private let stopReason = Lock<PlatformError?>(nil)
    /// Why the last batch did not run to its end where that is not its task's cancellation: what it needed could not be read.
    package private(set) var failure: PlatformError?
    /// Who looks on; set between batches. What is computed stays the same.
    package var observer: (any ActivationObserver)?

    /// Some tokens of one text.
    private struct Tile {
        let tokens: Range<Int>
        /// Where keys and values of the text lie.
        let slots: Range<Int>
        /// What must be added to a row for its slot.
        let offset: Int
        /// Which of the caches they lie in.
        let owner: Int
    }

    /// Allocates the buffers.
    ///
    /// - Parameter pooling: makes the pass embed texts, which need no cache; without it the pass computes logits.
    /// - Throws: `ModelError.insufficientMemory`; `unsupportedArchitecture` when an encoder is asked for logits.
    package init(
        _ model: Model, team: ThreadTeam, batchCapacity: Int, logitsCapacity: Int = 1, pooling: Pooling? = nil,
        path: ComputePath = .int8, floatKernels: Kernels = .chosen
    ) throws(ModelError) {
        let shape = model.hyperparameters
        if pooling == nil { try model.requireGeneration() }
        if pooling == .rank, model.weights.classifier == nil {
            throw ModelError(
                .unsupportedArchitecture, "the model gives no scores: its file asks for no classification",
                key: shape.architecture.name + ".pooling_type")
        }
        let batch = max(1, batchCapacity)
        self.model = model
        self.path = path
        self.floatKernels = floatKernels
        self.team = team
        self.batchCapacity = batch
        self.logitsCapacity = max(1, logitsCapacity)
        self.pooling = pooling
        tokens = Array(repeating: 0, count: batch)
        positions = Array(repeating: 0, count: batch)
        slots = Array(repeating: 0, count: batch)
        owners = Array(repeating: 0, count: batch)
        logitTokens.reserveCapacity(self.logitsCapacity)
        caches.reserveCapacity(batch)
        texts.reserveCapacity(batch)
        tiles.reserveCapacity(batch)
        blocks = Self.blocks(model, path)
        attention = Self.attention(shape)
        do throws(PlatformError) {
            space = try Self.makeSpace(
                model, threadCount: team.threadCount, batch: batch, logitsCapacity: self.logitsCapacity,
                isEmbedding: pooling != nil, path: path)
            // Each text begins on the border of a block; as many texts as tokens is the worst.
            passing =
                pooling == nil
                ? nil
                : try KeyValueLayer(
                    kvHeadCount: shape.keyValueHeadCount, headSize: shape.headSize,
                    capacity: batch * KeyValueLayer.blockLength, precision: .f32)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for a batch of \(batch) tokens: \(error)")
        }
    }

    private static func blocks(_ model: Model, _ path: ComputePath) -> [LayerBlocks] {
        path != .exact ? model.weights.layers.map { LayerBlocks($0) } : []
    }

    private static func attention(_ shape: Hyperparameters) -> [AttentionShape] {
        shape.layers.map {
            AttentionShape(
                groupSize: shape.headCount / shape.keyValueHeadCount, headSize: shape.headSize,
                scale: shape.attentionScale, window: $0.window, softcap: shape.attentionSoftCap,
                isCausal: shape.isCausal)
        }
    }

    private static func makeSpace(
        _ model: Model, threadCount: Int, batch: Int, logitsCapacity: Int, isEmbedding: Bool, path: ComputePath
    ) throws(PlatformError) -> Workspace {
        let scratch = attention(model.hyperparameters).map {
            $0.scratchCount(tokenCount: min(batch, Self.attentionTile))
        }
        return try Workspace(
            model, batch: batch, logitsCapacity: logitsCapacity, threads: threadCount, blocks: blocks(model, path),
            hasTwoTerms: path == .int16, isEmbedding: isEmbedding, attentionScratchCount: scratch.max() ?? 0)
    }

    /// Bytes that the buffers of a pass for logits take, without taking them: address space is reserved for a moment, and no page of
    /// it touched.
    ///
    /// - Throws: `ModelError.insufficientMemory` when not even that can be had.
    package static func byteCounts(
        _ model: Model, threadCount: Int, batchCapacity: Int, logitsCapacity: Int, path: ComputePath = .int8
    ) throws(ModelError) -> (activations: Int, scratch: Int) {
        do throws(PlatformError) {
            let space = try makeSpace(
                model, threadCount: max(1, threadCount), batch: max(1, batchCapacity),
                logitsCapacity: max(1, logitsCapacity), isEmbedding: false, path: path)
            return (space.activationByteCount, space.scratchByteCount)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for a batch of \(batchCapacity) tokens: \(error)")
        }
    }

    /// Starts a team of threads for this pass alone, then allocates the buffers.
    ///
    /// - Parameter threadCount: nil for the physical cores this process may use; at most 256 are started.
    /// - Throws: `ModelError` as the other initialiser, and `insufficientMemory` when the system refuses a thread.
    package convenience init(
        _ model: Model, threadCount: Int?, batchCapacity: Int, logitsCapacity: Int = 1,
        floatKernels: Kernels = .chosen
    ) throws(ModelError) {
        let team: ThreadTeam
        do throws(PlatformError) {
            team = try ThreadTeam(threadCount: min(256, threadCount ?? Processors.usableCoreCount))
        } catch {
            throw ModelError(.insufficientMemory, "cannot start: \(error)")
        }
        try self.init(
            model, team: team, batchCapacity: batchCapacity, logitsCapacity: logitsCapacity, floatKernels: floatKernels)
    }

    /// The threads that compute.
    package var threadCount: Int { team.threadCount }

    /// Bytes of all buffers.
    package var byteCount: Int { space.byteCount + (passing?.byteCount ?? 0) }

    /// Adapters ready to be given to `run`: any number of them, added in this order. Takes memory once, for batches of any size.
    ///
    /// - Throws: `ModelError.adapterMismatch` for an adapter of another model, `insufficientMemory`.
    package func makeStack(_ adapters: [AppliedAdapter]) throws(ModelError) -> AdapterStack {
        try AdapterStack(adapters, model: model, rowCount: max(rowCount(batchCapacity), logitsCapacity))
    }

    /// The most rows that a matrix multiplies for so many tokens: with experts a row for each of their inputs.
    private func rowCount(_ tokens: Int) -> Int {
        tokens * max(1, model.hyperparameters.expertCount > 0 ? model.hyperparameters.expertUsedCount : 1)
    }

    /// Runs a batch of tokens that follow what the cache holds, and appends them to it.
    ///
    /// - Parameters:
    ///   - batch: 1 to `batchCapacity` ids below the vocabulary size, and at most the cache's `batchCapacity`; they must fit it.
    ///   - cache: where other sequences use its pool, with room that was reserved.
    ///   - logits: which of the batch's tokens to compute logits for, at most `logitsCapacity`; row i of `logits` is then
    ///     token `logits.lowerBound + i`.
    ///   - adapters: made by this pass; whoever changes them starts with an empty cache, as keys and values depend on them.
    ///   - isStoppable: whether the cancellation of the current task ends the batch, within one piece of one matrix.
    /// - Returns: whether the batch has run to its end. The cache is as before, and the logits are none, where it has not: the task was
    ///   cancelled, or `failure` says why.
    @discardableResult
    package func run(
        _ batch: ArraySlice<Int32>, cache: KeyValueCache, logits wanted: Range<Int>, adapters: AdapterStack? = nil,
        isStoppable: Bool = false
    ) -> Bool {
        precondition(pooling == nil, "this pass embeds")
        precondition(wanted.lowerBound >= 0 && wanted.upperBound <= batch.count, "logits of tokens not in the batch")
        begin()
        guard add(batch, following: cache) else { return false }
        for token in wanted { logitTokens.append(token) }
        self.isStoppable = isStoppable
        let isWhole = finish(adapters)
        self.isStoppable = false
        // What a batch that was stopped has stored behind the valid positions is nothing; a ring has room for it beside what the
        // next token sees.
        guard isWhole else { return false }
        cache.append(batch)
        return true
    }

    /// Some tokens of a sequence, and where they stand in it.
    package struct Piece {
        package let tokens: ArraySlice<Int32>
        package let position: Int

        package init(_ tokens: ArraySlice<Int32>, at position: Int) {
            self.tokens = tokens
            self.position = position
        }
    }

    /// Runs tokens of a sequence whose other tokens' keys and values are there already, in every layer, though the sequence does not count
    /// them as valid yet.
    ///
    /// - Parameters:
    ///   - pieces: in order, at most `batchCapacity` tokens together, at positions for which the cache has room by `reserveWhole`. Cutting
    ///     them into several calls, in order, changes no bit.
    ///   - lastLayer: the layer whose keys and values are the last to be computed; nil for all.
    /// - Returns: as `run(_:cache:logits:adapters:isStoppable:)`; the cache counts no position more.
    @discardableResult
    package func run(
        pieces: [Piece], cache: KeyValueCache, through lastLayer: Int? = nil, adapters: AdapterStack? = nil,
        isStoppable: Bool = false
    ) -> Bool {
        precondition(pooling == nil, "this pass embeds")
        precondition(lastLayer == nil || model.stream == nil, "weights that are streamed run whole")
        precondition(cache.pool.spill == nil && cache.pool.geometry.windows.allSatisfy { $0 == 0 }, "a cache with gaps")
        begin()
        caches.append(cache)
        contextSize = cache.capacity
        for piece in pieces where !piece.tokens.isEmpty {
            precondition(
                piece.position >= cache.count && piece.position + piece.tokens.count <= cache.reservedCount,
                "tokens without room")
            add(piece.tokens, position: piece.position, slot: piece.position, first: 0)
        }
        self.lastLayer = lastLayer
        self.isStoppable = isStoppable
        defer { (self.isStoppable, self.lastLayer) = (false, nil) }
        return tokenCount == 0 || finish(adapters)
    }

    /// What is run of one of several sequences in a common pass.
    package struct Part {
        /// The tokens that follow what the cache holds, one at least.
        package let tokens: ArraySlice<Int32>
        package let cache: KeyValueCache
        /// Whether the logits of the last token are wanted.
        package let wantsLogits: Bool

        package init(_ tokens: ArraySlice<Int32>, of cache: KeyValueCache, wantsLogits: Bool = true) {
            self.tokens = tokens
            self.cache = cache
            self.wantsLogits = wantsLogits
        }
    }

    /// Runs the next tokens of several sequences, in one pass over the weights, and appends them to the sequences' caches.
    ///
    /// - Parameters:
    ///   - parts: of caches that are all different and of the same capacity; where other sequences use their pools, with room that was
    ///     reserved. At most `batchCapacity` tokens together.
    ///   - firstRow: row i + `firstRow` of `logits` is then the i-th part's, of those that want any.
    /// - Returns: whether the pass has run to its end; `failure` says why where it has not, and the caches are as before.
    @discardableResult
    package func run(_ parts: [Part], firstRow: Int = 0, adapters: AdapterStack? = nil) -> Bool {
        precondition(pooling == nil, "this pass embeds")
        precondition(!parts.isEmpty, "nothing to run")
        begin()
        for part in parts {
            precondition(part.cache.capacity == parts[0].cache.capacity, "contexts of different sizes")
            guard add(part.tokens, following: part.cache) else { return false }
            if part.wantsLogits { logitTokens.append(tokenCount - 1) }
        }
        firstLogitsRow = firstRow
        guard finish(adapters) else { return false }
        for part in parts { part.cache.append(part.tokens) }
        return true
    }

    /// Adds tokens of a sequence; false where blocks that must make way for theirs could not be written, and nothing is to be run.
    private func add(_ batch: ArraySlice<Int32>, following cache: KeyValueCache) -> Bool {
        precondition(!batch.isEmpty && batch.count <= cache.batchCapacity, "\(batch.count) tokens")
        let count = cache.count
        precondition(batch.count <= cache.capacity - count, "the cache is full")
        do throws(CacheError) {
            try cache.reserve(batch.count)
        } catch {
            guard case .storage(let reason) = error else {
                preconditionFailure("a pass was run without room in the cache: \(error)")
            }
            failure = .storage(reason)
            caches.removeAll(keepingCapacity: true)
            return false
        }
        caches.append(cache)
        contextSize = cache.capacity
        add(batch, position: count, slot: count, first: 0)
        return true
    }

    private func finish(_ adapters: AdapterStack?) -> Bool {
        precondition(
            firstLogitsRow >= 0 && logitTokens.count <= logitsCapacity - firstLogitsRow,
            "more logits asked for than there is room")
        let isWhole = start(adapters)
        caches.removeAll(keepingCapacity: true)
        return isWhole
    }

    /// Logits of the last run: row i for token `wanted.lowerBound + i`.
    package var logits: Rows { space.logits }

    /// Runs texts of any lengths side by side, without padding.
    ///
    /// - Parameter batch: texts of one token at least, `batchCapacity` tokens together at most, ids below the vocabulary size.
    /// - Returns: whether the batch has run to its end; `failure` says why where it has not.
    @discardableResult
    package func run(texts batch: ArraySlice<[Int32]>, adapters: AdapterStack? = nil) -> Bool {
        precondition(pooling != nil, "this pass computes logits")
        begin()
        var slot = 0
        for text in batch {
            precondition(!text.isEmpty && text.count <= batchCapacity - tokenCount, "texts do not fit the batch")
            add(text[...], position: 0, slot: slot, first: slot)
            slot += (text.count + KeyValueLayer.blockLength - 1) / KeyValueLayer.blockLength * KeyValueLayer.blockLength
        }
        contextSize = batchCapacity
        return start(adapters)
    }

    /// Vectors of the last texts: row i for text i, or without pooling for token i of all.
    package var embeddings: Rows { space.final }

    private func start(_ adapters: AdapterStack?) -> Bool {
        let rows = max(rowCount(tokenCount), firstLogitsRow + logitTokens.count)
        precondition(adapters?.fits(model, rowCount: rows) ?? true, "adapters made for another pass")
        self.adapters = adapters.flatMap { $0.isEmpty ? nil : $0 }
        model.stream?.begin(wantsOutput: !logitTokens.isEmpty)
        if let pool = caches.first?.pool, let spill = pool.spill, spill.begin(caches) { self.spill = spill }
        team.run(self)
        let isWhole = !isStopped.exchange(false, ordering: .relaxed)
        leave()
        spill?.end(isWhole: isWhole)
        spill = nil
        model.stream?.end(isWhole: isWhole)
        if !isWhole { failure = stopReason.withLock { $0 } }
        self.adapters = nil
        return isWhole
    }

    /// Ends the batch, as what it needs cannot be read.
    private func stop(_ error: PlatformError) {
        stopReason.withLock { $0 = $0 ?? error }
        isStopped.store(true, ordering: .relaxed)
    }

    // MARK: Weights that are not all in memory

    /// Waits for a unit of weights, by worker 0; no thread reads the one before any more. A barrier must come before the unit is read.
    private func enter(_ item: Int?, _ worker: TeamWorker) {
        guard worker.index == 0, let stream = model.stream else { return }
        leave()
        guard let item, !isEnding(worker) else { return }
        do throws(PlatformError) {
            try stream.acquire(item)
            self.item = item
        } catch {
            stop(error)
        }
    }

    private func leave() {
        if let item { model.stream?.release(item) }
        item = nil
    }

    private func begin() {
        tokenCount = 0
        failure = nil
        stopReason.withLock { $0 = nil }
        logitTokens.removeAll(keepingCapacity: true)
        firstLogitsRow = 0
        texts.removeAll(keepingCapacity: true)
        tiles.removeAll(keepingCapacity: true)
    }

    /// Adds some tokens of a text to the batch: the first of them stands at `position` and is stored at `slot`; the text's
    /// keys and values begin at slot `first`.
    private func add(_ ids: ArraySlice<Int32>, position: Int, slot: Int, first: Int) {
        precondition(position + ids.count <= model.maximumPositions, "more positions than the model knows")
        precondition(ids.count <= batchCapacity - tokenCount, "more tokens than a batch holds")
        let owner = max(0, caches.count - 1)
        let lower = tokenCount
        for (index, token) in ids.enumerated() {
            precondition(token >= 0 && Int(token) < model.vocabularySize, "token id out of range")
            tokens[lower + index] = token
            positions[lower + index] = position + index
            slots[lower + index] = slot + index
            owners[lower + index] = owner
        }
        tokenCount += ids.count
        texts.append(lower..<tokenCount)
        for start in stride(from: lower, to: tokenCount, by: Self.attentionTile) {
            tiles.append(
                Tile(
                    tokens: start..<min(tokenCount, start + Self.attentionTile),
                    slots: first..<slot + ids.count, offset: slot - lower, owner: owner))
        }
    }

    // MARK: The transformer

    /// One thread's part of the pass.
    package func run(_ worker: TeamWorker) {
        let weights = model.weights
        embed(worker)
        for index in 0..<weights.layers.count {
            let layer = weights.layers[index]
            let wanted = blocks.isEmpty ? nil : blocks[index]
            let adapted = adapters?.layers[index]

            enter(model.stream?.layout.layers[index].item, worker)
            normalize(layer.attentionNorm, for: wanted?.attention, worker)
            worker.barrier()
            observe(.attention, layer: index, space.normed, worker)
            shrink(adapted?.attention, space.normed, worker)
            project(layer, adapted?.attention, worker)
            worker.barrier()
            rotateAndStore(layer, index, worker)
            worker.barrier()
            if index == lastLayer { return }
            attend(index, worker)
            worker.barrier()
            observe(.attentionOutput, layer: index, space.attended, worker)
            shrink(adapted?.attentionOutput, space.attended, worker)
            quantize(space.attended, space.quantizedAttended, for: wanted?.attentionOutput, worker)
            multiplyIntoBranch(
                layer.attentionOutput, space.attended, space.quantizedAttended, adapted?.attentionOutput, worker)
            worker.barrier()
            addBranch(layer.attentionPostNorm, worker)

            normalize(layer.feedForwardNorm, for: wanted?.feedForward, worker)
            worker.barrier()
            observe(.feedForward, layer: index, space.normed, worker)
            switch layer.feedForward {
            case .dense(let gate, let up, let down):
                shrink(adapted?.feedForward, space.normed, worker)
                activate(gate, up, adapted?.feedForward, worker)
                worker.barrier()
                observe(.down, layer: index, space.gate, worker)
                shrink(adapted?.down, space.gate, worker)
                quantize(space.gate, space.quantizedGate, for: wanted?.down, worker)
                multiplyIntoBranch(down, space.gate, space.quantizedGate, adapted?.down, worker)
                worker.barrier()
            case .experts(let router, let gates, let ups, let downs):
                mix(router, gates, ups, downs, adapted, for: wanted, layer: index, worker)
            }
            addBranch(layer.feedForwardPostNorm, worker)
        }
        worker.barrier()
        if let pooling { pool(pooling, worker) } else { computeLogits(worker) }
    }

    /// Shows the batch's rows to who looks on, by worker 0; nobody writes them before the next barrier.
    private func observe(_ input: ActivationInput, layer: Int, _ x: Rows, _ worker: TeamWorker) {
        guard let observer, worker.index == 0, !isEnding(worker) else { return }
        observer.observe(input, layer: layer, x, rows: 0..<tokenCount, expert: 0)
    }

    private func observe(
        _ input: ActivationInput, layer: Int, _ mixture: ExpertMixture, _ x: Rows, _ worker: TeamWorker
    ) {
        guard let observer, worker.index == 0, !isEnding(worker) else { return }
        for expert in 0..<mixture.expertCount {
            observer.observe(input, layer: layer, x, rows: mixture.pairs(ofExpert: expert), expert: expert)
        }
    }

    /// The tokens that a thread embeds, adds branches to and normalises are the same throughout: no barrier between these.
    private func share(_ worker: TeamWorker, of total: Int? = nil) -> Range<Int> {
        isEnding(worker) ? 0..<0 : worker.share(of: total ?? tokenCount)
    }

    /// Whether what is left of the batch is no longer wanted. All barriers are met even so, as threads learn of it in different
    /// phases; there is nothing to do between them any more.
    private func isEnding(_ worker: TeamWorker) -> Bool {
        // The other threads belong to no task.
        if isStoppable, worker.index == 0, Task.isCancelled { isStopped.store(true, ordering: .relaxed) }
        return isStopped.load(ordering: .relaxed)
    }

    private func embed(_ worker: TeamWorker) {
        let weights = model.weights
        let residual = space.residual
        for token in share(worker) {
            let position = positions[token]
            if let stream = model.stream {
                do throws(PlatformError) {
                    try stream.decode(
                        row: Int(tokens[token]), of: weights.tokenEmbedding, into: residual, at: token,
                        buffer: space.embeddingWindows, worker: worker.index)
                } catch {
                    return stop(error)
                }
            } else if model.readsEmbeddingRows {
                do throws(PlatformError) {
                    try weights.tokenEmbedding.decode(
                        readingRow: Int(tokens[token]), into: residual, at: token, buffer: space.embeddingWindows,
                        worker: worker.index)
                } catch {
                    return stop(error)
                }
            } else {
                weights.tokenEmbedding.decode(row: Int(tokens[token]), into: residual, at: token)
            }
            adapters?.addEmbedding(
                of: Int(tokens[token]), row: token, to: residual, scratch: space.weightScratch, worker: worker.index)
            let scale = model.hyperparameters.embeddingScale
            if scale != 1 { residual.multiply(row: token, by: scale) }
            if let table = weights.typeEmbedding { add(table, row: 0, to: token, worker) }
            if let table = weights.positionEmbedding { add(table, row: position, to: token, worker) }
            weights.embeddingNorm?.apply(to: residual, row: token, into: residual)
            space.rotary?.fill(row: token, position: position, contextSize: contextSize)
            space.windowedRotary?.fill(row: token, position: position, contextSize: contextSize)
        }
    }

    /// Adds a row of a table of vectors to a token's.
    private func add(_ table: Matrix, row: Int, to token: Int, _ worker: TeamWorker) {
        table.decode(row: row, into: space.weightScratch, at: worker.index)
        space.residual.add(
            space.weightScratch, row: worker.index, scaledBy: 1, to: token, count: space.residual.columnCount)
    }

    /// Normalises the residual stream, or copies it for a branch that reads it as it is; quantizes each row while it is in the
    /// processor's cache.
    private func normalize(_ norm: Norm?, for wanted: ActivationBlocks?, _ worker: TeamWorker) {
        for token in share(worker) {
            if let norm {
                norm.apply(to: space.residual, row: token, into: space.normed)
            } else {
                space.normed.copy(from: space.residual, row: token, to: token)
            }
            space.quantizedNormed?.quantize(space.normed, row: token, blocks: wanted ?? [])
        }
    }

    /// Adds what a branch computed to the residual stream, normalised and scaled as the architecture says; nothing where
    /// `multiplyIntoBranch` has added it already.
    private func addBranch(_ norm: Norm?, _ worker: TeamWorker) {
        let shape = model.hyperparameters
        guard !shape.addsBranchesDirectly else { return }
        let width = shape.embeddingLength
        let isAfterSum = shape.architecture.normPlacement == .afterSum
        for token in share(worker) {
            if !isAfterSum { norm?.apply(to: space.branch, row: token, into: space.branch) }
            space.residual.add(space.branch, row: token, scaledBy: shape.residualScale, to: token, count: width)
            if isAfterSum { norm?.apply(to: space.residual, row: token, into: space.residual) }
        }
    }

    /// Quantizes complete rows, and waits until all are; nothing where no matrix reads them so.
    private func quantize(
        _ x: Rows, _ output: QuantizedRows?, rows: Int? = nil, for wanted: ActivationBlocks?, _ worker: TeamWorker
    ) {
        guard let output, let wanted, !wanted.isEmpty else { return }
        for row in share(worker, of: rows) { output.quantize(x, row: row, blocks: wanted) }
        worker.barrier()
    }

    /// What adapters need of the activations that the next matrices read, complete when this returns.
    private func shrink(_ phase: AdaptedPhase?, _ x: Rows, count: Int? = nil, _ worker: TeamWorker) {
        guard let adapters, let phase, !phase.isEmpty else { return }
        if !isEnding(worker) {
            adapters.shrink(phase, x, count: count ?? tokenCount, scratch: space.weightScratch, worker)
        }
        worker.barrier()
    }

    // MARK: Attention

    /// Queries, keys and values, whose rows are shared out as if they were one matrix.
    private func project(_ layer: LayerWeights, _ adapted: AdaptedPhase?, _ worker: TeamWorker) {
        let q = layer.query.matrix.rowCount
        let k = layer.key.matrix.rowCount
        let total = q + k + layer.value.matrix.rowCount
        let grain = grain(of: total, worker)
        let (normed, quantized) = (space.normed, space.quantizedNormed)
        while let rows = nextRows(of: total, grain: grain, worker) {
            multiply(layer.query, normed, quantized, adapted?.terms[0], rows, offset: 0, into: space.query, worker)
            multiply(layer.key, normed, quantized, adapted?.terms[1], rows, offset: q, into: space.key, worker)
            multiply(layer.value, normed, quantized, adapted?.terms[2], rows, offset: q + k, into: space.value, worker)
        }
    }

    /// Where a layer's keys and values of some rows lie.
    @inline(__always)
    private func store(_ layer: Int, owner: Int) -> KeyValueLayer { passing ?? caches[owner].layers[layer] }

    private func rotateAndStore(_ layer: LayerWeights, _ index: Int, _ worker: TeamWorker) {
        let shape = model.hyperparameters
        let layerShape = shape.layers[index]
        let size = shape.headSize
        let table =
            switch layerShape.rotation {
            case .none: nil as RotaryTable?
            case .standard: space.rotary
            case .windowed: space.windowedRotary
            }
        for token in share(worker) {
            layer.queryNorm?.applyToHeads(of: space.query, row: token)
            layer.keyNorm?.applyToHeads(of: space.key, row: token)
            if let table, let pairs = shape.architecture.rotaryPairs {
                space.query.rotate(
                    row: token, column: 0, headCount: shape.headCount, headSize: size,
                    rotaryCount: table.rows.columnCount, pairs: pairs, table: table.rows, tableRow: token)
                space.key.rotate(
                    row: token, column: 0, headCount: shape.keyValueHeadCount, headSize: size,
                    rotaryCount: table.rows.columnCount, pairs: pairs, table: table.rows, tableRow: token)
            }
            if shape.attentionTemperature != 0 {
                space.query.multiply(row: token, by: temperature(at: positions[token]))
            }
        }
        // Head by head: its block of keys, whose components lie apart, stays near the core.
        for head in 0..<shape.keyValueHeadCount {
            for token in share(worker) {
                store(index, owner: owners[token]).store(
                    position: slots[token], head: head, key: space.key, value: space.value, row: token,
                    keyColumn: head * size, valueColumn: head * size)
            }
        }
    }

    /// 1 within the original context; each further one adds less.
    private func temperature(at position: Int) -> Float {
        let shape = model.hyperparameters
        let contexts = position / (shape.rotary?.originalContext ?? .max)
        return Float(Double(shape.attentionTemperature) * Deterministic.logarithm(Double(contexts + 1)) + 1)
    }

    /// Work pieces are pairs of a key-value head and a tile of tokens; late tiles see more, so they are handed out first.
    private func attend(_ layer: Int, _ worker: TeamWorker) {
        guard let spill, let place = caches.first?.pool.places[layer], place.group == 0 else {
            return attend(layer, part: nil, worker) { _ in true }
        }
        attend(layer, part: nil, worker) { !spill.isSpilled(owner: $0) }
        for index in spill.parts.indices {
            if worker.index == 0, !isEnding(worker) {
                do throws(PlatformError) { try spill.acquire(index, layer: place.layer) } catch { stop(error) }
            }
            worker.barrier()
            let owner = spill.parts[index].owner
            let part = spill.attentionPart(index, layer: place.layer, state: space.attentionState)
            attend(layer, part: part, worker) { $0 == owner }
            worker.barrier()
            if worker.index == 0, !isEnding(worker) { spill.release(index, layer: place.layer) }
        }
    }

    /// All of the texts of some sequences, or a part of one's.
    private func attend(
        _ layer: Int, part: AttentionPart?, _ worker: TeamWorker, where isWanted: (_ owner: Int) -> Bool
    ) {
        let shape = attention[layer]
        let heads = model.hyperparameters.keyValueHeadCount
        while true {
            let ticket = worker.nextTicket()
            guard ticket < tiles.count * heads, !isEnding(worker) else { return }
            let tile = tiles[tiles.count - 1 - ticket / heads]
            guard isWanted(tile.owner) else { continue }
            store(layer, owner: tile.owner).attend(
                head: ticket % heads, queries: space.query, output: space.attended, tokens: tile.tokens,
                firstPosition: tile.offset, start: tile.slots.lowerBound, end: tile.slots.upperBound, shape: shape,
                part: part, scratch: space.attentionScratch, worker: worker.index)
        }
    }

    // MARK: Feed-forward

    /// f(gate x) * (up x), or f(up x), into `gate`; each thread activates the columns it has computed.
    private func activate(_ gateLinear: Linear?, _ upLinear: Linear, _ adapted: AdaptedPhase?, _ worker: TeamWorker) {
        let total = upLinear.matrix.rowCount
        let grain = grain(of: total, worker)
        let (normed, quantized) = (space.normed, space.quantizedNormed)
        let activation = model.hyperparameters.architecture.activation
        while let rows = nextRows(of: total, grain: grain, worker) {
            if let gateLinear {
                multiply(gateLinear, normed, quantized, adapted?.terms[0], rows, into: space.gate, worker)
            }
            let target = gateLinear == nil ? space.gate : space.up
            multiply(upLinear, normed, quantized, adapted?.terms[1], rows, into: target, worker)
            for token in 0..<tokenCount {
                space.gate.activate(activation, row: token, columns: rows, times: gateLinear == nil ? nil : space.up)
            }
        }
    }

    private func mix(
        _ router: Linear, _ gates: [Matrix], _ ups: [Matrix], _ downs: [Matrix], _ adapted: LayerAdaptation?,
        for wanted: LayerBlocks?, layer: Int, _ worker: TeamWorker
    ) {
        guard let mixture = space.mixture else { return }
        let quantized = space.quantizedNormed
        let activation = model.hyperparameters.architecture.activation
        shrink(adapted?.router, space.normed, worker)
        multiply(
            router, space.normed, quantized, adapted?.router.terms.first, into: mixture.scores, accumulating: false,
            worker)
        worker.barrier()
        if worker.index == 0, !isEnding(worker) { mixture.route(tokenCount: tokenCount) }
        worker.barrier()
        for pair in share(worker, of: mixture.pairCount) {
            mixture.inputs.copy(from: space.normed, row: mixture.token(ofPair: pair), to: pair)
            quantized?.quantize(mixture.inputs, row: pair, blocks: wanted?.feedForward ?? [])
        }
        worker.barrier()
        observe(.expert, layer: layer, mixture, mixture.inputs, worker)
        shrinkExperts(adapted?.feedForward, mixture, mixture.inputs, worker)
        let inner = model.hyperparameters.feedForwardLength
        forEachExpert(mixture, rows: inner, worker) { expert, pairs, rows in
            gates[expert].multiply(
                mixture.inputs, quantized: quantized, tokens: pairs, rows: rows, into: space.gate,
                outputColumn: rows.lowerBound, scratch: space.weightScratch, worker: worker.index,
                floatKernels: floatKernels)
            expand(adapted?.feedForward.terms[0], expert: expert, tokens: pairs, rows, into: space.gate, worker)
            ups[expert].multiply(
                mixture.inputs, quantized: quantized, tokens: pairs, rows: rows, into: space.up,
                outputColumn: rows.lowerBound, scratch: space.weightScratch, worker: worker.index,
                floatKernels: floatKernels)
            expand(adapted?.feedForward.terms[1], expert: expert, tokens: pairs, rows, into: space.up, worker)
            for pair in pairs { space.gate.activate(activation, row: pair, columns: rows, times: space.up) }
        }
        worker.barrier()
        observe(.expertDown, layer: layer, mixture, space.gate, worker)
        shrinkExperts(adapted?.down, mixture, space.gate, worker)
        quantize(space.gate, space.quantizedGate, rows: mixture.pairCount, for: wanted?.down, worker)
        forEachExpert(mixture, rows: model.hyperparameters.embeddingLength, worker) { expert, pairs, rows in
            downs[expert].multiply(
                space.gate, quantized: space.quantizedGate, tokens: pairs, rows: rows, into: mixture.outputs,
                outputColumn: rows.lowerBound, scratch: space.weightScratch, worker: worker.index,
                floatKernels: floatKernels)
            expand(adapted?.down.terms[0], expert: expert, tokens: pairs, rows, into: mixture.outputs, worker)
        }
        worker.barrier()
        for token in share(worker) {
            if !model.hyperparameters.addsBranchesDirectly { space.branch.clear(row: token) }
            mixture.addOutputs(of: token, to: space.branch)
        }
    }

    /// As `shrink`, an expert a ticket.
    private func shrinkExperts(
        _ phase: AdaptedPhase?, _ mixture: ExpertMixture, _ x: Rows, _ worker: TeamWorker
    ) {
        guard let adapters, let phase, !phase.isEmpty else { return }
        while true {
            let expert = worker.nextTicket()
            guard expert < mixture.expertCount, !isEnding(worker) else { break }
            let pairs = mixture.pairs(ofExpert: expert)
            if pairs.isEmpty { continue }
            adapters.shrink(
                phase, expert: expert, x, tokens: pairs, scratch: space.weightScratch, worker: worker.index)
        }
        worker.barrier()
    }

    /// Shares out (expert, rows) pieces of all experts that have work.
    private func forEachExpert(
        _ mixture: ExpertMixture, rows total: Int, _ worker: TeamWorker,
        _ body: (_ expert: Int, _ pairs: Range<Int>, _ rows: Range<Int>) -> Void
    ) {
        let grain = grain(of: total, worker)
        let pieces = (total + grain - 1) / grain
        while true {
            let ticket = worker.nextTicket()
            guard ticket < pieces * mixture.expertCount, !isEnding(worker) else { return }
            let pairs = mixture.pairs(ofExpert: ticket / pieces)
            let lower = ticket % pieces * grain
            if !pairs.isEmpty { body(ticket / pieces, pairs, lower..<min(total, lower + grain)) }
        }
    }

    // MARK: Output

    /// The vectors of the texts, each by one thread.
    private func pool(_ pooling: Pooling, _ worker: TeamWorker) {
        let width = model.hyperparameters.embeddingLength
        for index in worker.share(of: texts.count) {
            let rows = texts[index]
            if let norm = model.weights.outputNorm {
                for row in rows { norm.apply(to: space.residual, row: row, into: space.residual) }
            }
            switch pooling {
            case .none:
                for row in rows { space.final.copy(from: space.residual, row: row, to: row) }
            case .first:
                space.final.copy(from: space.residual, row: rows.lowerBound, to: index)
            case .last:
                space.final.copy(from: space.residual, row: rows.upperBound - 1, to: index)
            case .mean:
                space.final.clear(row: index)
                for row in rows { space.final.add(space.residual, row: row, scaledBy: 1, to: index, count: width) }
                space.final.multiply(row: index, by: 1 / Float(rows.count))
            case .rank:
                classify(row: rows.lowerBound, worker)
                space.final.copy(from: space.branch, row: rows.lowerBound, to: index)
            }
        }
    }

    /// Scores of a token's vector, into its row of `branch`; in f32 whatever the path, as they are few.
    private func classify(row: Int, _ worker: TeamWorker) {
        guard let classifier = model.weights.classifier else { return }
        var input = space.residual
        var output = space.normed
        func apply(_ linear: Linear, then activate: Bool) {
            let columns = 0..<linear.matrix.rowCount
            linear.matrix.multiply(
                input, tokens: row..<row + 1, rows: columns, into: output, outputColumn: 0,
                scratch: space.weightScratch, worker: worker.index)
            if let bias = linear.bias { output.add(bias, to: row, columns: columns, biasOffset: 0) }
            // A bound of 1 is the hyperbolic tangent itself.
            if activate { output.softCap(1, row: row, columns: columns) }
            (input, output) = (output, space.branch)
        }
        if classifier.output == nil { output = space.branch }
        if let dense = classifier.dense { apply(dense, then: true) }
        output = space.branch
        if let last = classifier.output { apply(last, then: false) }
    }

    private func computeLogits(_ worker: TeamWorker) {
        guard !logitTokens.isEmpty, let output = model.weights.output else { return }
        if worker.index == 0 {
            for (row, token) in logitTokens.enumerated() {
                let row = firstLogitsRow + row
                space.final.copy(from: space.residual, row: token, to: row)
                model.weights.outputNorm?.apply(to: space.final, row: row, into: space.final)
                space.quantizedFinal?.quantize(space.final, row: row, blocks: output.matrix.activationBlocks)
            }
        }
        worker.barrier()
        let wanted = firstLogitsRow..<firstLogitsRow + logitTokens.count
        if worker.index == 0, !isEnding(worker) {
            observer?.observe(.output, layer: model.weights.layers.count, space.final, rows: wanted, expert: 0)
        }
        shrink(adapters?.output, space.final, count: wanted.upperBound, worker)
        for (index, piece) in model.output.enumerated() {
            if model.stream != nil {
                if index > 0 { worker.barrier() }
                enter(piece.item, worker)
                worker.barrier()
            }
            computeLogits(wanted, piece, output.bias, worker)
        }
    }

    /// The logits of some rows of the output's matrix.
    private func computeLogits(_ wanted: Range<Int>, _ piece: OutputPiece, _ bias: Vector?, _ worker: TeamWorker) {
        let shape = model.hyperparameters
        let total = piece.rows.count
        let grain = grain(of: total, worker)
        while let part = nextRows(of: total, grain: grain, worker) {
            let rows = piece.rows.lowerBound + part.lowerBound..<piece.rows.lowerBound + part.upperBound
            piece.matrix.multiply(
                space.final, quantized: space.quantizedFinal, tokens: wanted, rows: part,
                into: space.logits, outputColumn: rows.lowerBound, scratch: space.weightScratch, worker: worker.index,
                floatKernels: floatKernels)
            expand(adapters?.output.terms[0], tokens: wanted, rows, into: space.logits, worker)
            for row in wanted {
                if let bias {
                    space.logits.add(bias, to: row, columns: rows, biasOffset: rows.lowerBound)
                }
                if shape.logitScale != 1 { space.logits.multiply(row: row, columns: rows, by: shape.logitScale) }
                if shape.logitSoftCap > 0 { space.logits.softCap(shape.logitSoftCap, row: row, columns: rows) }
            }
        }
    }

    // MARK: Sharing out a matrix product

    /// What a branch ends with: added to the residual stream at once, or kept for `addBranch`.
    private func multiplyIntoBranch(
        _ linear: Linear, _ x: Rows, _ quantized: QuantizedRows?, _ adapted: AdaptedPhase?, _ worker: TeamWorker
    ) {
        multiply(
            linear, x, quantized, adapted?.terms[0], into: space.branch,
            accumulating: model.hyperparameters.addsBranchesDirectly, worker)
    }

    private func multiply(
        _ linear: Linear, _ x: Rows, _ quantized: QuantizedRows?, _ terms: [AdaptedPhase.Term]?, into y: Rows,
        accumulating: Bool, _ worker: TeamWorker
    ) {
        let total = linear.matrix.rowCount
        let grain = grain(of: total, worker)
        while let rows = nextRows(of: total, grain: grain, worker) {
            multiply(linear, x, quantized, terms, rows, into: y, accumulating: accumulating, worker)
        }
    }

    /// The part of `rows` that falls on this matrix when it begins at `offset` of a stack of matrices.
    private func multiply(
        _ linear: Linear, _ x: Rows, _ quantized: QuantizedRows?, _ terms: [AdaptedPhase.Term]?, _ rows: Range<Int>,
        offset: Int = 0, into y: Rows, accumulating: Bool = false, _ worker: TeamWorker
    ) {
        let lower = max(rows.lowerBound, offset) - offset
        let upper = min(rows.upperBound, offset + linear.matrix.rowCount) - offset
        guard lower < upper else { return }
        let mine = lower..<upper
        linear.matrix.multiply(
            x, quantized: quantized, tokens: 0..<tokenCount, rows: mine, into: y, outputColumn: mine.lowerBound,
            accumulating: accumulating, scratch: space.weightScratch, worker: worker.index,
            floatKernels: floatKernels)
        expand(terms, tokens: 0..<tokenCount, mine, into: y, worker)
        if let bias = linear.bias {
            for token in 0..<tokenCount { y.add(bias, to: token, columns: mine, biasOffset: mine.lowerBound) }
        }
    }

    /// Adds what adapters change to some rows of a matrix's output.
    private func expand(
        _ terms: [AdaptedPhase.Term]?, expert: Int = 0, tokens: Range<Int>, _ rows: Range<Int>, into y: Rows,
        _ worker: TeamWorker
    ) {
        guard let adapters, let terms, !terms.isEmpty else { return }
        adapters.expand(
            terms, expert: expert, tokens: tokens, rows: rows, into: y, scratch: space.weightScratch,
            worker: worker.index)
    }

    /// Rows per ticket: about eight tickets a thread, so that a thread that was held up does not hold up the others.
    private func grain(of total: Int, _ worker: TeamWorker) -> Int {
        max(16, (total / (8 * worker.count) + 15) / 16 * 16)
    }

    private func nextRows(of total: Int, grain: Int, _ worker: TeamWorker) -> Range<Int>? {
        let lower = worker.nextTicket() * grain
        return lower < total && !isEnding(worker) ? lower..<min(total, lower + grain) : nil
    }
}
