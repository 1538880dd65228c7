extension SchemaCompiler {
    /// Whether no value can satisfy both schemas, as far as types, constants and required members show it.
    func areDisjoint(_ left: Int32, _ right: Int32, depth: Int = 0) throws(GrammarError) -> Bool {
        guard depth < 3 else { return false }
        for kind in ValueKinds.each {
            guard
                let first = try? exactRestriction(left, kind), let second = try? exactRestriction(right, kind)
            else { return false }
            let both = Condition.conjunction([first, second])
            if both == .constant(false) { continue }
            switch kind {
            case .string where areDisjointTexts(both): continue
            case .object where try areDisjointObjects(both, depth): continue
            default: return false
            }
        }
        return true
    }

    /// What a schema says without the types that it only hints at: a negation has none of them.
    private func exactRestriction(_ schema: Int32, _ kind: ValueKinds) throws(GrammarError) -> Condition {
        try restriction(SchemaUse(schema: schema, isPositive: false), kind).condition.negation
    }

    /// Word lists that must all hold and share no word.
    private func areDisjointTexts(_ condition: Condition) -> Bool {
        guard case .all(let parts) = condition else { return false }
        var shared: Set<ByteString>?
        for case .atom(let atom) in parts {
            if case .words(let words) = textAtoms[Int(atom)] { shared = shared?.intersection(words) ?? words }
        }
        return shared?.isEmpty ?? false
    }

    /// A required member whose values are asked to be of two schemas that exclude each other.
    private func areDisjointObjects(_ condition: Condition, _ depth: Int) throws(GrammarError) -> Bool {
        guard case .all(let parts) = condition else { return false }
        var required: [ByteString] = []
        var rules: [(keys: KeySet, use: SchemaUse)] = []
        for case .atom(let atom) in parts {
            switch objectAtoms[Int(atom)] {
            case .required(let name): required.append(name)
            case .every(let keys, let use): rules.append((keys, use))
            case .minimum: break
            }
        }
        for name in required.prefix(16) {
            let uses = rules.filter { holds($0.keys, for: name) }.map(\.use)
            if uses.contains(.nothing) { return true }
            let positive = uses.filter { $0.isPositive && $0 != .anything }.prefix(8)
            for (index, one) in positive.enumerated() {
                for other in positive.dropFirst(index + 1) where one.schema != other.schema {
                    if try areDisjoint(one.schema, other.schema, depth: depth + 1) { return true }
                }
            }
        }
        return false
    }
}
