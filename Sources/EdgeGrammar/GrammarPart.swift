/// A piece of a grammar that is put together from text and other grammars, such as a schema between the marks of a call.
package indirect enum GrammarPart: Sendable {
    /// These characters.
    case text(String)
    /// A token that is not text; see `VocabularyTree.spelling(ofMark:)`.
    case mark(Int32)
    /// What a compiled grammar allows.
    case grammar(Grammar)
    /// Any characters up to the first occurrence of an ASCII text, and that text.
    case textUntil(String)
    case sequence([GrammarPart])
    case choice([GrammarPart])
    /// The part, or nothing.
    case optional(GrammarPart)
    /// The part, once or more often, with another between.
    case repeated(GrammarPart, between: GrammarPart)
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
        case .textUntil(let end): try add(upTo: Array(end.utf8), from: from, to: to)
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
        case .repeated(let part, let between):
            let (before, after) = (try builder.state(), try builder.state())
            builder.call(from, empty, before)
            try add(part, from: before, to: after, depth: depth + 1)
            try add(between, from: after, to: before, depth: depth + 1)
            builder.call(after, empty, to)
        }
    }

    private mutating func add(_ bytes: [UInt8], from: Int32, to: Int32) throws(GrammarError) {
        if bytes.isEmpty { builder.call(from, empty, to) } else { try builder.chain(from, bytes, to) }
    }

    /// Copies a machine as a rule.
    private mutating func add(_ grammar: Grammar, from: Int32, to: Int32) throws(GrammarError) {
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

    /// The automaton of Knuth, Morris and Pratt: a state for each number of bytes of the end that have been met.
    private mutating func add(upTo end: [UInt8], from: Int32, to: Int32) throws(GrammarError) {
        guard !end.isEmpty, end.allSatisfy({ $0 < 0x80 }) else {
            throw GrammarError(.unsupported, "text can only run up to a text of ASCII")
        }
        var states = [try builder.state()]
        builder.call(from, empty, states[0])
        for _ in end.dropFirst() { states.append(try builder.state()) }
        states.append(to)
        for met in end.indices {
            func next(_ byte: UInt8) -> Int32 {
                let seen = Array(end[..<met]) + [byte]
                var length = min(seen.count, end.count)
                while length > 0, seen.suffix(length) != end.prefix(length) { length -= 1 }
                return states[length]
            }
            var ways: [ByteEncoder.Way] = []
            for byte in UInt8(0)..<0x80 {
                let target = next(byte)
                if let last = ways.last, last.target == target {
                    ways[ways.count - 1].high = UInt32(byte)
                } else {
                    ways.append(.init(low: UInt32(byte), high: UInt32(byte), target: target))
                }
            }
            ways.append(.init(low: 0x80, high: ScalarSet.last, target: states[0]))
            try encoder.addUTF8(ways, to: states[met], &builder)
        }
    }
}
