/// A piece of a grammar that is put together from text and other grammars, such as a schema between the marks of a call.
package indirect enum GrammarPart: Sendable {
    /// These characters.
    case text(String)
    /// A token that is not text; see `VocabularyTree.spelling(ofMark:)`.
    case mark(Int32)
    /// What a compiled grammar allows.
    case grammar(Grammar)
    /// Characters up to the first occurrence of an ASCII text, any number or so many at most, and that text.
    case textUntil(String, maximum: Int?)
    case sequence([GrammarPart])
    case choice([GrammarPart])
    /// The part, or nothing.
    case optional(GrammarPart)
    /// The part, once or more often, with another between.
    case repeated(GrammarPart, between: GrammarPart, maximum: Int)
}

extension Grammar {
    /// A grammar of parts.
    ///
    /// - Throws: `GrammarError`, where it is too large or nothing can match.
    package init(_ part: GrammarPart, limits: GrammarLimits = GrammarLimits()) throws(GrammarError) {
        var composer = GrammarComposer(limits: limits)
        self = try composer.compose(part)
    }
}

/// Puts parts into one machine, from a state to a state.
private struct GrammarComposer {
    var builder: MachineBuilder
    var encoder = ByteEncoder()
    /// A rule that matches nothing at all: calling it is a step without a byte.
    var empty: Int32 = -1

    init(limits: GrammarLimits) { builder = MachineBuilder(limits: limits) }

    mutating func compose(_ part: GrammarPart) throws(GrammarError) -> Grammar {
        let root = try builder.rule()
        let start = try builder.state()
        builder.ruleStart[Int(root)] = start
        empty = try builder.rule()
        builder.ruleStart[Int(empty)] = try builder.state(isFinal: true)
        try add(part, from: start, to: try builder.state(isFinal: true), depth: 0)
        return try builder.finish(root: root)
    }

    private mutating func add(
        _ part: GrammarPart, from: Int32, to: Int32, depth: Int
    ) throws(GrammarError) {
        guard depth < builder.limits.nesting else {
            throw GrammarError(.tooLarge, "the parts nest deeper than \(builder.limits.nesting)")
        }
        switch part {
        case .text(let text): try add(Array(text.utf8), from: from, to: to)
        case .mark(let token): try add(VocabularyTree.spelling(ofMark: token), from: from, to: to)
        case .grammar(let grammar): try add(grammar, from: from, to: to)
        case .textUntil(let end, let maximum):
            try add(upTo: Array(end.utf8), maximum: maximum, from: from, to: to)
        case .sequence(let parts):
            var place = from
            for (index, part) in parts.enumerated() {
                let next = index == parts.count - 1 ? to : try builder.state()
                try add(part, from: place, to: next, depth: depth + 1)
                place = next
            }
            if parts.isEmpty { builder.call(from, empty, to) }
        case .choice(let parts):
            for part in parts { try add(part, from: from, to: to, depth: depth + 1) }
        case .optional(let part):
            builder.call(from, empty, to)
            try add(part, from: from, to: to, depth: depth + 1)
        case .repeated(let part, let between, let maximum):
            // Rules of their own, so that each is there once.
            let (one, next) = (try rule(part, depth), try rule(between, depth))
            var place = from
            for number in 0..<max(1, maximum) {
                if number > 0 {
                    let joined = try builder.state()
                    builder.call(place, next, joined)
                    place = joined
                }
                let after = try builder.state()
                builder.call(place, one, after)
                builder.call(after, empty, to)
                place = after
            }
        }
    }

    private mutating func rule(_ part: GrammarPart, _ depth: Int) throws(GrammarError) -> Int32 {
        let rule = try builder.rule()
        let start = try builder.state()
        builder.ruleStart[Int(rule)] = start
        try add(part, from: start, to: try builder.state(isFinal: true), depth: depth + 1)
        return rule
    }

    private mutating func add(_ bytes: [UInt8], from: Int32, to: Int32) throws(GrammarError) {
        if bytes.isEmpty { builder.call(from, empty, to) } else { try builder.chain(from, bytes, to) }
    }

    /// Copies a machine as a rule.
    private mutating func add(_ grammar: Grammar, from: Int32, to: Int32) throws(GrammarError) {
        builder.named.formUnion(grammar.named)
        var states: [Int32] = []
        for state in 0..<grammar.stateCount { states.append(try builder.state(isFinal: grammar.isFinal[state])) }
        var rules: [Int32: Int32] = [:]
        func rule(startingAt state: Int32, _ builder: inout MachineBuilder) throws(GrammarError) -> Int32 {
            if let known = rules[state] { return known }
            let made = try builder.rule()
            builder.ruleStart[Int(made)] = states[Int(state)]
            rules[state] = made
            return made
        }
        for state in 0..<grammar.stateCount {
            for edge in Int(grammar.edgeStart[state])..<Int(grammar.edgeStart[state + 1]) {
                builder.edge(
                    states[state], grammar.edgeLow[edge], grammar.edgeHigh[edge],
                    states[Int(grammar.edgeTarget[edge])])
            }
            for call in Int(grammar.callStart[state])..<Int(grammar.callStart[state + 1]) {
                builder.call(
                    states[state], try rule(startingAt: grammar.callee[call], &builder),
                    states[Int(grammar.callReturn[call])])
            }
        }
        builder.call(from, try rule(startingAt: grammar.start, &builder), to)
    }

    /// The automaton of Knuth, Morris and Pratt, a state for each number of bytes of the end that have been met; where characters are
    /// counted, one for each number of characters before them, too.
    private mutating func add(
        upTo end: [UInt8], maximum: Int?, from: Int32, to: Int32
    ) throws(GrammarError) {
        guard !end.isEmpty, end.allSatisfy({ $0 < 0x80 }) else {
            throw GrammarError(.unsupported, "text can only run up to a text of ASCII")
        }
        // The end's bytes after each byte that stands behind so many of its own.
        var next: [[Int]] = []
        for met in end.indices {
            next.append(
                (UInt8(0)..<0x80).map { byte in
                    let seen = Array(end[..<met]) + [byte]
                    var length = min(seen.count, end.count)
                    while length > 0, seen.suffix(length) != end.prefix(length) { length -= 1 }
                    return length
                })
        }
        var known: [[Int]: Int32] = [:]
        var open: [[Int]] = []
        func state(_ before: Int, _ met: Int, _ builder: inout MachineBuilder) throws(GrammarError) -> Int32? {
            if met == end.count { return maximum.map { before <= $0 } ?? true ? to : nil }
            if let maximum, before > maximum { return nil }
            let key = [maximum == nil ? 0 : before, met]
            if let state = known[key] { return state }
            let made = try builder.state()
            known[key] = made
            open.append(key)
            return made
        }
        if let start = try state(0, 0, &builder) { builder.call(from, empty, start) }
        while let key = open.popLast() {
            let (before, met) = (key[0], key[1])
            guard let place = known[key] else { continue }
            var ways: [ByteEncoder.Way] = []
            for byte in UInt32(0)..<0x80 {
                let length = next[met][Int(byte)]
                guard let target = try state(before + met + 1 - length, length, &builder) else { continue }
                if let last = ways.last, last.target == target, last.high + 1 == byte {
                    ways[ways.count - 1].high = byte
                } else {
                    ways.append(.init(low: byte, high: byte, target: target))
                }
            }
            if let target = try state(before + met + 1, 0, &builder) {
                ways.append(.init(low: 0x80, high: ScalarSet.last, target: target))
            }
            try encoder.addUTF8(ways, to: place, &builder)
        }
    }
}
