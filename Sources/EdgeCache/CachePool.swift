package import EdgeKernels
package import EdgePlatform

/// What a cache must have room for.
package struct CacheGeometry: Sendable, Hashable {
    /// By layer: the positions a token sees, itself included; 0 for all.
    package var windows: [Int]
    package var kvHeadCount: Int
    package var headSize: Int
    /// Positions of one sequence at most.
    package var capacity: Int
    /// The most tokens that a sequence gets at once.
    package var batchCapacity: Int
    package var precision: CachePrecision

    package init(
        windows: [Int], kvHeadCount: Int, headSize: Int, capacity: Int, batchCapacity: Int? = nil,
        precision: CachePrecision
    ) {
        self.windows = windows
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
        self.capacity = capacity
        self.batchCapacity = max(1, min(batchCapacity ?? capacity, capacity))
        self.precision = precision
    }

    /// Blocks that hold the positions of a sequence.
    package var blockCount: Int { Self.blocks(capacity) }

    private static func blocks(_ positions: Int) -> Int {
        positions / KeyValueLayer.blockLength + (positions % KeyValueLayer.blockLength == 0 ? 0 : 1)
    }

    /// The windows for which less than all positions must be held, ascending, and the blocks that a sequence needs for each: what the
    /// first token of a batch sees before it, and the batch, may begin and end inside a block.
    package var windowedBlockCounts: [(window: Int, blockCount: Int)] {
        Set(windows).filter { $0 > 0 }.sorted().compactMap { window in
            let positions = (window - 1).addingReportingOverflow(batchCapacity)
            guard !positions.overflow, positions.partialValue < capacity else { return nil }
            return (window, Self.blocks(positions.partialValue) + 1)
        }
    }

    /// Blocks for full contexts at the same time: one more of the layers that keep all positions, for a copy of what is shared, and
    /// of each window one context's more.
    package func poolBlockCounts(contexts: Int) -> (full: Int, windowed: [Int])? {
        let (full, overflow) = blockCount.multipliedReportingOverflow(by: contexts)
        guard !overflow, full < Int(Int32.max) - 1 else { return nil }
        return (full + 1, windowedBlockCounts.map { min(full + 1, $0.blockCount * (contexts + 1)) })
    }

    /// Bytes of a pool for so many full contexts; nil where they overflow.
    package func byteCount(contexts: Int) -> Int? {
        guard let counts = poolBlockCounts(contexts: contexts) else { return nil }
        let (full, windowed) = shapes
        return Self.byteCount(of: zip([full] + windowed, [counts.full] + counts.windowed))
    }

    /// Bytes of so many blocks of each shape, and `others`; nil where they overflow.
    static func byteCount(of blocks: some Sequence<(KeyValueShape, Int)>, others: Int = 0) -> Int? {
        var total = others
        for (shape, count) in blocks {
            guard let block = shape.blockByteCount else { return nil }
            let (bytes, overflow) = block.multipliedReportingOverflow(by: count)
            let sum = total.addingReportingOverflow(bytes)
            guard !overflow, !sum.overflow else { return nil }
            total = sum.partialValue
        }
        return total
    }

    /// The blocks of the layers that keep all positions, and of those with each of the windows above.
    package var shapes: (full: KeyValueShape, windowed: [KeyValueShape]) {
        let dropping = windowedBlockCounts.map(\.window)
        func shape(_ count: Int) -> KeyValueShape {
            KeyValueShape(layerCount: count, kvHeadCount: kvHeadCount, headSize: headSize, precision: precision)
        }
        return (
            shape(windows.count { !dropping.contains($0) }),
            dropping.map { window in shape(windows.count { $0 == window }) }
        )
    }
}

/// The keys and values of all sequences of one model: blocks of 32 positions from memory reserved at once, shared by sequences that
/// begin alike.
///
/// Sequences may come and go on any thread; a sequence itself belongs to one at a time.
package final class CachePool: Sendable {
    package let geometry: CacheGeometry
    /// Blocks there are.
    package let capacity: Int
    /// Blocks that no sequence uses are kept for those to come, up to so many.
    package let retained: Int
    private let state: Lock<PoolState>
    /// By layer: the group that it belongs to, 0 for the layers that keep all positions, and its place in it.
    package let places: [(group: Int, layer: Int)]
    let blocks: [KeyValueBlocks]
    /// What brings in blocks that are not in memory; nil where all are.
    package let spill: CacheSpill?

    /// A pool for so many full contexts, which keeps unused blocks for one.
    ///
    /// - Throws: `PlatformError` when the sizes overflow or cannot be reserved.
    package convenience init(_ geometry: CacheGeometry, contexts: Int) throws(PlatformError) {
        guard let counts = geometry.poolBlockCounts(contexts: contexts) else {
            throw .outOfMemory("\(contexts) contexts of \(geometry.capacity) positions")
        }
        try self.init(
            geometry, blockCount: counts.full, sequenceCount: contexts + 1, retained: geometry.blockCount)
    }

    /// A pool of which only some bytes are in memory, and the rest in a file; all in memory where one context fits the limit.
    ///
    /// - Throws: `CacheError.tooSmall` when the limit is too low; `storage` when there is no memory for the buffers or no room in the folder.
    package convenience init(_ geometry: CacheGeometry, spill: CacheSpill.Options) throws(CacheError) {
        let layout = try geometry.spillLayout(byteCount: spill.byteCount)
        let contexts = layout == nil ? 1 : CacheGeometry.spillingContexts
        guard let counts = geometry.poolBlockCounts(contexts: contexts) else {
            throw .storage("\(contexts) contexts of \(geometry.capacity) positions are too many")
        }
        do throws(PlatformError) {
            // Of windows as many as one context needs and a copy.
            try self.init(
                geometry, blockCount: counts.full, sequenceCount: 2, retained: geometry.blockCount,
                spill: layout.map { (spill, $0) })
        } catch {
            throw .storage(error.description)
        }
    }

    /// Reserves memory; the system provides it page by page as positions are filled.
    ///
    /// - Parameters:
    ///   - blockCount: blocks of 32 positions for all sequences together, by default those of one.
    ///   - sequenceCount: sequences that layers with a window have room for at the same time.
    ///   - retained: blocks to keep for sequences to come while none uses them.
    ///   - spill: of the layers that keep all positions, how many blocks are in memory at most, and where the others lie.
    /// - Throws: `PlatformError` when the sizes overflow or cannot be reserved.
    package init(
        _ geometry: CacheGeometry, blockCount: Int? = nil, sequenceCount: Int = 1, retained: Int = 0,
        spill: (options: CacheSpill.Options, layout: SpillLayout)? = nil
    ) throws(PlatformError) {
        let capacity = blockCount ?? geometry.blockCount
        guard geometry.capacity >= 0, capacity >= 0, capacity < Int(Int32.max) else {
            throw .outOfMemory("a cache of \(geometry.capacity) positions")
        }
        self.geometry = geometry
        self.capacity = capacity
        self.retained = retained
        let (shape, windowedShapes) = geometry.shapes
        let full = try KeyValueBlocks(shape, blockCount: capacity, spillingTo: spill?.options.folder)
        var groups: [PrefixTree.WindowGroup] = []
        for (shape, (window, count)) in zip(windowedShapes, geometry.windowedBlockCounts) {
            let total = count.multipliedReportingOverflow(by: max(1, sequenceCount))
            let blocks = total.overflow ? capacity : min(capacity, total.partialValue)
            groups.append(
                .init(window: window, kept: count, blocks: try KeyValueBlocks(shape, blockCount: blocks)))
        }
        var counts = [Int](repeating: 0, count: groups.count + 1)
        var places: [(group: Int, layer: Int)] = []
        for window in geometry.windows {
            let group = (groups.firstIndex { $0.window == window } ?? -1) + 1
            places.append((group, counts[group]))
            counts[group] += 1
        }
        self.places = places
        blocks = [full] + groups.map(\.blocks)
        if let spill, full.canSpill {
            self.spill = try CacheSpill(full, spill.layout, readsAhead: spill.options.readsAhead)
        } else {
            self.spill = nil
        }
        state = Lock(
            PoolState(
                PrefixTree(
                    capacity: capacity, residentLimit: spill?.layout.residentBlockCount ?? capacity, blocks: full,
                    groups: groups),
                retained: retained))
    }

    /// Bytes reserved.
    package var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }

    /// Blocks that hold something, and those of them that a sequence uses.
    package var blockCounts: (held: Int, used: Int) {
        state.withLock { ($0.tree.liveCount, $0.tree.liveCount - $0.tree.unused.count) }
    }

    /// Blocks whose pages are those of files that they were restored from.
    package var mappedBlockCount: Int { blocks.reduce(0) { $0 + $1.mappedCount } }

    /// An empty sequence.
    package func makeCache(lineage: CacheLineage = .init()) -> KeyValueCache { KeyValueCache(self, lineage: lineage) }

    /// Forgets all that no sequence uses and gives its memory back.
    package func releaseUnused() { state.withLock { $0.trim(to: 0, givingBack: true) } }

    /// For tests: makes the file fail with a code, as a disk that is full or broken does; 0 ends it.
    package func failFile(with code: Int32) { for blocks in blocks { blocks.failFile(with: code) } }

    /// What contradicts itself; nil where every block is accounted for. For tests.
    package func contradiction() -> String? { state.withLock { $0.contradiction() } }

    func withState<R: Sendable, E: Error>(_ body: (inout sending PoolState) throws(E) -> sending R) throws(E) -> R {
        try state.withLock(body)
    }
}
