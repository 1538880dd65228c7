internal import EdgeKernelJobs
package import EdgePlatform

/// How keys and values are stored.
package enum CachePrecision: String, Sendable, CaseIterable {
    case f32
    case f16
    /// Eight bits and a scale for each 32 values.
    case q8_0
    /// Four bits and a scale for each 32 values.
    case q4_0

    /// Bits of a value, its share of a scale included.
    package var bits: Double {
        switch self {
        case .f32: 32
        case .f16: 16
        case .q8_0: 8.5
        case .q4_0: 4.5
        }
    }

    /// Whether values are codes.
    var isCoded: Bool { self == .q8_0 || self == .q4_0 }

    /// Bytes of 32 positions' keys, or values, of one head; nil where they overflow.
    func partByteCount(headSize: Int) -> Int? {
        let length = KeyValueLayer.blockLength
        guard headSize > 0, headSize < Int.max - 32 else { return nil }
        let (count, size) =
            switch self {
            case .f32: (headSize, 4 * length)
            case .f16: (headSize, 2 * length)
            case .q8_0, .q4_0:
                (
                    CodedBlocks.groupCount(headSize: headSize),
                    CodedBlocks.codeByteCount(isNibbles: self == .q4_0) + 2 * length
                )
            }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        return overflow ? nil : bytes
    }
}

/// What a block of keys and values holds: 32 positions of some layers.
package struct KeyValueShape: Sendable, Hashable {
    package var layerCount: Int
    package var kvHeadCount: Int
    package var headSize: Int
    package var precision: CachePrecision

    package init(layerCount: Int, kvHeadCount: Int, headSize: Int, precision: CachePrecision) {
        self.layerCount = layerCount
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
        self.precision = precision
    }

    /// Bytes of one head's keys, or values, of one layer's block; nil where they overflow.
    var partByteCount: Int? {
        guard layerCount >= 0, kvHeadCount > 0 else { return nil }
        return precision.partByteCount(headSize: headSize)
    }

    /// Bytes of what one block stores; nil where they overflow.
    package var usedByteCount: Int? {
        guard let part = partByteCount else { return nil }
        let head = part.multipliedReportingOverflow(by: 2 * kvHeadCount)
        let all = head.partialValue.multipliedReportingOverflow(by: layerCount)
        return head.overflow || all.overflow ? nil : all.partialValue
    }

    /// Bytes of one block in memory: whole pages, so that one block's can be given back; nil where they overflow.
    package var blockByteCount: Int? {
        guard let used = usedByteCount, used <= Int.max - KeyValueBlocks.page else { return nil }
        return (used + KeyValueBlocks.page - 1) / KeyValueBlocks.page * KeyValueBlocks.page
    }
}

/// The memory of keys and values: a fixed number of blocks of 32 positions, reserved at once and taken page by page as positions are
/// written.
///
/// A block is [layerCount, kvHeadCount, keys and values], its keys [headSize, 32] so that the scores of all positions are computed
/// side by side, its values [32, headSize]; of codes see `CodedBlocks`. Which block holds which positions of whom is the business of `EdgeCache`.
/// `@unchecked Sendable`: whoever hands out blocks has each written by one sequence, whose threads write disjoint positions and
/// heads between barriers.
package final class KeyValueBlocks: @unchecked Sendable {
    package let shape: KeyValueShape
    package let blockCount: Int
    package let blockByteCount: Int
    let partByteCount: Int
    private let memory: AlignedBuffer<UInt8>

    static let page = 4096

    /// Reserves memory.
    ///
    /// - Throws: `PlatformError` when sizes overflow or the system has no address space.
    package init(_ shape: KeyValueShape, blockCount: Int) throws(PlatformError) {
        guard let part = shape.partByteCount, let block = shape.blockByteCount, blockCount >= 0 else {
            throw .outOfMemory("blocks of keys and values")
        }
        let total = block.multipliedReportingOverflow(by: blockCount)
        guard !total.overflow else { throw .outOfMemory("\(blockCount) blocks of keys and values") }
        self.shape = shape
        self.blockCount = blockCount
        blockByteCount = block
        partByteCount = part
        memory = try AlignedBuffer(count: total.partialValue)
    }

    /// Bytes reserved.
    package var byteCount: Int { memory.byteCount }

    private func base(of block: Int) -> UnsafeMutablePointer<UInt8> {
        precondition(block >= 0 && block < blockCount, "block out of bounds")
        return memory.base + block &* blockByteCount
    }

    /// One head's keys or values.
    func pointer(block: Int, layer: Int, head: Int, part: KeyValueLayer.Part) -> UnsafeMutableRawPointer {
        let index = (layer &* shape.kvHeadCount &+ head) &* 2 &+ (part == .keys ? 0 : 1)
        return UnsafeMutableRawPointer(base(of: block)) + index &* partByteCount
    }

    /// Copies a whole block.
    package func copy(block: Int, to other: Int) {
        guard block != other else { return }
        base(of: other).update(from: base(of: block), count: blockByteCount)
    }

    /// Gives a block's pages back to the system; what it held is lost.
    package func giveBack(block: Int) {
        guard blockByteCount > 0 else { return }
        _ = base(of: block)
        memory.giveBack(block &* blockByteCount..<(block &+ 1) &* blockByteCount)
    }

    /// What a block stores, to be read.
    package func withSpan<R, E: Error>(block: Int, _ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base(of: block), count: shape.usedByteCount ?? 0).bytes)
    }

    /// Fills a block from bytes of the length that `withSpan` gives.
    package func fill(block: Int, from bytes: ByteView) {
        precondition(bytes.count == shape.usedByteCount, "bytes of another shape")
        bytes.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return }
            UnsafeMutableRawPointer(base(of: block)).copyMemory(from: source, byteCount: bytes.count)
        }
    }
}

/// In which block each run of 32 positions of one sequence lies.
///
/// `@unchecked Sendable`: written by the sequence's owner between passes, read by the threads of a pass.
package final class BlockTable: @unchecked Sendable {
    private var entries: UnsafeMutablePointer<Int32>
    private var room: Int
    /// Runs of positions that have an entry.
    package private(set) var count = 0

    /// No entries yet, and room for some, so that a token allocates nothing while they last.
    package init(reserving room: Int = 16) {
        self.room = max(1, room)
        entries = .allocate(capacity: self.room)
    }

    deinit { entries.deallocate() }

    /// Sets an entry, at most one beyond the last; -1 for a run that is gone.
    package func set(_ index: Int, to block: Int) {
        precondition(index >= 0 && index <= count, "table index out of bounds")
        if index == room {
            let larger = UnsafeMutablePointer<Int32>.allocate(capacity: 2 * room)
            larger.update(from: entries, count: count)
            entries.deallocate()
            entries = larger
            room *= 2
        }
        entries[index] = Int32(truncatingIfNeeded: block)
        count = max(count, index + 1)
    }

    /// Forgets the entries from an index on.
    package func removeAll(from index: Int = 0) { count = min(count, max(0, index)) }

    /// The block of a run of positions, -1 where it is gone.
    package subscript(index: Int) -> Int {
        precondition(index >= 0 && index < count, "table index out of bounds")
        return Int(entries[index])
    }
}
