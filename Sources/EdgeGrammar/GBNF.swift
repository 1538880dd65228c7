/// Grammars in the notation of llama.cpp.
///
/// Rules, literals, character classes, `.`, groups, `|`, `* + ?` and `{m,n}`, comments, and terminals for whole tokens. The start is
/// `root`. A rule that begins with itself is refused.
///
/// `<[id]>` is the token with that id and `<name>` the one with that text, angle brackets and all; `!<[id]>` and `!<name>` are any
/// token but that. Such a terminal takes one token, whatever it stands for, and never a part of one; text is matched as text
/// alone, however it is cut into tokens. A token that may stand there as itself and as text is taken as both.
package enum GBNF {
    /// What a grammar has to know of a vocabulary to name its tokens.
    package struct Vocabulary {
        /// Tokens, all of them.
        var tokenCount: Int
        /// Tokens that end a generation. The end of the grammar allows them, and no terminal does.
        var endTokens: Set<Int32>
        /// The token that a text is as a whole; nil where it is none, or several.
        var token: (String) -> Int32?

        package init(tokenCount: Int, endTokens: some Sequence<Int32>, token: @escaping (String) -> Int32?) {
            self.tokenCount = tokenCount
            self.endTokens = Set(endTokens)
            self.token = token
        }
    }

    /// Compiles a grammar.
    ///
    /// - Parameter vocabulary: Whose tokens the grammar names; without one, any id is taken and no text.
    /// - Throws: `GrammarError`, with line and column where the text is at fault: also for a token that the vocabulary does not have,
    ///   or that ends a generation.
    package static func compile(
        _ text: String, vocabulary: Vocabulary? = nil, limits: GrammarLimits = GrammarLimits()
    ) throws(GrammarError) -> Grammar {
        guard text.utf8.count <= limits.sourceBytes else {
            throw GrammarError(.tooLarge, "the grammar has more than \(limits.sourceBytes) bytes")
        }
        var parser = GBNFParser(text, vocabulary, limits: limits)
        let rules = try parser.parse()
        var compiler = try GBNFCompiler(rules, limits: limits)
        return try compiler.compile()
    }
}

indirect enum GBNFNode {
    case literal([UInt8])
    case set(ScalarSet)
    case token(Int32, isExcluded: Bool)
    case rule(Int)
    case sequence([GBNFNode])
    case choice([GBNFNode])
    case `repeat`(GBNFNode, Int, Int?)
}

private struct GBNFParser: ScalarReader {
    struct Rule {
        var name: String
        var body: GBNFNode?
        /// Where it is first named.
        var line: Int
        var column: Int
    }

    let scalars: [Unicode.Scalar]
    let vocabulary: GBNF.Vocabulary?
    let limits: GrammarLimits
    var position = 0
    var rules: [Rule] = []
    var index: [String: Int] = [:]

    init(_ text: String, _ vocabulary: GBNF.Vocabulary?, limits: GrammarLimits) {
        self.vocabulary = vocabulary
        scalars = Array(text.unicodeScalars)
        self.limits = limits
    }

    func place(of position: Int) -> (line: Int, column: Int) {
        var (line, column) = (1, 1)
        for scalar in scalars[..<min(position, scalars.count)] {
            if scalar == "\n" { (line, column) = (line + 1, 1) } else { column += 1 }
        }
        return (line, column)
    }

    func failure(_ message: String, _ kind: GrammarError.Kind = .malformedGrammar, at: Int? = nil) -> GrammarError {
        let place = place(of: at ?? position)
        return GrammarError(kind, message, line: place.line, column: place.column)
    }

    mutating func skipSpace(lines: Bool) {
        while let scalar = next {
            if scalar == "#" {
                while let scalar = next, scalar != "\n", scalar != "\r" { position += 1 }
            } else if scalar == " " || scalar == "\t" || (lines && (scalar == "\n" || scalar == "\r")) {
                position += 1
            } else {
                return
            }
        }
    }

    mutating func parse() throws(GrammarError) -> [GBNFNode] {
        skipSpace(lines: true)
        while next != nil {
            let start = position
            let rule = try self.rule(try name())
            skipSpace(lines: false)
            guard take("::=") else { throw failure("\"::=\" is missing after a rule's name") }
            skipSpace(lines: true)
            if rules[rule].body != nil { throw failure("the rule \"\(rules[rule].name)\" stands twice", at: start) }
            rules[rule].body = try choice(depth: 0)
            if let scalar = next, scalar != "\n", scalar != "\r" { throw failure("the end of the rule is missing") }
            skipSpace(lines: true)
        }
        guard let root = index["root"], rules[root].body != nil else {
            throw GrammarError(.malformedGrammar, "there is no rule \"root\"", line: 1, column: 1)
        }
        var bodies: [GBNFNode] = []
        for rule in rules {
            guard let body = rule.body else {
                throw GrammarError(
                    .malformedGrammar, "the rule \"\(rule.name)\" is not defined", line: rule.line, column: rule.column)
            }
            bodies.append(body)
        }
        bodies.swapAt(0, root)
        return bodies.map { Self.swap($0, root) }
    }

    /// Rule 0 and the root have changed places.
    private static func swap(_ node: GBNFNode, _ root: Int) -> GBNFNode {
        switch node {
        case .rule(let rule): .rule(rule == 0 ? root : rule == root ? 0 : rule)
        case .sequence(let nodes): .sequence(nodes.map { swap($0, root) })
        case .choice(let nodes): .choice(nodes.map { swap($0, root) })
        case .repeat(let node, let minimum, let maximum): .repeat(swap(node, root), minimum, maximum)
        case .literal, .set, .token: node
        }
    }

    mutating func name() throws(GrammarError) -> String {
        var name = ""
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || scalar == "-" || scalar == "_"
                || ("0"..."9").contains(scalar)
        {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        if name.isEmpty { throw failure("a name is missing") }
        return name
    }

    mutating func rule(_ name: String) throws(GrammarError) -> Int {
        if let known = index[name] { return known }
        guard rules.count < limits.rules else { throw failure("more than \(limits.rules) rules", .tooLarge) }
        let place = place(of: max(0, position - name.unicodeScalars.count))
        index[name] = rules.count
        rules.append(Rule(name: name, body: nil, line: place.line, column: place.column))
        return rules.count - 1
    }

    mutating func choice(depth: Int) throws(GrammarError) -> GBNFNode {
        if depth > limits.nesting { throw failure("groups nest deeper than \(limits.nesting)", .tooLarge) }
        var nodes = [try sequence(depth: depth)]
        while take("|") {
            skipSpace(lines: true)
            nodes.append(try sequence(depth: depth))
        }
        return nodes.count == 1 ? nodes[0] : .choice(nodes)
    }

    mutating func sequence(depth: Int) throws(GrammarError) -> GBNFNode {
        var nodes: [GBNFNode] = []
        while let scalar = next, scalar != "|", scalar != ")", scalar != "\n", scalar != "\r" {
            let start = position
            let node: GBNFNode
            switch scalar {
            case "\"":
                position += 1
                node = try literal()
            case "[":
                position += 1
                node = try characterClass()
            case ".":
                position += 1
                node = .set(.all)
            case "(":
                position += 1
                skipSpace(lines: true)
                node = try choice(depth: depth + 1)
                guard take(")") else { throw failure("a parenthesis is missing") }
            case "<":
                node = .token(try token(), isExcluded: false)
            case "!":
                position += 1
                guard next == "<" else { throw failure("a token is missing behind \"!\"", at: start) }
                node = .token(try token(), isExcluded: true)
            default:
                node = .rule(try rule(try name()))
            }
            // Within a group a line may end anywhere; outside only a new rule may follow.
            skipSpace(lines: depth > 0)
            nodes.append(try repeated(node, depth: depth))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    mutating func repeated(_ given: GBNFNode, depth: Int) throws(GrammarError) -> GBNFNode {
        var node = given
        var count = 0
        while let scalar = next, "*+?{".unicodeScalars.contains(scalar) {
            position += 1
            count += 1
            if count > 8 { throw failure("too many repetitions of one thing", .tooLarge) }
            switch scalar {
            case "*": node = .repeat(node, 0, nil)
            case "+": node = .repeat(node, 1, nil)
            case "?": node = .repeat(node, 0, 1)
            default:
                skipSpace(lines: depth > 0)
                let minimum = number()
                skipSpace(lines: depth > 0)
                var maximum = minimum
                if take(",") {
                    skipSpace(lines: depth > 0)
                    maximum = number()
                    skipSpace(lines: depth > 0)
                } else if minimum == nil {
                    throw failure("a number is missing in a repetition")
                }
                guard take("}") else { throw failure("a brace is missing in a repetition") }
                if let maximum, maximum < minimum ?? 0 { throw failure("a repetition counts down") }
                if max(minimum ?? 0, maximum ?? 0) > limits.stringStates {
                    throw failure("a repetition is too long", .tooLarge)
                }
                node = .repeat(node, minimum ?? 0, maximum)
            }
            skipSpace(lines: depth > 0)
        }
        return node
    }

    mutating func number() -> Int? {
        var value: Int?
        while let digit = next?.value, (0x30...0x39).contains(digit) {
            value = min((value ?? 0) * 10 + Int(digit - 0x30), 1_000_000)
            position += 1
        }
        return value
    }

    /// A token's id or text, between angle brackets.
    mutating func token() throws(GrammarError) -> Int32 {
        let start = position
        var text = ""
        repeat {
            guard let scalar = next, scalar != "\n", scalar != "\r" else { throw failure("a \">\" is missing") }
            text.unicodeScalars.append(scalar)
            position += 1
        } while scalars[position - 1] != ">"
        let id: Int32
        if text.hasPrefix("<[") {
            guard text.hasSuffix("]>"), let number = Int32(text.dropFirst(2).dropLast(2)), number >= 0 else {
                throw failure("\(text) is no id of a token", at: start)
            }
            guard number < vocabulary?.tokenCount ?? .max else {
                throw failure("the vocabulary has no token \(number)", at: start)
            }
            id = number
        } else {
            guard let vocabulary else {
                throw failure("there is no vocabulary to find the token \(text) in", .unsupported, at: start)
            }
            guard let known = vocabulary.token(text) else {
                throw failure("\(text) is no token of the vocabulary", at: start)
            }
            id = known
        }
        if vocabulary?.endTokens.contains(id) == true {
            throw failure("the token \(text) ends an answer and cannot stand in it", .unsupported, at: start)
        }
        return id
    }

    mutating func literal() throws(GrammarError) -> GBNFNode {
        var text: [UInt8] = []
        while !take("\"") {
            let start = position
            guard let scalar = Unicode.Scalar(try character()) else { throw failure("no such character", at: start) }
            text += String(scalar).utf8
        }
        return .literal(text)
    }

    mutating func characterClass() throws(GrammarError) -> GBNFNode {
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let low = try character()
            if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                let high = try character()
                if high < low { throw failure("a range in a class is out of order") }
                ranges.append(low...high)
            } else {
                ranges.append(low...low)
            }
        }
        let set = ScalarSet(ranges)
        return .set(isNegated ? set.complement : set)
    }

    mutating func character() throws(GrammarError) -> UInt32 {
        guard let scalar = next else { throw failure("a literal or class does not end") }
        if scalar == "\n" || scalar == "\r" { throw failure("a literal or class does not end on its line") }
        position += 1
        guard scalar == "\\" else { return scalar.value }
        guard let escaped = next else { throw failure("a backslash at the end") }
        position += 1
        switch escaped {
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        case "t": return 9
        case "r": return 13
        case "n": return 10
        case "\\", "\"", "[", "]", "-", "^": return escaped.value
        default: throw failure("an unknown escape")
        }
    }

    mutating func hexadecimal(_ count: Int) throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let scalar = next, let digit = Character(scalar).hexDigitValue else { throw failure("a bad escape") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        if value > ScalarSet.last { throw failure("no such character") }
        return value
    }
}

/// Turns each rule into a deterministic automaton over bytes and calls of other rules; small rules without recursion are
/// written out where they are named.
private struct GBNFCompiler {
    let rules: [GBNFNode]
    let limits: GrammarLimits
    var builder: MachineBuilder
    /// Size of a rule written out, nil where it is recursive or too large for it.
    var sizes: [Int?]
    static let inlineLimit = 300

    init(_ rules: [GBNFNode], limits: GrammarLimits) throws(GrammarError) {
        self.rules = rules
        self.limits = limits
        builder = MachineBuilder(limits: limits)
        sizes = [Int?](repeating: nil, count: rules.count)
        var state = [Int](repeating: 0, count: rules.count)
        for rule in rules.indices { _ = size(rule, &state, 0) }
        for _ in rules { _ = try builder.rule() }
    }

    /// 0 in `state` is unseen, 1 open, 2 done.
    private mutating func size(_ rule: Int, _ state: inout [Int], _ depth: Int) -> Int? {
        if state[rule] == 2 { return sizes[rule] }
        if state[rule] == 1 || depth > 100 { return nil }
        state[rule] = 1
        let total = size(of: rules[rule], &state, depth)
        state[rule] = 2
        sizes[rule] = total.flatMap { $0 <= Self.inlineLimit ? $0 : nil }
        return sizes[rule]
    }

    private mutating func size(of node: GBNFNode, _ state: inout [Int], _ depth: Int) -> Int? {
        switch node {
        case .literal(let bytes): return bytes.count + 1
        case .set: return 4
        case .token(_, let isExcluded): return isExcluded ? 9 : 6
        case .rule(let rule): return size(rule, &state, depth + 1)
        case .sequence(let nodes), .choice(let nodes):
            var total: Int? = 1
            for node in nodes {
                let part = size(of: node, &state, depth)
                total = total.flatMap { total in part.map { min(total + $0, 1 << 20) } }
            }
            return total
        case .repeat(let node, let minimum, let maximum):
            return size(of: node, &state, depth).map { min($0 * max(minimum, maximum ?? 1, 1) + 1, 1 << 20) }
        }
    }

    mutating func compile() throws(GrammarError) -> Grammar {
        var work = 0
        for rule in rules.indices {
            var net = GBNFNet(limits: limits)
            let (start, end) = (try net.state(), try net.state())
            try net.add(rules[rule], from: start, to: end) { [sizes, rules] named in
                sizes[named] == nil ? nil : rules[named]
            }
            builder.ruleStart[rule] = try net.deterministic(from: start, to: end, &builder, &work)
            builder.named.formUnion(net.net.named)
        }
        return try builder.finish(root: 0)
    }
}

private struct GBNFNet {
    let limits: GrammarLimits
    var net: MachineBuilder
    var free: [[Int32]] = []
    var encoder = ByteEncoder()

    init(limits: GrammarLimits) {
        self.limits = limits
        net = MachineBuilder(limits: limits)
    }

    mutating func state() throws(GrammarError) -> Int32 { try net.state() }

    private mutating func link(_ from: Int32, _ to: Int32) {
        while free.count < net.edges.count { free.append([]) }
        free[Int(from)].append(to)
    }

    mutating func add(
        _ node: GBNFNode, from: Int32, to: Int32, inline: (Int) -> GBNFNode?
    ) throws(GrammarError) {
        switch node {
        case .literal(let bytes):
            if bytes.isEmpty { link(from, to) } else { try net.chain(from, bytes, to) }
        case .set(let set):
            let ways = set.ranges.map { ByteEncoder.Way(low: $0.lowerBound, high: $0.upperBound, target: to) }
            try encoder.addUTF8(ways, to: from, &net)
        case .token(let id, let isExcluded): try net.token(from, id, isExcluded: isExcluded, to)
        case .rule(let rule):
            if let body = inline(rule) {
                try add(body, from: from, to: to, inline: inline)
            } else {
                net.call(from, Int32(rule), to)
            }
        case .choice(let nodes):
            for node in nodes { try add(node, from: from, to: to, inline: inline) }
        case .sequence(let nodes):
            var place = from
            for (index, node) in nodes.enumerated() {
                let next = index == nodes.count - 1 ? to : try state()
                try add(node, from: place, to: next, inline: inline)
                place = next
            }
            if nodes.isEmpty { link(from, to) }
        case .repeat(let node, let minimum, let maximum):
            var place = from
            for _ in 0..<minimum {
                let next = try state()
                try add(node, from: place, to: next, inline: inline)
                place = next
            }
            if let maximum {
                for _ in minimum..<maximum {
                    link(place, to)
                    let next = try state()
                    try add(node, from: place, to: next, inline: inline)
                    place = next
                }
                link(place, to)
            } else {
                let (loop, body) = (try state(), try state())
                link(place, loop)
                link(loop, body)
                try add(node, from: body, to: loop, inline: inline)
                link(loop, to)
            }
        }
    }

    private func closure(_ states: [Int32]) -> [Int32] {
        var seen = Set(states)
        var queue = states
        while let state = queue.popLast() {
            guard Int(state) < free.count else { continue }
            for next in free[Int(state)] where seen.insert(next).inserted { queue.append(next) }
        }
        return seen.sorted()
    }

    mutating func deterministic(
        from start: Int32, to end: Int32, _ builder: inout MachineBuilder, _ work: inout Int
    ) throws(GrammarError) -> Int32 {
        var ids: [[Int32]: Int32] = [:]
        var queue: [(states: [Int32], made: Int32)] = []
        func id(_ targets: [Int32], _ builder: inout MachineBuilder) throws(GrammarError) -> Int32 {
            let states = closure(targets)
            if let known = ids[states] { return known }
            let made = try builder.state(isFinal: states.contains(end))
            ids[states] = made
            queue.append((states, made))
            return made
        }
        let first = try id([start], &builder)
        while let (states, made) = queue.popLast() {
            var cuts: Set<Int> = []
            var calls: [Int32: Set<Int32>] = [:]
            for state in states {
                for edge in net.edges[Int(state)] {
                    cuts.insert(Int(edge.low))
                    cuts.insert(Int(edge.high) + 1)
                }
                for call in net.calls[Int(state)] { calls[call.rule, default: []].insert(call.back) }
            }
            let bounds = cuts.sorted()
            for (low, high) in zip(bounds, bounds.dropFirst()) {
                var targets: Set<Int32> = []
                for state in states {
                    for edge in net.edges[Int(state)] where Int(edge.low) <= low && low <= Int(edge.high) {
                        targets.insert(edge.target)
                    }
                    work += net.edges[Int(state)].count
                }
                guard work < 100_000_000 else { throw GrammarError(.tooLarge, "the grammar takes too long to compile") }
                if targets.isEmpty { continue }
                let target = try id(targets.sorted(), &builder)
                builder.edge(made, UInt8(low), UInt8(high - 1), target)
            }
            for (rule, backs) in calls.sorted(by: { $0.key < $1.key }) {
                builder.call(made, rule, try id(backs.sorted(), &builder))
            }
        }
        return first
    }
}
