/// A Boolean formula over conditions of one type of value, with negation only before them.
indirect enum Condition: Hashable, Sendable {
    case constant(Bool)
    case atom(Int32)
    case negated(Int32)
    case all([Condition])
    case any([Condition])

    static func conjunction(_ parts: [Condition]) -> Condition {
        var kept: [Condition] = []
        var seen: Set<Condition> = []
        for part in parts {
            switch part {
            case .constant(true): continue
            case .constant(false): return .constant(false)
            case .all(let inner): for part in inner where seen.insert(part).inserted { kept.append(part) }
            default: if seen.insert(part).inserted { kept.append(part) }
            }
        }
        for case .atom(let atom) in kept where seen.contains(.negated(atom)) { return .constant(false) }
        return kept.isEmpty ? .constant(true) : kept.count == 1 ? kept[0] : .all(kept)
    }

    static func disjunction(_ parts: [Condition]) -> Condition {
        var kept: [Condition] = []
        var seen: Set<Condition> = []
        for part in parts {
            switch part {
            case .constant(false): continue
            case .constant(true): return .constant(true)
            case .any(let inner): for part in inner where seen.insert(part).inserted { kept.append(part) }
            default: if seen.insert(part).inserted { kept.append(part) }
            }
        }
        for case .atom(let atom) in kept where seen.contains(.negated(atom)) { return .constant(true) }
        return kept.isEmpty ? .constant(false) : kept.count == 1 ? kept[0] : .any(kept)
    }

    var negation: Condition {
        switch self {
        case .constant(let value): .constant(!value)
        case .atom(let atom): .negated(atom)
        case .negated(let atom): .atom(atom)
        case .all(let parts): .disjunction(parts.map(\.negation))
        case .any(let parts): .conjunction(parts.map(\.negation))
        }
    }

    /// Its atoms, each once, in the order of their first place.
    var atoms: [Int32] {
        var found: [Int32] = []
        var seen: Set<Int32> = []
        func visit(_ condition: Condition) {
            switch condition {
            case .constant: break
            case .atom(let atom), .negated(let atom): if seen.insert(atom).inserted { found.append(atom) }
            case .all(let parts), .any(let parts): parts.forEach(visit)
            }
        }
        visit(self)
        return found
    }

    func holds(_ value: (Int32) -> Bool) -> Bool {
        switch self {
        case .constant(let constant): constant
        case .atom(let atom): value(atom)
        case .negated(let atom): !value(atom)
        case .all(let parts): parts.allSatisfy { $0.holds(value) }
        case .any(let parts): parts.contains { $0.holds(value) }
        }
    }

    /// With the truth put in for the atoms of which it is known.
    func replacing(_ value: (Int32) -> Bool?) -> Condition {
        switch self {
        case .constant: self
        case .atom(let atom): value(atom).map { .constant($0) } ?? self
        case .negated(let atom): value(atom).map { .constant(!$0) } ?? self
        case .all(let parts): .conjunction(parts.map { $0.replacing(value) })
        case .any(let parts): .disjunction(parts.map { $0.replacing(value) })
        }
    }

    /// A literal: an atom and whether it must hold.
    struct Literal: Hashable, Sendable {
        var atom: Int32
        var isPositive: Bool
    }

    /// As a choice between conjunctions.
    func alternatives(limit: Int) throws(GrammarError) -> [[Literal]] {
        switch self {
        case .constant(let value): return value ? [[]] : []
        case .atom(let atom): return [[Literal(atom: atom, isPositive: true)]]
        case .negated(let atom): return [[Literal(atom: atom, isPositive: false)]]
        case .any(let parts):
            var found: [[Literal]] = []
            var seen: Set<[Literal]> = []
            for part in parts {
                for term in try part.alternatives(limit: limit) where seen.insert(term).inserted { found.append(term) }
                if found.count > limit { throw Self.tooMany(limit) }
            }
            return Self.withoutAbsorbed(found)
        case .all(let parts):
            var found: [[Literal]] = [[]]
            for part in parts {
                let terms = try part.alternatives(limit: limit)
                var next: [[Literal]] = []
                var seen: Set<[Literal]> = []
                for left in found {
                    for right in terms {
                        guard let joined = Self.join(left, right) else { continue }
                        if seen.insert(joined).inserted { next.append(joined) }
                    }
                    if next.count > limit * 4 { throw Self.tooMany(limit) }
                }
                found = Self.withoutAbsorbed(next)
                if found.count > limit { throw Self.tooMany(limit) }
            }
            return found
        }
    }

    private static func tooMany(_ limit: Int) -> GrammarError {
        GrammarError(.tooLarge, "its conditions multiply out to more than \(limit) alternatives")
    }

    /// A conjunction that asks for more than another adds nothing to the choice.
    private static func withoutAbsorbed(_ terms: [[Literal]]) -> [[Literal]] {
        guard terms.count > 1, terms.count <= 512 else { return terms }
        let sets = terms.map { Set($0) }
        return terms.indices.filter { index in
            !terms.indices.contains { other in
                other != index && sets[other].isSubset(of: sets[index])
                    && (sets[other].count < sets[index].count || other < index)
            }
        }.map { terms[$0] }
    }

    /// Both conjunctions at once, nil where they contradict each other.
    private static func join(_ left: [Literal], _ right: [Literal]) -> [Literal]? {
        var joined = left
        for literal in right {
            if joined.contains(Literal(atom: literal.atom, isPositive: !literal.isPositive)) { return nil }
            if !joined.contains(literal) { joined.append(literal) }
        }
        return joined
    }
}
