internal import EdgeKernelJobs
package import EdgePlatform
internal import EdgeQuant

/// How keys and values are stored.
package enum CachePrecision: String, Sendable, CaseIterable {
    case f32
    case f16

    package var bytesPerValue: Int { self == .f32 ? 4 : 2 }
}

/// The keys and values of one layer for one sequence: [kvHeadCount, capacity, headSize] each, so that one head's keys follow
/// one another in memory.
///
/// A ring keeps the last `capacity` positions: position p lies in slot p mod capacity. Its capacity is a whole number of blocks,
/// so a block of positions is a block of memory there too.
///
/// Memory is reserved for the whole capacity and taken page by page as positions are written. `@unchecked Sendable`: threads
/// write disjoint positions and heads between barriers.
package final class KeyValueLayer: @unchecked Sendable {
    package let kvHeadCount: Int
    package let headSize: Int
    package let capacity: Int
    package let precision: CachePrecision
    /// Whether positions beyond the capacity take the place of the oldest.
    package let isRing: Bool
    private let keys: AlignedBuffer<UInt8>
    private let values: AlignedBuffer<UInt8>
    /// Bytes of one head at one position.
    private let rowByteCount: Int

    /// Positions whose scores are computed, and whose softmax is folded in, together. Blocks are counted from position 0, so
    /// the order of operations depends on positions alone and not on how a prompt was cut.
    package static let blockLength = 32

    /// Reserves memory.
    ///
    /// - Throws: `PlatformError` when sizes overflow or the system has no address space.
    package init(
        kvHeadCount: Int, headSize: Int, capacity: Int, precision: CachePrecision, isRing: Bool = false
    ) throws(PlatformError) {
        precondition(!isRing || capacity > 0 && capacity % Self.blockLength == 0, "a ring of no whole blocks")
        let rowByteCount = headSize.multipliedReportingOverflow(by: precision.bytesPerValue)
        let head = rowByteCount.partialValue.multipliedReportingOverflow(by: capacity)
        let total = head.partialValue.multipliedReportingOverflow(by: kvHeadCount)
        guard kvHeadCount > 0, headSize > 0, capacity >= 0, !rowByteCount.overflow, !head.overflow, !total.overflow
        else {
            throw .outOfMemory("a key-value cache of \(capacity) positions")
        }
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
        self.capacity = capacity
        self.precision = precision
        self.isRing = isRing
        self.rowByteCount = rowByteCount.partialValue
        keys = try AlignedBuffer(count: total.partialValue)
        values = try AlignedBuffer(count: total.partialValue)
    }

    package var byteCount: Int { keys.byteCount + values.byteCount }

    /// Stores one head's key and value at a position, from rows of activations.
    package func store(
        position: Int, head: Int, key: Rows, value: Rows, row: Int, keyColumn: Int, valueColumn: Int
    ) {
        precondition(position >= 0 && (isRing || position < capacity), "position out of bounds")
        precondition(head >= 0 && head < kvHeadCount, "head out of bounds")
        precondition(row >= 0 && row < key.rowCount && row < value.rowCount, "row out of bounds")
        precondition(keyColumn >= 0 && headSize <= key.columnCount - keyColumn, "key out of bounds")
        precondition(valueColumn >= 0 && headSize <= value.columnCount - valueColumn, "value out of bounds")
        encode(key.pointer(row: row, column: keyColumn), to: address(keys, head: head, position: position))
        encode(value.pointer(row: row, column: valueColumn), to: address(values, head: head, position: position))
    }

    private func address(_ buffer: AlignedBuffer<UInt8>, head: Int, position: Int) -> UnsafeMutableRawPointer {
        let slot = isRing ? position % capacity : position
        return UnsafeMutableRawPointer(buffer.base) + (head &* capacity &+ slot) &* rowByteCount
    }

    private func encode(_ source: UnsafePointer<Float>, to target: UnsafeMutableRawPointer) {
        switch precision {
        case .f32:
            target.copyMemory(from: source, byteCount: rowByteCount)
        case .f16:
            let halves = target.assumingMemoryBound(to: UInt16.self)
            for i in 0..<headSize { halves[i] = Half.encode(source[i]) }
        }
    }

    /// `count` positions of one head as f32: in place, or decoded into the scratch.
    fileprivate func block(
        _ buffer: AlignedBuffer<UInt8>, head: Int, first: Int, count: Int, scratch: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) -> UnsafePointer<Float> {
        let source = address(buffer, head: head, position: first)
        switch precision {
        case .f32:
            return UnsafePointer(source.assumingMemoryBound(to: Float.self))
        case .f16:
            let halves = source.assumingMemoryBound(to: UInt16.self)
            kernels.functions.decodeHalves(halves, count &* headSize, scratch)
            return UnsafePointer(scratch)
        }
    }
}

/// What attention needs to know besides queries, keys and values.
package struct AttentionShape: Sendable {
    /// Query heads that share one key-value head.
    package var groupSize: Int
    package var headSize: Int
    /// Factor of the scores, 1 / sqrt(headSize) unless the model says otherwise.
    package var scale: Float
    /// Positions a token sees, itself included; 0 for all.
    package var window: Int
    /// Scores s become softcap * tanh(s / softcap); 0 for none.
    package var softcap: Float
    /// Whether a token sees only itself and what lies before, or all tokens of its text.
    package var isCausal: Bool

    package init(
        groupSize: Int, headSize: Int, scale: Float, window: Int = 0, softcap: Float = 0, isCausal: Bool = true
    ) {
        self.groupSize = groupSize
        self.headSize = headSize
        self.scale = scale
        self.window = window
        self.softcap = softcap
        self.isCausal = isCausal
    }

    /// Floats of scratch that one call needs for a tile of `tokenCount` tokens.
    package func scratchCount(tokenCount: Int) -> Int {
        2 * KeyValueLayer.blockLength * headSize + KeyValueLayer.blockLength + 2 * tokenCount * groupSize + 32
    }
}

extension KeyValueLayer {
    /// Attention of a tile of tokens to one key-value head, for all query heads of its group, in one streaming pass with
    /// running softmax (Milakov and Gimelshein 2018; Dao et al. 2022): no matrix of scores for the whole context.
    ///
    /// Token t (a row of `queries` and of `output`) stands at position `firstPosition + t` and sees itself and what lies before,
    /// from position `start` on: the first of its text, a multiple of the block length. Without causality it sees what
    /// lies behind too, up to position `end`. Query head h is columns [h * headSize, (h + 1) * headSize). Each query folds its blocks in ascending order, so the bits do not
    /// depend on the tile.
    package func attend(
        head: Int, queries: Rows, output: Rows, tokens: Range<Int>, firstPosition: Int, start: Int = 0, end: Int? = nil,
        shape: AttentionShape, scratch: Rows, worker: Int, kernels: Kernels = .chosen
    ) {
        guard !tokens.isEmpty else { return }
        let group = shape.groupSize
        let size = headSize
        precondition(shape.headSize == size && head >= 0 && head < kvHeadCount, "attention shape disagrees")
        precondition(tokens.lowerBound >= 0 && tokens.upperBound <= min(queries.rowCount, output.rowCount), "tokens")
        precondition((head + 1) * group * size <= min(queries.columnCount, output.columnCount), "heads out of bounds")
        let next = shape.isCausal ? firstPosition + tokens.upperBound : end ?? firstPosition + tokens.upperBound
        let earliest = shape.window > 0 ? max(start, firstPosition + tokens.lowerBound - shape.window + 1) : start
        precondition(firstPosition >= 0 && start >= 0 && start % Self.blockLength == 0, "positions out of bounds")
        precondition(firstPosition + tokens.upperBound <= next, "positions out of bounds")
        precondition(next - (isRing ? earliest : 0) <= capacity, "positions out of bounds")
        precondition(worker < scratch.rowCount, "scratch too small")
        precondition(scratch.columnCount >= shape.scratchCount(tokenCount: tokens.count), "scratch too small")

        let blockLength = Self.blockLength
        let keyScratch = scratch.pointer(row: worker)
        let valueScratch = keyScratch + blockLength * size
        let scores = valueScratch + blockLength * size
        let maxima = scores + blockLength
        let sums = maxima + tokens.count * group
        for state in 0..<tokens.count * group {
            maxima[state] = -.infinity
            sums[state] = 0
        }
        for token in tokens {
            output.pointer(row: token, column: head * group * size).update(repeating: 0, count: group * size)
        }

        var start = earliest / blockLength * blockLength
        while start < next {
            let count = min(blockLength, next - start)
            let keyBlock = block(keys, head: head, first: start, count: count, scratch: keyScratch, kernels: kernels)
            let valueBlock = block(
                values, head: head, first: start, count: count, scratch: valueScratch, kernels: kernels)
            for token in tokens {
                let position = firstPosition + token
                let upper = shape.isCausal ? min(count, position + 1 - start) : count
                let lower = shape.window > 0 ? max(0, position - shape.window + 1 - start) : 0
                guard lower < upper else { continue }
                for member in 0..<group {
                    let column = (head * group + member) * size
                    let state = (token - tokens.lowerBound) * group + member
                    fold(
                        query: queries.pointer(row: token, column: column), keys: keyBlock, values: valueBlock,
                        range: lower..<upper, scores: scores, shape: shape, maximum: maxima + state,
                        sum: sums + state, output: output.pointer(row: token, column: column), kernels: kernels)
                }
            }
            start += blockLength
        }
        for token in tokens {
            for member in 0..<group {
                let state = (token - tokens.lowerBound) * group + member
                scale(output.pointer(row: token, column: (head * group + member) * size), by: 1 / sums[state], size)
            }
        }
    }

    /// Folds one block into one query's running maximum, sum and weighted values.
    private func fold(
        query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, range: Range<Int>,
        scores: UnsafeMutablePointer<Float>, shape: AttentionShape, maximum: UnsafeMutablePointer<Float>,
        sum: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        let size = headSize
        kernels.functions.keyScores(query, keys, size, range.lowerBound, range.upperBound, scores)
        for j in range { scores[j] *= shape.scale }
        if shape.softcap > 0 {
            softCapped(Lanes(loading: scores), shape.softcap).store(to: scores)
            softCapped(Lanes(loading: scores + 16), shape.softcap).store(to: scores + 16)
        }
        for j in 0..<range.lowerBound { scores[j] = -.infinity }
        for j in range.upperBound..<Self.blockLength { scores[j] = -.infinity }
        let low = Lanes(loading: scores)
        let high = Lanes(loading: scores + 16)
        let blockMaximum = low.replacing(with: high, where: low .< high).largest
        let newMaximum = maximum.pointee < blockMaximum ? blockMaximum : maximum.pointee
        let correction = exponential(maximum.pointee - newMaximum)
        let weightsLow = exponential(low - newMaximum)
        let weightsHigh = exponential(high - newMaximum)
        weightsLow.store(to: scores)
        weightsHigh.store(to: scores + 16)
        sum.pointee = sum.pointee * correction + (weightsLow + weightsHigh).tree
        maximum.pointee = newMaximum
        kernels.functions.addValues(values, scores, size, range.lowerBound, range.upperBound, output, correction)
    }
}
