/// A sorted set of Unicode scalar values as closed ranges; surrogates may be in it and mean nothing.
struct ScalarSet: Hashable, Sendable {
    static let last: UInt32 = 0x10FFFF
    static let all = ScalarSet([0...last])

    /// Ascending, neither touching nor overlapping.
    private(set) var ranges: [ClosedRange<UInt32>]

    init(_ unsorted: [ClosedRange<UInt32>]) {
        ranges = []
        for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, range.lowerBound <= last.upperBound &+ 1 {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
    }

    static func of(_ characters: String) -> ScalarSet {
        ScalarSet(characters.unicodeScalars.map { $0.value...$0.value })
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

    var complement: ScalarSet {
        var (next, gaps): (UInt32, [ClosedRange<UInt32>]) = (0, [])
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = range.upperBound &+ 1
        }
        if next <= Self.last { gaps.append(next...Self.last) }
        return ScalarSet(gaps)
    }
}

/// A deterministic automaton over characters: the language of one string condition.
struct ScalarAutomaton: Hashable, Sendable {
    /// Up to and with `upper`, from one past the span before it, characters lead to `target`; -1 is nowhere.
    struct Span: Hashable, Sendable {
        var upper: UInt32
        var target: Int32
    }

    /// For each state spans that cover all scalars in order; state 0 is the start.
    var spans: [[Span]]
    var accepts: [Bool]

    func next(_ state: Int32, _ scalar: UInt32) -> Int32 {
        if state < 0 { return -1 }
        return spans[Int(state)].first { $0.upper >= scalar }?.target ?? -1
    }

    func matches(_ scalars: [UInt32]) -> Bool {
        var state: Int32 = 0
        for scalar in scalars {
            state = next(state, scalar)
            if state < 0 { return false }
        }
        return accepts[Int(state)]
    }

    /// Strings of `minimum` to `maximum` characters.
    static func length(minimum: Int, maximum: Int?, limits: GrammarLimits) throws(GrammarError) -> ScalarAutomaton {
        let top = maximum ?? minimum
        guard top < limits.stringStates else {
            throw GrammarError(
                .tooLarge, "a length of \(top) characters; at most \(limits.stringStates - 1) can be counted")
        }
        var made = ScalarAutomaton(spans: [], accepts: [])
        if top < minimum {
            return ScalarAutomaton(spans: [[Span(upper: ScalarSet.last, target: -1)]], accepts: [false])
        }
        for count in 0...top {
            let next = count < top ? count + 1 : (maximum == nil ? count : -1)
            made.spans.append([Span(upper: ScalarSet.last, target: Int32(next))])
            made.accepts.append(count >= minimum)
        }
        return made
    }

    /// One of a set of strings, as a tree of them.
    static func words(_ words: [[UInt32]]) -> ScalarAutomaton {
        var children: [[UInt32: Int32]] = [[:]]
        var accepts = [false]
        for word in words {
            var state: Int32 = 0
            for scalar in word {
                if let child = children[Int(state)][scalar] {
                    state = child
                } else {
                    let child = Int32(children.count)
                    children.append([:])
                    accepts.append(false)
                    children[Int(state)][scalar] = child
                    state = child
                }
            }
            accepts[Int(state)] = true
        }
        let spans = children.map { edges in
            Self.spans(edges.map { (low: $0.key, high: $0.key, target: $0.value) })
        }
        return ScalarAutomaton(spans: spans, accepts: accepts)
    }

    /// Spans of disjoint ranges in any order.
    static func spans(_ ranges: [(low: UInt32, high: UInt32, target: Int32)]) -> [Span] {
        var made: [Span] = []
        var next: UInt32 = 0
        func add(_ upper: UInt32, _ target: Int32) {
            if made.last?.target == target { made.removeLast() }
            made.append(Span(upper: upper, target: target))
        }
        for range in ranges.sorted(by: { $0.low < $1.low }) {
            if range.low > next { add(range.low - 1, -1) }
            add(range.high, range.target)
            next = range.high + 1
        }
        if next <= ScalarSet.last { add(ScalarSet.last, -1) }
        return made
    }

    /// The language where `holds` says yes about which of the automata accept, explored state by state.
    static func combining(
        _ parts: [ScalarAutomaton], limits: GrammarLimits, holds: ([Bool]) -> Bool
    ) throws(GrammarError) -> ScalarAutomaton {
        var ids: [[Int32]: Int32] = [:]
        var vectors: [[Int32]] = []
        var made = ScalarAutomaton(spans: [], accepts: [])
        func id(_ vector: [Int32]) -> Int32 {
            if let known = ids[vector] { return known }
            let new = Int32(vectors.count)
            ids[vector] = new
            vectors.append(vector)
            return new
        }
        _ = id([Int32](repeating: 0, count: parts.count))
        var done = 0
        while done < vectors.count {
            guard vectors.count <= limits.stringStates else {
                throw GrammarError(.tooLarge, "a string's conditions need more than \(limits.stringStates) states")
            }
            let vector = vectors[done]
            made.accepts.append(holds(parts.indices.map { vector[$0] >= 0 && parts[$0].accepts[Int(vector[$0])] }))
            var places = [Int](repeating: 0, count: parts.count)
            var spans: [Span] = []
            var next: UInt32 = 0
            while next <= ScalarSet.last {
                var upper = ScalarSet.last
                var targets = [Int32](repeating: -1, count: parts.count)
                for part in parts.indices where vector[part] >= 0 {
                    let row = parts[part].spans[Int(vector[part])]
                    while row[places[part]].upper < next { places[part] += 1 }
                    targets[part] = row[places[part]].target
                    upper = min(upper, row[places[part]].upper)
                }
                let target = id(targets)
                if spans.last?.target == target { spans.removeLast() }
                spans.append(Span(upper: upper, target: target))
                next = upper + 1
            }
            made.spans.append(spans)
            done += 1
        }
        return made.trimmed()
    }

    /// Without states from which nothing is accepted; at least the start stays.
    func trimmed() -> ScalarAutomaton {
        var sources = [[Int32]](repeating: [], count: spans.count)
        for state in spans.indices {
            for span in spans[state] where span.target >= 0 { sources[Int(span.target)].append(Int32(state)) }
        }
        var isLive = accepts
        var queue = accepts.indices.filter { accepts[$0] }
        while let state = queue.popLast() {
            for source in sources[state] where !isLive[Int(source)] {
                isLive[Int(source)] = true
                queue.append(Int(source))
            }
        }
        var number = [Int32](repeating: -1, count: spans.count)
        var count: Int32 = 0
        for state in spans.indices where isLive[state] || state == 0 {
            number[state] = count
            count += 1
        }
        var made = ScalarAutomaton(spans: [], accepts: [])
        for state in spans.indices where number[state] >= 0 {
            var row: [Span] = []
            for span in spans[state] {
                let target = span.target >= 0 && isLive[Int(span.target)] ? number[Int(span.target)] : -1
                if row.last?.target == target { row.removeLast() }
                row.append(Span(upper: span.upper, target: target))
            }
            made.spans.append(row)
            made.accepts.append(accepts[state])
        }
        return made
    }

    /// Merges states that accept the same rests (Moore's refinement); automata of many states are left as they are.
    func minimised() -> ScalarAutomaton {
        guard spans.count <= 2_000 else { return self }
        var group = accepts.map { $0 ? Int32(1) : 0 }
        var count = Set(group).count
        while true {
            var ids: [[Span]: Int32] = [:]
            var next = group
            for state in spans.indices {
                var signature: [Span] = [Span(upper: 0, target: group[state])]
                for span in spans[state] {
                    let target = span.target < 0 ? -1 : group[Int(span.target)]
                    if signature.count > 1, signature.last?.target == target { signature.removeLast() }
                    signature.append(Span(upper: span.upper, target: target))
                }
                let new = Int32(ids.count)
                next[state] = ids[signature] ?? new
                if next[state] == new { ids[signature] = new }
            }
            group = next
            if ids.count == count { break }
            count = ids.count
        }
        var made = ScalarAutomaton(
            spans: [[Span]](repeating: [], count: count), accepts: [Bool](repeating: false, count: count))
        // The start is state 0, and states are numbered as they are met, so its group is group 0.
        for state in spans.indices {
            let place = Int(group[state])
            if !made.spans[place].isEmpty { continue }
            made.accepts[place] = accepts[state]
            for span in spans[state] {
                let target = span.target < 0 ? -1 : group[Int(span.target)]
                if made.spans[place].last?.target == target { made.spans[place].removeLast() }
                made.spans[place].append(Span(upper: span.upper, target: target))
            }
        }
        return made
    }
}
