internal import EdgeKernels
internal import EdgePlatform

/// What keys and values depend on besides the tokens before them: sequences share only where it is the same.
package struct CacheLineage: Hashable, Sendable {
    /// A number for each thing, such as the identity and the scale of an adapter, in order.
    package var parts: [UInt64]

    package init(_ parts: [UInt64] = []) { self.parts = parts }
}

/// The blocks that there are, as a tree over the tokens they hold: a node is 32 positions of a text, under the node of the 32
/// before it. A node's number is the number of its block in the layers that keep all positions; layers with a window have blocks of
/// their own, which a node may lose.
///
/// A node is used by the sequences whose text runs through it, and kept for whoever comes with the same text while nobody does, until
/// its room is wanted: the longest unused goes first, and always from the end of a text, as who used a node used those before it.
/// All of it lies in arrays that grow with the nodes in use and never beyond `capacity`.
struct PrefixTree {
    struct Node {
        /// The node before, or `-1 - root` for the first of a text.
        var parent: Int32
        var firstChild: Int32 = -1
        var next: Int32 = -1
        var previous: Int32 = -1
        /// Sequences that run through it.
        var useCount: Int32 = 0
        /// Tokens it holds; fewer than 32 only at the end of a text.
        var tokenCount: Int32 = 0
        var isFree = false
        /// Whether it holds what its sequence has moved there: that is what no text gives, and nobody else finds it.
        var isPrivate = false
    }

    /// The first nodes of all texts of one lineage.
    struct Root {
        var lineage: CacheLineage
        var firstChild: Int32 = -1
        /// Nodes and sequences that begin here.
        var useCount = 0
    }

    /// Layers that see as many positions back, and their blocks.
    struct WindowGroup {
        /// Positions that a token sees, itself included.
        let window: Int
        /// Blocks that nobody looks into are kept, up to so many, before memory that was never used is taken.
        let kept: Int
        let blocks: KeyValueBlocks
        /// By node: its block, -1 for none, and the sequences that may still look into it.
        var block: [Int32] = []
        var useCount: [Int32] = []
        /// Nodes whose block nobody looks into.
        var unused = RecencyList()
        var free: [Int32] = []
        var touched = 0
    }

    static let length = KeyValueLayer.blockLength

    /// The most nodes there may be.
    let capacity: Int
    /// The most of their blocks, of the layers that keep all positions, that may be in memory.
    let residentLimit: Int
    /// Where the search for a block that can leave memory goes on.
    private var spillCursor = 0
    /// Blocks of the layers that keep all positions; a node's number is its block's.
    let blocks: KeyValueBlocks
    private(set) var groups: [WindowGroup]
    private(set) var nodes: [Node] = []
    private(set) var roots: [Root] = []
    private var rootIndex: [CacheLineage: Int] = [:]
    /// `length` for each node.
    private var tokens: [Int32] = []
    private var free: [Int32] = []
    /// Nodes that no sequence runs through.
    private(set) var unused = RecencyList()

    init(capacity: Int, residentLimit: Int, blocks: KeyValueBlocks, groups: [WindowGroup]) {
        self.capacity = capacity
        self.residentLimit = residentLimit
        self.blocks = blocks
        self.groups = groups
        let room = min(capacity, 1024)
        nodes.reserveCapacity(room)
        tokens.reserveCapacity(room * Self.length)
        free.reserveCapacity(room)
        unused.reserve(room)
        for index in groups.indices {
            self.groups[index].block.reserveCapacity(room)
            self.groups[index].useCount.reserveCapacity(room)
            self.groups[index].free.reserveCapacity(room)
            self.groups[index].unused.reserve(room)
        }
    }

    /// Nodes that hold something, in use or not.
    var liveCount: Int { nodes.count - free.count }

    // MARK: Roots

    /// The root of a lineage, used once more.
    mutating func useRoot(_ lineage: CacheLineage) -> Int {
        if let index = rootIndex[lineage] {
            roots[index].useCount += 1
            return index
        }
        let index = roots.firstIndex { $0.useCount == 0 } ?? roots.count
        let root = Root(lineage: lineage, useCount: 1)
        if index == roots.count { roots.append(root) } else { roots[index] = root }
        rootIndex[lineage] = index
        return index
    }

    mutating func releaseRoot(_ index: Int) {
        roots[index].useCount -= 1
        if roots[index].useCount == 0 { rootIndex[roots[index].lineage] = nil }
    }

    // MARK: Tokens

    func token(_ node: Int32, _ index: Int) -> Int32 { tokens[Int(node) * Self.length + index] }

    mutating func append(_ token: Int32, to node: Int32) {
        let count = Int(nodes[Int(node)].tokenCount)
        tokens[Int(node) * Self.length + count] = token
        nodes[Int(node)].tokenCount = Int32(count + 1)
    }

    mutating func truncate(_ node: Int32, to count: Int) { nodes[Int(node)].tokenCount = Int32(count) }

    /// Makes a node hold what its sequence moves there, which nobody else finds.
    mutating func makePrivate(_ node: Int32, holding tokens: ArraySlice<Int32>) {
        nodes[Int(node)].isPrivate = true
        truncate(node, to: 0)
        for token in tokens { append(token, to: node) }
    }

    /// Whether one sequence alone runs through a node, and nothing stands under it but a node of its path.
    func isOwn(_ node: Int32, next: Int32?) -> Bool {
        let child = nodes[Int(node)].firstChild
        return nodes[Int(node)].useCount == 1
            && (child < 0 || (child == next && nodes[Int(child)].next < 0))
    }

    /// Tokens at the start of a node that are those of a text from an index on.
    func commonCount(_ node: Int32, _ text: some RandomAccessCollection<Int32>, from index: Int) -> Int {
        let limit = min(Int(nodes[Int(node)].tokenCount), text.count - index)
        var count = 0
        while count < limit, token(node, count) == text[text.index(text.startIndex, offsetBy: index + count)] {
            count += 1
        }
        return count
    }

    /// The longest beginning of a text that nodes hold, all layers with a window included, and the nodes of it.
    func longestMatch(root: Int, _ text: ArraySlice<Int32>) -> (path: [Int32], count: Int) {
        var path: [Int32] = []
        var count = 0
        var child = roots[root].firstChild
        while child >= 0, count < text.count {
            var best = (node: Int32(-1), count: 0)
            while child >= 0, best.count < Self.length {
                let common = nodes[Int(child)].isPrivate ? 0 : commonCount(child, text, from: count)
                if common > best.count { best = (child, common) }
                child = nodes[Int(child)].next
            }
            guard best.count > 0 else { break }
            path.append(best.node)
            count += best.count
            guard best.count == Self.length else { break }
            child = nodes[Int(best.node)].firstChild
        }
        let usable = usableCount(path, count)
        path.removeLast(path.count - (usable + Self.length - 1) / Self.length)
        return (path, usable)
    }

    /// The most of the first `count` positions of a path that a token can follow: layers with a window must hold what it sees.
    func usableCount(_ path: [Int32], _ count: Int) -> Int {
        var count = count
        while count > 0, let missing = lastMissing(path, count) { count = missing * Self.length }
        return count
    }

    /// The last index of the path whose block a layer with a window lacks, of those that a token at `count` sees.
    func lastMissing(_ path: [Int32], _ count: Int) -> Int? {
        var result: Int?
        for group in groups {
            let seen = Self.firstSeen(window: group.window, from: count)..<(count + Self.length - 1) / Self.length
            if let missing = seen.last(where: { group.block[Int(path[$0])] < 0 }) { result = max(result ?? 0, missing) }
        }
        return result
    }

    /// The index of the first node that a token at a position sees.
    static func firstSeen(window: Int, from position: Int) -> Int { max(0, position - window + 1) / length }

    /// Another node beside a full one with the same tokens, and with a block in each of the groups that are asked for.
    func twin(of node: Int32, groupsFrom held: (Int) -> Bool) -> Int32? {
        var other = firstChild(of: nodes[Int(node)].parent)
        while other >= 0 {
            if other != node, !nodes[Int(other)].isPrivate, Int(nodes[Int(other)].tokenCount) == Self.length,
                (0..<Self.length).allSatisfy({ token(other, $0) == token(node, $0) }),
                groups.indices.allSatisfy({ !held($0) || groups[$0].block[Int(other)] >= 0 })
            {
                return other
            }
            other = nodes[Int(other)].next
        }
        return nil
    }

    // MARK: Use

    mutating func use(_ node: Int32) {
        if nodes[Int(node)].useCount == 0 { unused.remove(node) }
        nodes[Int(node)].useCount += 1
    }

    /// One sequence fewer; who releases a path begins with its last node.
    mutating func release(_ node: Int32) {
        nodes[Int(node)].useCount -= 1
        guard nodes[Int(node)].useCount == 0 else { return }
        unused.append(node)
        // Room that was never filled is of no use to anyone, nor is what nobody finds.
        let isUseless = nodes[Int(node)].tokenCount == 0 || nodes[Int(node)].isPrivate
        if isUseless, nodes[Int(node)].firstChild < 0 { evict(node, givingBack: false) }
    }

    mutating func useBlock(_ group: Int, of node: Int32) {
        precondition(groups[group].block[Int(node)] >= 0, "the block is gone")
        if groups[group].useCount[Int(node)] == 0 { groups[group].unused.remove(node) }
        groups[group].useCount[Int(node)] += 1
    }

    mutating func releaseBlock(_ group: Int, of node: Int32) {
        groups[group].useCount[Int(node)] -= 1
        if groups[group].useCount[Int(node)] == 0 { groups[group].unused.append(node) }
    }

    // MARK: Making and evicting

    /// A node under another (or a root), used once with a block in every group; nil when all are in use.
    ///
    /// - Throws: `PlatformError` when a block that must make way cannot be written to the file.
    mutating func make(under parent: Int32) throws(PlatformError) -> Int32? {
        guard try makeRoom(), let node = takeNode() else { return nil }
        do throws(PlatformError) {
            guard try takeBlocks(for: node) else {
                giveUp(node)
                return nil
            }
            try blocks.take(block: Int(node))
        } catch {
            giveUp(node)
            throw error
        }
        nodes[Int(node)] = Node(parent: parent, useCount: 1)
        link(node)
        return node
    }

    /// A block in every group, used once; false when all of one are in use.
    private mutating func takeBlocks(for node: Int32) throws(PlatformError) -> Bool {
        for group in groups.indices {
            guard let block = takeBlock(group) else { return false }
            groups[group].block[Int(node)] = block
            groups[group].useCount[Int(node)] = 1
            try groups[group].blocks.take(block: Int(block))
        }
        return true
    }

    /// A node that could not be made is free, and what blocks it has.
    private mutating func giveUp(_ node: Int32) {
        for group in groups.indices { freeBlock(group, of: node, givingBack: false) }
        nodes[Int(node)].isFree = true
        free.append(node)
    }

    /// Sees to it that one more block may take memory: one that is full, so that nobody writes it, makes way for it. False when there is none.
    private mutating func makeRoom() throws(PlatformError) -> Bool {
        guard blocks.canSpill else { return true }
        var seen = 0
        while blocks.residentCount >= residentLimit {
            guard seen < nodes.count else {
                // What nobody uses and is not full is forgotten instead.
                guard evictOldest(givingBack: true) else { return false }
                continue
            }
            spillCursor = spillCursor < nodes.count ? spillCursor : 0
            let node = nodes[spillCursor]
            if !node.isFree, Int(node.tokenCount) == Self.length { try blocks.spill(block: spillCursor) }
            spillCursor += 1
            seen += 1
        }
        return true
    }

    /// Brings the block of a node into memory, to be written.
    ///
    /// - Returns: false when there is no room.
    /// - Throws: `PlatformError` when it cannot be read, or another not be written.
    mutating func bringBack(_ node: Int32) throws(PlatformError) -> Bool {
        guard blocks.isSpilled(block: Int(node)) else { return true }
        guard try makeRoom() else { return false }
        try blocks.bringBack(block: Int(node), to: Int(node))
        return true
    }

    private mutating func takeNode() -> Int32? {
        if let node = free.popLast() { return node }
        if nodes.count < capacity {
            nodes.append(Node(parent: -1, isFree: true))
            tokens.append(contentsOf: repeatElement(0, count: Self.length))
            unused.grow(to: nodes.count)
            for group in groups.indices {
                groups[group].block.append(-1)
                groups[group].useCount.append(0)
                groups[group].unused.grow(to: nodes.count)
            }
            return Int32(nodes.count - 1)
        }
        guard unused.first >= 0 else { return nil }
        evict(unused.first, givingBack: false)
        return free.popLast()
    }

    private mutating func takeBlock(_ group: Int) -> Int32? {
        if let block = groups[group].free.popLast() { return block }
        if groups[group].touched < groups[group].blocks.blockCount,
            groups[group].unused.count < groups[group].kept
        {
            groups[group].touched += 1
            return Int32(groups[group].touched - 1)
        }
        let oldest = groups[group].unused.first
        guard oldest >= 0 else { return nil }
        freeBlock(group, of: oldest, givingBack: false)
        return groups[group].free.popLast()
    }

    /// Forgets the longest unused node; false when all are in use.
    mutating func evictOldest(givingBack: Bool) -> Bool {
        guard unused.first >= 0 else { return false }
        evict(unused.first, givingBack: givingBack)
        return true
    }

    /// Forgets an unused node that no other stands under.
    mutating func evict(_ node: Int32, givingBack: Bool) {
        precondition(nodes[Int(node)].useCount == 0 && nodes[Int(node)].firstChild < 0, "a node in use")
        unused.remove(node)
        unlink(node)
        for group in groups.indices { freeBlock(group, of: node, givingBack: givingBack) }
        if givingBack || blocks.canSpill { blocks.giveBack(block: Int(node)) }
        nodes[Int(node)].isFree = true
        nodes[Int(node)].tokenCount = 0
        free.append(node)
    }

    /// Takes a block from a new node, which only its maker uses.
    mutating func discardBlock(_ group: Int, of node: Int32) {
        precondition(nodes[Int(node)].useCount == 1, "a node that others use")
        freeBlock(group, of: node, givingBack: false)
    }

    private mutating func freeBlock(_ group: Int, of node: Int32, givingBack: Bool) {
        let block = groups[group].block[Int(node)]
        guard block >= 0 else { return }
        if groups[group].unused.contains(node) { groups[group].unused.remove(node) }
        groups[group].block[Int(node)] = -1
        groups[group].useCount[Int(node)] = 0
        groups[group].free.append(block)
        if givingBack { groups[group].blocks.giveBack(block: Int(block)) }
    }

    /// Copies what a node holds in its first positions into a new one beside it.
    ///
    /// - Throws: `PlatformError` when it lies in the file and cannot be read.
    mutating func copy(_ node: Int32, to other: Int32, count: Int) throws(PlatformError) {
        if blocks.isSpilled(block: Int(node)) {
            try blocks.bringBack(block: Int(node), to: Int(other))
        } else {
            blocks.copy(block: Int(node), to: Int(other))
        }
        for group in groups where group.block[Int(node)] >= 0 {
            group.blocks.copy(block: Int(group.block[Int(node)]), to: Int(group.block[Int(other)]))
        }
        nodes[Int(other)].isPrivate = nodes[Int(node)].isPrivate
        truncate(other, to: 0)
        for index in 0..<count { append(token(node, index), to: other) }
    }

    // MARK: Links

    func firstChild(of parent: Int32) -> Int32 {
        parent < 0 ? roots[Int(-1 - parent)].firstChild : nodes[Int(parent)].firstChild
    }

    private mutating func setFirstChild(of parent: Int32, to node: Int32) {
        if parent < 0 { roots[Int(-1 - parent)].firstChild = node } else { nodes[Int(parent)].firstChild = node }
    }

    private mutating func link(_ node: Int32) {
        let parent = nodes[Int(node)].parent
        let first = firstChild(of: parent)
        nodes[Int(node)].next = first
        nodes[Int(node)].previous = -1
        if first >= 0 { nodes[Int(first)].previous = node }
        setFirstChild(of: parent, to: node)
        if parent < 0 { roots[Int(-1 - parent)].useCount += 1 }
    }

    private mutating func unlink(_ node: Int32) {
        let (parent, next, previous) = (
            nodes[Int(node)].parent, nodes[Int(node)].next, nodes[Int(node)].previous
        )
        if previous >= 0 { nodes[Int(previous)].next = next } else { setFirstChild(of: parent, to: next) }
        if next >= 0 { nodes[Int(next)].previous = previous }
        if parent < 0 { releaseRoot(Int(-1 - parent)) }
    }

    /// Puts a node under another.
    mutating func move(_ node: Int32, under parent: Int32) {
        unlink(node)
        nodes[Int(node)].parent = parent
        link(node)
    }

    // MARK: Checking

    /// What contradicts itself, for tests; nil where every node and block is accounted for.
    func contradiction(paths: [(root: Int, path: [Int32], heldFrom: [Int])]) -> String? {
        var useCounts = [Int32](repeating: 0, count: nodes.count)
        var rootUse = [Int](repeating: 0, count: roots.count)
        var blockUse = groups.map { _ in [Int32](repeating: 0, count: nodes.count) }
        for (root, path, heldFrom) in paths {
            rootUse[root] += 1
            for (index, node) in path.enumerated() {
                let parent = index == 0 ? Int32(-1 - root) : path[index - 1]
                guard nodes[Int(node)].parent == parent else { return "a path leaves the tree at \(index)" }
                useCounts[Int(node)] += 1
                for group in groups.indices where index >= heldFrom[group] { blockUse[group][Int(node)] += 1 }
            }
        }
        let resident = nodes.indices.count { !nodes[$0].isFree && !blocks.isSpilled(block: $0) }
        guard !blocks.canSpill || (resident == blocks.residentCount && resident <= residentLimit) else {
            return "\(resident) blocks in memory, counted \(blocks.residentCount), of \(residentLimit)"
        }
        let freeNodes = Set(free)
        let unusedNodes = Set(unused.all)
        guard freeNodes.count == free.count, unusedNodes.count == unused.count, nodes.count <= capacity else {
            return "a list holds a node twice"
        }
        for (index, node) in nodes.enumerated() {
            let number = Int32(index)
            guard node.isFree == freeNodes.contains(number) else { return "node \(index) is free and not listed so" }
            if node.isFree {
                guard !unusedNodes.contains(number), groups.allSatisfy({ $0.block[index] < 0 }) else {
                    return "node \(index) is free and holds something"
                }
                continue
            }
            guard node.useCount == useCounts[index] else { return "node \(index) is used \(useCounts[index]) times" }
            guard (node.useCount == 0) == unusedNodes.contains(number) else { return "node \(index) is lost" }
            if node.parent < 0 {
                rootUse[Int(-1 - node.parent)] += 1
            } else {
                guard !nodes[Int(node.parent)].isFree, nodes[Int(node.parent)].useCount >= node.useCount else {
                    return "node \(index) stands under one that is less used"
                }
            }
            var sibling = firstChild(of: node.parent)
            while sibling >= 0, sibling != number { sibling = nodes[Int(sibling)].next }
            guard sibling == number else { return "node \(index) is not among its parent's" }
        }
        if rootUse != roots.map(\.useCount) { return "a root is used \(rootUse), counted \(roots.map(\.useCount))" }
        if unused.first >= 0, nodes[Int(unused.first)].firstChild >= 0 { return "the oldest node is no leaf" }
        for (index, group) in groups.enumerated() {
            let owned = group.block.filter { $0 >= 0 }
            guard Set(owned + group.free).count == group.touched, owned.count + group.free.count == group.touched else {
                return "blocks of group \(index) are lost or owned twice"
            }
            let unused = Set(group.unused.all)
            for node in nodes.indices {
                guard group.useCount[node] == blockUse[index][node] else { return "block of node \(node) miscounted" }
                guard unused.contains(Int32(node)) == (group.block[node] >= 0 && group.useCount[node] == 0) else {
                    return "block of node \(node) is lost"
                }
            }
        }
        return nil
    }
}
