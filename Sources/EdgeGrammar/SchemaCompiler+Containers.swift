/// The conditions of one alternative of an array, with negations spelled out.
private struct ArrayConditions {
    var every: [(prefix: [SchemaUse], rest: SchemaUse)] = []
    /// Some item does not meet its schema.
    var outside: [(prefix: [SchemaUse], rest: SchemaUse)] = []
    var atLeast: [(use: SchemaUse, count: Int)] = []
    var atMost: [(use: SchemaUse, count: Int)] = []
    var minimum = 0
    var maximum: Int?

    /// Where in the array a parse stands, as far as the conditions can tell.
    struct Progress: Hashable {
        var position = 0
        var isOutside: [Bool]
        var least: [Int]
        var most: [Int]
    }

    var longestPrefix: Int { (every + outside).reduce(0) { max($0, $1.prefix.count) } }

    static func item(_ items: (prefix: [SchemaUse], rest: SchemaUse), _ position: Int) -> SchemaUse {
        position < items.prefix.count ? items.prefix[position] : items.rest
    }

    func isComplete(_ progress: Progress) -> Bool {
        progress.position >= minimum && progress.isOutside.allSatisfy { $0 }
            && zip(progress.least, atLeast).allSatisfy { $0 >= $1.count }
    }

    /// The next items that may stand there: what they must meet, and where the parse stands after them.
    func choices(_ progress: Progress) throws(GrammarError) -> [(uses: [SchemaUse], next: Progress)] {
        if let maximum, progress.position >= maximum { return [] }
        var next = progress
        let cap = max(longestPrefix, maximum ?? minimum)
        next.position = min(progress.position + 1, max(cap, minimum))
        var found: [(uses: [SchemaUse], next: Progress)] = [
            (every.map { Self.item($0, progress.position) }, next)
        ]
        for index in outside.indices where !progress.isOutside[index] {
            for choice in found {
                var taken = choice
                taken.uses.append(Self.item(outside[index], progress.position).negation)
                taken.next.isOutside[index] = true
                found.append(taken)
            }
        }
        for index in atLeast.indices where progress.least[index] < atLeast[index].count {
            for choice in found {
                var taken = choice
                taken.uses.append(atLeast[index].use)
                taken.next.least[index] += 1
                found.append(taken)
            }
        }
        for index in atMost.indices {
            for (place, choice) in found.enumerated() {
                found[place].uses.append(atMost[index].use.negation)
                guard progress.most[index] < atMost[index].count else { continue }
                var taken = choice
                taken.uses.append(atMost[index].use)
                taken.next.most[index] += 1
                found.append(taken)
            }
        }
        if found.count > 64 { throw GrammarError(.tooLarge, "too many conditions on the items of one array") }
        return found
    }
}

/// The conditions of one alternative of an object, with negations spelled out.
private struct ObjectConditions {
    var required: [ByteString] = []
    var every: [(keys: KeySet, use: SchemaUse)] = []
    /// Some member with such a key has a value that does not meet the schema.
    var outside: [(keys: KeySet, use: SchemaUse)] = []
    var minimum = 0
    var maximum: Int?

    struct Progress: Hashable {
        /// In declared order: the first name that may still come. Else: which required names have come.
        var place = 0
        var isOutside: [Bool]
        var count = 0
        var total = 0
        var hasOther = false
    }

    /// A key or a set of keys that all conditions treat alike.
    struct KeyClass {
        var name: ByteString?
        /// Where it is not one name: which strings.
        var keys: KeySet
        var uses: [SchemaUse]
        var outside: [Bool]
    }
}

extension SchemaCompiler {
    // MARK: Arrays

    func buildArray(_ term: [Condition.Literal], from start: Int32, to end: Int32) throws(GrammarError) {
        var conditions = ArrayConditions()
        for literal in term {
            switch (arrayAtoms[Int(literal.atom)], literal.isPositive) {
            case (.items(let prefix, let rest), true): conditions.every.append((prefix, rest))
            case (.items(let prefix, let rest), false): conditions.outside.append((prefix, rest))
            case (.atLeast(let use, let count), true): conditions.atLeast.append((use, count))
            case (.atLeast(let use, let count), false): conditions.atMost.append((use, count - 1))
            case (.minimum(let count), true): conditions.minimum = max(conditions.minimum, count)
            case (.minimum(let count), false): conditions.maximum = min(conditions.maximum ?? count - 1, count - 1)
            }
        }
        if conditions.atMost.contains(where: { $0.count < 0 }) || (conditions.maximum ?? 0) < 0 { return }

        typealias Progress = ArrayConditions.Progress
        var after: [Progress: Int32] = [:]
        var queue: [Progress] = []
        func stateAfter(_ progress: Progress) throws(GrammarError) -> Int32 {
            if let known = after[progress] { return known }
            let state = try builder.state()
            after[progress] = state
            queue.append(progress)
            return state
        }
        func addItems(_ progress: Progress, at states: [Int32]) throws(GrammarError) {
            for choice in try conditions.choices(progress) where !isImpossible(choice.uses) {
                let rule = try valueRule(choice.uses)
                let next = try stateAfter(choice.next)
                for state in states { builder.call(state, rule, next) }
            }
        }
        let empty = Progress(
            isOutside: conditions.outside.map { _ in false }, least: conditions.atLeast.map { _ in 0 },
            most: conditions.atMost.map { _ in 0 })
        let open = try builder.state()
        builder.edge(start, "[", open)
        let first = try afterSpace(open)
        if conditions.isComplete(empty) { for state in first { builder.edge(state, "]", end) } }
        try addItems(empty, at: first)
        while let progress = queue.popLast() {
            let places = try afterSpace(try stateAfter(progress))
            if conditions.isComplete(progress) { for state in places { builder.edge(state, "]", end) } }
            let comma = try builder.state()
            for state in places { builder.edge(state, ",", comma) }
            try addItems(progress, at: try afterSpace(comma, isSeparator: true))
        }
    }

    // MARK: Objects

    func buildObject(_ term: [Condition.Literal], from start: Int32, to end: Int32) throws(GrammarError) {
        var conditions = ObjectConditions()
        for literal in term {
            switch (objectAtoms[Int(literal.atom)], literal.isPositive) {
            case (.required(let name), true):
                if !conditions.required.contains(name) { conditions.required.append(name) }
            case (.required(let name), false): conditions.every.append((textCondition(.words([name])), .nothing))
            case (.every(let keys, let use), true): conditions.every.append((keys, use))
            case (.every(let keys, let use), false): conditions.outside.append((keys, use))
            case (.minimum(let count), true): conditions.minimum = max(conditions.minimum, count)
            case (.minimum(let count), false): conditions.maximum = min(conditions.maximum ?? count - 1, count - 1)
            }
        }
        if let maximum = conditions.maximum, maximum < 0 { return }
        if options.keyOrder == .any, conditions.minimum > 1 {
            throw GrammarError(
                .unsupported, "minProperties above 1 cannot be enforced in any order: a key may come twice")
        }
        try ObjectRules(compiler: self, conditions: conditions, end: end).build(from: start)
    }
}

/// Makes the states of one alternative of an object.
private final class ObjectRules {
    typealias Progress = ObjectConditions.Progress

    let compiler: SchemaCompiler
    let conditions: ObjectConditions
    let end: Int32
    var options: SchemaOptions { compiler.options }
    /// In the order in which they are written.
    var names: [ObjectConditions.KeyClass] = []
    var others: [ObjectConditions.KeyClass] = []
    /// In declared order, up to where a required name forbids to go on.
    var isRequired: [Bool] = []

    private var after: [Progress: Int32] = [:]
    private var queue: [Progress] = []
    private struct Value: Hashable {
        var uses: [SchemaUse]
        var next: Progress
    }
    private var colons: [Value: Int32] = [:]
    private struct Tail: Hashable {
        var bytes: ArraySlice<UInt8>
        var target: Int32
    }
    private var tails: [Tail: Int32] = [:]

    init(compiler: SchemaCompiler, conditions: ObjectConditions, end: Int32) {
        self.compiler = compiler
        self.conditions = conditions
        self.end = end
    }

    func build(from start: Int32) throws(GrammarError) {
        try classify()
        let empty = Progress(isOutside: conditions.outside.map { _ in false })
        let open = try compiler.builder.state()
        compiler.builder.edge(start, "{", open)
        let first = try compiler.afterSpace(open)
        if isComplete(empty) { for state in first { compiler.builder.edge(state, "}", end) } }
        try addMembers(empty, at: first)
        while let progress = queue.popLast() {
            let places = try compiler.afterSpace(try stateAfter(progress))
            if isComplete(progress) { for state in places { compiler.builder.edge(state, "}", end) } }
            let comma = try compiler.builder.state()
            for state in places { compiler.builder.edge(state, ",", comma) }
            try addMembers(progress, at: try compiler.afterSpace(comma, isSeparator: true))
        }
    }

    // MARK: Keys

    private func classify() throws(GrammarError) {
        var tracked: [ByteString] = []
        var groups: [Set<ByteString>] = []
        var seen: Set<ByteString> = []
        var declares = false
        var opens = false
        for (keys, use) in conditions.every + conditions.outside {
            for atom in keys.atoms {
                guard case .words(let words) = compiler.textAtoms[Int(atom)] else {
                    opens = true
                    continue
                }
                if case .atom = keys {
                    if use != .nothing { declares = true }
                } else if use != .nothing {
                    opens = true
                }
                if words.count == 1, let word = words.first {
                    if seen.insert(word).inserted { tracked.append(word) }
                } else {
                    groups.append(words)
                }
            }
            if keys == .constant(true), use != .nothing { opens = true }
        }
        // Last: what `additionalProperties` is not about are all the names at once, in no order, and it may be written before `properties`.
        for words in groups {
            for word in words.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            where seen.insert(word).inserted {
                tracked.append(word)
            }
        }
        for name in conditions.required where seen.insert(name).inserted { tracked.append(name) }
        for name in tracked {
            let one = keyClass(name: name, keys: .constant(true)) { self.compiler.holds($0, for: name) }
            if compiler.isImpossible(one.uses), one.outside.allSatisfy({ !$0 }) {
                if conditions.required.contains(name) {
                    names = []
                    others = []
                    isRequired = [true]
                    return
                }
                continue
            }
            names.append(one)
            isRequired.append(conditions.required.contains(name))
        }
        if options.keyOrder == .any, isRequired.filter({ $0 }).count > 12 {
            throw GrammarError(.tooLarge, "more than 12 required members in any order")
        }
        if options.closesObjects, declares, !opens { return }
        // All other keys, cut into sets by the conditions on them; lists of names say nothing about those.
        var sets: [(keys: KeySet, known: [KeySet: Bool])] = [
            (tracked.isEmpty ? .constant(true) : compiler.textCondition(.words(Set(tracked))).negation, [:])
        ]
        let reduced = { [compiler] (keys: KeySet) -> KeySet in
            keys.replacing { atom in if case .words = compiler.textAtoms[Int(atom)] { false } else { nil } }
        }
        for (keys, _) in conditions.every + conditions.outside {
            let condition = reduced(keys)
            if case .constant = condition { continue }
            if sets[0].known[condition] != nil { continue }
            sets = sets.flatMap { set -> [(keys: KeySet, known: [KeySet: Bool])] in
                var (inside, outside) = (set, set)
                inside.keys = .conjunction([set.keys, condition])
                inside.known[condition] = true
                outside.keys = .conjunction([set.keys, condition.negation])
                outside.known[condition] = false
                return [inside, outside]
            }
            if sets.count > 64 { throw GrammarError(.tooLarge, "too many conditions on the keys of one object") }
        }
        for set in sets where set.keys != .constant(false) {
            let one = keyClass(name: nil, keys: set.keys) { keys in
                let condition = reduced(keys)
                if case .constant(let value) = condition { return value }
                return set.known[condition] ?? false
            }
            if compiler.isImpossible(one.uses), one.outside.allSatisfy({ !$0 }) { continue }
            if let same = others.firstIndex(where: { Set($0.uses) == Set(one.uses) && $0.outside == one.outside }) {
                others[same].keys = .disjunction([others[same].keys, one.keys])
            } else {
                others.append(one)
            }
        }
    }

    private func keyClass(name: ByteString?, keys: KeySet, _ isIn: (KeySet) -> Bool) -> ObjectConditions.KeyClass {
        ObjectConditions.KeyClass(
            name: name, keys: keys, uses: conditions.every.filter { isIn($0.keys) }.map(\.use),
            outside: conditions.outside.map { isIn($0.keys) })
    }

    // MARK: Progress

    private func isComplete(_ progress: Progress) -> Bool {
        guard progress.isOutside.allSatisfy({ $0 }), progress.count >= conditions.minimum else { return false }
        if options.keyOrder == .declared { return !isRequired[min(progress.place, isRequired.count)...].contains(true) }
        return progress.place == requiredMask
    }

    private var requiredMask: Int {
        isRequired.indices.reduce(0) { isRequired[$1] ? $0 | 1 << bit($1) : $0 }
    }

    /// The place of a required name among the required ones.
    private func bit(_ name: Int) -> Int { isRequired[..<name].filter { $0 }.count }

    private func stateAfter(_ progress: Progress) throws(GrammarError) -> Int32 {
        if let known = after[progress] { return known }
        let state = try compiler.builder.state()
        after[progress] = state
        queue.append(progress)
        return state
    }

    /// The state before the colon of a member.
    private func colon(_ uses: [SchemaUse], _ next: Progress) throws(GrammarError) -> Int32 {
        let key = Value(uses: Set(uses).sorted(), next: next)
        if let known = colons[key] { return known }
        let state = try compiler.builder.state()
        colons[key] = state
        let value = try compiler.builder.state()
        for place in try compiler.afterSpace(state) { compiler.builder.edge(place, ":", value) }
        let rule = try compiler.valueRule(uses)
        let back = try stateAfter(next)
        for place in try compiler.afterSpace(value, isSeparator: true) { compiler.builder.call(place, rule, back) }
        return state
    }

    /// The ways to take a member of a class: as a witness of none, some or all of what must still be outside.
    private func values(
        _ one: ObjectConditions.KeyClass, _ next: Progress, hasOther: Bool
    ) throws(GrammarError) -> [Int32] {
        var choices: [(uses: [SchemaUse], next: Progress)] = [(one.uses, next)]
        for index in one.outside.indices where one.outside[index] && !next.isOutside[index] {
            for choice in choices {
                var taken = choice
                taken.uses.append(conditions.outside[index].use.negation)
                taken.next.isOutside[index] = true
                if one.name == nil, options.keyOrder == .declared {
                    // The same key again would take the witness back, so it stays the only one of its kind.
                    if hasOther { continue }
                    taken.next.place = names.count + 1
                }
                choices.append(taken)
            }
            if choices.count > 64 { throw GrammarError(.tooLarge, "too many conditions on one member") }
        }
        var states: [Int32] = []
        for choice in choices where !compiler.isImpossible(choice.uses) {
            states.append(try colon(choice.uses, choice.next))
        }
        return states
    }

    private func addMembers(_ progress: Progress, at states: [Int32]) throws(GrammarError) {
        if let maximum = conditions.maximum, progress.total >= maximum { return }
        var counted = progress
        counted.total = conditions.maximum == nil ? 0 : progress.total + 1
        let isDeclared = options.keyOrder == .declared
        var candidates: [(bytes: ArraySlice<UInt8>, target: Int32)] = []
        var others: [(keys: KeySet, target: Int32)] = []
        for place in names.indices {
            if isDeclared {
                if place < progress.place { continue }
                if isRequired[progress.place..<place].contains(true) { break }
            }
            var next = counted
            if isDeclared {
                next.place = place + 1
            } else if isRequired[place] {
                next.place |= 1 << bit(place)
            }
            next.count = min(conditions.minimum, progress.count + 1)
            for target in try values(names[place], next, hasOther: progress.hasOther) {
                guard let name = names[place].name else { continue }
                if options.everySpelling {
                    others.append((compiler.textCondition(.words([name])), target))
                } else {
                    candidates.append((Self.spelling(name)[...], target))
                }
            }
        }
        // In declared order the others come last, and several of them may be one: they count once.
        if !isDeclared
            || (progress.place <= names.count && !isRequired[min(progress.place, isRequired.count)...].contains(true))
        {
            for one in self.others {
                var next = counted
                if isDeclared {
                    next.place = names.count
                    next.hasOther = next.hasOther || !conditions.outside.isEmpty
                }
                if conditions.minimum > 0, !progress.hasOther {
                    next.count = min(conditions.minimum, progress.count + 1)
                    next.hasOther = next.hasOther || isDeclared
                }
                for target in try values(one, next, hasOther: progress.hasOther) { others.append((one.keys, target)) }
            }
        }
        for (keys, target) in others {
            let rule = try compiler.stringRule(keys)
            for state in states { compiler.builder.call(state, rule, target) }
        }
        if candidates.isEmpty { return }
        let inside = try keyState(candidates)
        for state in states { compiler.builder.edge(state, "\"", inside) }
    }

    // MARK: Spelled keys

    /// A key as it is written between quotes, with the closing one: no such text begins another.
    private static func spelling(_ name: ByteString) -> [UInt8] {
        var bytes: [UInt8] = []
        let hexadecimal = Array("0123456789abcdef".utf8)
        for byte in name.utf8 {
            switch byte {
            case 0x22, 0x5C: bytes += [0x5C, byte]
            case 8: bytes += Array("\\b".utf8)
            case 9: bytes += Array("\\t".utf8)
            case 10: bytes += Array("\\n".utf8)
            case 12: bytes += Array("\\f".utf8)
            case 13: bytes += Array("\\r".utf8)
            case 0..<0x20:
                bytes += Array("\\u00".utf8) + [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        return bytes + [0x22]
    }

    /// The state from which a byte string leads to its target. Common ends are shared between the object's states.
    private func tail(_ bytes: ArraySlice<UInt8>, _ target: Int32) throws(GrammarError) -> Int32 {
        var next = target
        for place in bytes.indices.reversed() {
            let key = Tail(bytes: bytes[place...], target: target)
            if let known = tails[key] {
                next = known
            } else {
                let state = try compiler.builder.state()
                compiler.builder.edge(state, bytes[place], bytes[place], next)
                tails[key] = state
                next = state
            }
        }
        return next
    }

    /// A state from which each of the byte strings leads to its target, as a tree that ends in shared tails.
    private func keyState(_ candidates: [(bytes: ArraySlice<UInt8>, target: Int32)]) throws(GrammarError) -> Int32 {
        let root = try compiler.builder.state()
        var open = [(state: root, candidates: candidates)]
        while let (state, candidates) = open.popLast() {
            var groups: [UInt8: [(bytes: ArraySlice<UInt8>, target: Int32)]] = [:]
            for candidate in candidates {
                guard let byte = candidate.bytes.first else { continue }
                groups[byte, default: []].append((candidate.bytes.dropFirst(), candidate.target))
            }
            for byte in groups.keys.sorted() {
                guard let group = groups[byte] else { continue }
                if group.count == 1 || group.allSatisfy({ $0.bytes.isEmpty }) {
                    for one in group { compiler.builder.edge(state, byte, byte, try tail(one.bytes, one.target)) }
                } else {
                    let next = try compiler.builder.state()
                    compiler.builder.edge(state, byte, byte, next)
                    open.append((next, group))
                }
            }
        }
        return root
    }
}
