/// A regular expression: a subset of ECMA-262 with the flag `u` that a finite automaton can decide.
///
/// It has alternation, groups, classes, `.`, `\d \w \s` and their negations, `\p{…}` of general categories, repetition
/// (lazy or not, which changes nothing here) and the anchors. Lookaround, back references and `\b` are refused.
struct Regex {
    indirect enum Node {
        case empty
        case set(ScalarSet)
        case sequence([Node])
        case choice([Node])
        case `repeat`(Node, Int, Int?)
        case start
        case end
    }

    /// The automaton of the strings in which the expression matches somewhere.
    static func searching(_ pattern: String, limits: GrammarLimits) throws(GrammarError) -> ScalarAutomaton {
        var parser = RegexParser(pattern, limits: limits)
        let node = try parser.parse()
        var net = RegexNet(limits: limits)
        let first = net.state()
        let last = net.state()
        try net.add(node, from: first, to: last)
        return try net.deterministic(from: first, to: last, searching: true)
    }

    /// The automaton of the strings that the expression matches from end to end; for the library's own expressions.
    static func whole(_ pattern: String, limits: GrammarLimits) throws(GrammarError) -> ScalarAutomaton {
        try searching("^(?:" + pattern + ")$", limits: limits)
    }
}

private struct RegexNet {
    let limits: GrammarLimits
    var steps: [[(set: ScalarSet, target: Int)]] = []
    var free: [[Int]] = []
    var atStart: [[Int]] = []
    var atEnd: [[Int]] = []

    init(limits: GrammarLimits) { self.limits = limits }

    mutating func state() -> Int {
        steps.append([])
        free.append([])
        atStart.append([])
        atEnd.append([])
        return steps.count - 1
    }

    mutating func add(_ node: Regex.Node, from: Int, to: Int) throws(GrammarError) {
        guard steps.count <= limits.stringStates else {
            throw GrammarError(.tooLarge, "the pattern needs more than \(limits.stringStates) states")
        }
        switch node {
        case .empty: free[from].append(to)
        case .set(let set): steps[from].append((set, to))
        case .start: atStart[from].append(to)
        case .end: atEnd[from].append(to)
        case .choice(let nodes):
            for node in nodes { try add(node, from: from, to: to) }
        case .sequence(let nodes):
            var place = from
            for (index, node) in nodes.enumerated() {
                let next = index == nodes.count - 1 ? to : state()
                try add(node, from: place, to: next)
                place = next
            }
            if nodes.isEmpty { free[from].append(to) }
        case .repeat(let node, let minimum, let maximum):
            var place = from
            for _ in 0..<minimum {
                let next = state()
                try add(node, from: place, to: next)
                place = next
            }
            if let maximum {
                for _ in minimum..<maximum {
                    free[place].append(to)
                    let next = state()
                    try add(node, from: place, to: next)
                    place = next
                }
                free[place].append(to)
            } else {
                let loop = state()
                let body = state()
                free[place].append(loop)
                free[loop].append(body)
                try add(node, from: body, to: loop)
                free[loop].append(to)
            }
        }
    }

    func closure(_ states: [Int], start: Bool, end: Bool) -> [Int] {
        var seen = Set(states)
        var queue = states
        while let state = queue.popLast() {
            let more = free[state] + (start ? atStart[state] : []) + (end ? atEnd[state] : [])
            for next in more where seen.insert(next).inserted { queue.append(next) }
        }
        return seen.sorted()
    }

    func deterministic(from first: Int, to last: Int, searching: Bool) throws(GrammarError) -> ScalarAutomaton {
        // State 0 is the whole match: it stays, whatever follows. An empty set of states is nowhere.
        var ids: [[Int]: Int32] = [:]
        var sets: [[Int]] = []
        var made = ScalarAutomaton(spans: [], accepts: [])
        let restart = closure([first], start: false, end: false)
        func id(_ states: [Int]) -> Int32 {
            let key = states.contains(last) ? [last] : states
            if let known = ids[key] { return known }
            ids[key] = Int32(sets.count)
            sets.append(key)
            return Int32(sets.count - 1)
        }
        let initial = closure([first], start: true, end: false)
        _ = id(initial)
        var work = 0
        var done = 0
        while done < sets.count {
            let states = sets[done]
            // Only before the first character may a `^` hold, so the start state's end anchors see both.
            let ending = closure(states, start: done == 0, end: true)
            made.accepts.append(ending.contains(last))
            if states == [last] {
                made.spans.append([.init(upper: ScalarSet.last, target: Int32(done))])
                done += 1
                continue
            }
            var cuts: [UInt32] = [0]
            for state in states {
                for step in steps[state] {
                    for range in step.set.ranges {
                        cuts.append(range.lowerBound)
                        cuts.append(range.upperBound + 1)
                    }
                }
            }
            cuts = Array(Set(cuts)).sorted().filter { $0 <= ScalarSet.last }
            var targets = [[Int]](repeating: [], count: cuts.count)
            for state in states {
                for step in steps[state] {
                    for range in step.set.ranges {
                        var index = lowerBound(cuts, range.lowerBound)
                        while index < cuts.count, cuts[index] <= range.upperBound {
                            targets[index].append(step.target)
                            index += 1
                        }
                        work += 1
                    }
                }
            }
            work += cuts.count
            guard work < 20_000_000, sets.count <= limits.stringStates else {
                throw GrammarError(.tooLarge, "the pattern needs more than \(limits.stringStates) states")
            }
            var row: [ScalarAutomaton.Span] = []
            var known: [[Int]: Int32] = [:]
            for index in cuts.indices {
                let upper = index + 1 < cuts.count ? cuts[index + 1] - 1 : ScalarSet.last
                let key = Array(Set(targets[index])).sorted()
                let target: Int32
                if let seen = known[key] {
                    target = seen
                } else {
                    target = id(Array(Set(closure(key, start: false, end: false) + restart)).sorted())
                    known[key] = target
                }
                if row.last?.target == target { row.removeLast() }
                row.append(.init(upper: upper, target: target))
            }
            made.spans.append(row)
            done += 1
        }
        return made.trimmed().minimised()
    }

    private func lowerBound(_ values: [UInt32], _ value: UInt32) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

private struct RegexParser: ScalarReader {
    let scalars: [Unicode.Scalar]
    let limits: GrammarLimits
    var position = 0
    var depth = 0

    init(_ pattern: String, limits: GrammarLimits) {
        scalars = Array(pattern.unicodeScalars)
        self.limits = limits
    }

    func failure(_ message: String, _ kind: GrammarError.Kind = .malformedGrammar) -> GrammarError {
        GrammarError(kind, "pattern: \(message) at character \(position)")
    }

    mutating func parse() throws(GrammarError) -> Regex.Node {
        let node = try choice()
        if next != nil { throw failure("an unmatched parenthesis") }
        return node
    }

    mutating func choice() throws(GrammarError) -> Regex.Node {
        depth += 1
        defer { depth -= 1 }
        if depth > limits.nesting { throw failure("groups nest deeper than \(limits.nesting)", .tooLarge) }
        var nodes = [try sequence()]
        while take("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .choice(nodes)
    }

    mutating func sequence() throws(GrammarError) -> Regex.Node {
        var nodes: [Regex.Node] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let (atom, isAssertion) = try atom()
            nodes.append(isAssertion ? atom : try repeated(atom))
        }
        return .sequence(nodes)
    }

    mutating func repeated(_ atom: Regex.Node) throws(GrammarError) -> Regex.Node {
        let range: (Int, Int?)
        if take("*") {
            range = (0, nil)
        } else if take("+") {
            range = (1, nil)
        } else if take("?") {
            range = (0, 1)
        } else if take("{") {
            guard let minimum = number() else { throw failure("a number is missing in a repetition") }
            if take(",") { range = (minimum, number()) } else { range = (minimum, minimum) }
            guard take("}") else { throw failure("a brace is missing in a repetition") }
            if let maximum = range.1, maximum < minimum { throw failure("a repetition counts down") }
        } else {
            return atom
        }
        _ = take("?")
        if max(range.0, range.1 ?? 0) >= limits.stringStates { throw failure("a repetition is too long", .tooLarge) }
        return .repeat(atom, range.0, range.1)
    }

    /// A number, at most a million.
    mutating func number() -> Int? {
        var value: Int?
        while let digit = next?.value, (0x30...0x39).contains(digit) {
            value = min((value ?? 0) * 10 + Int(digit - 0x30), 1_000_000)
            position += 1
        }
        return value
    }

    mutating func atom() throws(GrammarError) -> (Regex.Node, isAssertion: Bool) {
        if take("^") { return (.start, true) }
        if take("$") { return (.end, true) }
        if take("(") {
            if take("?:") || isNamedGroup() {
            } else if take("?") {
                throw failure("lookaround cannot be enforced", .unsupported)
            }
            let node = try choice()
            guard take(")") else { throw failure("a parenthesis is missing") }
            return (node, false)
        }
        if take(".") { return (.set(ScalarSet.of("\n\r\u{2028}\u{2029}").complement), false) }
        if take("[") { return (.set(try characterClass()), false) }
        if take("\\") {
            if take("b") || take("B") { throw failure("word boundaries cannot be enforced", .unsupported) }
            if take("k") { throw failure("back references cannot be enforced", .unsupported) }
            if let digit = next?.value, (0x31...0x39).contains(digit) {
                throw failure("back references cannot be enforced", .unsupported)
            }
            return (.set(try escape(inClass: false)), false)
        }
        guard let scalar = next, !"*+?{}]".unicodeScalars.contains(scalar) else { throw failure("a stray operator") }
        position += 1
        return (.set(ScalarSet([scalar.value...scalar.value])), false)
    }

    mutating func isNamedGroup() -> Bool {
        let saved = position
        guard take("?<"), let first = next, first != "=", first != "!" else {
            position = saved
            return false
        }
        while let scalar = next, scalar != ">" { position += scalar == ")" ? scalars.count : 1 }
        return take(">")
    }

    mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let isNegated = take("^")
        var set = ScalarSet([])
        while !take("]") {
            let low = try classAtom()
            if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                let high = try classAtom()
                guard let first = low.single, let last = high.single, first <= last else {
                    throw failure("a range in a class is out of order")
                }
                set = set.union(ScalarSet([first...last]))
            } else {
                set = set.union(low)
            }
        }
        return isNegated ? set.complement : set
    }

    mutating func classAtom() throws(GrammarError) -> ScalarSet {
        guard let scalar = next else { throw failure("a class does not end") }
        position += 1
        if scalar == "\\" { return try escape(inClass: true) }
        return ScalarSet([scalar.value...scalar.value])
    }

    mutating func escape(inClass: Bool) throws(GrammarError) -> ScalarSet {
        guard let scalar = next else { throw failure("a backslash at the end") }
        position += 1
        func one(_ value: UInt32) -> ScalarSet { ScalarSet([value...value]) }
        switch scalar {
        case "d": return Self.digits
        case "D": return Self.digits.complement
        case "w": return Self.wordCharacters
        case "W": return Self.wordCharacters.complement
        case "s": return Self.spaces
        case "S": return Self.spaces.complement
        case "t": return one(9)
        case "n": return one(10)
        case "v": return one(11)
        case "f": return one(12)
        case "r": return one(13)
        case "b" where inClass: return one(8)
        case "-" where inClass: return one(0x2D)
        case "0":
            if let digit = next?.value, (0x30...0x39).contains(digit) { throw failure("an octal escape") }
            return one(0)
        case "c":
            guard let letter = next, letter.isASCII, letter.properties.isAlphabetic else {
                throw failure("a bad control escape")
            }
            position += 1
            return one(letter.value % 32)
        case "x": return one(try hexadecimal(2))
        case "u":
            if take("{") {
                var value: UInt32 = 0
                var count = 0
                while let digit = next.flatMap({ Character($0).hexDigitValue }) {
                    value = value << 4 | UInt32(digit)
                    count += 1
                    position += 1
                    if value > ScalarSet.last { throw failure("no such character") }
                }
                guard count > 0, take("}") else { throw failure("a bad escape") }
                return one(value)
            }
            let first = try hexadecimal(4)
            if (0xD800..<0xDC00).contains(first), take("\\u") {
                let second = try hexadecimal(4)
                if (0xDC00..<0xE000).contains(second) { return one(0x10000 + (first - 0xD800) << 10 + second - 0xDC00) }
                throw failure("half a surrogate pair")
            }
            return one(first)
        case "p", "P":
            guard take("{") else { throw failure("a property needs a name in braces") }
            var name = ""
            while let scalar = next, scalar != "}" {
                name.unicodeScalars.append(scalar)
                position += 1
            }
            guard take("}") else { throw failure("a property's name does not end") }
            guard let set = GeneralCategories.set(named: name) else {
                throw failure("the property \"\(name)\" is not known here", .unsupported)
            }
            return scalar == "p" ? set : set.complement
        default:
            // ECMAScript allows `\-` in classes alone; Swift writes its expressions with it everywhere.
            guard "^$\\.*+?()[]{}|/-".unicodeScalars.contains(scalar) else { throw failure("an unknown escape") }
            return one(scalar.value)
        }
    }

    mutating func hexadecimal(_ count: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let scalar = next, let digit = Character(scalar).hexDigitValue else { throw failure("a bad escape") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    static let digits = ScalarSet([0x30...0x39])
    static let wordCharacters = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let spaces = ScalarSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])
}

extension ScalarSet {
    /// Its only member.
    fileprivate var single: UInt32? {
        ranges.count == 1 && ranges[0].lowerBound == ranges[0].upperBound ? ranges[0].lowerBound : nil
    }
}

/// Unicode's general categories, from the standard library's tables.
enum GeneralCategories {
    static func set(named name: String) -> ScalarSet? {
        var name = name
        for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        guard let wanted = members[name] ?? members[longNames[name] ?? ""] else { return nil }
        var ranges: [ClosedRange<UInt32>] = []
        var start: UInt32?
        for value in 0...ScalarSet.last + 1 {
            let isIn = Unicode.Scalar(value).map { wanted.contains($0.properties.generalCategory) } ?? false
            if isIn, start == nil { start = value }
            if !isIn, let first = start {
                ranges.append(first...(value - 1))
                start = nil
            }
        }
        return ScalarSet(ranges)
    }

    private static let longNames = [
        "Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt",
        "Modifier_Letter": "Lm",
        "Other_Letter": "Lo", "Mark": "M", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Letter_Number": "Nl",
        "Other_Number": "No", "Punctuation": "P", "punct": "P", "Symbol": "S", "Separator": "Z",
        "Space_Separator": "Zs",
    ]

    private static let members: [String: Set<Unicode.GeneralCategory>] = [
        "L": [.lowercaseLetter, .uppercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter],
        "Ll": [.lowercaseLetter], "Lu": [.uppercaseLetter], "Lt": [.titlecaseLetter], "Lm": [.modifierLetter],
        "Lo": [.otherLetter], "M": [.nonspacingMark, .spacingMark, .enclosingMark],
        "N": [.decimalNumber, .letterNumber, .otherNumber], "Nd": [.decimalNumber], "Nl": [.letterNumber],
        "No": [.otherNumber],
        "P": [
            .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation,
        ],
        "S": [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol],
        "Z": [.spaceSeparator, .lineSeparator, .paragraphSeparator], "Zs": [.spaceSeparator],
    ]
}
