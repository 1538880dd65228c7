/// What may stand after `|`.
enum Filter: String {
    case abs, attr, batch, capitalize, center, `default`, dictsort, escape, first, float, forceescape, format, groupby
    case indent, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round
    case safe, select, selectattr, slice, sort, string, sum, title, tojson, trim, truncate, unique, upper, wordcount

    init?(named name: String) {
        switch name {
        case "count": self = .length
        case "d": self = .default
        case "e": self = .escape
        default: self.init(rawValue: name)
        }
    }
}

extension Renderer {
    @inline(never)
    mutating func filter(_ filter: Filter, _ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        switch filter {
        case .tojson: return try json(value, arguments)
        case .length: return .int(try length(value))
        case .default:
            let bound = try bind(arguments, ["default_value", "boolean"])
            let replacesEmpty = try truth(bound[1], or: false)
            let isMissing = try replacesEmpty ? !truth(value) : value.isUndefined
            return isMissing ? bound[0] ?? .string(.empty) : value
        case .string: return value.text != nil ? value : .string(try string(value))
        case .safe: return .safe(try string(value))
        case .escape: return .safe(try escaped(value))
        case .forceescape: return .safe(try escaped(.string(try string(value))))
        case .trim, .capitalize, .title, .upper, .lower, .replace, .indent, .truncate, .wordcount, .center, .format:
            return try textFilter(filter, value, arguments)
        case .abs, .int, .float, .round, .sum, .min, .max: return try numberFilter(filter, value, arguments)
        default: return try listFilter(filter, value, arguments)
        }
    }

    @inline(never)
    private mutating func length(_ value: Value) throws(TemplateError) -> Int {
        switch value {
        case .string(let text), .safe(let text): text.count
        case .list(let index), .tuple(let index): lists[index].count
        case .dict(let index): dicts[index].count
        case .loop(let index): loops[index].items.count
        case .undefined: 0
        default: throw fail(.type, "object of type '\(value.kind.name)' has no len()")
        }
    }
}

// MARK: - Texts

extension Renderer {
    @inline(never)
    private mutating func textFilter(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        let text = try string(value)
        switch filter {
        case .trim: return try call(.strip, text, arguments)
        case .upper: return try call(.upper, text, arguments)
        case .lower: return try call(.lower, text, arguments)
        case .capitalize: return try call(.capitalize, text, arguments)
        case .title:
            try charge(scanning: text)
            return .string(titled(text))
        case .replace:
            let bound = try bind(arguments, ["old", "new", "count"])
            let limit = if let count = bound[2], count.kind != .null { try integer(count, -1) } else { -1 }
            let old = try string(bound[0] ?? .undefined(Missing()))
            return .string(try replace(text, old, try string(bound[1] ?? .undefined(Missing())), limit: limit))
        case .indent: return try indent(text, arguments)
        case .truncate: return try truncate(text, arguments)
        case .wordcount:
            try charge(scanning: text)
            var count = 0
            var inWord = false
            for unit in text.units {
                let isWord = Characters.isWord(unit & Text.scalarMask)
                if isWord, !inWord { count += 1 }
                inWord = isWord
            }
            return .int(count)
        case .center:
            var arguments = arguments
            if arguments.positional.isEmpty, arguments.named.isEmpty { arguments.positional = [.int(80)] }
            return try call(.center, text, arguments)
        default:
            if arguments.named.isEmpty {
                return .string(try format(text, percent: try tuple(arguments.positional)))
            }
            return .string(try format(text, percent: try call(.function(.dict), arguments)))
        }
    }

    /// Each word begins in upper case, words being what white space, hyphens and opening brackets separate.
    private func titled(_ text: Text) -> Text {
        var units: [UInt32] = []
        var begins = true
        for unit in text.units {
            let scalar = unit & Text.scalarMask
            let separates = Characters.isSpace(scalar) || [45, 40, 123, 91, 60].contains(scalar)
            Characters.append(unit, in: begins && !separates ? .upper : .lower, to: &units)
            begins = separates
        }
        return Text(units: units)
    }

    @inline(never)
    private mutating func indent(_ text: Text, _ arguments: Arguments) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["width", "first", "blank"])
        let margin = try margin(bound[0], 4)
        let indentsFirst = try truth(bound[1], or: false)
        let indentsBlank = try truth(bound[2], or: false)
        try charge(characters: text.count)
        // A line feed at the end stands for one more line, an empty one.
        var lines = text.lines()
        if text.isEmpty || Characters.endsLine(text.scalar(text.count - 1)) { lines.append(text.count..<text.count) }
        var units: [UInt32] = []
        for (index, line) in lines.enumerated() {
            if index > 0 {
                units.append(line.lowerBound > 0 ? 10 | text.units[line.lowerBound - 1] & Text.markMask : 10)
            }
            if index == 0 ? indentsFirst : indentsBlank || !line.isEmpty { try grow(&units, margin) }
            try grow(&units, text.slice(line))
        }
        return .string(Text(units: units))
    }

    @inline(never)
    private mutating func truncate(_ text: Text, _ arguments: Arguments) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["length", "killwords", "end", "leeway"])
        try charge(2 + text.count >> 3)
        let length = try integer(bound[0], 255)
        let end = try self.text(bound[2], Text("..."))
        let leeway = try integer(bound[3], 5)
        guard length >= end.count, leeway >= 0 else { throw fail(.value, "expected length >= \(end.count)") }
        if text.count <= length || text.count - length <= leeway { return .string(text) }
        var kept = text.slice(0..<min(text.count, length - end.count))
        if try !truth(bound[1], or: false),
            let space = try findLast(Text(" "), in: kept, before: kept.count)
        {
            kept = kept.slice(0..<space)
        }
        return .string(Text(units: kept.units + end.units))
    }
}

// MARK: - Numbers

extension Renderer {
    @inline(never)
    private mutating func numberFilter(
        _ filter: Filter, _ value: Value, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        switch filter {
        case .abs:
            if let number = value.integer { return number < 0 ? try negate(.int(number)) : .int(number) }
            if let number = value.number { return .double(number.magnitude) }
            if case .undefined(let missing) = value { throw undefined(missing) }
            throw fail(.type, "bad operand type for abs(): '\(value.kind.name)'")
        case .int: return try int(value, arguments)
        case .float:
            let standard = try bind(arguments, ["default"])[0] ?? .double(0)
            if let number = value.number { return .double(number) }
            if case .undefined(let missing) = value { throw undefined(missing) }
            guard let text = value.text else { return standard }
            try charge(1 + text.count >> 1)
            return Renderer.double(of: text).map { .double($0) } ?? standard
        case .round: return try round(value, arguments)
        case .sum:
            let bound = try bind(arguments, ["attribute", "start"])
            var total = bound[1] ?? .int(0)
            for element in try elements(of: value) {
                try charge(1)
                let part = try member(bound[0], of: element)
                if total.kind == .string { throw fail(.type, "sum() can't sum strings") }
                total = try compute(.add, total, part)
            }
            return total
        default:
            let bound = try bind(arguments, ["case_sensitive", "attribute"])
            let elements = try elements(of: value)
            let keys = try sortKeys(elements, caseSensitive: bound[0], attribute: bound[1])
            var best: Int?
            for index in keys.indices {
                guard let current = best else {
                    best = index
                    continue
                }
                let order = try compare(keys[index], keys[current])
                if filter == .min ? order < 0 : order > 0 { best = index }
            }
            return best.map { elements[$0] } ?? .undefined(Missing())
        }
    }

    @inline(never)
    private mutating func int(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["default", "base"])
        let standard = bound[0] ?? .int(0)
        switch value {
        case .int, .bool: return .int(value.integer ?? 0)
        case .double(let number):
            guard number.isFinite else { return standard }
            guard let whole = Int(exactly: number.rounded(.towardZero)) else {
                throw fail(.overflow, "the integer is too large")
            }
            return .int(whole)
        case .string(let text), .safe(let text):
            let base = try integer(bound[1], 10)
            try charge(1 + text.count >> 1)
            let trimmed = text.slice(text.stripped(nil, left: true, right: true))
            guard trimmed.count <= 400 else { return standard }
            if let number = Renderer.integer(of: trimmed.string, base: base) { return .int(number) }
            if let number = Renderer.double(of: trimmed), let whole = Int(exactly: number.rounded(.towardZero)) {
                return .int(whole)
            }
            return standard
        case .undefined(let missing): throw undefined(missing)
        default: return standard
        }
    }

    private static func integer(of string: String, base: Int) -> Int? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        var digits = Substring(string)
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = first == "-" ? "-" : ""
            digits.removeFirst()
        }
        var base = base
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.lowercased().hasPrefix(prefix) {
            if base == radix || base == 0 {
                digits.removeFirst(2)
                base = radix
            }
        }
        if base == 0 { base = 10 }
        guard let first = digits.first, first != "-", first != "+" else { return nil }
        if digits.contains("_") {
            guard digits.last != "_", first != "_", !digits.contains("__") else { return nil }
            digits.removeAll { $0 == "_" }
        }
        return Int(sign + digits, radix: base)
    }

    /// The number that a text holds and nothing else.
    private static func double(of text: Text) -> Double? {
        let trimmed = text.slice(text.stripped(nil, left: true, right: true))
        guard trimmed.count <= 400, !trimmed.isEmpty else { return nil }
        let string = trimmed.string.lowercased()
        let isHexadecimal = string.contains("x") || string.contains("p")
        return isHexadecimal ? nil : Double(string)
    }

    @inline(never)
    private mutating func round(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["precision", "method"])
        let precision = try integer(bound[0], 0)
        let method = try text(bound[1], Text("common")).string
        guard ["common", "ceil", "floor"].contains(method) else {
            throw fail(.value, "method must be common, ceil or floor")
        }
        if case .undefined(let missing) = value { throw undefined(missing) }
        guard let number = value.number else { throw fail(.type, "'\(value.kind.name)' cannot be rounded") }
        guard precision <= 300, precision >= -300 else { throw fail(.value, "the precision is out of range") }
        if method == "common" {
            if value.kind == .int, precision >= 0 { return value }
            if precision >= 0 {
                let digits = try fixed(number, precision)
                return .double(Double(digits) ?? number)
            }
        }
        var scale = 1.0
        for _ in 0..<abs(precision) { scale *= 10 }
        let scaled = precision < 0 ? number / scale : number * scale
        let rule: FloatingPointRoundingRule = method == "ceil" ? .up : method == "floor" ? .down : .toNearestOrEven
        let rounded = scaled.rounded(rule)
        let result = precision < 0 ? rounded * scale : rounded / scale
        if value.kind == .int, method == "common", let whole = Int(exactly: result) { return .int(whole) }
        return .double(result)
    }

    private func abs(_ number: Int) -> Int { number < 0 ? -number : number }
}
