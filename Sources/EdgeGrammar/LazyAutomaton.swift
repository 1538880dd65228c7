/// The deterministic automaton of a grammar with its stack, unrolled as far as it has been needed.
///
/// A configuration is the set of all parses that the bytes so far allow: for each the machine's state and the stack of
/// states to return to. Configurations and stacks are interned, so a step is one look into a table once it is known.
/// One is used by one matcher and its copies on one thread.
final class LazyAutomaton {
    let grammar: Grammar
    let classCount: Int

    /// Configuration 0 is dead: no parse is left.
    static let dead: Int32 = 0

    // Stacks: node 0 is the empty one.
    private(set) var stackReturn: [Int32] = [-1]
    private(set) var stackParent: [Int32] = [-1]
    private(set) var stackDepth: [Int32] = [0]
    private var stackIndex: [UInt64: Int32] = [:]

    // Configurations: heads of c are `headEnd[c - 1]..<headEnd[c]`, packed as state and stack, ascending.
    private var heads: [UInt64] = []
    private var headEnd: [Int] = [0]
    private var index: [[UInt64]: Int32] = [:]
    /// Whether the text may end there.
    private(set) var canEnd: [Bool] = [false]
    /// For each configuration and class of bytes the next configuration; -1 is not known yet.
    var next: [Int32]
    /// Ordinary characters that surely keep a configuration alive.
    private(set) var reach: [UInt8] = [0]

    /// Whether some step met more parses than the limit and dropped them all.
    private(set) var isOverfull = false
    /// Parses that may still be followed before the present call gives up.
    var budget = 0

    init(_ grammar: Grammar) {
        self.grammar = grammar
        classCount = grammar.classCount
        next = [Int32](repeating: 0, count: grammar.classCount)
        index[[]] = 0
    }

    /// Bytes that the tables take, about.
    var size: Int { headEnd.count * (classCount * 4 + 64) + heads.count * 24 + stackReturn.count * 40 }
    var configurationCount: Int { headEnd.count }

    func heads(of configuration: Int32) -> ArraySlice<UInt64> {
        let place = Int(configuration)
        return heads[(place == 0 ? 0 : headEnd[place - 1])..<headEnd[place]]
    }

    private func push(_ back: Int32, _ parent: Int32) -> Int32 {
        let key = UInt64(UInt32(bitPattern: back)) << 32 | UInt64(UInt32(bitPattern: parent))
        if let known = stackIndex[key] { return known }
        let id = Int32(stackReturn.count)
        stackReturn.append(back)
        stackParent.append(parent)
        stackDepth.append(stackDepth[Int(parent)] + 1)
        stackIndex[key] = id
        return id
    }

    func start() -> Int32 {
        begin()
        add(grammar.start, 0)
        return intern()
    }

    // Parses being collected: those that await a byte, and all that have been seen on the way to them. Kept between steps
    // so that a step allocates nothing.
    private var seen: [UInt64] = []
    private var manySeen: Set<UInt64> = []
    private var waiting: [UInt64] = []
    private var open: [UInt64] = []
    private var endsHere = false

    private func begin() {
        seen.removeAll(keepingCapacity: true)
        manySeen.removeAll(keepingCapacity: true)
        waiting.removeAll(keepingCapacity: true)
        endsHere = false
    }

    @inline(__always)
    private static func pack(_ state: Int32, _ stack: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: state)) << 32 | UInt64(UInt32(bitPattern: stack))
    }

    /// Whether a parse is new. A few are compared one by one, many through a set.
    private func note(_ parse: UInt64) -> Bool {
        if seen.count < 16 {
            if seen.contains(parse) { return false }
            seen.append(parse)
            return true
        }
        if manySeen.isEmpty { manySeen.formUnion(seen) }
        guard manySeen.insert(parse).inserted else { return false }
        if manySeen.count > grammar.limits.parses { isOverfull = true }
        return true
    }

    private func add(_ state: Int32, _ stack: Int32) {
        open.append(Self.pack(state, stack))
        while let parse = open.popLast() {
            let place = Int(parse >> 32)
            let stack = Int32(truncatingIfNeeded: parse & 0xFFFF_FFFF)
            // A parse that could not end within the depth is none.
            if Int(stackDepth[Int(stack)]) + Int(grammar.need[place]) > grammar.limits.stackDepth { continue }
            guard note(parse) else { continue }
            if isOverfull {
                open.removeAll()
                waiting.removeAll()
                endsHere = false
                return
            }
            if grammar.edgeStart[place] < grammar.edgeStart[place + 1] { waiting.append(parse) }
            if grammar.isFinal[place] {
                if stack == 0 {
                    endsHere = true
                } else {
                    open.append(Self.pack(stackReturn[Int(stack)], stackParent[Int(stack)]))
                }
            }
            for call in Int(grammar.callStart[place])..<Int(grammar.callStart[place + 1]) {
                let back = grammar.callReturn[call]
                let isTail =
                    grammar.isFinal[Int(back)] && grammar.edgeStart[Int(back)] == grammar.edgeStart[Int(back) + 1]
                    && grammar.callStart[Int(back)] == grammar.callStart[Int(back) + 1]
                open.append(Self.pack(grammar.callee[call], isTail ? stack : push(back, stack)))
            }
        }
    }

    /// Configurations of one parse that cannot end there, by that parse: the most there are.
    private var indexOfOne: [UInt64: Int32] = [:]

    private func intern() -> Int32 {
        if waiting.isEmpty && !endsHere { return Self.dead }
        let isOne = waiting.count == 1 && !endsHere
        if isOne {
            if let known = indexOfOne[waiting[0]] { return known }
        } else {
            waiting.sort()
            // The mark of an end makes a configuration another one.
            if endsHere { waiting.append(.max) }
            if let known = index[waiting] { return known }
        }
        let id = Int32(headEnd.count)
        if isOne { indexOfOne[waiting[0]] = id } else { index[waiting] = id }
        if endsHere { waiting.removeLast() }
        heads += waiting
        headEnd.append(heads.count)
        canEnd.append(endsHere)
        next.append(contentsOf: repeatElement(-1, count: classCount))
        var best: UInt8 = 0
        for head in waiting { best = max(best, grammar.reach[Int(head >> 32)]) }
        reach.append(best)
        return id
    }

    /// The configuration after a byte of a class.
    func step(_ configuration: Int32, class group: Int) -> Int32 {
        let slot = Int(configuration) * classCount + group
        if next[slot] >= 0 { return next[slot] }
        let byte = grammar.representatives[group]
        begin()
        let first = configuration == 0 ? 0 : headEnd[Int(configuration) - 1]
        let last = headEnd[Int(configuration)]
        budget -= last - first
        if budget < 0 {
            isOverfull = true
            return Self.dead
        }
        for index in first..<last {
            let head = heads[index]
            let state = Int(head >> 32)
            let stack = Int32(truncatingIfNeeded: head & 0xFFFF_FFFF)
            var edge = Int(grammar.edgeStart[state])
            let end = Int(grammar.edgeStart[state + 1])
            if end - edge > 16 {
                // Edges are sorted by their low byte; they rarely overlap, and none reaches over 256.
                var (low, high) = (edge, end)
                while low < high {
                    let middle = (low + high) / 2
                    if grammar.edgeLow[middle] <= byte { low = middle + 1 } else { high = middle }
                }
                for place in edge..<low where grammar.edgeHigh[place] >= byte {
                    add(grammar.edgeTarget[place], stack)
                }
                continue
            }
            while edge < end, grammar.edgeLow[edge] <= byte {
                if grammar.edgeHigh[edge] >= byte { add(grammar.edgeTarget[edge], stack) }
                edge += 1
            }
        }
        let target = intern()
        next[slot] = target
        return target
    }

    func step(_ configuration: Int32, _ byte: UInt8) -> Int32 {
        step(configuration, class: Int(grammar.classOf[Int(byte)]))
    }

    /// The only byte that may follow, where there is just one and the text may not end.
    func onlyByte(_ configuration: Int32) -> UInt8? {
        if canEnd[Int(configuration)] { return nil }
        var found: UInt8?
        for group in 0..<classCount where step(configuration, class: group) != Self.dead {
            if found != nil || !grammar.isSingle[group] { return nil }
            found = grammar.representatives[group]
        }
        return found
    }

    /// All parses of two configurations.
    func union(_ one: Int32, _ other: Int32) -> Int32 {
        if one == Self.dead || one == other { return other }
        if other == Self.dead { return one }
        let parses = Set(heads(of: one)).union(heads(of: other))
        guard parses.count <= grammar.limits.parses else {
            isOverfull = true
            return Self.dead
        }
        begin()
        waiting.append(contentsOf: parses)
        endsHere = canEnd[Int(one)] || canEnd[Int(other)]
        return intern()
    }

    /// Takes over a configuration of another automaton of the same grammar.
    func adopt(_ configuration: Int32, from other: LazyAutomaton) -> Int32 {
        if configuration == Self.dead { return Self.dead }
        var stacks: [Int32: Int32] = [0: 0]
        begin()
        for head in other.heads(of: configuration) {
            var path: [Int32] = []
            var stack = Int32(truncatingIfNeeded: head & 0xFFFF_FFFF)
            while stacks[stack] == nil {
                path.append(stack)
                stack = other.stackParent[Int(stack)]
            }
            for node in path.reversed() {
                stacks[node] = push(other.stackReturn[Int(node)], stacks[other.stackParent[Int(node)]] ?? 0)
            }
            let mine = stacks[Int32(truncatingIfNeeded: head & 0xFFFF_FFFF)] ?? 0
            waiting.append(head & ~0xFFFF_FFFF | UInt64(UInt32(bitPattern: mine)))
        }
        endsHere = other.canEnd[Int(configuration)]
        return intern()
    }
}
