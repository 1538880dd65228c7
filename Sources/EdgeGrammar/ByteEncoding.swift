/// Spells automata over characters as byte edges: UTF-8, and the escapes of JSON strings.
struct ByteEncoder {
    /// Characters `low...high` lead to a machine state.
    struct Way: Hashable {
        var low: UInt32
        var high: UInt32
        var target: Int32
    }

    private struct Key: Hashable {
        var ways: [Way]
        var digits: Int
        var isHexadecimal: Bool
    }
    private struct Uniform: Hashable {
        var target: Int32
        var digits: Int
    }

    private var known: [Key: Int32] = [:]
    private var uniform: [Uniform: Int32] = [:]
    private var backslashes: [[Way]: Int32] = [:]

    /// Ways within `base...base + size - 1`, counted from `base`.
    private static func clip(_ ways: [Way], _ base: UInt32, _ size: UInt32) -> [Way] {
        let last = base + (size - 1)
        var (low, high) = (0, ways.count)
        while low < high {
            let middle = (low + high) / 2
            if ways[middle].high < base { low = middle + 1 } else { high = middle }
        }
        var found: [Way] = []
        while low < ways.count, ways[low].low <= last {
            let way = ways[low]
            found.append(Way(low: max(way.low, base) - base, high: min(way.high, last) - base, target: way.target))
            low += 1
        }
        return found
    }

    static func withoutSurrogates(_ ways: [Way]) -> [Way] {
        ways.flatMap { way -> [Way] in
            if way.high < 0xD800 || way.low > 0xDFFF { return [way] }
            var parts: [Way] = []
            if way.low < 0xD800 { parts.append(Way(low: way.low, high: 0xD7FF, target: way.target)) }
            if way.high > 0xDFFF { parts.append(Way(low: 0xE000, high: way.high, target: way.target)) }
            return parts
        }
    }

    /// Adds UTF-8 edges for the ways (ascending, disjoint) to a state.
    mutating func addUTF8(_ given: [Way], to state: Int32, _ builder: inout MachineBuilder) throws(GrammarError) {
        let ways = Self.withoutSurrogates(given)
        for way in ways where way.low < 0x80 {
            builder.edge(state, UInt8(way.low), UInt8(min(way.high, 0x7F)), way.target)
        }
        guard let last = ways.last, last.high >= 0x80 else { return }
        try addLeads(0xC2...0xDF, 0x1F, 1, ways, state, &builder)
        if last.high >= 0x800 { try addLeads(0xE0...0xEF, 0x0F, 2, ways, state, &builder) }
        if last.high >= 0x10000 { try addLeads(0xF0...0xF4, 0x07, 3, ways, state, &builder) }
    }

    private mutating func addLeads(
        _ leads: ClosedRange<UInt8>, _ mask: UInt8, _ digits: Int, _ ways: [Way], _ state: Int32,
        _ builder: inout MachineBuilder
    ) throws(GrammarError) {
        let size = UInt32(1) << (6 * UInt32(digits))
        let least: UInt32 = digits == 2 ? 0x800 : digits == 3 ? 0x10000 : 0x80
        for lead in leads {
            let base = UInt32(lead & mask) * size
            var inside = Self.clip(ways, base, size)
            if base < least {
                // Shorter spellings exist below: an overlong one is not UTF-8.
                inside = inside.compactMap { way in
                    way.high + base < least
                        ? nil : Way(low: max(way.low, least - base), high: way.high, target: way.target)
                }
            }
            if inside.isEmpty { continue }
            builder.edge(state, lead, lead, try continuation(inside, digits, &builder))
        }
    }

    private mutating func continuation(
        _ ways: [Way], _ digits: Int, _ builder: inout MachineBuilder
    ) throws(GrammarError) -> Int32 {
        let size = UInt32(1) << (6 * UInt32(digits))
        let isUniform = ways.count == 1 && ways[0].low == 0 && ways[0].high == size - 1
        let shortKey = Uniform(target: ways.first?.target ?? -1, digits: digits)
        let key = Key(ways: isUniform ? [] : ways, digits: digits, isHexadecimal: false)
        if isUniform {
            if let state = uniform[shortKey] { return state }
        } else if let state = known[key] {
            return state
        }
        let state = try builder.state()
        if isUniform { uniform[shortKey] = state } else { known[key] = state }
        if digits == 1 {
            for way in ways { builder.edge(state, 0x80 + UInt8(way.low), 0x80 + UInt8(way.high), way.target) }
        } else if isUniform {
            builder.edge(
                state, 0x80, 0xBF,
                try continuation([Way(low: 0, high: size / 64 - 1, target: ways[0].target)], digits - 1, &builder))
        } else {
            try addDigits(ways, 64, size / 64, state, &builder) { digit, inside, me, builder throws(GrammarError) in
                let next = try me.continuation(inside, digits - 1, &builder)
                builder.edge(state, 0x80 + UInt8(digit), 0x80 + UInt8(digit), next)
            }
        }
        return state
    }

    private mutating func addDigits(
        _ ways: [Way], _ radix: UInt32, _ size: UInt32, _ state: Int32, _ builder: inout MachineBuilder,
        _ add: (UInt32, [Way], inout ByteEncoder, inout MachineBuilder) throws(GrammarError) -> Void
    ) throws(GrammarError) {
        for digit in 0..<radix {
            let inside = Self.clip(ways, digit * size, size)
            if !inside.isEmpty { try add(digit, inside, &self, &builder) }
        }
    }

    /// Four hexadecimal digits, or fewer that are left.
    private mutating func hexadecimal(
        _ ways: [Way], _ digits: Int, lowercaseOnly: Bool, _ builder: inout MachineBuilder
    ) throws(GrammarError) -> Int32 {
        let key = Key(ways: ways, digits: digits, isHexadecimal: true)
        if let state = known[key] { return state }
        let state = try builder.state()
        known[key] = state
        let size = UInt32(1) << (4 * UInt32(digits - 1))
        for digit in 0..<UInt32(16) {
            let inside = Self.clip(ways, digit * size, size)
            guard let first = inside.first else { continue }
            let next =
                digits == 1 ? first.target : try hexadecimal(inside, digits - 1, lowercaseOnly: lowercaseOnly, &builder)
            if digit < 10 {
                builder.edge(state, 0x30 + UInt8(digit), 0x30 + UInt8(digit), next)
            } else {
                builder.edge(state, 0x57 + UInt8(digit), 0x57 + UInt8(digit), next)
                if !lowercaseOnly { builder.edge(state, 0x37 + UInt8(digit), 0x37 + UInt8(digit), next) }
            }
        }
        return state
    }

    private static let short: [(escape: Unicode.Scalar, value: UInt32)] = [
        ("\"", 0x22), ("\\", 0x5C), ("b", 8), ("f", 12), ("n", 10), ("r", 13), ("t", 9),
    ]

    /// Adds the ways to a state inside a JSON string: raw where JSON allows it, and as escapes; all escapes that JSON has,
    /// or only those of what cannot be written raw.
    mutating func addJSON(
        _ given: [Way], to state: Int32, everyEscape: Bool, _ builder: inout MachineBuilder
    ) throws(GrammarError) {
        let ways = Self.withoutSurrogates(given)
        func cut(_ low: UInt32, _ high: UInt32) -> [Way] {
            Self.clip(ways, low, high - low + 1).map { Way(low: $0.low + low, high: $0.high + low, target: $0.target) }
        }
        let raw = cut(0x20, 0x21) + cut(0x23, 0x5B) + cut(0x5D, ScalarSet.last)
        try addUTF8(raw, to: state, &builder)
        let escaped = everyEscape ? ways : cut(0, 0x1F) + cut(0x22, 0x22) + cut(0x5C, 0x5C)
        if escaped.isEmpty { return }
        if let known = backslashes[escaped] {
            builder.edge(state, "\\", known)
            return
        }
        let slash = try builder.state()
        backslashes[escaped] = slash
        builder.edge(state, "\\", slash)
        for (name, value) in Self.short {
            if let way = Self.clip(ways, value, 1).first { builder.edge(slash, name, way.target) }
        }
        if everyEscape, let way = Self.clip(ways, 0x2F, 1).first { builder.edge(slash, "/", way.target) }
        var units = everyEscape ? cut(0, 0xD7FF) : cut(0, 7) + cut(0x0B, 0x0B) + cut(0x0E, 0x1F)
        if everyEscape {
            units += try surrogatePairs(Self.clip(ways, 0x10000, 0x100000), &builder)
            units += cut(0xE000, 0xFFFF)
        }
        if !units.isEmpty {
            builder.edge(slash, "u", try hexadecimal(units, 4, lowercaseOnly: !everyEscape, &builder))
        }
    }

    private mutating func surrogatePairs(_ ways: [Way], _ builder: inout MachineBuilder) throws(GrammarError) -> [Way] {
        var units: [Way] = []
        for high in 0..<UInt32(1024) {
            let inside = Self.clip(ways, high << 10, 1024)
            if inside.isEmpty { continue }
            let low = inside.map { Way(low: $0.low + 0xDC00, high: $0.high + 0xDC00, target: $0.target) }
            let key = Key(ways: low, digits: 5, isHexadecimal: true)
            let state: Int32
            if let made = known[key] {
                state = made
            } else {
                state = try builder.state()
                known[key] = state
                let letter = try builder.state()
                builder.edge(state, "\\", letter)
                builder.edge(letter, "u", try hexadecimal(low, 4, lowercaseOnly: false, &builder))
            }
            if let last = units.last, last.target == state {
                units[units.count - 1].high = 0xD800 + high
            } else {
                units.append(Way(low: 0xD800 + high, high: 0xD800 + high, target: state))
            }
        }
        return units
    }
}
