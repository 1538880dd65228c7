internal import EdgeKernelJobs
package import EdgePlatform

/// How keys and values are stored.
package enum CachePrecision: String, Sendable, CaseIterable {
    case f32
    case f16

    package var bytesPerValue: Int { self == .f32 ? 4 : 2 }
}

/// The keys and values of one layer for one sequence, in blocks of 32 positions: values as [kvHeadCount, blocks, 32, headSize],
/// keys as [kvHeadCount, blocks, headSize, 32], so that the scores of all positions of a block are computed side by side.
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
    /// Bytes of one head's keys, or values, of one block.
    private let blockByteCount: Int
    private let blockCount: Int

    /// Positions whose scores are computed, and whose softmax is folded in, together. Blocks are counted from position 0, so
    /// the order of operations depends on positions alone and not on how a prompt was cut.
    package static let blockLength = AttentionJob.blockLength

    /// Reserves memory.
    ///
    /// - Throws: `PlatformError` when sizes overflow or the system has no address space.
    package init(
        kvHeadCount: Int, headSize: Int, capacity: Int, precision: CachePrecision, isRing: Bool = false
    ) throws(PlatformError) {
        precondition(!isRing || capacity > 0 && capacity % Self.blockLength == 0, "a ring of no whole blocks")
        let blockCount = capacity / Self.blockLength + (capacity % Self.blockLength == 0 ? 0 : 1)
        let block = headSize.multipliedReportingOverflow(by: precision.bytesPerValue * Self.blockLength)
        let head = block.partialValue.multipliedReportingOverflow(by: blockCount)
        let total = head.partialValue.multipliedReportingOverflow(by: kvHeadCount)
        guard kvHeadCount > 0, headSize > 0, capacity >= 0, !block.overflow, !head.overflow, !total.overflow else {
            throw .outOfMemory("a key-value cache of \(capacity) positions")
        }
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
        self.capacity = capacity
        self.precision = precision
        self.isRing = isRing
        self.blockCount = blockCount
        blockByteCount = block.partialValue
        keys = try AlignedBuffer(count: total.partialValue)
        values = try AlignedBuffer(count: total.partialValue)
    }

    package var byteCount: Int { keys.byteCount + values.byteCount }

    /// Stores one head's key and value at a position, from rows of activations.
    package func store(
        position: Int, head: Int, key: Rows, value: Rows, row: Int, keyColumn: Int, valueColumn: Int,
        kernels: Kernels = .chosen
    ) {
        precondition(position >= 0 && (isRing || position < capacity), "position out of bounds")
        precondition(head >= 0 && head < kvHeadCount, "head out of bounds")
        precondition(row >= 0 && row < key.rowCount && row < value.rowCount, "row out of bounds")
        precondition(keyColumn >= 0 && headSize <= key.columnCount - keyColumn, "key out of bounds")
        precondition(valueColumn >= 0 && headSize <= value.columnCount - valueColumn, "value out of bounds")
        let slot = isRing ? position % capacity : position
        let place = slot % Self.blockLength
        let keyTarget = block(keys, head: head, slot: slot)
        let valueTarget = block(values, head: head, slot: slot)
        encode(key.pointer(row: row, column: keyColumn), to: keyTarget, from: place, stride: Self.blockLength, kernels)
        encode(
            value.pointer(row: row, column: valueColumn), to: valueTarget, from: place * headSize, stride: 1, kernels)
    }

    /// The block that a slot lies in.
    private func block(_ buffer: AlignedBuffer<UInt8>, head: Int, slot: Int) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(buffer.base) + (head &* blockCount &+ slot / Self.blockLength) &* blockByteCount
    }

    private func encode(
        _ source: UnsafePointer<Float>, to block: UnsafeMutableRawPointer, from first: Int, stride: Int,
        _ kernels: Kernels
    ) {
        switch precision {
        case .f32:
            let target = block.assumingMemoryBound(to: Float.self) + first
            for i in 0..<headSize { target[i &* stride] = source[i] }
        case .f16:
            let target = block.assumingMemoryBound(to: UInt16.self) + first
            kernels.functions.encodeHalves(source, headSize, target, stride)
        }
    }

    /// The block that begins at a position, as f32: in place, or as many of its values as asked for decoded into the scratch.
    func block(
        _ part: Part, head: Int, position: Int, valueCount: Int, scratch: UnsafeMutablePointer<Float>, kernels: Kernels
    ) -> UnsafePointer<Float> {
        let slot = isRing ? position % capacity : position
        let source = block(part == .keys ? keys : values, head: head, slot: slot)
        switch precision {
        case .f32:
            return UnsafePointer(source.assumingMemoryBound(to: Float.self))
        case .f16:
            kernels.functions.decodeHalves(source.assumingMemoryBound(to: UInt16.self), valueCount, scratch)
            return UnsafePointer(scratch)
        }
    }

    package enum Part: Sendable { case keys, values }

    /// All that is stored, as the bits of f32, block by block: for tests.
    package func copy(_ part: Part) -> [UInt32] {
        var result: [UInt32] = []
        let count = Self.blockLength * headSize
        for head in 0..<kvHeadCount {
            for block in 0..<blockCount {
                let scratch = UnsafeMutablePointer<Float>.allocate(capacity: count)
                defer { scratch.deallocate() }
                let values = self.block(
                    part, head: head, position: block * Self.blockLength, valueCount: count, scratch: scratch,
                    kernels: .chosen)
                result.append(contentsOf: (0..<count).map { values[$0].bitPattern })
            }
        }
        return result
    }
}
