/// Compiles a JSON Schema: keywords to formulas (`SchemaCompiler+Keywords`), formulas to one condition for each type of
/// value, conditions to automata; containers in `SchemaCompiler+Containers`.
final class SchemaCompiler {
    struct Node {
        var place: SchemaDocument.Place
        var formula: Formula?
    }

    let options: SchemaOptions
    let isDraft7: Bool
    let document: SchemaDocument
    var builder: MachineBuilder
    var encoder = ByteEncoder()

    var nodes: [Node] = []
    private var nodeOfPointer: [String: Int32] = [:]
    var textAtoms: [TextAtom] = []
    private var textIndex: [TextAtom: Int32] = [:]
    private var automata: [Int32: ScalarAutomaton] = [:]
    var numberAtoms: [NumberAtom] = []
    private var numberIndex: [NumberAtom: Int32] = [:]
    var arrayAtoms: [ArrayAtom] = []
    private var arrayIndex: [ArrayAtom: Int32] = [:]
    var objectAtoms: [ObjectAtom] = []
    private var objectIndex: [ObjectAtom: Int32] = [:]
    var patterns: [ByteString: ScalarAutomaton] = [:]

    private struct Restriction: Hashable {
        var use: SchemaUse
        var kind: ValueKinds
    }
    private var restrictions: [Restriction: (condition: Condition, size: Int)] = [:]
    private var open: Set<Restriction> = []

    private var valueRules: [[SchemaUse]: Int32] = [:]
    private var pending: [(uses: [SchemaUse], rule: Int32)] = []
    private var stringRules: [Condition: Int32] = [:]
    private var numberRules: [Condition: Int32] = [:]
    /// Where the schema lies whose rules are being made, for errors.
    var pointer = ""

    init(_ root: JSON, options: SchemaOptions) throws(GrammarError) {
        self.options = options
        var isDraft7 = options.draft == .draft7
        if let dialect = root["$schema"] {
            switch dialect {
            case .string("http://json-schema.org/draft-07/schema#"), .string("http://json-schema.org/draft-07/schema"),
                .string("https://json-schema.org/draft-07/schema#"), .string("https://json-schema.org/draft-07/schema"):
                isDraft7 = true
            case .string("https://json-schema.org/draft/2020-12/schema"),
                .string("https://json-schema.org/draft/2020-12/schema#"):
                isDraft7 = false
            default:
                throw GrammarError(
                    .unsupported, "only the dialects draft-07 and 2020-12 are known", pointer: "/$schema")
            }
        }
        self.isDraft7 = isDraft7
        document = try SchemaDocument(root, isDraft7: isDraft7)
        builder = MachineBuilder(limits: options.limits)
        nodes.append(Node(place: .init(value: .bool(true), pointer: "", base: ""), formula: .constant(true)))
    }

    func compile() throws(GrammarError) -> Grammar {
        let root = try node(document.rootPlace)
        let value = try valueRule([SchemaUse(schema: root)])
        while let (uses, rule) = pending.popLast() {
            pointer = uses.first.map { nodes[Int($0.schema)].place.pointer } ?? ""
            do throws(GrammarError) {
                try buildValue(uses, rule)
            } catch {
                var located = error
                if located.pointer == nil { located.pointer = pointer }
                throw located
            }
        }
        // Space around the document, where any is allowed.
        let start = try builder.state()
        let end = try builder.state(isFinal: true)
        if options.whitespace == .any {
            addSpace(start)
            addSpace(end)
        }
        builder.call(start, value, end)
        let whole = try builder.rule()
        builder.ruleStart[Int(whole)] = start
        do throws(GrammarError) {
            return try builder.finish(root: whole)
        } catch {
            var located = error
            if located.pointer == nil { located.pointer = "" }
            if located.kind == .unsatisfiable { located.message = "no value satisfies the schema" }
            throw located
        }
    }

    // MARK: Tables

    func node(_ place: SchemaDocument.Place) throws(GrammarError) -> Int32 {
        if let known = nodeOfPointer[place.pointer] { return known }
        let id = try newNode(place)
        nodeOfPointer[place.pointer] = id
        return id
    }

    /// A node that is not found again by its pointer: a part of a `const`.
    func newNode(_ place: SchemaDocument.Place) throws(GrammarError) -> Int32 {
        guard nodes.count < options.limits.rules * 10 else {
            throw GrammarError(.tooLarge, "the schema has too many parts", pointer: place.pointer)
        }
        nodes.append(Node(place: place, formula: nil))
        return Int32(nodes.count - 1)
    }

    func text(_ atom: TextAtom) -> Formula {
        .text(intern(atom, &textAtoms, &textIndex))
    }
    func textCondition(_ atom: TextAtom) -> Condition {
        .atom(intern(atom, &textAtoms, &textIndex))
    }
    func number(_ atom: NumberAtom) -> Formula {
        .number(intern(atom, &numberAtoms, &numberIndex))
    }
    func array(_ atom: ArrayAtom) -> Formula {
        .array(intern(atom, &arrayAtoms, &arrayIndex))
    }
    func object(_ atom: ObjectAtom) -> Formula {
        .object(intern(atom, &objectAtoms, &objectIndex))
    }

    private func intern<Atom: Hashable>(_ atom: Atom, _ list: inout [Atom], _ index: inout [Atom: Int32]) -> Int32 {
        if let known = index[atom] { return known }
        let id = Int32(list.count)
        list.append(atom)
        index[atom] = id
        return id
    }

    func automaton(_ atom: Int32) -> ScalarAutomaton {
        if let known = automata[atom] { return known }
        let made: ScalarAutomaton
        switch textAtoms[Int(atom)] {
        case .automaton(let automaton): made = automaton
        case .words(let words): made = .words(words.map(\.scalars))
        }
        automata[atom] = made
        return made
    }

    /// Whether a key meets a condition.
    func holds(_ keys: KeySet, for key: ByteString) -> Bool {
        keys.holds { atom in
            if case .words(let words) = textAtoms[Int(atom)] { return words.contains(key) }
            return automaton(atom).matches(key.scalars)
        }
    }

    // MARK: One type at a time

    /// What a schema, or its negation, asks of values of one kind.
    func restriction(_ use: SchemaUse, _ kind: ValueKinds) throws(GrammarError) -> (condition: Condition, size: Int) {
        let key = Restriction(use: use, kind: kind)
        if let known = restrictions[key] { return known }
        guard open.insert(key).inserted else {
            throw GrammarError(
                .unsupported, "the schema refers to itself for the same value",
                pointer: nodes[Int(use.schema)].place.pointer)
        }
        guard open.count <= 2 * options.limits.nesting else {
            throw GrammarError(.tooLarge, "references nest too deep", pointer: nodes[Int(use.schema)].place.pointer)
        }
        defer { open.remove(key) }
        let made = try restriction(try formula(use.schema), use.isPositive, kind)
        guard made.size < 20_000 else {
            throw GrammarError(
                .tooLarge, "the schema's conditions multiply out to too many",
                pointer: nodes[Int(use.schema)].place.pointer)
        }
        restrictions[key] = made
        return made
    }

    private func restriction(
        _ formula: Formula, _ isPositive: Bool, _ kind: ValueKinds
    ) throws(GrammarError) -> (condition: Condition, size: Int) {
        func literal(_ atom: Int32, _ concerned: ValueKinds) -> (Condition, Int) {
            if kind != concerned { return (.constant(isPositive), 1) }
            return (isPositive ? .atom(atom) : .negated(atom), 1)
        }
        func several(_ parts: [Formula], _ asConjunction: Bool) throws(GrammarError) -> (Condition, Int) {
            var conditions: [Condition] = []
            var size = 1
            for part in parts {
                let made = try restriction(part, isPositive, kind)
                if made.condition == .constant(!asConjunction) { return (made.condition, 1) }
                conditions.append(made.condition)
                size += made.size
                guard size < 20_000 else {
                    throw GrammarError(.tooLarge, "the schema's conditions multiply out to too many")
                }
            }
            return (asConjunction ? .conjunction(conditions) : .disjunction(conditions), size)
        }
        switch formula {
        case .constant(let value): return (.constant(value == isPositive), 1)
        case .kind(let kinds): return (.constant(kinds.contains(kind) == isPositive), 1)
        case .hint(let kinds): return (.constant(isPositive && kinds.contains(kind)), 1)
        case .text(let atom): return literal(atom, .string)
        case .number(let atom): return literal(atom, .number)
        case .array(let atom): return literal(atom, .array)
        case .object(let atom): return literal(atom, .object)
        case .schema(let schema): return try restriction(SchemaUse(schema: schema, isPositive: isPositive), kind)
        case .not(let inner): return try restriction(inner, !isPositive, kind)
        case .opposite(let inner):
            let concerned: ValueKinds =
                switch inner {
                case .text: .string
                case .number: .number
                case .array: .array
                default: .object
                }
            return kind == concerned ? try restriction(inner, !isPositive, kind) : (.constant(isPositive), 1)
        case .all(let parts): return try several(parts, isPositive)
        case .any(let parts): return try several(parts, !isPositive)
        }
    }

    func condition(_ uses: [SchemaUse], _ kind: ValueKinds) throws(GrammarError) -> Condition {
        var parts: [Condition] = []
        for use in uses { parts.append(try restriction(use, kind).condition) }
        return .conjunction(parts)
    }

    // MARK: Rules

    /// The rule of the values that meet all the uses; nil where the uses contradict each other plainly.
    func valueRule(_ given: [SchemaUse]) throws(GrammarError) -> Int32 {
        var uses = Set(given)
        uses.remove(.anything)
        let key = uses.sorted()
        if let known = valueRules[key] { return known }
        let rule = try builder.rule()
        valueRules[key] = rule
        pending.append((key, rule))
        return rule
    }

    func isImpossible(_ uses: [SchemaUse]) -> Bool {
        uses.contains(.nothing) || uses.contains { uses.contains($0.negation) }
    }

    private func buildValue(_ uses: [SchemaUse], _ rule: Int32) throws(GrammarError) {
        let start = try builder.state()
        builder.ruleStart[Int(rule)] = start
        if isImpossible(uses) { return }
        let end = try builder.state(isFinal: true)
        for (kind, word) in [(ValueKinds.null, "null"), (.true, "true"), (.false, "false")]
        where try condition(uses, kind) != .constant(false) {
            try builder.chain(start, Array(word.utf8), end)
        }
        let number = try condition(uses, .number)
        if number != .constant(false) { builder.call(start, try numberRule(number), end) }
        let string = try condition(uses, .string)
        if string != .constant(false) { builder.call(start, try stringRule(string), end) }
        for term in try condition(uses, .array).alternatives(limit: options.limits.alternatives) {
            try buildArray(term, from: start, to: end)
        }
        for term in try condition(uses, .object).alternatives(limit: options.limits.alternatives) {
            try buildObject(term, from: start, to: end)
        }
    }

    private func numberRule(_ condition: Condition) throws(GrammarError) -> Int32 {
        if let known = numberRules[condition] { return known }
        let rule = try builder.rule()
        numberRules[condition] = rule
        let numbers = NumberRule(condition: condition, atoms: numberAtoms, options: options)
        builder.ruleStart[Int(rule)] = try numbers.build(&builder)
        return rule
    }

    /// The rule of the JSON strings, with their quotes, whose characters meet a condition.
    func stringRule(_ condition: Condition) throws(GrammarError) -> Int32 {
        if let known = stringRules[condition] { return known }
        let rule = try builder.rule()
        stringRules[condition] = rule
        let atoms = condition.atoms
        let free = ScalarAutomaton(spans: [[.init(upper: ScalarSet.last, target: 0)]], accepts: [true])
        let automaton: ScalarAutomaton
        if condition == .constant(true) {
            automaton = free
        } else if case .atom(let only) = condition {
            automaton = self.automaton(only)
        } else {
            automaton = try ScalarAutomaton.combining(atoms.map { self.automaton($0) }, limits: options.limits) {
                accepted in
                condition.holds { atom in atoms.firstIndex(of: atom).map { accepted[$0] } ?? false }
            }
        }
        let start = try builder.state()
        builder.ruleStart[Int(rule)] = start
        let end = try builder.state(isFinal: true)
        var states: [Int32] = []
        for _ in automaton.spans { states.append(try builder.state()) }
        builder.edge(start, "\"", states[0])
        for state in states.indices {
            if automaton.accepts[state] { builder.edge(states[state], "\"", end) }
            var ways: [ByteEncoder.Way] = []
            var low: UInt32 = 0
            for span in automaton.spans[state] {
                if span.target >= 0 {
                    ways.append(.init(low: low, high: span.upper, target: states[Int(span.target)]))
                }
                low = span.upper &+ 1
            }
            try encoder.addJSON(ways, to: states[state], everyEscape: options.everySpelling, &builder)
        }
        return rule
    }

    // MARK: Space

    func addSpace(_ state: Int32) {
        for byte in [" ", "\t", "\n", "\r"] as [Unicode.Scalar] { builder.edge(state, byte, state) }
    }

    /// The states in which a token may stand that follows `state` with the allowed space between.
    ///
    /// - Parameter isSeparator: whether a comma or colon is before `state`.
    func afterSpace(_ state: Int32, isSeparator: Bool = false) throws(GrammarError) -> [Int32] {
        switch options.whitespace {
        case .none: return [state]
        case .any:
            addSpace(state)
            return [state]
        case .single:
            let spaced = try builder.state()
            builder.edge(state, " ", spaced)
            return [state, spaced]
        case .spaced:
            guard isSeparator else { return [state] }
            let spaced = try builder.state()
            builder.edge(state, " ", spaced)
            return [spaced]
        }
    }
}

/// A JSON Schema as a grammar.
package enum JSONSchema {
    /// Compiles a schema given as JSON text in UTF-8.
    ///
    /// - Throws: `GrammarError` with a JSON Pointer, for whatever cannot be enforced exactly within the limits.
    package static func compile(_ text: some Sequence<UInt8>, options: SchemaOptions = .generating) throws(GrammarError)
        -> Grammar
    {
        let root = try JSON(parsing: Array(text), limits: options.limits)
        return try SchemaCompiler(root, options: options).compile()
    }

    /// Compiles a schema given as a string of JSON.
    package static func compile(_ text: String, options: SchemaOptions = .generating) throws(GrammarError) -> Grammar {
        try compile(Array(text.utf8), options: options)
    }
}
