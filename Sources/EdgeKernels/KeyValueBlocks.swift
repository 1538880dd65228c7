internal import EdgeKernelJobs
package import EdgePlatform
internal import Synchronization

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
    package var blockByteCount: Int? { Self.wholePages(usedByteCount) }

    /// Bytes that a layer of a block takes in a file: whole pages; nil where they overflow.
    package var sliceByteCount: Int? {
        var layer = self
        layer.layerCount = 1
        return Self.wholePages(layer.usedByteCount)
    }

    private static func wholePages(_ bytes: Int?) -> Int? {
        guard let bytes, bytes <= Int.max - KeyValueBlocks.page else { return nil }
        return (bytes + KeyValueBlocks.page - 1) / KeyValueBlocks.page * KeyValueBlocks.page
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
    /// Where blocks may lie that are not in memory; nil for none.
    private let file: DirectFile?
    /// Bytes that a layer of a block takes in the file: whole pages.
    package let sliceByteCount: Int
    /// By block: whether it lies in the file, or takes memory.
    private let places: AlignedBuffer<Place.RawValue>
    /// By block: whether its pages are those of a file that it was filled from.
    private let mapped: AlignedBuffer<UInt8>
    /// A block as it lies in the file, for those that move.
    private let moved: AlignedBuffer<UInt8>
    /// Blocks that take memory, as far as `take` was told.
    package private(set) var residentCount = 0

    /// Changes with every write to the file: what was read at another version may no longer be what lies there.
    package var fileVersion: Int { writes.load(ordering: .relaxed) }
    private let writes = Atomic<Int>(0)
    /// Blocks of which one layer lies together on the disk, 2 MiB of them, and which of these stretches there is room for.
    private let stretch: Int
    private let reserved: Lock<[Bool]>

    private enum Place: UInt8 { case none, memory, file }

    static let page = 4096

    /// Reserves memory.
    ///
    /// - Parameter folder: where a file is made for blocks that are not in memory; nil for none. It has no name and is gone with this
    ///   object. It lies layer by layer, so that one layer of many blocks is read at once.
    /// - Throws: `PlatformError` when sizes overflow, the system has no address space, or the folder cannot be written to.
    package init(_ shape: KeyValueShape, blockCount: Int, spillingTo folder: String? = nil) throws(PlatformError) {
        guard let part = shape.partByteCount, let block = shape.blockByteCount, let slice = shape.sliceByteCount,
            blockCount >= 0
        else {
            throw .outOfMemory("blocks of keys and values")
        }
        let total = block.multipliedReportingOverflow(by: blockCount)
        guard !total.overflow else { throw .outOfMemory("\(blockCount) blocks of keys and values") }
        self.shape = shape
        self.blockCount = blockCount
        blockByteCount = block
        partByteCount = part
        memory = try AlignedBuffer(count: total.partialValue)
        sliceByteCount = slice
        stretch = max(1, (2 << 20) / max(1, slice))
        guard let folder, shape.layerCount > 0, blockCount > 0 else {
            file = nil
            places = try AlignedBuffer(count: 0)
            moved = try AlignedBuffer(count: 0)
            mapped = try AlignedBuffer(count: blockCount)
            reserved = Lock([])
            return
        }
        let all = slice.multipliedReportingOverflow(by: shape.layerCount)
        let bytes = all.partialValue.multipliedReportingOverflow(by: blockCount)
        guard !all.overflow, !bytes.overflow else { throw .outOfMemory("\(blockCount) blocks in a file") }
        places = try AlignedBuffer(count: blockCount)
        moved = try AlignedBuffer(count: all.partialValue)
        mapped = try AlignedBuffer(count: 0)
        reserved = Lock([Bool](repeating: false, count: (blockCount - 1) / stretch + 1))
        file = try DirectFile(temporaryIn: folder, byteCount: bytes.partialValue)
    }

    // MARK: Blocks in a file

    /// Whether blocks may lie in a file.
    package var canSpill: Bool { file != nil }

    /// For tests: makes the file fail with a code, as a disk that is full or broken does; 0 ends it.
    package func failFile(with code: Int32) { file?.fail(with: code) }

    /// Whether a block lies in the file: it must be brought back before it is written, and staged to be read.
    package func isSpilled(block: Int) -> Bool {
        file != nil && block >= 0 && block < blockCount && places[block] == Place.file.rawValue
    }

    /// Says that a block is about to be written by whoever has it now, so that it takes memory of its own.
    ///
    /// - Throws: `PlatformError` when the system cannot give it.
    package func take(block: Int) throws(PlatformError) {
        guard file != nil else {
            try endMapping(block)
            return
        }
        guard places[block] != Place.memory.rawValue else { return }
        places[block] = Place.memory.rawValue
        residentCount += 1
    }

    /// Writes a block, which nobody writes to meanwhile, to the file and gives its memory back.
    ///
    /// - Throws: `PlatformError` when the disk is full or broken; the block stays in memory then.
    package func spill(block: Int) throws(PlatformError) {
        guard let file, places[block] == Place.memory.rawValue else { return }
        try write(file, block, from: base(of: block), through: moved)
        giveBack(block: block)
        places[block] = Place.file.rawValue
    }

    /// Writes what a block stores to the file, layer by layer as it lies there.
    private func write(
        _ file: DirectFile, _ block: Int, from source: UnsafePointer<UInt8>, through slices: AlignedBuffer<UInt8>
    ) throws(PlatformError) {
        let used = 2 * shape.kvHeadCount * partByteCount
        writes.wrappingAdd(1, ordering: .relaxed)
        reserve(file, stretchOf: block)
        for layer in 0..<shape.layerCount {
            (slices.base + layer * sliceByteCount).update(from: source + layer * used, count: used)
            try file.write(
                at: (layer * blockCount + block) * sliceByteCount, byteCount: sliceByteCount, from: slices,
                at: layer * sliceByteCount)
        }
    }

    /// Blocks are written one after the other, each in as many places as there are layers; a layer of many is read at once.
    private func reserve(_ file: DirectFile, stretchOf block: Int) {
        reserved.withLock { reserved in
            guard !reserved[block / stretch] else { return }
            reserved[block / stretch] = true
            let first = block / stretch * stretch
            let count = min(stretch, blockCount - first)
            for layer in 0..<shape.layerCount {
                file.reserve(
                    at: (layer * blockCount + first) * sliceByteCount, byteCount: count * sliceByteCount)
            }
        }
    }

    /// Reads a block of the file into memory, its own or that of another.
    ///
    /// - Throws: `PlatformError` when it cannot be read.
    package func bringBack(block: Int, to other: Int) throws(PlatformError) {
        guard let file, isSpilled(block: block) else { return }
        try read(file, block, into: moved)
        try take(block: other)
        for layer in 0..<shape.layerCount { copySlice(layer, of: moved, to: base(of: other)) }
    }

    private func read(_ file: DirectFile, _ block: Int, into buffer: AlignedBuffer<UInt8>) throws(PlatformError) {
        for layer in 0..<shape.layerCount {
            try file.read(
                at: (layer * blockCount + block) * sliceByteCount, byteCount: sliceByteCount, into: buffer,
                at: layer * sliceByteCount)
        }
    }

    private func copySlice(_ layer: Int, of buffer: AlignedBuffer<UInt8>, to block: UnsafeMutablePointer<UInt8>) {
        let used = 2 * shape.kvHeadCount * partByteCount
        (block + layer * used).update(from: buffer.base + layer * sliceByteCount, count: used)
    }

    /// Reads one layer of some blocks that follow one another, `sliceByteCount` each.
    ///
    /// - Throws: `PlatformError` when they cannot be read.
    package func stage(
        layer: Int, blocks: Range<Int>, into buffer: AlignedBuffer<UInt8>, at start: Int, isCancelled: () -> Bool
    ) throws(PlatformError) {
        guard let file else { return }
        precondition(blocks.lowerBound >= 0 && blocks.upperBound <= blockCount, "blocks out of bounds")
        try file.read(
            at: (layer * blockCount + blocks.lowerBound) * sliceByteCount, byteCount: blocks.count * sliceByteCount,
            into: buffer, at: start, isCancelled: isCancelled)
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
        precondition(!isSpilled(block: block) && !isSpilled(block: other), "a block that is not in memory")
        base(of: other).update(from: base(of: block), count: blockByteCount)
    }

    /// Gives a block's pages back to the system; what it held is lost.
    package func giveBack(block: Int) {
        guard blockByteCount > 0 else { return }
        _ = base(of: block)
        if file != nil {
            if places[block] == Place.memory.rawValue { residentCount -= 1 }
            places[block] = Place.none.rawValue
        }
        do throws(PlatformError) {
            if try endMapping(block) { return }
        } catch {
            // It stays mapped until it is taken.
        }
        memory.giveBack(block &* blockByteCount..<(block &+ 1) &* blockByteCount)
    }

    // MARK: Blocks whose pages are those of a file

    /// Blocks that were filled without copying, from files whose pages they are.
    package var mappedCount: Int { (0..<mapped.count).count { mapped[$0] != 0 } }

    private func bytes(of block: Int) -> Range<Int> { block &* blockByteCount..<(block &+ 1) &* blockByteCount }

    /// Takes a file's pages out of a block; returns whether there were any.
    @discardableResult
    private func endMapping(_ block: Int) throws(PlatformError) -> Bool {
        guard block < mapped.count, mapped[block] != 0 else { return false }
        try memory.renew(bytes(of: block))
        mapped[block] = 0
        return true
    }

    /// What a block that is in memory stores, to be read.
    package func withSpan<R, E: Error>(block: Int, _ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base(of: block), count: shape.usedByteCount ?? 0).bytes)
    }

    /// What a block that is in memory stores, to be read while it keeps it, or to be moved within it.
    package func view(block: Int) -> ByteView {
        _ = base(of: block)
        return memory.view(at: block &* blockByteCount, byteCount: shape.usedByteCount ?? 0)
    }

    /// A copy of what a block of the file stores, as `withSpan` gives it.
    ///
    /// - Throws: `PlatformError` when it cannot be read.
    package func spilledBytes(block: Int) throws(PlatformError) -> ByteView {
        let result = try AlignedBuffer<UInt8>(count: blockByteCount)
        guard let file, isSpilled(block: block) else { return result.view(at: 0, byteCount: 0) }
        let buffer = try AlignedBuffer<UInt8>(count: moved.count)
        try read(file, block, into: buffer)
        for layer in 0..<shape.layerCount { copySlice(layer, of: buffer, to: result.base) }
        return result.view(at: 0, byteCount: shape.usedByteCount ?? 0)
    }

    /// Fills a block, in memory or in the file, from bytes of the length that `withSpan` gives. Several threads may fill different ones.
    ///
    /// Where all blocks are in memory, bytes of a mapped file that stays open, begin on a page and fill whole ones (`blockByteCount`) are not
    /// copied: the block has the file's pages then, until it is written or given to someone else.
    /// - Throws: `PlatformError` when the file cannot be written, or the system lost the memory.
    package func fill(block: Int, from bytes: ByteView) throws(PlatformError) {
        precondition(bytes.count == shape.usedByteCount, "bytes of another shape")
        if let file, isSpilled(block: block) {
            let slices = try AlignedBuffer<UInt8>(count: moved.count)
            try bytes.withUnsafeBytes { (bytes) throws(PlatformError) in
                guard let source = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
                try write(file, block, from: source, through: slices)
            }
            return
        }
        _ = base(of: block)
        if file == nil, try memory.map(self.bytes(of: block), to: bytes) {
            mapped[block] = 1
            return
        }
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
