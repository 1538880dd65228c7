extension Renderer {
    @inline(never)
    mutating func listFilter(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        switch filter {
        case .list: return try list(try elements(of: value))
        case .items:
            if case .undefined = value { return try list([]) }
            guard case .dict(let index) = value else {
                throw fail(.type, "Can only get item pairs from a mapping.")
            }
            return try items(index)
        case .first, .last:
            let elements = try elements(of: value)
            return (filter == .first ? elements.first : elements.last) ?? .undefined(Missing())
        case .reverse:
            if let text = value.text {
                try charge(characters: text.count)
                return .string(Text(units: text.units.reversed()))
            }
            return try list(try elements(of: value).reversed())
        case .join:
            let bound = try bind(arguments, ["d", "attribute"])
            var parts: [Text] = []
            for element in try elements(of: value) {
                try charge(1)
                parts.append(try string(try member(bound[1], of: element)))
            }
            return .string(try join(parts, try string(bound[0] ?? .string(.empty))))
        case .attr:
            guard let name = arguments.positional.first?.text, let number = template.names.known(name.string) else {
                return .undefined(Missing(owner: value.kind))
            }
            if case .dict(let index) = value, dicts[index].value(of: name) != nil, !hasMethod(number, .dict) {
                return .undefined(Missing(name: Int32(truncatingIfNeeded: number), owner: .dict))
            }
            return try attribute(number, of: value)
        case .map, .select, .reject, .selectattr, .rejectattr: return try each(filter, value, arguments)
        case .sort, .unique, .dictsort, .groupby: return try ordered(filter, value, arguments)
        case .batch, .slice: return try portions(filter, value, arguments)
        default: throw fail(.unsupported, "the filter '\(filter.rawValue)' is not supported")
        }
    }

    /// The member of a value that a path such as `a.b` or `0` names; the value itself without a path.
    @inline(never)
    mutating func member(_ path: Value?, of value: Value) throws(TemplateError) -> Value {
        guard let path else { return value }
        guard let text = path.text else { return try item(path, of: value) }
        var result = value
        for range in try split(text, Text("."), limit: -1, fromRight: false) {
            let part = text.slice(range)
            if let number = Int(part.string), part.units.allSatisfy({ Characters.isDigit($0 & Text.scalarMask) }) {
                result = try item(.int(number), of: result)
            } else {
                result = try item(.string(part), of: result)
            }
        }
        return result
    }

    @inline(never)
    private mutating func each(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        let elements = try truth(value) ? try elements(of: value) : []
        var result: [Value] = []
        if filter == .map {
            for element in elements {
                try charge(2)
                result.append(try mapped(element, arguments))
            }
            return try list(result)
        }
        var rest = arguments
        var path: Value?
        if filter == .selectattr || filter == .rejectattr {
            guard !rest.positional.isEmpty else { throw fail(.type, "Missing parameter for attribute name") }
            path = rest.positional.removeFirst()
        }
        var test: Test?
        if let name = rest.positional.first {
            rest.positional.removeFirst()
            let string = try text(name).string
            test = Test(named: string)
            guard test != nil else { throw fail(.unsupported, "No test named '\(string)' found.") }
        }
        let wanted = filter == .select || filter == .selectattr
        for element in elements {
            try charge(2)
            let tested = try member(path, of: element)
            let holds = if let test { try self.test(test, tested, rest) } else { try truth(tested) }
            if holds == wanted { result.append(element) }
        }
        return try list(result)
    }

    @inline(never)
    private mutating func mapped(_ element: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        var rest = arguments
        if rest.positional.isEmpty {
            let bound = try bind(arguments, ["attribute", "default"])
            guard let path = bound[0] else { throw fail(.type, "map requires a filter argument") }
            let found = try member(path, of: element)
            return found.isUndefined ? bound[1] ?? found : found
        }
        let name = try text(rest.positional.removeFirst()).string
        guard let filter = Filter(named: name) else {
            throw fail(.unsupported, "No filter named '\(name)' found.")
        }
        try enter()
        defer { leave() }
        return try self.filter(filter, element, rest)
    }

    /// What elements are ordered by: themselves or a member, letters of either case alike unless told otherwise.
    @inline(never)
    mutating func sortKeys(
        _ elements: [Value], caseSensitive: Value?, attribute: Value?
    ) throws(TemplateError) -> [Value] {
        let isSensitive = try truth(caseSensitive, or: false)
        var paths: [Value] = []
        if let attribute, attribute.kind != .null {
            if let text = attribute.text {
                for range in try split(text, Text(","), limit: -1, fromRight: false) {
                    paths.append(.string(text.slice(range)))
                }
            } else {
                paths = [attribute]
            }
        }
        var keys: [Value] = []
        keys.reserveCapacity(elements.count)
        for element in elements {
            try charge(1)
            var parts: [Value] = []
            for path in paths { parts.append(try member(path, of: element)) }
            if paths.isEmpty { parts = [element] }
            if !isSensitive {
                for (index, part) in parts.enumerated() {
                    guard let text = part.text else { continue }
                    try charge(scanning: text)
                    parts[index] = .string(text.lowercased())
                }
            }
            keys.append(parts.count == 1 ? parts[0] : try tuple(parts))
        }
        return keys
    }

    /// The places of values in their order, equal ones as they stood.
    @inline(never)
    mutating func sorted(_ keys: [Value], reverse: Bool) throws(TemplateError) -> [Int] {
        var order = Array(keys.indices)
        var other = order
        var width = 1
        while width < order.count {
            var start = 0
            while start < order.count {
                let middle = min(start + width, order.count)
                let end = min(start + 2 * width, order.count)
                var (left, right) = (start, middle)
                for place in start..<end {
                    try charge(1)
                    var takesLeft = right >= end
                    if left < middle, right < end {
                        let difference = try compare(keys[order[right]], keys[order[left]])
                        takesLeft = reverse ? difference <= 0 : difference >= 0
                    }
                    other[place] = takesLeft ? order[left] : order[right]
                    if takesLeft { left += 1 } else { right += 1 }
                }
                start = end
            }
            swap(&order, &other)
            width *= 2
        }
        return order
    }

    @inline(never)
    private mutating func ordered(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        switch filter {
        case .dictsort:
            let bound = try bind(arguments, ["case_sensitive", "by", "reverse"])
            let by = try text(bound[1], Text("key")).string
            guard by == "key" || by == "value" else {
                throw fail(.value, "You can only sort by either \"key\" or \"value\"")
            }
            guard case .dict(let index) = value else {
                if case .undefined(let missing) = value { throw undefined(missing) }
                throw fail(.type, "'\(value.kind.name)' object has no attribute 'items'")
            }
            let entries = dicts[index].entries
            let keys = try sortKeys(
                entries.map { by == "key" ? $0.name : $0.value }, caseSensitive: bound[0], attribute: nil)
            let reverse = try truth(bound[2], or: false)
            var pairs: [Value] = []
            for place in try sorted(keys, reverse: reverse) {
                pairs.append(try tuple([entries[place].name, entries[place].value]))
            }
            return try list(pairs)
        case .sort:
            let bound = try bind(arguments, ["reverse", "case_sensitive", "attribute"])
            let elements = try elements(of: value)
            let keys = try sortKeys(elements, caseSensitive: bound[1], attribute: bound[2])
            let reverse = try truth(bound[0], or: false)
            return try list(try sorted(keys, reverse: reverse).map { elements[$0] })
        case .unique:
            let bound = try bind(arguments, ["case_sensitive", "attribute"])
            let elements = try elements(of: value)
            let keys = try sortKeys(elements, caseSensitive: bound[0], attribute: bound[1])
            var seen: Set<Key> = []
            var result: [Value] = []
            for (index, element) in elements.enumerated() where seen.insert(try key(keys[index])).inserted {
                result.append(element)
            }
            return try list(result)
        default:
            let bound = try bind(arguments, ["attribute", "default", "case_sensitive"])
            let elements = try elements(of: value)
            let keys = try sortKeys(elements, caseSensitive: bound[2], attribute: bound[0] ?? .null)
            var groups: [Value] = []
            var members: [Value] = []
            let order = try sorted(keys, reverse: false)
            for (index, place) in order.enumerated() {
                members.append(elements[place])
                if index + 1 < order.count, try equal(keys[place], keys[order[index + 1]]) { continue }
                let first = members[0]
                let name = try member(bound[0], of: first)
                groups.append(try tuple([name, try list(members)]))
                members = []
            }
            return try list(groups)
        }
    }

    /// `batch` cuts into rows of a length, `slice` into a number of columns.
    @inline(never)
    private mutating func portions(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        let bound = try bind(arguments, [filter == .batch ? "linecount" : "slices", "fill_with"])
        let count = try integer(bound[0], 0)
        guard count > 0 else { throw fail(.value, "the number of parts must be positive") }
        let filler = bound[1].flatMap { $0.kind == .null ? nil : $0 }
        let elements = try elements(of: value)
        var result: [Value] = []
        if filter == .batch {
            var start = 0
            while start < elements.count {
                let end = min(elements.count - start, count) + start
                var row = Array(elements[start..<end])
                if let filler, row.count < count {
                    try charge(count)
                    row += Array(repeating: filler, count: count - row.count)
                }
                result.append(try list(row))
                start = end
            }
            return try list(result)
        }
        try charge(count)
        let (size, extra) = elements.count.quotientAndRemainder(dividingBy: count)
        var start = 0
        for index in 0..<count {
            let end = start + size + (index < extra ? 1 : 0)
            var row = Array(elements[start..<end])
            if let filler, index >= extra { row.append(filler) }
            result.append(try list(row))
            start = end
        }
        return try list(result)
    }
}
