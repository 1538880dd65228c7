package import EdgeKernels
package import EdgePlatform

/// Keys and values beyond what may be in memory: blocks that nobody writes any more lie in a file, and while the threads attend to some of
/// them, the next ones of the layer, or the first of the next layer, are read into the other of two buffers.
///
/// The same blocks stay in memory from token to token, as all are needed in turn: the ones used last would be needed last again. A pass
/// attends to a text in parts, of which each has as many blocks of the file as a buffer holds, and those between them and behind them
/// that are in memory.
package final class CacheSpill: Sendable {
    /// How much may be in memory, and where the rest lies.
    package struct Options: Sendable, Hashable {
        /// Bytes of keys and values in memory, the buffers for reading included.
        package var byteCount: Int
        /// The folder of the file.
        package var folder: String
        /// False to read blocks only when their turn comes, to measure what reading ahead brings.
        package var readsAhead: Bool

        package init(byteCount: Int, folder: String, readsAhead: Bool = true) {
            self.byteCount = byteCount
            self.folder = folder
            self.readsAhead = readsAhead
        }
    }

    /// One part of a sequence's text.
    package struct Part {
        /// Which of the pass's sequences.
        package let owner: Int
        package let runs: Range<Int>
        package let isFirst: Bool
        package let isLast: Bool
    }

    /// Bytes of one buffer at most: enough for a disk's full speed.
    private static let stageByteCount = 4 << 20

    /// Blocks of a buffer: no more than a quarter of a context's, so that the two are less than what they save.
    static func stageBlockCount(_ sliceByteCount: Int, blockCount: Int) -> Int {
        max(1, min(blockCount / 4, stageByteCount / max(1, sliceByteCount)))
    }

    private let staging: Staging
    private let readAhead: ReadAhead

    /// - Throws: `PlatformError` when there is no memory, or the system refuses a thread.
    init(_ blocks: KeyValueBlocks, contextBlockCount: Int, readsAhead: Bool) throws(PlatformError) {
        let staging = try Staging(blocks, contextBlockCount: contextBlockCount)
        self.staging = staging
        readAhead = try ReadAhead(isAhead: readsAhead) { (item, _, isCancelled) throws(PlatformError) in
            try staging.fill(item, isCancelled)
        }
    }

    // MARK: A pass

    /// Begins a pass over sequences of the pool; false where all they need is in memory, and nothing is to be staged.
    package func begin(_ caches: [KeyValueCache]) -> Bool {
        staging.divide(caches)
        guard !parts.isEmpty else { return false }
        readAhead.begin(count: parts.count * staging.blocks.shape.layerCount)
        return true
    }

    /// The parts of the pass's sequences that have blocks in the file, in the order in which they must be acquired in each layer.
    package var parts: [Part] { staging.parts }

    /// Whether a sequence of the pass has blocks in the file.
    package func isSpilled(owner: Int) -> Bool { parts.contains { $0.owner == owner } }

    /// Waits until the blocks of a part are there, in one layer of those that keep all positions.
    ///
    /// - Throws: `PlatformError` when they cannot be read; the pass must end then.
    package func acquire(_ part: Int, layer: Int) throws(PlatformError) {
        try readAhead.acquire(layer * parts.count + part)
    }

    /// No thread reads the part's blocks any more.
    package func release(_ part: Int, layer: Int) { readAhead.release(layer * parts.count + part) }

    /// What attention needs to know of a part that was acquired.
    package func attentionPart(_ index: Int, layer: Int, state: Rows) -> AttentionPart {
        let part = parts[index]
        return AttentionPart(
            runs: part.runs, isFirst: part.isFirst, isLast: part.isLast, state: state, stage: staging.stage,
            stageStart: staging.start(layer * parts.count + index))
    }

    /// Ends the pass, which `begin` said needs staging.
    package func end(isWhole: Bool) {
        if !isWhole { readAhead.abandon() }
    }

    /// Seconds that passes have waited for blocks in all.
    package var waitedSeconds: Double { Double(readAhead.waitedNanoseconds) / 1e9 }
}

/// What the thread that reads and the pass share.
///
/// `@unchecked Sendable`: belongs to one pass at a time, which changes it before a round begins; a buffer is written while nobody reads it,
/// which `ReadAhead` sees to.
private final class Staging: @unchecked Sendable {
    let blocks: KeyValueBlocks
    let stage: AlignedBuffer<UInt8>
    private(set) var parts: [CacheSpill.Part] = []
    private let stageBlockCount: Int
    private var tables: [BlockTable] = []

    init(_ blocks: KeyValueBlocks, contextBlockCount: Int) throws(PlatformError) {
        self.blocks = blocks
        stageBlockCount = CacheSpill.stageBlockCount(blocks.sliceByteCount, blockCount: contextBlockCount)
        stage = try AlignedBuffer(
            count: 2 * stageBlockCount * blocks.sliceByteCount, inLargePages: true)
        parts.reserveCapacity(64)
        tables.reserveCapacity(16)
    }

    /// Where the buffer of an item begins.
    func start(_ item: Int) -> Int { item % 2 * stageBlockCount * blocks.sliceByteCount }

    /// Cuts the texts of sequences into parts.
    func divide(_ caches: [KeyValueCache]) {
        parts.removeAll(keepingCapacity: true)
        tables.removeAll(keepingCapacity: true)
        for (owner, cache) in caches.enumerated() {
            precondition(cache.pool.blocks[0] === blocks, "a sequence of another pool")
            let table = cache.fullTable
            tables.append(table)
            var first = 0
            var staged = 0
            for run in 0..<table.count where blocks.isSpilled(block: table[run]) {
                if staged == stageBlockCount {
                    parts.append(.init(owner: owner, runs: first..<run, isFirst: first == 0, isLast: false))
                    (first, staged) = (run, 0)
                }
                staged += 1
            }
            guard staged > 0 else { continue }
            parts.append(.init(owner: owner, runs: first..<table.count, isFirst: first == 0, isLast: true))
        }
    }

    /// Reads what one part has in the file of one layer, neighbours at once.
    func fill(_ item: Int, _ isCancelled: () -> Bool) throws(PlatformError) {
        let part = parts[item % parts.count]
        let layer = item / parts.count
        let table = tables[part.owner]
        var place = start(item)
        var neighbours = 0..<0
        for run in part.runs where blocks.isSpilled(block: table[run]) {
            let block = table[run]
            if !neighbours.isEmpty, block == neighbours.upperBound {
                neighbours = neighbours.lowerBound..<block + 1
                continue
            }
            try blocks.stage(layer: layer, blocks: neighbours, into: stage, at: place, isCancelled: isCancelled)
            place += neighbours.count * blocks.sliceByteCount
            neighbours = block..<block + 1
        }
        try blocks.stage(layer: layer, blocks: neighbours, into: stage, at: place, isCancelled: isCancelled)
    }
}

extension CacheGeometry {
    /// Contexts whose blocks a pool with a file has room for, in memory and in the file together: what bounds the file.
    package static let spillingContexts = 4

    /// Blocks of the layers that keep all positions that can be in memory at the same time with a limit; nil where one context fits the limit,
    /// and no file is needed.
    ///
    /// - Throws: `CacheError.tooSmall` when it is too low for the blocks being written.
    package func residentBlockCount(byteCount limit: Int) throws(CacheError) -> Int? {
        guard let all = byteCount(contexts: 1), all > limit, let block = shapes.full.blockByteCount, block > 0 else {
            return nil
        }
        // Those of a batch are written at the same time, which may begin and end inside a block; one is for a copy.
        let least = (batchCapacity + KeyValueLayer.blockLength - 1) / KeyValueLayer.blockLength + 2
        let fixed = spillFixedByteCount ?? .max
        let count = limit > fixed ? (limit - fixed) / block : 0
        guard count >= least else {
            let needed = block.multipliedReportingOverflow(by: least)
            let total = needed.partialValue.addingReportingOverflow(fixed)
            throw .tooSmall(least: needed.overflow || total.overflow ? .max : total.partialValue, limit: limit)
        }
        return count
    }

    /// Bytes that a limited pool takes besides blocks of the layers that keep all positions: two buffers, a block that is moved, and the
    /// blocks of windows.
    private var spillFixedByteCount: Int? {
        let (full, windowed) = shapes
        guard let counts = poolBlockCounts(contexts: 1), let block = full.blockByteCount, full.layerCount > 0 else {
            return nil
        }
        let slice =
            block / full.layerCount / KeyValueBlocks.pageByteCount * KeyValueBlocks.pageByteCount
            + KeyValueBlocks.pageByteCount
        let staged = CacheSpill.stageBlockCount(slice, blockCount: blockCount) * slice
        return Self.byteCount(of: zip(windowed, counts.windowed), others: 2 * staged + slice * full.layerCount)
    }
}
