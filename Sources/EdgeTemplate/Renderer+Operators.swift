extension Renderer {
    /// Mutating, because a call such as `truth(try evaluate(x))` would otherwise look into the heap as it was before
    /// `evaluate` added to it.
    mutating func truth(_ value: Value) throws(TemplateError) -> Bool {
        switch value {
        case .undefined, .null: false
        case .bool(let flag): flag
        case .int(let number): number != 0
        case .double(let number): number != 0
        case .string(let text), .safe(let text): !text.isEmpty
        case .list(let index), .tuple(let index): !lists[index].isEmpty
        case .dict(let index): dicts[index].count > 0
        case .namespace, .macro, .loop, .method, .function: true
        }
    }

    mutating func truth(_ value: Value?, or standard: Bool) throws(TemplateError) -> Bool {
        guard let value else { return standard }
        return try truth(value)
    }

    /// The elements that a loop over a value visits.
    @inline(never)
    mutating func elements(of value: Value) throws(TemplateError) -> [Value] {
        switch value {
        case .list(let index), .tuple(let index):
            try charge(1 + lists[index].count >> 3)
            return lists[index]
        case .dict(let index):
            try charge(1 + dicts[index].count)
            return dicts[index].entries.map(\.name)
        case .string(let text), .safe(let text):
            try charge(text.count)
            return text.units.map { .string(Text(units: [$0])) }
        case .undefined: return []
        default: throw fail(.type, "'\(value.kind.name)' object is not iterable")
        }
    }
}

// MARK: - Comparison

extension Renderer {
    @inline(never)
    mutating func holds(_ relation: Relation, _ left: Value, _ right: Value) throws(TemplateError) -> Bool {
        switch relation {
        case .equal: try equal(left, right)
        case .notEqual: try !equal(left, right)
        case .isIn: try contains(right, left)
        case .isNotIn: try !contains(right, left)
        case .less: try order(left, right, "<") { $0 < 0 }
        case .lessOrEqual: try order(left, right, "<=") { $0 <= 0 }
        case .greater: try order(left, right, ">") { $0 > 0 }
        case .greaterOrEqual: try order(left, right, ">=") { $0 >= 0 }
        }
    }

    @inline(never)
    mutating func equal(_ left: Value, _ right: Value) throws(TemplateError) -> Bool {
        switch (left, right) {
        case (.null, .null), (.undefined, .undefined): return true
        case (.string(let a), .string(let b)), (.string(let a), .safe(let b)), (.safe(let a), .string(let b)),
            (.safe(let a), .safe(let b)):
            guard a.count == b.count else { return false }
            try charge(a.count >> 4)
            return a == b
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            guard lists[a].count == lists[b].count else { return false }
            guard a != b else { return true }
            try enter()
            defer { leave() }
            for index in lists[a].indices {
                try charge(1)
                guard try equal(lists[a][index], lists[b][index]) else { return false }
            }
            return true
        case (.dict(let a), .dict(let b)):
            guard dicts[a].count == dicts[b].count else { return false }
            guard a != b else { return true }
            try enter()
            defer { leave() }
            for entry in dicts[a].entries {
                try charge(1)
                guard let other = dicts[b].value(of: entry.key), try equal(entry.value, other) else { return false }
            }
            return true
        case (.namespace(let a), .namespace(let b)), (.macro(let a), .macro(let b)), (.loop(let a), .loop(let b)),
            (.method(let a), .method(let b)):
            return a == b
        case (.function(let a), .function(let b)): return a == b
        default:
            if let a = left.integer, let b = right.integer { return a == b }
            if let a = left.number, let b = right.number { return a == b }
            return false
        }
    }

    @inline(never)
    private mutating func order(
        _ left: Value, _ right: Value, _ symbol: String, _ wanted: (Int) -> Bool
    ) throws(TemplateError) -> Bool {
        if let a = left.number, let b = right.number, a.isNaN || b.isNaN { return false }
        return wanted(try compare(left, right, symbol))
    }

    /// Below zero, zero or above, as the left comes before the right, with it or after.
    @inline(never)
    mutating func compare(_ left: Value, _ right: Value, _ symbol: String = "<") throws(TemplateError) -> Int {
        if let a = left.integer, let b = right.integer { return a < b ? -1 : a > b ? 1 : 0 }
        if let a = left.number, let b = right.number { return a < b ? -1 : a > b ? 1 : 0 }
        if let a = left.text, let b = right.text {
            try charge(min(a.count, b.count) >> 4)
            return a < b ? -1 : a == b ? 0 : 1
        }
        switch (left, right) {
        case (.undefined(let missing), _), (_, .undefined(let missing)): throw undefined(missing)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            try enter()
            defer { leave() }
            for index in 0..<min(lists[a].count, lists[b].count) {
                try charge(1)
                if try !equal(lists[a][index], lists[b][index]) {
                    return try compare(lists[a][index], lists[b][index], symbol)
                }
            }
            return lists[a].count - lists[b].count
        default:
            throw fail(
                .type,
                "'\(symbol)' not supported between instances of '\(left.kind.name)' and '\(right.kind.name)'")
        }
    }

    @inline(never)
    mutating func contains(_ container: Value, _ value: Value) throws(TemplateError) -> Bool {
        switch container {
        case .string(let text), .safe(let text):
            guard let part = value.text else {
                if case .undefined(let missing) = value { throw undefined(missing) }
                throw fail(.type, "'in <string>' requires string as left operand, not \(value.kind.name)")
            }
            return try find(part, in: text, from: 0) != nil
        case .list(let index), .tuple(let index):
            for element in lists[index] {
                try charge(1)
                if try equal(element, value) { return true }
            }
            return false
        case .dict(let index), .namespace(let index):
            return dicts[index].place(of: try key(value)) != nil
        case .undefined: return false
        default: throw fail(.type, "argument of type '\(container.kind.name)' is not iterable")
        }
    }
}

// MARK: - Arithmetic

extension Renderer {
    @inline(never)
    mutating func compute(
        _ operation: Arithmetic, _ left: Value, _ right: Value
    ) throws(TemplateError) -> Value {
        if let a = left.integer, let b = right.integer { return try compute(operation, a, b) }
        if let a = left.number, let b = right.number { return try compute(operation, a, b) }
        switch (operation, left, right) {
        case (_, .undefined(let missing), _), (_, _, .undefined(let missing)): throw undefined(missing)
        case (.remainder, .string(let format), _), (.remainder, .safe(let format), _):
            return .string(try self.format(format, percent: right))
        case (.add, _, _):
            return try add(left, right)
        case (.multiply, _, _):
            if let times = right.integer { return try repeated(left, times) }
            if let times = left.integer { return try repeated(right, times) }
        default: break
        }
        throw unsupported(operation, left, right)
    }

    private func unsupported(_ operation: Arithmetic, _ left: Value, _ right: Value) -> TemplateError {
        let symbols: [Arithmetic: String] = [
            .add: "+", .subtract: "-", .multiply: "*", .divide: "/", .floorDivide: "//", .remainder: "%",
            .power: "** or pow()",
        ]
        return fail(
            .type,
            "unsupported operand type(s) for \(symbols[operation] ?? ""): '\(left.kind.name)' and "
                + "'\(right.kind.name)'")
    }

    @inline(never)
    private mutating func add(_ left: Value, _ right: Value) throws(TemplateError) -> Value {
        switch (left, right) {
        case (.string(let a), .string(let b)):
            try charge(characters: a.count + b.count)
            return .string(Text(units: a.units + b.units))
        case (.safe, .string), (.string, .safe), (.safe, .safe):
            // One side counts as HTML, so the other is escaped.
            let (a, b) = (try escaped(left), try escaped(right))
            try charge(characters: a.count + b.count)
            return .safe(Text(units: a.units + b.units))
        case (.list(let a), .list(let b)): return try list(lists[a] + lists[b])
        case (.tuple(let a), .tuple(let b)): return try tuple(lists[a] + lists[b])
        case (.string, _), (.safe, _):
            throw fail(.type, "can only concatenate str (not \"\(right.kind.name)\") to str")
        case (.list, _), (.tuple, _):
            let kind = left.kind.name
            throw fail(.type, "can only concatenate \(kind) (not \"\(right.kind.name)\") to \(kind)")
        default: throw unsupported(.add, left, right)
        }
    }

    @inline(never)
    private mutating func repeated(_ value: Value, _ times: Int) throws(TemplateError) -> Value {
        let times = max(0, times)
        func length(_ count: Int) throws(TemplateError) -> Int {
            let (length, overflows) = count.multipliedReportingOverflow(by: times)
            guard !overflows else { throw fail(.tooLong, "the repetition is too long") }
            return length
        }
        switch value {
        case .string(let text), .safe(let text):
            let length = try length(text.count)
            try charge(characters: length)
            if text.count == 1 { return .string(Text(units: Array(repeating: text.units[0], count: length))) }
            var units: [UInt32] = []
            units.reserveCapacity(length)
            if !text.isEmpty { for _ in 0..<times { units.append(contentsOf: text.units) } }
            return .string(Text(units: units))
        case .list(let index), .tuple(let index):
            let elements = lists[index]
            let length = try length(elements.count)
            try charge(length)
            var result: [Value] = []
            result.reserveCapacity(length)
            if !elements.isEmpty { for _ in 0..<times { result += elements } }
            return value.kind == .list ? try list(result) : try tuple(result)
        default: throw fail(.type, "can't multiply sequence by non-int of type '\(value.kind.name)'")
        }
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> Value {
        guard !result.overflow else { throw fail(.overflow, "the integer is too large") }
        return .int(result.partialValue)
    }

    @inline(never)
    private mutating func compute(_ operation: Arithmetic, _ a: Int, _ b: Int) throws(TemplateError) -> Value {
        switch operation {
        case .add: return try checked(a.addingReportingOverflow(b))
        case .subtract: return try checked(a.subtractingReportingOverflow(b))
        case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
        case .divide:
            guard b != 0 else { throw fail(.value, "division by zero") }
            return .double(Double(a) / Double(b))
        case .floorDivide:
            guard b != 0 else { throw fail(.value, "integer division or modulo by zero") }
            let (quotient, overflow) = a.dividedReportingOverflow(by: b)
            let inexact = a.remainderReportingOverflow(dividingBy: b).partialValue != 0
            return try checked((inexact && (a < 0) != (b < 0) ? quotient - 1 : quotient, overflow))
        case .remainder:
            guard b != 0 else { throw fail(.value, "integer division or modulo by zero") }
            let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
            return .int(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest)
        case .power: return try power(a, b)
        }
    }

    private func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> Value {
        guard exponent >= 0 else {
            guard base != 0 else { throw fail(.value, "0.0 cannot be raised to a negative power") }
            return .double(power(Double(base), exponent))
        }
        var result = 1
        var factor = base
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 {
                let (product, overflows) = result.multipliedReportingOverflow(by: factor)
                guard !overflows else { throw fail(.overflow, "the integer is too large") }
                result = product
            }
            rest >>= 1
            if rest > 0 {
                let (square, overflows) = factor.multipliedReportingOverflow(by: factor)
                guard !overflows else { throw fail(.overflow, "the integer is too large") }
                factor = square
            }
        }
        return .int(result)
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        var factor = base
        var rest = exponent.magnitude
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return exponent < 0 ? 1 / result : result
    }

    @inline(never)
    private mutating func compute(
        _ operation: Arithmetic, _ a: Double, _ b: Double
    ) throws(TemplateError) -> Value {
        switch operation {
        case .add: return .double(a + b)
        case .subtract: return .double(a - b)
        case .multiply: return .double(a * b)
        case .divide, .floorDivide, .remainder:
            guard b != 0 else { throw fail(.value, "float division by zero") }
            if operation == .divide { return .double(a / b) }
            var rest = a.truncatingRemainder(dividingBy: b)
            if rest != 0, (rest < 0) != (b < 0) { rest += b }
            return .double(operation == .remainder ? rest : ((a - rest) / b).rounded())
        case .power:
            if let exponent = Int(exactly: b) { return .double(power(a, exponent)) }
            if b == 0.5, a >= 0 { return .double(a.squareRoot()) }
            throw fail(.unsupported, "powers with a fractional exponent are not supported")
        }
    }

    @inline(never)
    func negate(_ value: Value) throws(TemplateError) -> Value {
        if let number = value.integer { return try checked(0.subtractingReportingOverflow(number)) }
        if let number = value.number { return .double(-number) }
        if case .undefined(let missing) = value { throw undefined(missing) }
        throw fail(.type, "bad operand type for unary -: '\(value.kind.name)'")
    }

    @inline(never)
    func positive(_ value: Value) throws(TemplateError) -> Value {
        if let number = value.integer { return .int(number) }
        if let number = value.number { return .double(number) }
        if case .undefined(let missing) = value { throw undefined(missing) }
        throw fail(.type, "bad operand type for unary +: '\(value.kind.name)'")
    }
}
