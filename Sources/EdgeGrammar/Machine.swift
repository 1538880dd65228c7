/// A compiled grammar: an automaton over bytes whose states may call other parts of it, as a parser calls rules.
///
/// A state has byte edges, calls (run from `callee` until a final state, then go on in `callReturn`) and may be final.
/// Every state can still reach an end, so whatever has been matched can be completed.
package struct Grammar: Sendable {
    var start: Int32
    var isFinal: [Bool]
    /// Edges of state s: indexes `edgeStart[s]..<edgeStart[s + 1]`.
    var edgeStart: [Int32]
    var edgeLow: [UInt8]
    var edgeHigh: [UInt8]
    var edgeTarget: [Int32]
    /// Calls of state s: indexes `callStart[s]..<callStart[s + 1]`.
    var callStart: [Int32]
    var callee: [Int32]
    var callReturn: [Int32]
    /// Frames that the shortest way to an end still pushes.
    var need: [Int32]
    /// Any string of so many ordinary characters (see `VocabularyTree`) keeps the state alive; 255 means any number.
    var reach: [UInt8]
    /// Bytes that no edge tells apart share a class.
    var classOf: [UInt8]
    /// One byte of each class.
    var representatives: [UInt8]
    /// Whether the class has one byte alone.
    var isSingle: [Bool]
    var limits: GrammarLimits
    /// Tokens that it names, whatever their text.
    package var named: NamedTokens

    /// States of the automaton.
    package var stateCount: Int { isFinal.count }
    var classCount: Int { representatives.count }
}

/// Tokens that a grammar names by their ids. A tree that is to allow them is told of them.
package struct NamedTokens: Hashable, Sendable {
    package var ids: Set<Int32>
    /// Whether it is all tokens of the vocabulary: what a grammar that excludes one allows.
    package var isAll: Bool

    package init(_ ids: Set<Int32> = [], isAll: Bool = false) {
        self.ids = ids
        self.isAll = isAll
    }

    package var isEmpty: Bool { ids.isEmpty && !isAll }

    mutating func formUnion(_ other: NamedTokens) {
        ids.formUnion(other.ids)
        isAll = isAll || other.isAll
    }
}

/// Collects states, edges and calls, then checks and packs them.
struct MachineBuilder {
    struct Edge: Hashable {
        var low: UInt8
        var high: UInt8
        var target: Int32
    }
    struct Call: Hashable {
        /// A rule, whose start is known at the end.
        var rule: Int32
        var back: Int32
    }

    let limits: GrammarLimits
    var edges: [[Edge]] = []
    var calls: [[Call]] = []
    var isFinal: [Bool] = []
    /// Start state of each rule, -1 until it is made.
    var ruleStart: [Int32] = []
    var named = NamedTokens()

    init(limits: GrammarLimits) { self.limits = limits }

    mutating func state(isFinal: Bool = false) throws(GrammarError) -> Int32 {
        guard edges.count < limits.states else {
            throw GrammarError(.tooLarge, "the grammar needs more than \(limits.states) states")
        }
        edges.append([])
        calls.append([])
        self.isFinal.append(isFinal)
        return Int32(edges.count - 1)
    }

    mutating func rule() throws(GrammarError) -> Int32 {
        guard ruleStart.count < limits.rules else {
            throw GrammarError(.tooLarge, "the grammar needs more than \(limits.rules) rules")
        }
        ruleStart.append(-1)
        return Int32(ruleStart.count - 1)
    }

    mutating func edge(_ state: Int32, _ low: UInt8, _ high: UInt8, _ target: Int32) {
        edges[Int(state)].append(Edge(low: low, high: high, target: target))
    }

    mutating func edge(_ state: Int32, _ byte: Unicode.Scalar, _ target: Int32) {
        edge(state, UInt8(truncatingIfNeeded: byte.value), UInt8(truncatingIfNeeded: byte.value), target)
    }

    mutating func call(_ state: Int32, _ rule: Int32, _ back: Int32) {
        calls[Int(state)].append(Call(rule: rule, back: back))
    }

    /// A chain of the bytes from a state to another.
    mutating func chain(_ state: Int32, _ bytes: [UInt8], _ target: Int32) throws(GrammarError) {
        var place = state
        for (index, byte) in bytes.enumerated() {
            let next = index == bytes.count - 1 ? target : try self.state()
            edge(place, byte, byte, next)
            place = next
        }
    }

    /// A token by its id, or any token but that one.
    mutating func token(_ state: Int32, _ id: Int32, isExcluded: Bool, _ target: Int32) throws(GrammarError) {
        let spelling = VocabularyTree.spelling(ofMark: id)
        guard isExcluded else {
            named.ids.insert(id)
            return try chain(state, spelling, target)
        }
        named.isAll = true
        var place = try self.state()
        edge(state, spelling[0], spelling[0], place)
        // Where the bytes have parted from the token's, any may follow.
        var parted: [Int32] = []
        for _ in 2..<spelling.count { parted.append(try self.state()) }
        parted.append(target)
        for (index, byte) in spelling.dropFirst().enumerated() {
            if byte > 0 { edge(place, 0, byte - 1, parted[index]) }
            if byte < 255 { edge(place, byte + 1, 255, parted[index]) }
            if index > 0 { edge(parted[index - 1], 0, 255, parted[index]) }
            guard index < spelling.count - 2 else { break }
            let next = try self.state()
            edge(place, byte, byte, next)
            place = next
        }
    }

    /// Checks and packs the machine that starts with `root`.
    func finish(root: Int32) throws(GrammarError) -> Grammar {
        let need = needs()
        let start = ruleStart[Int(root)]
        guard start >= 0, need[Int(start)] < Self.never else {
            throw GrammarError(.unsatisfiable, "nothing can match")
        }
        guard Int(need[Int(start)]) <= limits.stackDepth else {
            throw GrammarError(.tooLarge, "every match nests deeper than \(limits.stackDepth)")
        }
        // Keep what is reachable through live states, in the order of a walk from the start.
        var number = [Int32](repeating: -1, count: edges.count)
        var order: [Int32] = []
        func visit(_ state: Int32) {
            if number[Int(state)] < 0 {
                number[Int(state)] = Int32(order.count)
                order.append(state)
            }
        }
        func isLive(_ state: Int32) -> Bool { need[Int(state)] < Self.never }
        func isLive(_ call: Call) -> Bool { isLive(ruleStart[Int(call.rule)]) && isLive(call.back) }
        visit(start)
        var done = 0
        while done < order.count {
            let state = Int(order[done])
            for edge in edges[state] where isLive(edge.target) { visit(edge.target) }
            for call in calls[state] where isLive(call) {
                visit(ruleStart[Int(call.rule)])
                visit(call.back)
            }
            done += 1
        }
        var made = Grammar(
            start: 0, isFinal: [], edgeStart: [0], edgeLow: [], edgeHigh: [], edgeTarget: [], callStart: [0],
            callee: [],
            callReturn: [], need: [], reach: [], classOf: [], representatives: [], isSingle: [], limits: limits,
            named: named)
        for old in order {
            let state = Int(old)
            made.isFinal.append(isFinal[state])
            made.need.append(need[state])
            let kept = Set(edges[state].filter { isLive($0.target) }).sorted {
                ($0.low, $0.high, $0.target) < ($1.low, $1.high, $1.target)
            }
            for edge in kept {
                made.edgeLow.append(edge.low)
                made.edgeHigh.append(edge.high)
                made.edgeTarget.append(number[Int(edge.target)])
            }
            made.edgeStart.append(Int32(made.edgeLow.count))
            let called = Set(calls[state].filter { isLive($0) }).sorted { ($0.rule, $0.back) < ($1.rule, $1.back) }
            for call in called {
                made.callee.append(number[Int(ruleStart[Int(call.rule)])])
                made.callReturn.append(number[Int(call.back)])
            }
            made.callStart.append(Int32(made.callee.count))
        }
        try made.refuseLeftRecursion()
        made.classify()
        made.measureReach()
        return made
    }

    private static let never = Int32.max

    /// Frames each state still has to push before its rule ends; `never` where it cannot end.
    private func needs() -> [Int32] {
        var need = [Int32](repeating: Self.never, count: edges.count)
        var edgeSources = [[Int32]](repeating: [], count: edges.count)
        var callSources = [[(state: Int32, call: Call)]](repeating: [], count: edges.count)
        for state in edges.indices {
            for edge in edges[state] { edgeSources[Int(edge.target)].append(Int32(state)) }
            for call in calls[state] where ruleStart[Int(call.rule)] >= 0 {
                callSources[Int(ruleStart[Int(call.rule)])].append((Int32(state), call))
                callSources[Int(call.back)].append((Int32(state), call))
            }
        }
        // Level by level: a state settles at the least count, so each settles once.
        var levels: [[Int32]] = [isFinal.indices.filter { isFinal[$0] }.map { Int32($0) }]
        var level = 0
        while level < levels.count {
            var queue = levels[level]
            while let state = queue.popLast() {
                if need[Int(state)] != Self.never { continue }
                need[Int(state)] = Int32(level)
                queue += edgeSources[Int(state)]
                for (source, call) in callSources[Int(state)] {
                    let inside = need[Int(ruleStart[Int(call.rule)])]
                    let after = need[Int(call.back)]
                    guard inside != Self.never, after != Self.never else { continue }
                    let total = Int(max(inside + 1, after))
                    if total == level {
                        queue.append(source)
                    } else {
                        while levels.count <= total { levels.append([]) }
                        levels[total].append(source)
                    }
                }
            }
            level += 1
        }
        return need
    }
}

extension Grammar {
    /// A rule that calls itself before any byte would be called for ever.
    fileprivate func refuseLeftRecursion() throws(GrammarError) {
        // Which states can end without a byte.
        var isNullable = isFinal
        var changed = true
        while changed {
            changed = false
            for state in isFinal.indices where !isNullable[state] {
                for call in Int(callStart[state])..<Int(callStart[state + 1])
                where isNullable[Int(callee[call])] && isNullable[Int(callReturn[call])] {
                    isNullable[state] = true
                    changed = true
                }
            }
        }
        // Steps without a byte: into a rule, or past one that can be empty. A cycle with a step into a rule is the defect.
        // Strongly connected components by Tarjan's algorithm with a stack of its own.
        func steps(_ state: Int) -> [(target: Int, enters: Bool)] {
            (Int(callStart[state])..<Int(callStart[state + 1])).flatMap { call in
                [(Int(callee[call]), true)] + (isNullable[Int(callee[call])] ? [(Int(callReturn[call]), false)] : [])
            }
        }
        var index = [Int](repeating: -1, count: stateCount)
        var low = index
        var component = index
        var (next, components) = (0, 0)
        var stack: [Int] = []
        for root in 0..<stateCount where index[root] < 0 {
            var path: [(state: Int, steps: [(target: Int, enters: Bool)], place: Int)] = []
            func open(_ state: Int) {
                index[state] = next
                low[state] = next
                next += 1
                stack.append(state)
                path.append((state, steps(state), 0))
            }
            open(root)
            while let top = path.last {
                if top.place < top.steps.count {
                    path[path.count - 1].place += 1
                    let target = top.steps[top.place].target
                    if index[target] < 0 {
                        open(target)
                    } else if component[target] < 0 {
                        low[top.state] = min(low[top.state], index[target])
                    }
                } else {
                    path.removeLast()
                    if let parent = path.last { low[parent.state] = min(low[parent.state], low[top.state]) }
                    if low[top.state] == index[top.state] {
                        while let member = stack.popLast() {
                            component[member] = components
                            if member == top.state { break }
                        }
                        components += 1
                    }
                }
            }
        }
        for state in 0..<stateCount {
            for step in steps(state) where step.enters && component[state] == component[step.target] {
                throw GrammarError(.leftRecursion, "a rule begins with itself, or with something empty and then itself")
            }
        }
    }

    /// Groups the bytes that every edge treats alike.
    fileprivate mutating func classify() {
        var cuts = [Bool](repeating: false, count: 257)
        for edge in edgeLow.indices {
            cuts[Int(edgeLow[edge])] = true
            cuts[Int(edgeHigh[edge]) + 1] = true
        }
        var number = 0
        classOf = []
        representatives = [0]
        var sizes = [0]
        for byte in 0..<256 {
            if byte > 0, cuts[byte] {
                number += 1
                representatives.append(UInt8(byte))
                sizes.append(0)
            }
            sizes[number] += 1
            classOf.append(UInt8(number))
        }
        isSingle = sizes.map { $0 == 1 }
    }

    /// Target of the first edge for a byte, or -1.
    private func target(_ state: Int32, _ byte: UInt8) -> Int32 {
        for edge in Int(edgeStart[Int(state)])..<Int(edgeStart[Int(state) + 1])
        where edgeLow[edge] <= byte && byte <= edgeHigh[edge] {
            return edgeTarget[edge]
        }
        return -1
    }

    /// Finds how many ordinary characters each state surely takes: the shortest way to a refusal, by breadth.
    fileprivate mutating func measureReach() {
        reach = [UInt8](repeating: 0, count: stateCount)
        // Phases of a character: 0 before it; then bytes still to come, with the narrowed second byte of some leads.
        let phases: [(low: UInt8, high: UInt8, next: Int)] = [
            (0, 0, 0), (0x80, 0xBF, 0), (0x80, 0xBF, 1), (0x80, 0xBF, 2), (0xA0, 0xBF, 1), (0x80, 0x9F, 1),
            (0x90, 0xBF, 2), (0x80, 0x8F, 2),
        ]
        let leads: [(low: UInt8, high: UInt8, phase: Int)] = [
            (0xC2, 0xDF, 1), (0xE0, 0xE0, 4), (0xE1, 0xEC, 2), (0xED, 0xED, 5), (0xEE, 0xEF, 2), (0xF0, 0xF0, 6),
            (0xF1, 0xF3, 3), (0xF4, 0xF4, 7),
        ]
        let plain: [(low: UInt8, high: UInt8)] = [(0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E)]
        var number: [Int: Int] = [:]
        var nodes: [(state: Int32, phase: Int)] = []
        var sources: [[(node: Int, cost: Int)]] = []
        var failing: [(node: Int, distance: Int)] = []
        func id(_ state: Int32, _ phase: Int) -> Int {
            let key = Int(state) * 8 + phase
            if let known = number[key] { return known }
            number[key] = nodes.count
            nodes.append((state, phase))
            sources.append([])
            return nodes.count - 1
        }
        /// Targets over a range of bytes, nil where one is missing.
        func targets(_ state: Int32, _ low: UInt8, _ high: UInt8) -> Set<Int32>? {
            var found: Set<Int32> = []
            var byte = low
            while true {
                let next = target(state, byte)
                if next < 0 { return nil }
                found.insert(next)
                let group = classOf[Int(byte)]
                while byte < high, classOf[Int(byte)] == group { byte += 1 }
                if classOf[Int(byte)] == group { return found }
            }
        }
        for state in 0..<Int32(stateCount)
        where target(state, 0x20) >= 0 && target(state, 0x41) >= 0 && target(state, 0xE1) >= 0 {
            _ = id(state, 0)
        }
        var done = 0
        while done < nodes.count {
            let (state, phase) = nodes[done]
            var next: [(target: Int, cost: Int)]? = []
            if phase == 0 {
                for range in plain {
                    guard let found = targets(state, range.low, range.high) else {
                        next = nil
                        break
                    }
                    next? += found.map { (id($0, 0), 1) }
                }
                if next != nil {
                    for lead in leads {
                        guard let found = targets(state, lead.low, lead.high) else {
                            next = nil
                            break
                        }
                        next? += found.map { (id($0, lead.phase), 1) }
                    }
                }
            } else if let found = targets(state, phases[phase].low, phases[phase].high) {
                next = found.map { (id($0, phases[phase].next), 0) }
            } else {
                next = nil
            }
            if let next {
                for (target, cost) in next { sources[target].append((done, cost)) }
            } else {
                failing.append((done, phase == 0 ? 1 : 0))
            }
            done += 1
        }
        var distance = [Int](repeating: Int.max, count: nodes.count)
        var levels: [[Int]] = [[], []]
        for (node, cost) in failing { levels[cost].append(node) }
        var level = 0
        while level < levels.count {
            var queue = levels[level]
            while let node = queue.popLast() {
                if distance[node] != Int.max { continue }
                distance[node] = level
                for source in sources[node] {
                    if source.cost == 0 {
                        queue.append(source.node)
                    } else {
                        if levels.count <= level + 1 { levels.append([]) }
                        levels[level + 1].append(source.node)
                    }
                }
            }
            level += 1
        }
        for (node, place) in nodes.enumerated() where place.phase == 0 {
            reach[Int(place.state)] = distance[node] == Int.max ? 255 : UInt8(min(254, max(0, distance[node] - 1)))
        }
    }
}
