internal import EdgeKernels
internal import EdgePlatform

/// The tree of blocks and the sequences that run through it.
struct PoolState: Sendable {
    struct Sequence {
        var root = 0
        /// A node for each 32 positions.
        var path: [Int32] = []
        /// Valid positions.
        var count = 0
        /// Positions that nodes of its own are there for.
        var reserved = 0
        /// By group of layers with a window: the first index of the path whose block is held.
        var heldFrom: [Int] = []
        /// Of the layers that keep all positions, and of each group.
        var tables: [BlockTable] = []
        /// While it is not, its blocks may be taken by those that are.
        var isActive = true
        var lastUse = 0
        var isOpen = false
    }

    private(set) var tree: PrefixTree
    private(set) var sequences: [Sequence] = []
    private let retained: Int
    private var clock = 0

    init(_ tree: PrefixTree, retained: Int) {
        self.tree = tree
        self.retained = retained
    }

    private static let length = PrefixTree.length

    /// Nodes that hold so many positions.
    private static func nodeCount(_ positions: Int) -> Int { (positions + length - 1) / length }

    mutating func open(_ lineage: CacheLineage, tables: [BlockTable], room: Int) -> Int {
        var sequence = Sequence()
        sequence.root = tree.useRoot(lineage)
        sequence.path.reserveCapacity(min(Self.nodeCount(room), 256))
        sequence.heldFrom = tree.groups.map { _ in 0 }
        sequence.tables = tables
        sequence.isOpen = true
        if let index = sequences.firstIndex(where: { !$0.isOpen }) {
            sequences[index] = sequence
            return index
        }
        sequences.append(sequence)
        return sequences.count - 1
    }

    mutating func close(_ id: Int) {
        cut(id, to: 0)
        tree.releaseRoot(sequences[id].root)
        sequences[id] = Sequence()
        trim(to: retained, givingBack: true)
    }

    mutating func setActive(_ id: Int, _ isActive: Bool) {
        clock += 1
        sequences[id].isActive = isActive
        sequences[id].lastUse = clock
    }

    mutating func setLineage(_ id: Int, _ lineage: CacheLineage) {
        cut(id, to: 0)
        tree.releaseRoot(sequences[id].root)
        sequences[id].root = tree.useRoot(lineage)
        trim(to: retained, givingBack: false)
    }

    mutating func trim(to limit: Int, givingBack: Bool) {
        while tree.unused.count > limit, tree.evictOldest(givingBack: givingBack) {}
    }

    // MARK: Growing

    /// Makes room for the next positions.
    mutating func reserve(_ id: Int, _ positions: Int) throws(CacheError) {
        let count = sequences[id].count
        guard sequences[id].reserved < count + positions else { return }
        cutPath(id, to: Self.nodeCount(count))
        for group in tree.groups.indices {
            let first = PrefixTree.firstSeen(window: tree.groups[group].window, from: count)
            for index in sequences[id].heldFrom[group]..<max(first, sequences[id].heldFrom[group]) {
                tree.releaseBlock(group, of: sequences[id].path[index])
                sequences[id].tables[group + 1].set(index, to: -1)
            }
            sequences[id].heldFrom[group] = max(first, sequences[id].heldFrom[group])
        }
        let needed = Self.nodeCount(count + positions)
        let used = count % Self.length
        if used > 0, let tip = sequences[id].path.last {
            let node = tree.nodes[Int(tip)]
            // What others hold, or what holds more than is ours, is copied before it is written.
            if node.useCount > 1 || node.firstChild >= 0 || Int(node.tokenCount) != used {
                guard let copy = try make(id, under: node.parent) else { throw exhausted(id, needed: needed) }
                do throws(PlatformError) {
                    try tree.copy(tip, to: copy, count: used)
                } catch {
                    for group in tree.groups.indices { tree.releaseBlock(group, of: copy) }
                    tree.release(copy)
                    throw .storage(error.description)
                }
                let index = sequences[id].path.count - 1
                sequences[id].path[index] = copy
                enter(id, index)
                for group in tree.groups.indices { tree.releaseBlock(group, of: tip) }
                tree.release(tip)
            } else {
                let isThere: Bool
                do throws(PlatformError) { isThere = try tree.bringBack(tip) } catch {
                    throw .storage(error.description)
                }
                guard isThere else { throw .exhausted(needed: 1, capacity: tree.residentLimit) }
            }
        }
        while sequences[id].path.count < needed {
            let parent = sequences[id].path.last ?? Int32(-1 - sequences[id].root)
            guard let node = try make(id, under: parent) else { throw exhausted(id, needed: needed) }
            sequences[id].path.append(node)
            enter(id, sequences[id].path.count - 1)
        }
        sequences[id].reserved = count + positions
    }

    /// Positions whose contents were saved that `reserveSaved` has room for at once: blocks make way for others only when they are full.
    var savedPieceLength: Int { tree.blocks.canSpill ? max(1, tree.residentLimit / 2) * Self.length : .max }

    /// Nodes for the positions up to `positions`, whose contents were saved, of a text of `total`; without blocks in groups whose window has
    /// passed them then. A sequence that is not empty holds whole blocks.
    mutating func reserveSaved(_ id: Int, _ positions: Int, of total: Int) throws(CacheError) {
        let runs = storedRuns(total)
        let held = Self.nodeCount(sequences[id].count)
        cutPath(id, to: held)
        for index in held..<Self.nodeCount(positions) {
            guard let node = try make(id, under: sequences[id].path.last ?? Int32(-1 - sequences[id].root)) else {
                let error = exhausted(id, needed: Self.nodeCount(positions))
                cut(id, to: 0)
                throw error
            }
            sequences[id].path.append(node)
            for group in tree.groups.indices where index < runs[group + 1].lowerBound {
                tree.discardBlock(group, of: node)
                sequences[id].heldFrom[group] = index + 1
            }
            enter(id, index)
        }
        sequences[id].reserved = positions
    }

    /// By group, the indices of a path whose blocks tokens after so many positions need.
    func storedRuns(_ count: Int) -> [Range<Int>] {
        let nodes = Self.nodeCount(count)
        return [0..<nodes] + tree.groups.map { PrefixTree.firstSeen(window: $0.window, from: count)..<nodes }
    }

    /// Whether those blocks are a sequence's own to look into.
    func holds(_ id: Int, _ count: Int) -> Bool {
        count <= sequences[id].count
            && zip(storedRuns(count).dropFirst(), sequences[id].heldFrom).allSatisfy { $0.lowerBound >= $1 }
    }

    private func exhausted(_ id: Int, needed: Int) -> CacheError {
        .exhausted(needed: needed - sequences[id].path.count, capacity: tree.capacity)
    }

    /// A node, if need be at the cost of the sequence that has rested longest.
    private mutating func make(_ id: Int, under parent: Int32) throws(CacheError) -> Int32? {
        while true {
            do throws(PlatformError) {
                if let node = try tree.make(under: parent) { return node }
            } catch {
                throw .storage(error.description)
            }
            let resting = sequences.indices.filter { index in
                index != id && !sequences[index].isActive && !sequences[index].path.isEmpty
            }
            guard let oldest = resting.min(by: { sequences[$0].lastUse < sequences[$1].lastUse }) else { return nil }
            cut(oldest, to: 0)
        }
    }

    /// Writes the blocks of a node of the path into the tables.
    private func enter(_ id: Int, _ index: Int) {
        let node = sequences[id].path[index]
        sequences[id].tables[0].set(index, to: Int(node))
        for group in tree.groups.indices {
            let isHeld = index >= sequences[id].heldFrom[group]
            sequences[id].tables[group + 1].set(index, to: isHeld ? Int(tree.groups[group].block[Int(node)]) : -1)
        }
    }

    /// Records what the reserved positions hold now.
    mutating func append(_ id: Int, _ tokens: ArraySlice<Int32>) {
        precondition(tokens.count <= sequences[id].reserved - sequences[id].count, "positions without room")
        for token in tokens {
            let index = sequences[id].count / Self.length
            tree.append(token, to: sequences[id].path[index])
            sequences[id].count += 1
            if sequences[id].count % Self.length == 0 { merge(id, index) }
        }
    }

    /// Lets go of a full node where another holds the same: of sequences that computed a text side by side, one copy stays.
    private mutating func merge(_ id: Int, _ index: Int) {
        let mine = sequences[id].path[index]
        guard tree.nodes[Int(mine)].useCount == 1, !tree.nodes[Int(mine)].isPrivate else { return }
        let heldFrom = sequences[id].heldFrom
        guard let other = tree.twin(of: mine, groupsFrom: { index >= heldFrom[$0] }) else { return }
        tree.use(other)
        for group in tree.groups.indices where index >= heldFrom[group] { tree.useBlock(group, of: other) }
        if index + 1 < sequences[id].path.count { tree.move(sequences[id].path[index + 1], under: other) }
        sequences[id].path[index] = other
        enter(id, index)
        for group in tree.groups.indices where index >= heldFrom[group] { tree.releaseBlock(group, of: mine) }
        tree.release(mine)
        if tree.nodes[Int(mine)].firstChild < 0 { tree.evict(mine, givingBack: false) }
    }

    // MARK: Cutting

    /// Whether what the next token would see is there after a cut.
    func canTruncate(_ id: Int, to count: Int) -> Bool {
        count == 0 || tree.lastMissing(sequences[id].path, count) == nil
    }

    /// The first position that every layer holds.
    func firstHeld(_ id: Int) -> Int {
        let path = sequences[id].path.prefix(Self.nodeCount(sequences[id].count))
        let missing = tree.groups.compactMap { group in path.lastIndex { group.block[Int($0)] < 0 } }.max()
        return missing.map { min(($0 + 1) * Self.length, sequences[id].count) } ?? 0
    }

    mutating func truncate(_ id: Int, to count: Int) throws(CacheError) {
        guard canTruncate(id, to: count) else { throw .dropped(requested: count, firstHeld: firstHeld(id)) }
        cut(id, to: count)
        trim(to: retained, givingBack: false)
    }

    /// Cuts a sequence back; what a token at `count` sees must be there.
    private mutating func cut(_ id: Int, to count: Int) {
        cutPath(id, to: Self.nodeCount(count))
        sequences[id].count = count
        sequences[id].reserved = 0
        for group in tree.groups.indices {
            let first = PrefixTree.firstSeen(window: tree.groups[group].window, from: count)
            let held = min(sequences[id].heldFrom[group], sequences[id].path.count)
            sequences[id].heldFrom[group] = min(first, held)
            for index in min(first, held)..<held {
                tree.useBlock(group, of: sequences[id].path[index])
                enter(id, index)
            }
        }
        if count % Self.length > 0, let tip = sequences[id].path.last {
            let node = tree.nodes[Int(tip)]
            if node.useCount == 1, node.firstChild < 0 { tree.truncate(tip, to: count % Self.length) }
        }
    }

    /// Lets go of the nodes from an index on, the last first.
    private mutating func cutPath(_ id: Int, to length: Int) {
        while sequences[id].path.count > length, let node = sequences[id].path.popLast() {
            let index = sequences[id].path.count
            for group in tree.groups.indices where index >= sequences[id].heldFrom[group] {
                tree.releaseBlock(group, of: node)
            }
            tree.release(node)
        }
        for table in sequences[id].tables { table.removeAll(from: length) }
        sequences[id].reserved = 0
    }

    // MARK: Sliding

    /// Takes positions out of a text after the first ones, and reserves all there may be: what stays is to be moved to its new positions by
    /// the caller, who then calls `endSlide`. Blocks of its own stay the sequence's, in which what is moved overwrites what was; what others
    /// hold too is left to them. What was moved is the sequence's alone.
    ///
    /// For a sequence whose layers all keep all positions, in memory.
    /// - Returns: by run of 32 positions, the block that holds what was there before; and nodes that `endSlide` gives back.
    /// - Throws: `CacheError.exhausted`, nothing being changed.
    mutating func beginSlide(
        _ id: Int, keeping: Int, dropping: Int, capacity: Int
    ) throws(CacheError) -> (blocks: [Int32], replaced: [Int32]) {
        let old = Array(sequences[id].path)
        let count = sequences[id].count
        let text = tokens(id)
        let kept = Array(text[..<keeping]) + text[(keeping + dropping)...]
        let first = keeping / Self.length
        let length = Self.nodeCount(capacity)
        func isOwn(_ index: Int) -> Bool {
            index < old.count && tree.isOwn(old[index], next: index + 1 < old.count ? old[index + 1] : nil)
        }
        // All that is needed, before anything is changed; under what stays, until it is known where they belong.
        let root = first > 0 ? old[first - 1] : Int32(-1 - sequences[id].root)
        var fresh: [Int32] = []
        let needed = (first..<length).count { !isOwn($0) }
        while fresh.count < needed {
            let made: Int32?
            do throws(CacheError) { made = try make(id, under: root) } catch {
                for node in fresh { tree.release(node) }
                throw error
            }
            guard let made else {
                for node in fresh { tree.release(node) }
                throw .exhausted(needed: needed - fresh.count, capacity: tree.capacity)
            }
            fresh.append(made)
        }
        var path = Array(old[..<min(first, old.count)])
        var replaced: [Int32] = []
        var rest = fresh[...]
        for index in first..<length {
            let parent = path.last ?? Int32(-1 - sequences[id].root)
            let node: Int32
            // Where others have given up a node to make room, it has become its own meanwhile.
            if let made = rest.first, !isOwn(index) {
                rest = rest.dropFirst()
                node = made
                if index < old.count {
                    replaced.append(old[index])
                    // Some positions of it may stay.
                    if index == first { tree.blocks.copy(block: Int(old[index]), to: Int(node)) }
                }
            } else {
                node = old[index]
            }
            if tree.nodes[Int(node)].parent != parent { tree.move(node, under: parent) }
            path.append(node)
            let start = min(kept.count, index * Self.length)
            tree.makePrivate(node, holding: kept[start..<min(kept.count, start + Self.length)])
        }
        for node in rest { tree.release(node) }
        sequences[id].path = path
        sequences[id].count = count - dropping
        sequences[id].reserved = min(capacity, length * Self.length)
        for table in sequences[id].tables { table.removeAll(from: first) }
        for index in first..<path.count { enter(id, index) }
        return (old, replaced)
    }

    /// Gives back nodes that were only held to be moved from.
    mutating func endSlide(_ replaced: [Int32]) { for node in replaced.reversed() { tree.release(node) } }

    // MARK: Sharing

    /// Makes a sequence hold the longest beginning of a text that it or any other has computed; returns how long that is.
    mutating func adopt(_ id: Int, _ text: ArraySlice<Int32>) -> Int {
        var own = 0
        for node in sequences[id].path {
            let common = min(tree.commonCount(node, text, from: own), sequences[id].count - own)
            own += common
            if common < Self.length { break }
        }
        own = tree.usableCount(sequences[id].path, own)
        let match = tree.longestMatch(root: sequences[id].root, text)
        guard match.count > own else {
            cut(id, to: own)
            trim(to: retained, givingBack: false)
            return own
        }
        let heldFrom = tree.groups.map { PrefixTree.firstSeen(window: $0.window, from: match.count) }
        for (index, node) in match.path.enumerated() {
            tree.use(node)
            for group in heldFrom.indices where index >= heldFrom[group] { tree.useBlock(group, of: node) }
        }
        cut(id, to: 0)
        sequences[id].path.append(contentsOf: match.path)
        sequences[id].heldFrom = heldFrom
        sequences[id].count = match.count
        for index in match.path.indices { enter(id, index) }
        trim(to: retained, givingBack: false)
        return match.count
    }

    // MARK: Checking

    func contradiction() -> String? {
        for sequence in sequences where sequence.isOpen {
            guard sequence.path.count >= Self.nodeCount(sequence.count) else { return "a path is too short" }
            guard sequence.tables.allSatisfy({ $0.count == sequence.path.count }) else { return "a table is too long" }
            for (index, node) in sequence.path.enumerated() {
                guard sequence.tables[0][index] == Int(node) else { return "a table disagrees" }
                let used = min(Self.length, max(0, sequence.count - index * Self.length))
                guard Int(tree.nodes[Int(node)].tokenCount) >= used else { return "tokens are missing" }
                for group in tree.groups.indices {
                    let held = index >= sequence.heldFrom[group] ? Int(tree.groups[group].block[Int(node)]) : -1
                    guard sequence.tables[group + 1][index] == held else { return "a table of a group disagrees" }
                    guard index < sequence.heldFrom[group] || held >= 0 else { return "a held block is gone" }
                }
            }
        }
        return tree.contradiction(
            paths: sequences.filter(\.isOpen).map { ($0.root, $0.path, $0.heldFrom) })
    }

    /// The tokens of a sequence, for tests.
    func tokens(_ id: Int) -> [Int32] {
        (0..<sequences[id].count).map { tree.token(sequences[id].path[$0 / Self.length], $0 % Self.length) }
    }
}
