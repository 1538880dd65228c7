package import EdgeKernels
package import EdgePlatform

/// Keys and values beyond what may be in memory: blocks that nobody writes any more lie in a file, and while the threads attend to some of
/// them, the next ones of the layer, or the first of the next layer, are read into other buffers.
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
    package struct Part: Equatable {
        /// Which of the pass's sequences.
        package let owner: Int
        package let runs: Range<Int>
        package let isFirst: Bool
        package let isLast: Bool
    }

    /// Parts that are read at the same time: while one thread hands its own on, the disk works for the other.
    private static let readerCount = 2

    private let staging: Staging
    private let readAhead: ReadAhead

    /// - Throws: `PlatformError` when there is no memory, or the system refuses a thread.
    init(_ blocks: KeyValueBlocks, _ layout: SpillLayout, readsAhead: Bool) throws(PlatformError) {
        let staging = try Staging(blocks, layout)
        self.staging = staging
        readAhead = try ReadAhead(bufferCount: layout.bufferCount, threadCount: Self.readerCount, isAhead: readsAhead) {
            (item, buffer, isCancelled) throws(PlatformError) in try staging.fill(item, buffer, isCancelled)
        }
    }

    // MARK: A pass

    /// Begins a pass over sequences of the pool; false where all they need is in memory, and nothing is to be staged.
    package func begin(_ caches: [KeyValueCache]) -> Bool {
        staging.divide(caches)
        guard staging.isNeeded else { return false }
        // The pass before has had the first parts of its own text read for this one, mostly the next token's.
        if !staging.isAsBefore {
            readAhead.abandon()
            staging.takeOver()
        }
        let count = parts.count * staging.blocks.shape.layerCount
        readAhead.begin(count: count, next: min(count, readAhead.bufferCount))
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

/// What the threads that read and the pass share.
///
/// `@unchecked Sendable`: the threads read `plan` and write buffers. The plan is changed while they rest, by `takeOver`; a buffer is
/// written while nobody reads it, which `ReadAhead` sees to.
private final class Staging: @unchecked Sendable {
    /// How the texts of a pass are cut.
    private struct Plan: Equatable {
        var parts: [CacheSpill.Part] = []
        /// Blocks that follow one another in the file, of all parts.
        var spans: [Range<Int>] = []
        /// By part: which of them are its own.
        var spansOfPart: [Range<Int>] = []
        /// What the file held.
        var version = -1

        mutating func removeAll() {
            parts.removeAll(keepingCapacity: true)
            spans.removeAll(keepingCapacity: true)
            spansOfPart.removeAll(keepingCapacity: true)
        }

        mutating func reserve() {
            parts.reserveCapacity(64)
            spans.reserveCapacity(256)
            spansOfPart.reserveCapacity(64)
        }
    }

    let blocks: KeyValueBlocks
    let stage: AlignedBuffer<UInt8>
    private let layout: SpillLayout
    private var plan = Plan()
    /// Of a pass that begins.
    private var coming = Plan()

    init(_ blocks: KeyValueBlocks, _ layout: SpillLayout) throws(PlatformError) {
        self.blocks = blocks
        self.layout = layout
        stage = try AlignedBuffer(count: layout.stagedByteCount, inLargePages: true)
        plan.reserve()
        coming.reserve()
    }

    var parts: [CacheSpill.Part] { plan.parts }
    /// Whether the pass that was divided has blocks in the file.
    var isNeeded: Bool { !coming.parts.isEmpty }
    /// Whether what was read ahead for the plan is what the pass that was divided needs.
    var isAsBefore: Bool { coming == plan }

    /// Makes the plan of the pass that was divided the one that is read; nothing must be being read.
    func takeOver() { swap(&plan, &coming) }

    /// Where the buffer of an item begins.
    func start(_ item: Int) -> Int { item % layout.bufferCount * layout.bufferBlockCount * blocks.sliceByteCount }

    /// Cuts the texts of sequences into parts.
    func divide(_ caches: [KeyValueCache]) {
        coming.removeAll()
        coming.version = blocks.fileVersion
        for (owner, cache) in caches.enumerated() {
            precondition(cache.pool.blocks[0] === blocks, "a sequence of another pool")
            let table = cache.fullTable
            var first = 0
            var staged = 0
            var firstSpan = coming.spans.count
            func end(at run: Int, isLast: Bool) {
                coming.parts.append(.init(owner: owner, runs: first..<run, isFirst: first == 0, isLast: isLast))
                coming.spansOfPart.append(firstSpan..<coming.spans.count)
                (first, staged, firstSpan) = (run, 0, coming.spans.count)
            }
            for run in 0..<table.count where blocks.isSpilled(block: table[run]) {
                if staged == layout.bufferBlockCount { end(at: run, isLast: false) }
                let block = table[run]
                if staged > 0, let last = coming.spans.last, last.upperBound == block {
                    coming.spans[coming.spans.count - 1] = last.lowerBound..<block + 1
                } else {
                    coming.spans.append(block..<block + 1)
                }
                staged += 1
            }
            if staged > 0 { end(at: table.count, isLast: true) }
        }
    }

    /// Reads what one part has in the file of one layer, neighbours at once.
    func fill(_ item: Int, _ buffer: Int, _ isCancelled: () -> Bool) throws(PlatformError) {
        // A plan of its own: a read that hangs outlives the one it began with.
        let plan = plan
        let part = item % plan.parts.count
        var place = start(buffer)
        for span in plan.spans[plan.spansOfPart[part]] {
            try blocks.stage(
                layer: item / plan.parts.count, blocks: span, into: stage, at: place, isCancelled: isCancelled)
            place += span.count * blocks.sliceByteCount
        }
    }
}

/// What a limited cache has in memory: blocks of the layers that keep all positions, and buffers for a layer of those in the file.
package struct SpillLayout: Sendable, Equatable {
    /// Blocks in memory at most.
    package let residentBlockCount: Int
    package let bufferCount: Int
    /// Blocks, of one layer each, that a buffer holds.
    package let bufferBlockCount: Int

    /// Bytes of all buffers: whole large pages, which a disk fills much faster, where they are as large as one.
    let stagedByteCount: Int

    /// Bytes of a buffer below which a disk is not at its full speed, and of all buffers at most.
    private static let bufferByteCount = 2 << 20
    private static let stagedByteCountAtMost = 16 << 20
    private static let bufferCountAtMost = 8

    /// Divides bytes among blocks and buffers.
    ///
    /// Buffers take a quarter of all at most, and hold no more than a layer of the context: then all that a layer reads can be there before
    /// its turn comes. Rather many than two large ones, as each is filled again as soon as its blocks are done with.
    ///
    /// - Parameters:
    ///   - limit, spare: bytes in all, and beyond those of `least` blocks and two buffers of one block.
    ///   - block, slice: bytes of a block, and of one layer of it in the file.
    init(limit: Int, spare: Int, least: Int, block: Int, slice: Int, contextBlockCount: Int) {
        let twoSlices = 2 * slice
        let layer = contextBlockCount.multipliedReportingOverflow(by: slice)
        let most = min(
            layer.overflow ? .max : layer.partialValue, Self.stagedByteCountAtMost, twoSlices + min(spare, limit / 4))
        let page = LargePage.byteCount
        stagedByteCount = max(twoSlices, most / page > 0 ? most / page * page : most)
        bufferCount = max(2, min(Self.bufferCountAtMost, stagedByteCount / max(slice, Self.bufferByteCount)))
        bufferBlockCount = stagedByteCount / bufferCount / slice
        residentBlockCount = least + (spare - (stagedByteCount - twoSlices)) / block
    }
}

extension CacheGeometry {
    /// Contexts whose blocks a pool with a file has room for, in memory and in the file together: what bounds the file.
    package static let spillingContexts = 4

    /// What is in memory of a cache with a limit; nil where one context fits the limit, and no file is needed.
    ///
    /// - Throws: `CacheError.tooSmall` when it is too low for the blocks being written.
    package func spillLayout(byteCount limit: Int) throws(CacheError) -> SpillLayout? {
        let (full, windowed) = shapes
        guard let all = byteCount(contexts: 1), all > limit, let block = full.blockByteCount,
            let slice = full.sliceByteCount, block > 0
        else {
            return nil
        }
        // Those of a batch are written at the same time, which may begin and end inside a block; one is for a copy. Besides two buffers,
        // a block that is moved, and the blocks of windows.
        let least = (batchCapacity + KeyValueLayer.blockLength - 1) / KeyValueLayer.blockLength + 2
        let blocks = block.multipliedReportingOverflow(by: least)
        let counts = poolBlockCounts(contexts: 1)?.windowed ?? []
        let slices = slice.multipliedReportingOverflow(by: 2 + full.layerCount)
        let others = slices.overflow ? .max : slices.partialValue
        let fixed = Self.byteCount(of: zip(windowed, counts), others: others) ?? .max
        let needed = blocks.partialValue.addingReportingOverflow(fixed)
        guard !blocks.overflow, !needed.overflow, limit >= needed.partialValue else {
            throw .tooSmall(least: blocks.overflow || needed.overflow ? .max : needed.partialValue, limit: limit)
        }
        return SpillLayout(
            limit: limit, spare: limit - needed.partialValue, least: least, block: block, slice: slice,
            contextBlockCount: blockCount)
    }
}
