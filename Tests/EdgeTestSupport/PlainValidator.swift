internal import Foundation

/// A plain validator of JSON Schema 2020-12 for what the grammars support: the oracle for generated documents.
package struct PlainValidator {
    let root: PlainJSON
    /// Formats whose expressions count.
    package var assertsFormats = true

    package init(root: PlainJSON) { self.root = root }

    package func accepts(_ value: PlainJSON) -> Bool { accepts(value, root, 0) }

    private func accepts(_ value: PlainJSON, _ schema: PlainJSON, _ depth: Int) -> Bool {
        if case .bool(let verdict) = schema { return verdict }
        guard case .object(let keywords) = schema, depth < 500 else { return false }
        return keywords.allSatisfy {
            holds(String(String.UnicodeScalarView($0.key)), $0.value, schema, value, depth + 1)
        }
    }

    private func holds(
        _ keyword: String, _ argument: PlainJSON, _ schema: PlainJSON, _ value: PlainJSON, _ depth: Int
    ) -> Bool {
        func number(_ value: PlainJSON?) -> Foundation.Decimal {
            if case .number(let text)? = value { return Foundation.Decimal(string: text) ?? .nan }
            return .nan
        }
        func list(_ value: PlainJSON?) -> [PlainJSON] { if case .array(let items)? = value { items } else { [] } }
        func map(_ value: PlainJSON?) -> [(key: [Unicode.Scalar], value: PlainJSON)] {
            if case .object(let members)? = value { members } else { [] }
        }
        func text(_ scalars: [Unicode.Scalar]) -> String { String(String.UnicodeScalarView(scalars)) }
        func check(_ value: PlainJSON, _ schema: PlainJSON) -> Bool { accepts(value, schema, depth) }

        switch keyword {
        case "type":
            let names = if case .array(let names) = argument { names } else { [argument] }
            return names.contains { name in
                guard case .string(let scalars) = name else { return false }
                switch (text(scalars), value) {
                case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
                    ("object", .object):
                    return true
                case ("integer", .number(let spelling)):
                    return spelling.split(separator: ".").dropFirst().allSatisfy { $0.allSatisfy { $0 == "0" } }
                default: return false
                }
            }
        case "const": return value == argument
        case "enum": return list(argument).contains(value)
        case "allOf": return list(argument).allSatisfy { check(value, $0) }
        case "anyOf": return list(argument).contains { check(value, $0) }
        case "oneOf": return list(argument).filter { check(value, $0) }.count == 1
        case "not": return !check(value, argument)
        case "if":
            let branch = check(value, argument) ? schema["then"] : schema["else"]
            return branch.map { check(value, $0) } ?? true
        case "$ref":
            guard case .string(let reference) = argument else { return false }
            var target: PlainJSON? = root
            for part in text(reference).split(separator: "/").dropFirst() { target = target?[String(part)] }
            return target.map { check(value, $0) } ?? false
        default: break
        }
        switch value {
        case .number:
            let own = number(value)
            switch keyword {
            case "minimum": return own >= number(argument)
            case "maximum": return own <= number(argument)
            case "exclusiveMinimum": return own > number(argument)
            case "exclusiveMaximum": return own < number(argument)
            case "multipleOf":
                var (quotient, whole) = (own / number(argument), Foundation.Decimal())
                NSDecimalRound(&whole, &quotient, 0, .plain)
                return whole * number(argument) == own
            default: return true
            }
        case .string(let scalars):
            switch keyword {
            case "minLength": return Foundation.Decimal(scalars.count) >= number(argument)
            case "maxLength": return Foundation.Decimal(scalars.count) <= number(argument)
            case "pattern":
                guard case .string(let pattern) = argument, let regex = try? Regex(text(pattern)) else { return false }
                return text(scalars).contains(regex.matchingSemantics(.unicodeScalar))
            case "format":
                guard case .string(let name) = argument else { return true }
                if text(name) == "date" {
                    let day = DateFormatter()
                    day.calendar = Calendar(identifier: .gregorian)
                    day.locale = Locale(identifier: "en_US_POSIX")
                    day.timeZone = TimeZone(identifier: "UTC")
                    day.dateFormat = "yyyy-MM-dd"
                    day.isLenient = false
                    // Year 0 is not one of Foundation's.
                    return text(scalars).hasPrefix("0000") || day.date(from: text(scalars)) != nil
                }
                return text(name) == "uuid" ? UUID(uuidString: text(scalars)) != nil : true
            default: return true
            }
        case .array(let items):
            switch keyword {
            case "prefixItems": return zip(items, list(argument)).allSatisfy { check($0, $1) }
            case "items": return items.dropFirst(list(schema["prefixItems"]).count).allSatisfy { check($0, argument) }
            case "minItems": return Foundation.Decimal(items.count) >= number(argument)
            case "maxItems": return Foundation.Decimal(items.count) <= number(argument)
            case "contains":
                let count = Foundation.Decimal(items.filter { check($0, argument) }.count)
                let least = schema["minContains"].map { number($0) } ?? 1
                return count >= least && (schema["maxContains"].map { count <= number($0) } ?? true)
            default: return true
            }
        case .object(let members):
            let keys = Set(members.map { text($0.key) })
            switch keyword {
            case "required":
                return list(argument).allSatisfy {
                    if case .string(let name) = $0 { keys.contains(text(name)) } else { false }
                }
            case "properties":
                return map(argument).allSatisfy { rule in value[text(rule.key)].map { check($0, rule.value) } ?? true }
            case "patternProperties":
                return map(argument).allSatisfy { rule in
                    guard let regex = try? Regex(text(rule.key)) else { return false }
                    return members.allSatisfy { !text($0.key).contains(regex) || check($0.value, rule.value) }
                }
            case "additionalProperties":
                let declared = Set(map(schema["properties"]).map { text($0.key) })
                let patterns = map(schema["patternProperties"]).compactMap { try? Regex(text($0.key)) }
                return members.allSatisfy { member in
                    let key = text(member.key)
                    if declared.contains(key) || patterns.contains(where: { key.contains($0) }) { return true }
                    return check(member.value, argument)
                }
            case "propertyNames": return members.allSatisfy { check(.string($0.key), argument) }
            case "minProperties": return Foundation.Decimal(keys.count) >= number(argument)
            case "maxProperties": return Foundation.Decimal(keys.count) <= number(argument)
            case "dependentRequired":
                return map(argument).allSatisfy { rule in
                    !keys.contains(text(rule.key))
                        || list(rule.value).allSatisfy {
                            if case .string(let name) = $0 { keys.contains(text(name)) } else { false }
                        }
                }
            case "dependentSchemas":
                return map(argument).allSatisfy { !keys.contains(text($0.key)) || check(value, $0.value) }
            default: return true
            }
        case .null, .bool: return true
        }
    }
}
