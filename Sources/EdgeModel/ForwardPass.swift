package import EdgeCache
package import EdgeKernels
package import EdgePlatform

/// Runs tokens through a model: embeddings in, logits out, keys and values into a cache.
///
/// With `ComputePath.int8` activations are quantized once for each phase, as soon as their row is complete, and every matrix that
/// reads them shares the result. All buffers are allocated here, once, for batches of up to `batchCapacity` tokens. The whole pass is one job of the thread
/// team: every thread runs `run(_:)` below, shares out the work of each phase, and meets the others at a barrier. Read that
/// function first; it is the transformer. How a prompt is cut into batches does not change a bit of the result.
package final class ForwardPass: TeamJob {
    package let model: Model
    package let batchCapacity: Int
    package let logitsCapacity: Int
    package let path: ComputePath
    private let team: ThreadTeam

    // Activations, one row a token.
    private let residual: Rows  // [batch, embeddingLength]
    private let normed: Rows  // [batch, embeddingLength]
    private let query: Rows  // [batch, headCount * headSize]
    private let key: Rows  // [batch, keyValueHeadCount * headSize]
    private let value: Rows  // [batch, keyValueHeadCount * headSize]
    private let attended: Rows  // [batch, headCount * headSize]
    private let gate: Rows  // [batch, feedForwardLength]; with experts [batch * used, …]
    private let up: Rows  // as gate
    private let mixture: ExpertMixture?
    private let finalNormed: Rows  // [logitsCapacity, embeddingLength]
    private let logitRows: Rows  // [logitsCapacity, vocabulary]
    private let rotary: RotaryTable
    // The same activations as int8, where matrices read them so; by layer, in what blocks. Both empty for the exact path.
    private let blocks: [LayerBlocks]
    private let quantizedNormed: QuantizedRows?  // as normed; with experts a row for each of their inputs
    private let quantizedAttended: QuantizedRows?  // as attended
    private let quantizedGate: QuantizedRows?  // as gate
    private let quantizedFinal: QuantizedRows?  // as finalNormed
    // One row a thread.
    private let weightScratch: Rows
    private let attentionScratch: Rows

    /// Tokens whose attention to one head is computed together, sharing each block of keys that is brought in.
    private static let attentionTile = 16

    // The batch being run.
    private var tokens: [Int32]
    private var tokenCount = 0
    private var firstPosition = 0
    private var cache: KeyValueCache?
    private var logitTokens = 0..<0

    /// Allocates the buffers.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        _ model: Model, team: ThreadTeam, batchCapacity: Int, logitsCapacity: Int = 1, path: ComputePath = .int8
    ) throws(ModelError) {
        let shape = model.hyperparameters
        let batch = max(1, batchCapacity)
        let threads = team.threadCount
        self.model = model
        self.path = path
        self.team = team
        self.batchCapacity = batch
        self.logitsCapacity = max(1, logitsCapacity)
        tokens = Array(repeating: 0, count: batch)
        let queryWidth = shape.headCount * shape.headSize
        let keyWidth = shape.keyValueHeadCount * shape.headSize
        let feedForwardRows = batch * max(1, shape.expertCount > 0 ? shape.expertUsedCount : 1)
        let blocks = path == .int8 ? model.weights.layers.map { LayerBlocks($0) } : []
        self.blocks = blocks
        let longest = max(shape.embeddingLength, queryWidth, shape.feedForwardLength)
        let attention = AttentionShape(
            groupSize: shape.headCount / shape.keyValueHeadCount, headSize: shape.headSize, scale: shape.attentionScale)
        do throws(PlatformError) {
            residual = try Rows(rowCount: batch, columnCount: shape.embeddingLength)
            normed = try Rows(rowCount: batch, columnCount: shape.embeddingLength)
            query = try Rows(rowCount: batch, columnCount: queryWidth)
            key = try Rows(rowCount: batch, columnCount: keyWidth)
            value = try Rows(rowCount: batch, columnCount: keyWidth)
            attended = try Rows(rowCount: batch, columnCount: queryWidth)
            gate = try Rows(rowCount: feedForwardRows, columnCount: shape.feedForwardLength)
            up = try Rows(rowCount: feedForwardRows, columnCount: shape.feedForwardLength)
            mixture =
                shape.expertCount > 0
                ? try ExpertMixture(
                    batch: batch, expertCount: shape.expertCount, usedCount: shape.expertUsedCount,
                    width: shape.embeddingLength) : nil
            finalNormed = try Rows(rowCount: self.logitsCapacity, columnCount: shape.embeddingLength)
            logitRows = try Rows(rowCount: self.logitsCapacity, columnCount: model.vocabularySize)
            rotary = try RotaryTable(shape.rotary, factors: model.weights.rotaryFactors, batch: batch)
            func quantized(_ rows: Int, _ columns: Int, _ blocks: ActivationBlocks) throws(PlatformError)
                -> QuantizedRows?
            {
                blocks.isEmpty ? nil : try QuantizedRows(rowCount: rows, columnCount: columns, blocks: blocks)
            }
            quantizedNormed = try quantized(
                shape.expertCount > 0 ? feedForwardRows : batch, shape.embeddingLength,
                blocks.reduce([]) { $0.union($1.attention).union($1.feedForward) })
            quantizedAttended = try quantized(
                batch, queryWidth, blocks.reduce([]) { $0.union($1.attentionOutput) })
            quantizedGate = try quantized(
                feedForwardRows, shape.feedForwardLength, blocks.reduce([]) { $0.union($1.down) })
            quantizedFinal = try quantized(
                self.logitsCapacity, shape.embeddingLength,
                path == .int8 ? model.weights.output.matrix.activationBlocks : [])
            weightScratch = try Rows(
                rowCount: threads, columnCount: Matrix.scratchColumnCount(columnCount: longest))
            attentionScratch = try Rows(
                rowCount: threads, columnCount: attention.scratchCount(tokenCount: min(batch, Self.attentionTile)))
        } catch {
            throw ModelError(.insufficientMemory, "no memory for a batch of \(batch) tokens: \(error)")
        }
        self.attention = attention
    }

    private let attention: AttentionShape

    /// Bytes of all buffers.
    package var byteCount: Int {
        [
            residual, normed, query, key, value, attended, gate, up, finalNormed, logitRows, rotary.rows, weightScratch,
            attentionScratch,
        ].reduce(mixture?.byteCount ?? 0) { $0 + $1.byteCount }
            + [quantizedNormed, quantizedAttended, quantizedGate, quantizedFinal].reduce(0) {
                $0 + ($1?.byteCount ?? 0)
            }
    }

    /// Runs a batch of tokens that follow what the cache holds, and appends them to it.
    ///
    /// - Parameters:
    ///   - batch: 1 to `batchCapacity` ids below the vocabulary size; they must fit the cache.
    ///   - logits: which of the batch's tokens to compute logits for, at most `logitsCapacity`; row i of `logits` is then
    ///     token `logits.lowerBound + i`.
    package func run(_ batch: ArraySlice<Int32>, cache: KeyValueCache, logits wanted: Range<Int>) {
        precondition(!batch.isEmpty && batch.count <= batchCapacity, "batch of \(batch.count) tokens")
        precondition(batch.count <= cache.capacity - cache.count, "the cache is full")
        precondition(wanted.count <= logitsCapacity, "more logits asked for than there is room")
        precondition(wanted.lowerBound >= 0 && wanted.upperBound <= batch.count, "logits of tokens not in the batch")
        var index = 0
        for token in batch {
            precondition(token >= 0 && Int(token) < model.vocabularySize, "token id out of range")
            tokens[index] = token
            index += 1
        }
        tokenCount = batch.count
        firstPosition = cache.count
        logitTokens = wanted
        self.cache = cache
        team.run(self)
        self.cache = nil
        cache.append(batch.count)
    }

    /// Logits of the last run: row i for token `wanted.lowerBound + i`.
    package var logits: Rows { logitRows }

    // MARK: The transformer

    /// One thread's part of the pass.
    package func run(_ worker: TeamWorker) {
        guard let cache else { return }
        let weights = model.weights
        embed(worker)
        worker.barrier()
        for index in 0..<weights.layers.count {
            let layer = weights.layers[index]
            let wanted = blocks.isEmpty ? nil : blocks[index]
            let store = cache.layers[index]

            normalize(weight: layer.attentionNorm, for: wanted?.attention, worker)
            worker.barrier()
            project(layer, worker)
            worker.barrier()
            rotateAndStore(store, worker)
            worker.barrier()
            attend(store, worker)
            worker.barrier()
            quantize(attended, quantizedAttended, for: wanted?.attentionOutput, worker)
            multiply(
                layer.attentionOutput, attended, quantizedAttended, into: residual, accumulating: true, worker)
            worker.barrier()

            normalize(weight: layer.feedForwardNorm, for: wanted?.feedForward, worker)
            worker.barrier()
            switch layer.feedForward {
            case .dense(let gateMatrix, let upMatrix, let down):
                activate(gateMatrix, upMatrix, worker)
                worker.barrier()
                quantize(gate, quantizedGate, for: wanted?.down, worker)
                multiply(down, gate, quantizedGate, into: residual, accumulating: true, worker)
                worker.barrier()
            case .experts(let router, let gates, let ups, let downs):
                mix(router, gates, ups, downs, for: wanted, worker)
            }
        }
        computeLogits(worker)
    }

    private func embed(_ worker: TeamWorker) {
        for token in worker.share(of: tokenCount) {
            model.weights.tokenEmbedding.decode(row: Int(tokens[token]), into: residual, at: token)
            rotary.fill(row: token, position: firstPosition + token)
        }
    }

    /// Normalises the residual stream, and quantizes each row while it is in the cache.
    private func normalize(weight: Vector, for wanted: ActivationBlocks?, _ worker: TeamWorker) {
        for token in worker.share(of: tokenCount) {
            residual.rmsNorm(row: token, weight: weight, epsilon: model.hyperparameters.normEpsilon, into: normed)
            quantizedNormed?.quantize(normed, row: token, blocks: wanted ?? [])
        }
    }

    /// Quantizes complete rows, and waits until all are; nothing where no matrix reads them so.
    private func quantize(
        _ x: Rows, _ output: QuantizedRows?, rows: Int? = nil, for wanted: ActivationBlocks?, _ worker: TeamWorker
    ) {
        guard let output, let wanted, !wanted.isEmpty else { return }
        for row in worker.share(of: rows ?? tokenCount) { output.quantize(x, row: row, blocks: wanted) }
        worker.barrier()
    }

    /// Queries, keys and values, whose rows are shared out as if they were one matrix.
    private func project(_ layer: LayerWeights, _ worker: TeamWorker) {
        let q = layer.query.matrix.rowCount
        let k = layer.key.matrix.rowCount
        let total = q + k + layer.value.matrix.rowCount
        let grain = grain(of: total, worker)
        while let rows = nextRows(of: total, grain: grain, worker) {
            multiply(layer.query, normed, quantizedNormed, rows: rows, offset: 0, into: query, worker)
            multiply(layer.key, normed, quantizedNormed, rows: rows, offset: q, into: key, worker)
            multiply(layer.value, normed, quantizedNormed, rows: rows, offset: q + k, into: value, worker)
        }
    }

    private func rotateAndStore(_ store: KeyValueLayer, _ worker: TeamWorker) {
        let shape = model.hyperparameters
        let size = shape.headSize
        for token in worker.share(of: tokenCount) {
            query.rotate(
                row: token, column: 0, headCount: shape.headCount, headSize: size,
                rotaryCount: shape.rotary.dimensionCount, pairs: shape.architecture.rotaryPairs, table: rotary.rows,
                tableRow: token)
            key.rotate(
                row: token, column: 0, headCount: shape.keyValueHeadCount, headSize: size,
                rotaryCount: shape.rotary.dimensionCount, pairs: shape.architecture.rotaryPairs, table: rotary.rows,
                tableRow: token)
            for head in 0..<shape.keyValueHeadCount {
                store.store(
                    position: firstPosition + token, head: head, key: key, value: value, row: token,
                    keyColumn: head * size, valueColumn: head * size)
            }
        }
    }

    /// Work pieces are pairs of a key-value head and a tile of tokens; late tiles see more, so they are handed out first.
    private func attend(_ store: KeyValueLayer, _ worker: TeamWorker) {
        let heads = model.hyperparameters.keyValueHeadCount
        let tiles = (tokenCount + Self.attentionTile - 1) / Self.attentionTile
        while true {
            let ticket = worker.nextTicket()
            guard ticket < tiles * heads else { return }
            let tile = tiles - 1 - ticket / heads
            let lower = tile * Self.attentionTile
            store.attend(
                head: ticket % heads, queries: query, output: attended,
                tokens: lower..<min(tokenCount, lower + Self.attentionTile), firstPosition: firstPosition,
                shape: attention, scratch: attentionScratch, worker: worker.index)
        }
    }

    /// silu(gate x) * (up x), each thread activating the columns it has computed.
    private func activate(_ gateLinear: Linear, _ upLinear: Linear, _ worker: TeamWorker) {
        let total = gateLinear.matrix.rowCount
        let grain = grain(of: total, worker)
        while let rows = nextRows(of: total, grain: grain, worker) {
            multiply(gateLinear, normed, quantizedNormed, rows: rows, offset: 0, into: gate, worker)
            multiply(upLinear, normed, quantizedNormed, rows: rows, offset: 0, into: up, worker)
            for token in 0..<tokenCount { gate.gateSiLU(row: token, columns: rows, up: up) }
        }
    }

    private func mix(
        _ router: Linear, _ gates: [Matrix], _ ups: [Matrix], _ downs: [Matrix], for wanted: LayerBlocks?,
        _ worker: TeamWorker
    ) {
        guard let mixture else { return }
        multiply(router, normed, quantizedNormed, into: mixture.scores, accumulating: false, worker)
        worker.barrier()
        if worker.index == 0 { mixture.route(tokenCount: tokenCount) }
        worker.barrier()
        for pair in worker.share(of: mixture.pairCount) {
            mixture.inputs.copy(from: normed, row: mixture.token(ofPair: pair), to: pair)
            quantizedNormed?.quantize(mixture.inputs, row: pair, blocks: wanted?.feedForward ?? [])
        }
        worker.barrier()
        let inner = model.hyperparameters.feedForwardLength
        forEachExpert(mixture, rows: inner, worker) { expert, pairs, rows in
            gates[expert].multiply(
                mixture.inputs, quantized: quantizedNormed, tokens: pairs, rows: rows, into: gate,
                outputColumn: rows.lowerBound,
                scratch: weightScratch, worker: worker.index)
            ups[expert].multiply(
                mixture.inputs, quantized: quantizedNormed, tokens: pairs, rows: rows, into: up,
                outputColumn: rows.lowerBound,
                scratch: weightScratch, worker: worker.index)
            for pair in pairs { gate.gateSiLU(row: pair, columns: rows, up: up) }
        }
        worker.barrier()
        quantize(gate, quantizedGate, rows: mixture.pairCount, for: wanted?.down, worker)
        forEachExpert(mixture, rows: model.hyperparameters.embeddingLength, worker) { expert, pairs, rows in
            downs[expert].multiply(
                gate, quantized: quantizedGate, tokens: pairs, rows: rows, into: mixture.outputs,
                outputColumn: rows.lowerBound,
                scratch: weightScratch, worker: worker.index)
        }
        worker.barrier()
        for token in worker.share(of: tokenCount) { mixture.addOutputs(of: token, to: residual) }
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
            guard ticket < pieces * mixture.expertCount else { return }
            let pairs = mixture.pairs(ofExpert: ticket / pieces)
            let lower = ticket % pieces * grain
            if !pairs.isEmpty { body(ticket / pieces, pairs, lower..<min(total, lower + grain)) }
        }
    }

    private func computeLogits(_ worker: TeamWorker) {
        guard !logitTokens.isEmpty else { return }
        if worker.index == 0 {
            for (row, token) in logitTokens.enumerated() {
                finalNormed.copy(from: residual, row: token, to: row)
                finalNormed.rmsNorm(
                    row: row, weight: model.weights.outputNorm, epsilon: model.hyperparameters.normEpsilon,
                    into: finalNormed)
                quantizedFinal?.quantize(
                    finalNormed, row: row, blocks: model.weights.output.matrix.activationBlocks)
            }
        }
        worker.barrier()
        let output = model.weights.output
        let total = output.matrix.rowCount
        let grain = grain(of: total, worker)
        while let rows = nextRows(of: total, grain: grain, worker) {
            output.matrix.multiply(
                finalNormed, quantized: quantizedFinal, tokens: 0..<logitTokens.count, rows: rows, into: logitRows,
                outputColumn: rows.lowerBound,
                scratch: weightScratch, worker: worker.index)
            if let bias = output.bias {
                for row in 0..<logitTokens.count {
                    logitRows.add(bias, to: row, columns: rows, biasOffset: rows.lowerBound)
                }
            }
        }
    }

    // MARK: Sharing out a matrix product

    private func multiply(
        _ linear: Linear, _ x: Rows, _ quantized: QuantizedRows?, into y: Rows, accumulating: Bool, _ worker: TeamWorker
    ) {
        let total = linear.matrix.rowCount
        let grain = grain(of: total, worker)
        while let rows = nextRows(of: total, grain: grain, worker) {
            multiply(linear, x, quantized, rows: rows, offset: 0, into: y, accumulating: accumulating, worker)
        }
    }

    /// The part of `rows` that falls on this matrix when it begins at `offset` of a stack of matrices.
    private func multiply(
        _ linear: Linear, _ x: Rows, _ quantized: QuantizedRows?, rows: Range<Int>, offset: Int, into y: Rows,
        accumulating: Bool = false, _ worker: TeamWorker
    ) {
        let lower = max(rows.lowerBound, offset) - offset
        let upper = min(rows.upperBound, offset + linear.matrix.rowCount) - offset
        guard lower < upper else { return }
        let mine = lower..<upper
        linear.matrix.multiply(
            x, quantized: quantized, tokens: 0..<tokenCount, rows: mine, into: y, outputColumn: mine.lowerBound,
            accumulating: accumulating, scratch: weightScratch, worker: worker.index)
        if let bias = linear.bias {
            for token in 0..<tokenCount { y.add(bias, to: token, columns: mine, biasOffset: mine.lowerBound) }
        }
    }

    /// Rows per ticket: about eight tickets a thread, so that a thread that was held up does not hold up the others.
    private func grain(of total: Int, _ worker: TeamWorker) -> Int {
        max(16, (total / (8 * worker.count) + 15) / 16 * 16)
    }

    private func nextRows(of total: Int, grain: Int, _ worker: TeamWorker) -> Range<Int>? {
        let lower = worker.nextTicket() * grain
        return lower < total ? lower..<min(total, lower + grain) : nil
    }
}
