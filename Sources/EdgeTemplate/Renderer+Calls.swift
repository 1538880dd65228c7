extension Renderer {
    mutating func call(_ callee: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        switch callee {
        case .macro(let index):
            try enter()
            defer { leave() }
            return try callMacro(index, arguments)
        case .function(let keyword): return try call(keyword, arguments)
        case .method(let index): return try callMethod(methods[index].name, of: methods[index].receiver, arguments)
        case .undefined(let missing): throw undefined(missing)
        default: throw fail(.type, "'\(callee.kind.name)' object is not callable")
        }
    }

    /// The arguments in the order of the parameters named; nil for one that is not given.
    @inline(never)
    func bind(_ arguments: Arguments, _ parameters: [String]) throws(TemplateError) -> [Value?] {
        guard arguments.positional.count <= parameters.count else {
            let count = arguments.positional.count
            throw fail(.type, "takes at most \(parameters.count) arguments, \(count) given")
        }
        var bound: [Value?] = arguments.positional.map { $0 }
        while bound.count < parameters.count { bound.append(nil) }
        for (name, value) in arguments.named {
            let string = template.names.strings[name]
            guard let place = parameters.firstIndex(of: string) else {
                throw fail(.type, "got an unexpected keyword argument '\(string)'")
            }
            guard bound[place] == nil else { throw fail(.type, "got multiple values for argument '\(string)'") }
            bound[place] = value
        }
        return bound
    }

    func integer(_ value: Value?, _ standard: Int) throws(TemplateError) -> Int {
        guard let value else { return standard }
        if let number = value.integer { return number }
        if case .undefined(let missing) = value { throw undefined(missing) }
        throw fail(.type, "'\(value.kind.name)' object cannot be interpreted as an integer")
    }

    /// The text of an argument that must be one.
    func text(_ value: Value?, _ standard: Text? = nil) throws(TemplateError) -> Text {
        guard let value else {
            guard let standard else { throw fail(.type, "an argument is missing") }
            return standard
        }
        if let text = value.text { return text }
        if case .undefined(let missing) = value { throw undefined(missing) }
        throw fail(.type, "expected a str, got '\(value.kind.name)'")
    }

    @inline(never)
    private mutating func call(_ function: Keyword, _ arguments: Arguments) throws(TemplateError) -> Value {
        switch function {
        case .range:
            let bound = try bind(arguments, ["start", "stop", "step"])
            let first = try integer(bound[0], 0)
            return try range(
                bound[1] == nil ? 0 : first, bound[1] == nil ? first : try integer(bound[1], 0),
                try integer(bound[2], 1))
        case .namespace, .dict:
            var map = OrderedMap()
            if let first = arguments.positional.first { try merge(first, into: &map) }
            for (name, value) in arguments.named {
                let text = template.names.texts[name]
                map.set(.string(text), .string(text), value)
            }
            let value = try dict(map)
            if function == .namespace, case .dict(let index) = value { return .namespace(index) }
            return value
        case .raise_exception:
            let message = try string(arguments.positional.first ?? .undefined(Missing()))
            throw fail(.raised, message.string)
        case .strftime_now:
            let format = try text(arguments.positional.first)
            try charge(1 + format.count)
            return .string(try now.formatted(format, self))
        default: throw fail(.unsupported, "'\(function)' cannot be called")
        }
    }

    @inline(never)
    private mutating func range(_ start: Int, _ stop: Int, _ step: Int) throws(TemplateError) -> Value {
        guard step != 0 else { throw fail(.value, "range() arg 3 must not be zero") }
        let (span, overflows) =
            step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
        let count = overflows ? UInt.max : span <= 0 ? 0 : (UInt(span) - 1) / step.magnitude + 1
        guard count <= 100_000 else {
            throw fail(.overflow, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).")
        }
        try charge(Int(count))
        return try list((0..<Int(count)).map { .int(start &+ $0 &* step) })
    }

    /// Adds the members of a dict, or the pairs of a list, to a map.
    @inline(never)
    mutating func merge(_ value: Value, into map: inout OrderedMap) throws(TemplateError) {
        if case .dict(let index) = value {
            try charge(dicts[index].count)
            for entry in dicts[index].entries { map.set(entry.key, entry.name, entry.value) }
            return
        }
        for pair in try elements(of: value) {
            let parts = try elements(of: pair)
            guard parts.count == 2 else {
                throw fail(.value, "a pair of key and value is needed, not \(parts.count) elements")
            }
            map.set(try key(parts[0]), parts[0], parts[1])
        }
    }
}

// MARK: - Loops

extension Renderer {
    @inline(never)
    mutating func loopAttribute(_ name: String, _ index: Int) throws(TemplateError) -> Value? {
        let (place, count) = (loops[index].index, loops[index].items.count)
        switch name {
        case "index": return .int(place + 1)
        case "index0": return .int(place)
        case "revindex": return .int(count - place)
        case "revindex0": return .int(count - place - 1)
        case "first": return .bool(place == 0)
        case "last": return .bool(place == count - 1)
        case "length": return .int(count)
        case "depth": return .int(1)
        case "depth0": return .int(0)
        case "previtem": return place > 0 ? loops[index].items[place - 1] : .undefined(Missing())
        case "nextitem": return place + 1 < count ? loops[index].items[place + 1] : .undefined(Missing())
        case "cycle", "changed":
            guard let number = template.names.known(name) else { return nil }
            methods.append((.loop(index), number))
            return .method(methods.count - 1)
        default: return nil
        }
    }

    @inline(never)
    private mutating func callLoop(_ name: String, _ index: Int, _ arguments: Arguments) throws(TemplateError) -> Value
    {
        if name == "cycle" {
            guard !arguments.positional.isEmpty else { throw fail(.type, "no items for cycling given") }
            return arguments.positional[loops[index].index % arguments.positional.count]
        }
        let value = try tuple(arguments.positional)
        if let last = loops[index].last, try equal(last, value) { return .bool(false) }
        loops[index].last = value
        return .bool(true)
    }
}

// MARK: - Methods of lists and dicts

extension Renderer {
    private static let listMethods: Set<String> = [
        "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
    ]
    private static let tupleMethods: Set<String> = ["count", "index"]
    private static let dictMethods: Set<String> = [
        "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values",
    ]

    /// Whether values of a type have a method of this name, implemented here or not.
    func hasMethod(_ name: Int, _ kind: Kind) -> Bool {
        let name = template.names.strings[name]
        switch kind {
        case .string: return StringMethod(rawValue: name) != nil || StringMethod.others.contains(name)
        case .list: return Renderer.listMethods.contains(name)
        case .tuple: return Renderer.tupleMethods.contains(name)
        case .dict: return Renderer.dictMethods.contains(name)
        default: return false
        }
    }

    mutating func callMethod(_ name: Int, of value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        let string = template.names.strings[name]
        switch value {
        case .string(let text), .safe(let text):
            if let method = StringMethod(rawValue: string) { return try call(method, text, arguments) }
        case .dict(let index):
            if let result = try callDict(string, index, arguments) { return result }
        case .list(let index), .tuple(let index):
            if let result = try callList(string, index, value.kind, arguments) { return result }
        case .loop(let index) where string == "cycle" || string == "changed":
            return try callLoop(string, index, arguments)
        case .undefined(let missing): throw undefined(missing)
        default: break
        }
        if hasMethod(name, value.kind) {
            throw fail(.unsupported, "the method '\(string)' of '\(value.kind.name)' is not supported")
        }
        return try call(try attribute(name, of: value), arguments)
    }

    @inline(never)
    private mutating func callDict(
        _ name: String, _ index: Int, _ arguments: Arguments
    ) throws(TemplateError) -> Value? {
        switch name {
        case "get":
            let bound = try bind(arguments, ["key", "default"])
            let found = dicts[index].value(of: try key(bound[0] ?? .null))
            return found ?? bound[1] ?? .null
        case "items": return try items(index)
        case "keys": return try list(try elements(of: .dict(index)))
        case "values":
            try charge(dicts[index].count)
            return try list(dicts[index].entries.map(\.value))
        case "copy": return try dict(dicts[index])
        case "update":
            var map = dicts[index]
            try charge(map.count)
            if let first = arguments.positional.first { try merge(first, into: &map) }
            for (name, value) in arguments.named {
                let text = template.names.texts[name]
                map.set(.string(text), .string(text), value)
            }
            dicts[index] = map
            return Value.null
        case "setdefault":
            let bound = try bind(arguments, ["key", "default"])
            let name = bound[0] ?? .null
            let key = try key(name)
            if let found = dicts[index].value(of: key) { return found }
            dicts[index].set(key, name, bound[1] ?? .null)
            return bound[1] ?? Value.null
        case "pop":
            let bound = try bind(arguments, ["key", "default"])
            try charge(dicts[index].count)
            if let place = dicts[index].place(of: try key(bound[0] ?? .null)) { return dicts[index].remove(at: place) }
            guard let standard = bound[1] else {
                throw fail(.value, "KeyError: \(try string(bound[0] ?? .null).string)")
            }
            return standard
        default: return nil
        }
    }

    /// The members of a dict as a list of pairs.
    @inline(never)
    mutating func items(_ index: Int) throws(TemplateError) -> Value {
        var pairs: [Value] = []
        pairs.reserveCapacity(dicts[index].count)
        for entry in dicts[index].entries { pairs.append(try tuple([entry.name, entry.value])) }
        return try list(pairs)
    }

    @inline(never)
    private mutating func callList(
        _ name: String, _ index: Int, _ kind: Kind, _ arguments: Arguments
    ) throws(TemplateError) -> Value? {
        let first = arguments.positional.first
        switch name {
        case "count", "index":
            var count = 0
            for (place, element) in lists[index].enumerated() {
                try charge(1)
                guard try equal(element, first ?? .null) else { continue }
                if name == "index" { return .int(place) }
                count += 1
            }
            if name == "index" { throw fail(.value, "the value is not in the list") }
            return .int(count)
        case "append" where kind == .list:
            guard let first else { throw fail(.type, "append() takes exactly one argument (0 given)") }
            lists[index].append(first)
            return Value.null
        case "extend" where kind == .list:
            let more = try elements(of: first ?? .undefined(Missing()))
            try charge(more.count)
            lists[index] += more
            return Value.null
        case "copy" where kind == .list: return try list(lists[index])
        case "insert" where kind == .list:
            let count = lists[index].count
            try charge(count >> 3)
            guard arguments.positional.count == 2, let place = arguments.positional[0].integer else {
                throw fail(.type, "insert expected 2 arguments")
            }
            let wrapped = place < 0 ? place + count : place
            lists[index].insert(arguments.positional[1], at: min(max(wrapped, 0), count))
            return Value.null
        case "pop" where kind == .list:
            let count = lists[index].count
            guard count > 0 else { throw fail(.value, "pop from empty list") }
            let place = try integer(first, -1)
            let wrapped = place < 0 ? place + count : place
            guard wrapped >= 0, wrapped < count else { throw fail(.value, "pop index out of range") }
            try charge((count - wrapped) >> 3)
            return lists[index].remove(at: wrapped)
        case "reverse" where kind == .list:
            try charge(lists[index].count)
            lists[index].reverse()
            return Value.null
        default: return nil
        }
    }
}
