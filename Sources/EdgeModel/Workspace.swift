internal import EdgeKernels
internal import EdgePlatform

/// The buffers of a forward pass, allocated once for batches of up to a number of tokens.
struct Workspace {
    // Activations, one row a token.
    let residual: Rows  // [batch, embeddingLength]
    let normed: Rows  // [batch, embeddingLength]
    let query: Rows  // [batch, headCount * headSize]
    let key: Rows  // [batch, keyValueHeadCount * headSize]
    let value: Rows  // [batch, keyValueHeadCount * headSize]
    let attended: Rows  // [batch, headCount * headSize]
    let gate: Rows  // [batch, feedForwardLength]; with experts [batch * used, …]
    let up: Rows  // as gate
    let mixture: ExpertMixture?
    /// What a branch adds: the residual stream itself, or, where it is normalised or scaled first, rows like it.
    let branch: Rows
    /// Of the outputs: [logits, embeddingLength] and [logits, vocabulary], or for embedding [batch, embeddingLength] and none.
    let final: Rows
    let logits: Rows
    let rotary: RotaryTable?
    let windowedRotary: RotaryTable?
    // The same activations as int8, where matrices read them so. All nil for the exact path.
    let quantizedNormed: QuantizedRows?  // as normed; with experts a row for each of their inputs
    let quantizedAttended: QuantizedRows?  // as attended
    let quantizedGate: QuantizedRows?  // as gate
    let quantizedFinal: QuantizedRows?  // as final
    // One row a thread.
    let weightScratch: Rows
    let attentionScratch: Rows
    /// What attention in several parts keeps between them: [batch, query heads, largest score and sum].
    let attentionState: Rows
    /// What rows of an embedding that is not in memory are read into.
    let embeddingWindows: AlignedBuffer<UInt8>
    /// Bytes of the activations, and of the scratch that threads have.
    let activationByteCount: Int
    let scratchByteCount: Int
    var byteCount: Int { activationByteCount + scratchByteCount }

    /// - Parameters:
    ///   - blocks: by layer, in what blocks matrices read their inputs; empty for the exact path.
    ///   - attentionScratchCount: floats that each thread needs for attention.
    init(
        _ model: Model, batch: Int, logitsCapacity: Int, threads: Int, blocks: [LayerBlocks], hasTwoTerms: Bool,
        isEmbedding: Bool, attentionScratchCount: Int
    ) throws(PlatformError) {
        let shape = model.hyperparameters
        let width = shape.embeddingLength
        let queryWidth = shape.headCount * shape.headSize
        let keyWidth = shape.keyValueHeadCount * shape.headSize
        let inner = shape.feedForwardLength
        let feedForwardRows = batch * max(1, shape.expertCount > 0 ? shape.expertUsedCount : 1)
        var bytes = 0
        func rows(_ rows: Int, _ columns: Int) throws(PlatformError) -> Rows {
            let result = try Rows(rowCount: rows, columnCount: columns)
            bytes += result.byteCount
            return result
        }
        func quantized(_ rows: Int, _ columns: Int, _ blocks: ActivationBlocks) throws(PlatformError)
            -> QuantizedRows?
        {
            guard !blocks.isEmpty else { return nil }
            let result = try QuantizedRows(
                rowCount: rows, columnCount: columns, blocks: blocks, hasTwoTerms: hasTwoTerms)
            bytes += result.byteCount
            return result
        }
        func table(_ scaling: RotaryScaling?) throws(PlatformError) -> RotaryTable? {
            guard let scaling else { return nil }
            let result = try RotaryTable(scaling, factors: model.weights.rotaryFactors, batch: batch)
            bytes += result.rows.byteCount
            return result
        }
        let residual = try rows(batch, width)
        self.residual = residual
        normed = try rows(batch, width)
        query = try rows(batch, queryWidth)
        key = try rows(batch, keyWidth)
        value = try rows(batch, keyWidth)
        attended = try rows(batch, queryWidth)
        gate = try rows(feedForwardRows, inner)
        up = try rows(feedForwardRows, inner)
        if shape.expertCount > 0 {
            let mixture = try ExpertMixture(
                batch: batch, expertCount: shape.expertCount, usedCount: shape.expertUsedCount, width: width)
            bytes += mixture.byteCount
            self.mixture = mixture
        } else {
            mixture = nil
        }
        branch = shape.addsBranchesDirectly ? residual : try rows(batch, width)
        final = try rows(isEmbedding ? batch : logitsCapacity, width)
        logits = try rows(isEmbedding ? 0 : logitsCapacity, isEmbedding ? 0 : model.vocabularySize)
        rotary = try table(shape.rotary)
        windowedRotary = try table(shape.windowedRotary)
        quantizedNormed = try quantized(
            feedForwardRows, width, blocks.reduce([]) { $0.union($1.attention).union($1.feedForward) })
        quantizedAttended = try quantized(batch, queryWidth, blocks.reduce([]) { $0.union($1.attentionOutput) })
        quantizedGate = try quantized(feedForwardRows, inner, blocks.reduce([]) { $0.union($1.down) })
        quantizedFinal = try quantized(
            logitsCapacity, width,
            isEmbedding || blocks.isEmpty ? [] : model.weights.output?.matrix.activationBlocks ?? [])
        attentionState = try rows(isEmbedding ? 0 : batch, 2 * shape.headCount)
        activationByteCount = bytes
        weightScratch = try rows(
            threads, Matrix.scratchColumnCount(columnCount: max(width, queryWidth, inner)))
        attentionScratch = try rows(threads, attentionScratchCount)
        embeddingWindows = try AlignedBuffer(
            count: threads * model.embeddingWindowByteCount(isStreamed: model.stream != nil))
        scratchByteCount = bytes - activationByteCount + embeddingWindows.byteCount
    }
}

extension Hyperparameters {
    /// Whether what a branch computes is added to the residual stream as it is.
    var addsBranchesDirectly: Bool { architecture.normPlacement == .before && residualScale == 1 }
}
