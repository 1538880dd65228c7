package import EdgeKernels
package import EdgePlatform

/// The keys and values of one sequence, for all layers, and how many positions are valid.
///
/// Positions are only ever appended by a forward pass and cut off at the end by `truncate(to:)`; what lies beyond `count` is
/// overwritten before it is read. The memory is a pool's, whose sequences share what begins alike; a layer whose tokens look back
/// over a window holds that window and lets the rest go.
package final class KeyValueCache {
    package let pool: CachePool
    package let layers: [KeyValueLayer]
    private let id: Int
    private let tables: [BlockTable]
    /// Where the runs of 32 positions lie, in the layers that keep all.
    var fullTable: BlockTable { tables[0] }

    /// A sequence of a pool, empty.
    package init(_ pool: CachePool, lineage: CacheLineage = .init()) {
        let tables = pool.blocks.map { _ in BlockTable(reserving: min(pool.geometry.blockCount, 256)) }
        self.pool = pool
        self.tables = tables
        layers = pool.places.map { KeyValueLayer(pool.blocks[$0.group], layer: $0.layer, table: tables[$0.group]) }
        id = pool.withState { $0.open(lineage, tables: tables, room: pool.geometry.capacity) }
    }

    /// A sequence with a pool of its own.
    ///
    /// - Throws: `PlatformError` when the sizes overflow or cannot be reserved.
    package convenience init(_ geometry: CacheGeometry) throws(PlatformError) {
        self.init(try CachePool(geometry))
    }

    deinit { pool.withState { $0.close(id) } }

    /// Positions there is room for.
    package var capacity: Int { pool.geometry.capacity }
    /// The most tokens that may be appended at once.
    package var batchCapacity: Int { pool.geometry.batchCapacity }
    /// Valid positions. A sequence that is not active may lose them to one that is.
    package var count: Int { pool.withState { $0.sequences[id].count } }
    /// Bytes reserved by the pool.
    package var byteCount: Int { pool.byteCount }

    /// Says whether the sequence is being worked on: others may take the blocks of one that is not.
    package func setActive(_ isActive: Bool) { pool.withState { $0.setActive(id, isActive) } }

    /// Changes what keys and values depend on besides tokens; the sequence is empty then.
    package func setLineage(_ lineage: CacheLineage) { pool.withState { $0.setLineage(id, lineage) } }

    /// Makes room for the next positions, so that a forward pass can run; 1 to `batchCapacity` that fit the capacity.
    ///
    /// - Throws: `CacheError.exhausted` when active sequences use all blocks.
    package func reserve(_ positions: Int) throws(CacheError) {
        precondition(positions > 0 && positions <= batchCapacity && positions <= capacity - count, "cache overrun")
        try pool.withState { (state) throws(CacheError) in try state.reserve(id, positions) }
    }

    /// Records that a forward pass filled the next positions, which were reserved, with these tokens.
    package func append(_ tokens: ArraySlice<Int32>) { pool.withState { $0.append(id, tokens) } }

    /// Forgets every position from `count` on.
    ///
    /// - Throws: `CacheError.dropped`, changing nothing, when a position that the next token would see is gone.
    package func truncate(to count: Int) throws(CacheError) {
        precondition(count >= 0 && count <= self.count, "cannot truncate to more than there is")
        try pool.withState { (state) throws(CacheError) in try state.truncate(id, to: count) }
    }

    /// Cuts back to what the sequence has in common with a text, or takes over what another sequence computed of it, whichever is
    /// longer; returns how many positions there are now. All of them are the text's.
    package func adopt(_ text: ArraySlice<Int32>) -> Int { pool.withState { $0.adopt(id, text.prefix(capacity)) } }

    /// Forgets everything.
    package func removeAll() {
        do throws(CacheError) { try truncate(to: 0) } catch { preconditionFailure("nothing could not be held") }
    }

    /// Whether `truncate(to:)` would succeed: always for 0, and where no position was dropped.
    package func canTruncate(to count: Int) -> Bool { pool.withState { $0.canTruncate(id, to: count) } }

    /// The first position that every layer holds.
    package var firstHeld: Int { pool.withState { $0.firstHeld(id) } }

    // MARK: Saving

    /// By group (the layers that keep all positions, then those of each window): the runs of 32 positions that tokens after so many
    /// positions need.
    package func storedRuns(for count: Int) -> [Range<Int>] { pool.withState { $0.storedRuns(count) } }

    /// Whether the sequence holds all that tokens after its first `count` positions need.
    package func holds(_ count: Int) -> Bool { pool.withState { $0.holds(id, count) } }

    /// What a group's block holds of a run of 32 positions; the sequence must be active, and the run be stored.
    ///
    /// - Throws: what `body` throws, and `PlatformError` when a block that is not in memory cannot be read.
    package func withSpan<R>(
        group: Int, run: Int, _ body: (RawSpan) throws(PlatformError) -> R
    ) throws(PlatformError) -> R {
        let (blocks, block) = (pool.blocks[group], tables[group][run])
        guard blocks.isSpilled(block: block) else { return try blocks.withSpan(block: block, body) }
        return try blocks.spilledBytes(block: block).withSpan(body)
    }

    /// Bytes that `withSpan` gives, by group.
    package var runByteCounts: [Int] { pool.blocks.map { $0.shape.usedByteCount ?? 0 } }

    /// Positions of a saved text that `reserveSaved` can make room for at once.
    package var savedPieceLength: Int { pool.withState { $0.savedPieceLength } }

    /// Makes room for the positions up to `positions` of a text of `total` whose blocks were saved, in a sequence that is empty or holds
    /// whole blocks of it: `fill` brings what those of `storedRuns(for: total)` hold, and then `append` says that it is there. Until then
    /// nobody else sees any of it.
    ///
    /// - Throws: `CacheError.exhausted`, the sequence being empty then; `storage` when a block that must make way cannot be written.
    package func reserveSaved(_ positions: Int, of total: Int) throws(CacheError) {
        precondition(
            count % KeyValueLayer.blockLength == 0 && count <= positions && positions <= total && total <= capacity,
            "saved for another cache")
        try pool.withState { (state) throws(CacheError) in try state.reserveSaved(id, positions, of: total) }
    }

    /// Fills a block that `reserveSaved` made room for. Several threads may fill different ones.
    ///
    /// - Throws: `PlatformError` when a block that is not in memory cannot be written.
    package func fill(group: Int, run: Int, from bytes: ByteView) throws(PlatformError) {
        try pool.blocks[group].fill(block: tables[group][run], from: bytes)
    }

    // MARK: Filling out of order

    /// Makes room for any number of the next positions, which a pass fills in whatever order before `append` says that they are there.
    /// For a cache whose layers all keep all positions, in memory.
    ///
    /// - Throws: `CacheError.exhausted` when active sequences use all blocks.
    package func reserveWhole(_ positions: Int) throws(CacheError) {
        precondition(pool.spill == nil && pool.blocks.count == 1, "a cache with gaps")
        precondition(positions > 0 && positions <= capacity - count, "cache overrun")
        try pool.withState { (state) throws(CacheError) in try state.reserve(id, positions) }
    }

    /// Positions that there is room for, valid or not.
    package var reservedCount: Int { pool.withState { max($0.sequences[id].count, $0.sequences[id].reserved) } }

    /// Copies the first positions of another sequence of the pool, active and without gaps, into this one, which is empty and has room.
    package func copy(_ count: Int, of other: KeyValueCache) {
        precondition(other.pool === pool && self.count == 0, "a sequence of another pool, or one that is not empty")
        precondition(other.count >= count && reservedCount >= count, "no room")
        guard count > 0 else { return }
        let tokens = other.tokens.prefix(count)
        for run in 0..<(count + KeyValueLayer.blockLength - 1) / KeyValueLayer.blockLength {
            pool.blocks[0].copy(block: other.fullTable[run], to: fullTable[run])
        }
        append(tokens)
    }

    // MARK: Sliding

    /// What is moved in a sequence that positions were taken out of.
    package struct Slide: Sendable {
        /// By run of 32 positions, what was there before. It is overwritten by what is moved there.
        package let runs: [ByteView]
        fileprivate let replaced: [Int32]
    }

    /// Takes `dropping` positions after the first `keeping` out of a sequence whose layers all keep all positions, in memory. Those that
    /// follow are its own from now on, where nobody else finds them, with room for all there may be; their keys and values are still where
    /// they were, in `runs`, and must be moved in ascending order, before `endSlide`.
    ///
    /// - Throws: `CacheError.exhausted`, nothing being changed, when others hold what it holds and there is no room for both.
    package func beginSlide(keeping: Int, dropping: Int) throws(CacheError) -> Slide {
        precondition(pool.spill == nil && pool.blocks.count == 1, "a cache with gaps")
        precondition(keeping >= 0 && dropping > 0 && dropping <= count - keeping, "more than there is")
        let (blocks, replaced) = try pool.withState { (state) throws(CacheError) in
            try state.beginSlide(id, keeping: keeping, dropping: dropping, capacity: capacity)
        }
        return Slide(runs: blocks.map { pool.blocks[0].view(block: Int($0)) }, replaced: replaced)
    }

    /// All is moved.
    package func endSlide(_ slide: Slide) { pool.withState { $0.endSlide(slide.replaced) } }

    /// The tokens of all positions.
    package var tokens: [Int32] { pool.withState { $0.tokens(id) } }
}
