extension SchemaCompiler {
    /// What a schema says.
    func formula(_ id: Int32) throws(GrammarError) -> Formula {
        if let known = nodes[Int(id)].formula { return known }
        let made = try translate(nodes[Int(id)].place)
        nodes[Int(id)].formula = made
        return made
    }

    /// Keywords that say nothing about values.
    private static let annotations: Set<ByteString> = [
        "$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "title", "description",
        "default",
        "examples", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding", "contentSchema",
        "$dynamicAnchor", "type", "then", "else", "additionalItems", "minContains", "maxContains",
    ]

    private func translate(_ place: SchemaDocument.Place) throws(GrammarError) -> Formula {
        let pointer = place.pointer
        switch place.value {
        case .bool(let value): return .constant(value)
        case .object: break
        default: throw GrammarError(.malformedSchema, "a schema is an object, true or false", pointer: pointer)
        }
        guard case .object(let members) = place.value else { return .constant(true) }
        if isDraft7, let reference = place.value["$ref"] { return try self.reference(reference, place) }
        var parts: [Formula] = []
        if let type = place.value["type"] { parts.append(try self.type(type, pointer + "/type")) }
        for member in members where !Self.annotations.contains(member.key) {
            if options.ignoredKeywords.contains(member.key.description) { continue }
            if let part = try keyword(member, place) { parts.append(part) }
        }
        if place.value["type"] == nil, options.infersType, let kinds = inferredKinds(members) {
            parts.append(.hint(kinds))
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    /// The one type that all constraining keywords concern, where they agree on one.
    private func inferredKinds(_ members: [JSON.Member]) -> ValueKinds? {
        var kinds: ValueKinds = []
        for member in members {
            switch member.key {
            case "minLength", "maxLength", "pattern": kinds.insert(.string)
            case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf": kinds.insert(.number)
            case "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains":
                kinds.insert(.array)
            case "properties", "required", "additionalProperties", "patternProperties", "minProperties",
                "maxProperties",
                "propertyNames", "dependentRequired", "dependentSchemas":
                kinds.insert(.object)
            case "format":
                if case .string(let name) = member.value, Formats.pattern(name.description) != nil,
                    options.assertsFormats
                {
                    kinds.insert(.string)
                }
            case "const", "enum", "$ref", "allOf", "anyOf", "oneOf", "not", "if": return nil
            default: break
            }
        }
        return ValueKinds.each.contains(kinds) ? kinds : nil
    }

    private func schema(_ value: JSON, _ pointer: String, _ place: SchemaDocument.Place) throws(GrammarError) -> Int32 {
        try node(.init(value: value, pointer: pointer, base: document.base(at: pointer, within: place.base)))
    }

    private func use(_ value: JSON, _ pointer: String, _ place: SchemaDocument.Place) throws(GrammarError) -> SchemaUse
    {
        switch value {
        case .bool(true): .anything
        case .bool(false): .nothing
        default: SchemaUse(schema: try schema(value, pointer, place))
        }
    }

    private func reference(_ value: JSON, _ place: SchemaDocument.Place) throws(GrammarError) -> Formula {
        guard case .string(let text) = value else {
            throw GrammarError(.malformedSchema, "$ref is a string", pointer: place.pointer + "/$ref")
        }
        return .schema(try node(try document.resolve(text.description, from: place)))
    }

    private func type(_ value: JSON, _ pointer: String) throws(GrammarError) -> Formula {
        let names: [JSON]
        if case .array(let list) = value { names = list } else { names = [value] }
        var parts: [Formula] = []
        var kinds: ValueKinds = []
        var hasInteger = false
        for name in names {
            switch name {
            case .string("null"): kinds.insert(.null)
            case .string("boolean"): kinds.formUnion([.true, .false])
            case .string("number"): kinds.insert(.number)
            case .string("string"): kinds.insert(.string)
            case .string("array"): kinds.insert(.array)
            case .string("object"): kinds.insert(.object)
            case .string("integer"): hasInteger = true
            default: throw GrammarError(.malformedSchema, "an unknown type", pointer: pointer)
            }
        }
        parts.append(.kind(kinds))
        if hasInteger, !kinds.contains(.number) { parts.append(.all([.kind(.number), number(.integer)])) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private func count(_ value: JSON, _ pointer: String) throws(GrammarError) -> Int {
        guard case .number(let number) = value, !number.isNegative, number.isInteger else {
            throw GrammarError(.malformedSchema, "a count is a whole number, not negative", pointer: pointer)
        }
        guard let count = number.count, count < options.limits.states else {
            throw GrammarError(.tooLarge, "the count is too large to be enforced", pointer: pointer)
        }
        return count
    }

    private func decimal(_ value: JSON, _ pointer: String) throws(GrammarError) -> Decimal {
        guard case .number(let number) = value else {
            throw GrammarError(.malformedSchema, "a number is missing", pointer: pointer)
        }
        return number
    }

    private func list(_ value: JSON, _ pointer: String) throws(GrammarError) -> [JSON] {
        guard case .array(let items) = value else {
            throw GrammarError(.malformedSchema, "a list is missing", pointer: pointer)
        }
        return items
    }

    private func map(_ value: JSON, _ pointer: String) throws(GrammarError) -> [JSON.Member] {
        guard case .object(let members) = value else {
            throw GrammarError(.malformedSchema, "an object is missing", pointer: pointer)
        }
        return members
    }

    private func names(_ value: JSON, _ pointer: String) throws(GrammarError) -> [ByteString] {
        var names: [ByteString] = []
        for item in try list(value, pointer) {
            guard case .string(let name) = item else {
                throw GrammarError(.malformedSchema, "a list of strings is missing", pointer: pointer)
            }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// The condition of one keyword; nil where it says nothing.
    private func keyword(_ member: JSON.Member, _ place: SchemaDocument.Place) throws(GrammarError) -> Formula? {
        let (value, whole) = (member.value, place.value)
        let pointer = place.pointer + "/" + SchemaDocument.escape(member.key)
        func unsupported(_ why: String) -> GrammarError { GrammarError(.unsupported, why, pointer: pointer) }
        func not(_ formula: Formula) -> Formula { .not(formula) }

        switch member.key {
        case "$ref": return try reference(value, place)
        case "$dynamicRef", "$recursiveRef": throw unsupported("\(member.key) cannot be enforced")
        case "const": return try constant(value, pointer)
        case "enum": return try enumeration(try list(value, pointer), pointer)
        case "allOf", "anyOf", "oneOf":
            let items = try list(value, pointer)
            if items.isEmpty { throw GrammarError(.malformedSchema, "an empty list", pointer: pointer) }
            var parts: [Int32] = []
            for (index, item) in items.enumerated() { parts.append(try schema(item, pointer + "/\(index)", place)) }
            if member.key == "allOf" { return .all(parts.map { .schema($0) }) }
            if member.key == "anyOf" { return .any(parts.map { .schema($0) }) }
            return try exactlyOne(parts)
        case "not": return not(.schema(try schema(value, pointer, place)))
        case "if":
            let test = Formula.schema(try schema(value, pointer, place))
            var parts: [Formula] = []
            if let then = whole["then"] {
                parts.append(.any([not(test), .schema(try schema(then, place.pointer + "/then", place))]))
            }
            if let other = whole["else"] {
                parts.append(.any([test, .schema(try schema(other, place.pointer + "/else", place))]))
            }
            return .all(parts)

        case "minimum": return .opposite(number(.below(try decimal(value, pointer), orEqual: false)))
        case "exclusiveMinimum": return .opposite(number(.below(try decimal(value, pointer), orEqual: true)))
        case "maximum": return number(.below(try decimal(value, pointer), orEqual: true))
        case "exclusiveMaximum": return number(.below(try decimal(value, pointer), orEqual: false))
        case "multipleOf":
            let factor = try decimal(value, pointer)
            if factor.isNegative || factor.isZero {
                throw GrammarError(.malformedSchema, "multipleOf is greater than 0", pointer: pointer)
            }
            let digits = (factor.whole + factor.fraction).drop { $0 == 0 }
            guard digits.count <= 4, factor.fraction.count <= 100 else {
                throw GrammarError(.tooLarge, "a factor of more than 4 digits cannot be enforced", pointer: pointer)
            }
            return number(.multiple(of: digits.reduce(0) { $0 * 10 + Int($1) }, scale: factor.fraction.count))

        case "minLength", "maxLength":
            let bound = try count(value, pointer)
            let length = try located(pointer) { () throws(GrammarError) in
                try member.key == "minLength"
                    ? ScalarAutomaton.length(minimum: bound, maximum: nil, limits: self.options.limits)
                    : ScalarAutomaton.length(minimum: 0, maximum: bound, limits: self.options.limits)
            }
            return text(.automaton(length))
        case "pattern":
            guard case .string(let pattern) = value else {
                throw GrammarError(.malformedSchema, "a pattern is a string", pointer: pointer)
            }
            return text(.automaton(try self.pattern(pattern, pointer)))
        case "format":
            guard options.assertsFormats, case .string(let name) = value else { return nil }
            if Formats.refused.contains(name.description) {
                throw unsupported("the format \"\(name)\" cannot be enforced")
            }
            guard let expression = Formats.pattern(name.description) else { return nil }
            return text(.automaton(try self.pattern(ByteString("^(?:" + expression + ")$"), pointer)))

        case "items": return try items(value, pointer, place)
        case "prefixItems" where !isDraft7:
            if case .array? = whole["items"] { throw unsupported("items as a list beside prefixItems") }
            var prefix: [SchemaUse] = []
            for (index, item) in try list(value, pointer).enumerated() {
                prefix.append(try use(item, pointer + "/\(index)", place))
            }
            let rest = try whole["items"].map { item throws(GrammarError) in
                try use(item, place.pointer + "/items", place)
            }
            return array(.items(prefix: prefix, rest: rest ?? .anything))
        case "contains":
            let item = try use(value, pointer, place)
            var (least, most): (Int, Int?) = (1, nil)
            if !isDraft7 {
                if let bound = whole["minContains"] { least = try count(bound, place.pointer + "/minContains") }
                if let bound = whole["maxContains"] { most = try count(bound, place.pointer + "/maxContains") }
            }
            var parts: [Formula] = []
            if least > 0 { parts.append(array(.atLeast(item, least))) }
            if let most { parts.append(.opposite(array(.atLeast(item, most + 1)))) }
            return .all(parts)
        case "minItems":
            let bound = try count(value, pointer)
            return bound == 0 ? nil : array(.minimum(bound))
        case "maxItems": return .opposite(array(.minimum(try count(value, pointer) + 1)))
        case "uniqueItems":
            if value == .bool(false) { return nil }
            throw unsupported("uniqueItems cannot be enforced")

        case "required":
            guard case .array = value else {
                throw GrammarError(.malformedSchema, "required is a list of names", pointer: pointer)
            }
            return .all(try names(value, pointer).map { object(.required($0)) })
        case "properties", "patternProperties", "additionalProperties": return try members(member, pointer, place)
        case "propertyNames":
            let keys = try restriction(try use(value, pointer, place), .string).condition
            return object(.every(keys.negation, .nothing))
        case "minProperties":
            let bound = try count(value, pointer)
            return bound == 0 ? nil : object(.minimum(bound))
        case "maxProperties": return .opposite(object(.minimum(try count(value, pointer) + 1)))
        case "dependentRequired" where !isDraft7:
            return .all(
                try map(value, pointer).map { entry throws(GrammarError) in
                    .any(
                        [not(object(.required(entry.key)))] + [
                            .all(try names(entry.value, pointer).map { object(.required($0)) })
                        ])
                })
        case "dependentSchemas" where !isDraft7, "dependencies":
            var parts: [Formula] = []
            for entry in try map(value, pointer) {
                let inner = pointer + "/" + SchemaDocument.escape(entry.key)
                let then: Formula
                if member.key == "dependencies", case .array = entry.value {
                    then = .all(try names(entry.value, inner).map { object(.required($0)) })
                } else {
                    then = .schema(try schema(entry.value, inner, place))
                }
                parts.append(
                    .any([not(object(.required(entry.key))), .all([.kind(.object), then]), not(.kind(.object))]))
            }
            return .all(parts)
        case "unevaluatedProperties" where !isDraft7, "unevaluatedItems" where !isDraft7:
            if value == .bool(true) { return nil }
            throw unsupported("\(member.key) cannot be enforced")
        default: return nil
        }
    }

    func located<Result>(_ pointer: String, _ body: () throws(GrammarError) -> Result) throws(GrammarError) -> Result {
        do throws(GrammarError) {
            return try body()
        } catch {
            var located = error
            located.pointer = pointer
            throw located
        }
    }

    private func pattern(_ text: ByteString, _ pointer: String) throws(GrammarError) -> ScalarAutomaton {
        if let known = patterns[text] { return known }
        let made = try located(pointer) { () throws(GrammarError) in
            try Regex.searching(text.description, limits: self.options.limits)
        }
        patterns[text] = made
        return made
    }

    private func items(_ value: JSON, _ pointer: String, _ place: SchemaDocument.Place) throws(GrammarError) -> Formula?
    {
        // A list of schemas is draft-07's tuple.
        if case .array(let list) = value {
            var prefix: [SchemaUse] = []
            for (index, item) in list.enumerated() { prefix.append(try use(item, pointer + "/\(index)", place)) }
            let rest = try place.value["additionalItems"].map { item throws(GrammarError) in
                try use(item, place.pointer + "/additionalItems", place)
            }
            return array(.items(prefix: prefix, rest: rest ?? .anything))
        }
        if place.value["prefixItems"] != nil, !isDraft7 { return nil }
        return array(.items(prefix: [], rest: try use(value, pointer, place)))
    }

    private func members(
        _ member: JSON.Member, _ pointer: String, _ place: SchemaDocument.Place
    ) throws(GrammarError) -> Formula {
        var parts: [Formula] = []
        switch member.key {
        case "properties":
            for entry in try map(member.value, pointer) {
                let schema = try use(entry.value, pointer + "/" + SchemaDocument.escape(entry.key), place)
                parts.append(object(.every(textCondition(.words([entry.key])), schema)))
            }
        case "patternProperties":
            for entry in try map(member.value, pointer) {
                let inner = pointer + "/" + SchemaDocument.escape(entry.key)
                let keys = textCondition(.automaton(try pattern(entry.key, inner)))
                parts.append(object(.every(keys, try use(entry.value, inner, place))))
            }
        default:
            var others: [Condition] = []
            if let declared = place.value["properties"] {
                let names = try map(declared, place.pointer + "/properties").map(\.key)
                if !names.isEmpty { others.append(textCondition(.words(Set(names))).negation) }
            }
            if let patterned = place.value["patternProperties"] {
                for entry in try map(patterned, place.pointer + "/patternProperties") {
                    let inner = place.pointer + "/patternProperties/" + SchemaDocument.escape(entry.key)
                    others.append(textCondition(.automaton(try pattern(entry.key, inner))).negation)
                }
            }
            parts.append(object(.every(.conjunction(others), try use(member.value, pointer, place))))
        }
        return .all(parts)
    }

    /// One schema holds and no other. Where two cannot hold at once, that need not be asked.
    private func exactlyOne(_ schemas: [Int32]) throws(GrammarError) -> Formula {
        var choices: [Formula] = []
        for one in schemas {
            var parts: [Formula] = [.schema(one)]
            for other in schemas.indices where schemas[other] != one {
                if try !areDisjoint(one, schemas[other]) { parts.append(.not(.schema(schemas[other]))) }
            }
            choices.append(.all(parts))
        }
        return .any(choices)
    }

    // MARK: Constants

    private func constant(_ value: JSON, _ pointer: String) throws(GrammarError) -> Formula {
        try enumeration([value], pointer)
    }

    private func enumeration(_ values: [JSON], _ pointer: String) throws(GrammarError) -> Formula {
        var kinds: ValueKinds = []
        var (words, numbers, others): (Set<ByteString>, [Decimal], [Formula]) = ([], [], [])
        for value in values {
            switch value {
            case .null: kinds.insert(.null)
            case .bool(let value): kinds.insert(value ? .true : .false)
            case .string(let text): words.insert(text)
            case .number(let number): numbers.append(number)
            case .array(let items):
                var prefix: [SchemaUse] = []
                for item in items { prefix.append(try constantUse(item, pointer)) }
                var parts: [Formula] = [.kind(.array), array(.items(prefix: prefix, rest: .nothing))]
                if !items.isEmpty { parts.append(array(.minimum(items.count))) }
                others.append(.all(parts))
            case .object(let members):
                var parts: [Formula] = [.kind(.object)]
                for member in members {
                    parts.append(
                        object(.every(textCondition(.words([member.key])), try constantUse(member.value, pointer))))
                    parts.append(object(.required(member.key)))
                }
                let rest = members.isEmpty ? .constant(true) : textCondition(.words(Set(members.map(\.key)))).negation
                parts.append(object(.every(rest, .nothing)))
                others.append(.all(parts))
            }
        }
        if !words.isEmpty { others.append(.all([.kind(.string), text(.words(words))])) }
        if !numbers.isEmpty { others.append(.all([.kind(.number), number(.values(numbers))])) }
        return .any([.kind(kinds)] + others)
    }

    private func constantUse(_ value: JSON, _ pointer: String) throws(GrammarError) -> SchemaUse {
        let id = try newNode(.init(value: .bool(true), pointer: pointer, base: ""))
        nodes[Int(id)].formula = try constant(value, pointer)
        return SchemaUse(schema: id)
    }
}
