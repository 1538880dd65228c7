/// What may stand after `is`.
enum Test: String {
    case boolean, callable, defined, divisibleby, equalto, escaped, even, `false`, filter, float, ge, gt, `in`, integer
    case iterable, le, lower, lt, mapping, ne, none, number, odd, sameas, sequence, string, test, `true`, undefined
    case upper

    init?(named name: String) {
        switch name {
        case "eq", "==": self = .equalto
        case "!=": self = .ne
        case ">": self = .gt
        case ">=": self = .ge
        case "<": self = .lt
        case "<=": self = .le
        case "greaterthan": self = .gt
        case "lessthan": self = .lt
        default: self.init(rawValue: name)
        }
    }
}

extension Renderer {
    mutating func test(_ test: Test, _ value: Value, _ arguments: Arguments) throws(TemplateError) -> Bool {
        switch test {
        case .defined: return !value.isUndefined
        case .undefined: return value.isUndefined
        case .none: return value.kind == .null
        case .boolean: return value.kind == .bool
        case .true:
            if case .bool(let flag) = value { return flag }
            return false
        case .false:
            if case .bool(let flag) = value { return !flag }
            return false
        case .integer: return value.kind == .int
        case .float: return value.kind == .double
        case .number: return value.number != nil
        case .string: return value.kind == .string
        case .mapping: return value.kind == .dict
        case .sequence: return [.list, .tuple, .dict, .string, .undefined].contains(value.kind)
        case .iterable: return [.list, .tuple, .dict, .string, .undefined, .loop].contains(value.kind)
        case .callable: return [.macro, .function].contains(value.kind)
        case .escaped:
            if case .safe = value { return true }
            return false
        case .even, .odd, .divisibleby:
            let divisor = test == .divisibleby ? try argument(arguments) : .int(2)
            let rest = try compute(.remainder, value, divisor)
            return try equal(rest, .int(test == .odd ? 1 : 0))
        case .lower, .upper:
            let text = try string(value)
            try charge(scanning: text)
            return hasCase(text, upper: test == .upper)
        case .filter: return Filter(named: try string(value).string) != nil
        case .test: return Test(named: try string(value).string) != nil
        case .in: return try contains(try argument(arguments), value)
        case .equalto: return try equal(value, try argument(arguments))
        case .ne: return try !equal(value, try argument(arguments))
        case .lt: return try holds(.less, value, try argument(arguments))
        case .le: return try holds(.lessOrEqual, value, try argument(arguments))
        case .gt: return try holds(.greater, value, try argument(arguments))
        case .ge: return try holds(.greaterOrEqual, value, try argument(arguments))
        case .sameas: return try isSame(value, try argument(arguments))
        }
    }

    private func argument(_ arguments: Arguments) throws(TemplateError) -> Value {
        guard let value = arguments.positional.first ?? arguments.named.first?.value else {
            throw fail(.type, "the test needs an argument")
        }
        return value
    }

    private mutating func isSame(_ left: Value, _ right: Value) throws(TemplateError) -> Bool {
        switch (left, right) {
        case (.undefined, _): false
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)), (.dict(let a), .dict(let b)): a == b
        default: left.kind == right.kind ? try equal(left, right) : false
        }
    }
}
