/// The arguments of a call, evaluated.
struct Arguments {
    var positional: [Value] = []
    var named: [(name: Int, value: Value)] = []
}

extension Renderer {
    mutating func evaluate(_ expression: Expression) throws(TemplateError) -> Value {
        try enter()
        defer { leave() }
        switch expression {
        case .constant(let value): return value
        case .name(let name): return lookup(name)
        case .postfix(let base, let postfixes):
            var value = try evaluate(base)
            for postfix in postfixes { value = try apply(postfix, to: value) }
            return value
        case .not(let operand): return .bool(try !truth(try evaluate(operand)))
        case .and(let operands): return try junction(operands, endsAt: false)
        case .or(let operands): return try junction(operands, endsAt: true)
        case .comparison(let first, let rest): return try comparison(first, rest)
        case .conditional(let branches, let otherwise): return try conditional(branches, otherwise)
        case .arithmetic(let first, let rest): return try arithmetic(first, rest)
        case .concatenation(let parts): return try concatenation(parts)
        case .negative(let operand, let at):
            let value = try evaluate(operand)
            position = at
            return try negate(value)
        case .positive(let operand, let at):
            let value = try evaluate(operand)
            position = at
            return try positive(value)
        case .list(let elements): return try list(try evaluate(elements))
        case .tuple(let elements): return try tuple(try evaluate(elements))
        case .dict(let members, let at): return try dict(members, at)
        }
    }

    @inline(never)
    private mutating func evaluate(_ expressions: [Expression]) throws(TemplateError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(expressions.count)
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    @inline(never)
    private mutating func junction(_ operands: [Expression], endsAt end: Bool) throws(TemplateError) -> Value {
        var value = Value.null
        for operand in operands {
            value = try evaluate(operand)
            if try truth(value) == end { return value }
        }
        return value
    }

    @inline(never)
    private mutating func comparison(
        _ first: Expression, _ rest: [(relation: Relation, operand: Expression, at: Int)]
    ) throws(TemplateError) -> Value {
        var left = try evaluate(first)
        for (relation, operand, at) in rest {
            let right = try evaluate(operand)
            position = at
            guard try holds(relation, left, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    @inline(never)
    private mutating func conditional(
        _ branches: [(condition: Expression, value: Expression)], _ otherwise: Expression?
    ) throws(TemplateError) -> Value {
        for (condition, value) in branches where try truth(try evaluate(condition)) { return try evaluate(value) }
        guard let otherwise else { return .undefined(Missing()) }
        return try evaluate(otherwise)
    }

    @inline(never)
    private mutating func arithmetic(
        _ first: Expression, _ rest: [(operation: Arithmetic, operand: Expression, at: Int)]
    ) throws(TemplateError) -> Value {
        var left = try evaluate(first)
        for (operation, operand, at) in rest {
            let right = try evaluate(operand)
            position = at
            if operation == .add, case .string(var text) = left, case .string(let more) = right {
                // The sum so far is this chain's own: it grows in place.
                left = .null
                try grow(&text.units, more)
                left = .string(text)
            } else {
                left = try compute(operation, left, right)
            }
        }
        return left
    }

    @inline(never)
    private mutating func concatenation(_ parts: [Expression]) throws(TemplateError) -> Value {
        let values = try evaluate(parts)
        var result: [UInt32] = []
        for value in values {
            try grow(&result, try string(value))
        }
        return .string(Text(units: result))
    }

    @inline(never)
    private mutating func dict(
        _ members: [(key: Expression, value: Expression)], _ at: Int
    ) throws(TemplateError) -> Value {
        var map = OrderedMap()
        for (key, value) in members {
            let name = try evaluate(key)
            let value = try evaluate(value)
            position = at
            map.set(try self.key(name), name, value)
        }
        return try dict(map)
    }

    @inline(never)
    mutating func evaluate(_ written: CallArguments) throws(TemplateError) -> Arguments {
        var arguments = Arguments(positional: try evaluate(written.positional))
        for (name, expression) in written.named { arguments.named.append((name, try evaluate(expression))) }
        if let spread = written.spread {
            arguments.positional += try elements(of: try evaluate(spread))
        }
        if let spread = written.spreadNamed {
            guard case .dict(let index) = try evaluate(spread) else {
                throw fail(.type, "argument after ** must be a mapping")
            }
            for entry in dicts[index].entries {
                // A keyword that the template never writes can be the name of no parameter.
                guard case .string(let text) = entry.key, let name = template.names.known(text.string) else {
                    throw fail(.type, "got an unexpected keyword argument")
                }
                arguments.named.append((name, entry.value))
            }
        }
        return arguments
    }
}

// MARK: - What follows a value

extension Renderer {
    mutating func apply(_ postfix: Postfix, to value: Value) throws(TemplateError) -> Value {
        try charge(1)
        switch postfix.kind {
        case .attribute(let name):
            position = postfix.at
            return try attribute(name, of: value)
        case .item(let expression):
            let index = try evaluate(expression)
            position = postfix.at
            return try item(index, of: value)
        case .slice(let start, let stop, let step):
            return try slice(value, start, stop, step, postfix.at)
        case .call(let written):
            let arguments = try evaluate(written)
            position = postfix.at
            return try call(value, arguments)
        case .method(let name, let written):
            let arguments = try evaluate(written)
            position = postfix.at
            return try callMethod(name, of: value, arguments)
        case .filter(let filter, let name, let written):
            let arguments = try evaluate(written)
            position = postfix.at
            guard let filter else { throw unknown("filter", name) }
            return try self.filter(filter, value, arguments)
        case .test(let test, let name, let negated, let written):
            let arguments = try evaluate(written)
            position = postfix.at
            guard let test else { throw unknown("test", name) }
            return .bool(try self.test(test, value, arguments) != negated)
        }
    }

    @inline(never)
    private func unknown(_ what: String, _ name: Int) -> TemplateError {
        fail(.unsupported, "No \(what) named '\(template.names.strings[name])' found.")
    }

    /// The error of using something undefined.
    func undefined(_ missing: Missing) -> TemplateError {
        let name = missing.name >= 0 ? template.names.strings[Int(missing.name)] : nil
        guard let owner = missing.owner else {
            return fail(.undefined, name.map { "'\($0)' is undefined" } ?? "the value is undefined")
        }
        let object = owner == .null ? "None" : "\(owner.name) object"
        return fail(
            .undefined, name.map { "'\(object)' has no attribute '\($0)'" } ?? "'\(object)' has no such element")
    }

    /// `value.name`: a method of the type first, then a member.
    @inline(never)
    mutating func attribute(_ name: Int, of value: Value) throws(TemplateError) -> Value {
        switch value {
        case .undefined(let missing): throw undefined(missing)
        case .namespace(let index):
            if let found = dicts[index].value(of: template.names.texts[name]) { return found }
        case .loop(let index):
            if let found = try loopAttribute(template.names.strings[name], index) { return found }
        case .dict(let index):
            if hasMethod(name, value.kind) { return method(name, of: value) }
            if let found = dicts[index].value(of: template.names.texts[name]) { return found }
        case .macro where template.names.strings[name] == "name":
            return .null
        default:
            if hasMethod(name, value.kind) { return method(name, of: value) }
        }
        return .undefined(Missing(name: Int32(truncatingIfNeeded: name), owner: value.kind))
    }

    private mutating func method(_ name: Int, of value: Value) -> Value {
        methods.append((value, name))
        return .method(methods.count - 1)
    }

    /// `value[index]`: an element first, then an attribute of that name.
    @inline(never)
    mutating func item(_ index: Value, of value: Value) throws(TemplateError) -> Value {
        switch value {
        case .undefined(let missing): throw undefined(missing)
        case .dict(let map), .namespace(let map):
            switch index {
            case .list, .dict: break
            default: if let found = dicts[map].value(of: try key(index)) { return found }
            }
        case .list(let list), .tuple(let list):
            if let place = index.integer, let found = wrapped(place, lists[list].count) { return lists[list][found] }
        case .string(let text), .safe(let text):
            if let place = index.integer, let found = wrapped(place, text.count) {
                return .string(Text(units: [text.units[found]]))
            }
        default: break
        }
        if let text = index.text, let name = template.names.known(text.string) {
            return try attribute(name, of: value)
        }
        return .undefined(Missing(owner: value.kind))
    }

    private func wrapped(_ index: Int, _ count: Int) -> Int? {
        let place = index < 0 ? index + count : index
        return place >= 0 && place < count ? place : nil
    }

    @inline(never)
    private mutating func slice(
        _ value: Value, _ start: Expression?, _ stop: Expression?, _ step: Expression?, _ at: Int
    ) throws(TemplateError) -> Value {
        let bounds = [try bound(start), try bound(stop), try bound(step)]
        position = at
        switch value {
        case .string(let text), .safe(let text):
            let places = try places(bounds, text.count)
            try charge(characters: places.count)
            if places.step == 1 { return .string(text.slice(places.first..<places.first + places.count)) }
            return .string(Text(units: places.indices.map { text.units[$0] }))
        case .list(let index), .tuple(let index):
            let places = try places(bounds, lists[index].count)
            let elements = places.indices.map { lists[index][$0] }
            return value.kind == .list ? try list(elements) : try tuple(elements)
        case .undefined(let missing): throw undefined(missing)
        default: throw fail(.type, "'\(value.kind.name)' object is not subscriptable")
        }
    }

    private mutating func bound(_ expression: Expression?) throws(TemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .null = value { return nil }
        guard let integer = value.integer else {
            throw fail(.type, "slice indices must be integers or None or have an __index__ method")
        }
        return integer
    }

    private struct Places {
        var first: Int
        var step: Int
        var count: Int

        var indices: [Int] { (0..<count).map { first + $0 * step } }
    }

    /// The places that a slice names, as Python counts them.
    private func places(_ bounds: [Int?], _ count: Int) throws(TemplateError) -> Places {
        // A step beyond the length takes one element like any other that large.
        let step = min(max(bounds[2] ?? 1, -count - 1), count + 1)
        guard step != 0 else { throw fail(.value, "slice step cannot be zero") }
        func clamp(_ bound: Int?, _ standard: Int) -> Int {
            guard let bound else { return standard }
            let place = bound < 0 ? bound + count : bound
            return step > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
        }
        let start = clamp(bounds[0], step > 0 ? 0 : count - 1)
        let stop = clamp(bounds[1], step > 0 ? count : -1)
        let span = step > 0 ? stop - start : start - stop
        return Places(first: start, step: step, count: span > 0 ? (span - 1) / abs(step) + 1 : 0)
    }
}
