/// The methods of a string.
enum StringMethod: String {
    case strip, lstrip, rstrip, split, rsplit, splitlines, startswith, endswith, replace, upper, lower, title
    case capitalize, swapcase, casefold, find, rfind, index, rindex, count, join, format, isdigit, isdecimal, isnumeric
    case isalpha, isalnum, isspace, isupper, islower, zfill, ljust, rjust, center, removeprefix, removesuffix
    case partition, rpartition

    /// Methods that Python has and this room has not.
    static let others: Set<String> = [
        "encode", "expandtabs", "format_map", "isascii", "isidentifier", "isprintable", "istitle", "maketrans",
        "translate",
    ]
}

extension Renderer {
    @inline(never)
    mutating func call(
        _ method: StringMethod, _ text: Text, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        try charge(scanning: text)
        switch method {
        case .strip, .lstrip, .rstrip:
            let bound = try bind(arguments, ["chars"])
            let set: Text? = if let chars = bound[0], chars.kind != .null { try self.text(chars) } else { nil }
            if let set { try charge(min(set.count, 1 << 20) * (1 + text.count >> 8)) }
            return .string(text.slice(text.stripped(set, left: method != .rstrip, right: method != .lstrip)))
        case .split, .rsplit:
            let bound = try bind(arguments, ["sep", "maxsplit"])
            let limit = try integer(bound[1], -1)
            let ranges: [Range<Int>]
            if let separator = bound[0], separator.kind != .null {
                ranges = try split(text, try self.text(separator), limit: limit, fromRight: method == .rsplit)
            } else {
                ranges = try words(text, limit: limit, fromRight: method == .rsplit)
            }
            return try list(ranges.map { .string(text.slice($0)) })
        case .splitlines:
            let lines = text.lines()
            try charge(lines.count)
            return try list(lines.map { .string(text.slice($0)) })
        case .startswith, .endswith:
            let bound = try bind(arguments, ["affix", "start", "end"])
            let part = try span(text, bound)
            var affixes = [bound[0]]
            if case .tuple(let index)? = bound[0] { affixes = lists[index] }
            for affix in affixes {
                let affix = try self.text(affix)
                try charge(1 + affix.count >> 4)
                if method == .startswith ? part.hasPrefix(affix) : part.hasSuffix(affix) { return .bool(true) }
            }
            return .bool(false)
        case .replace:
            let bound = try bind(arguments, ["old", "new", "count"])
            return .string(
                try replace(text, try self.text(bound[0]), try self.text(bound[1]), limit: try integer(bound[2], -1)))
        case .upper: return .string(text.uppercased())
        case .lower, .casefold: return .string(text.lowercased())
        case .title: return .string(text.titled())
        case .capitalize: return .string(text.capitalized())
        case .swapcase: return .string(text.swappedCase())
        case .find, .rfind, .index, .rindex, .count: return try search(method, text, arguments)
        case .join:
            let elements = try elements(of: try bind(arguments, ["iterable"])[0] ?? .null)
            var parts: [Text] = []
            for element in elements { parts.append(try self.text(element)) }
            return .string(try join(parts, text))
        case .format: return .string(try format(text, arguments))
        case .isdigit, .isdecimal, .isnumeric: return .bool(all(text, Characters.isNumber))
        case .isalpha: return .bool(all(text, Characters.isLetter))
        case .isalnum: return .bool(all(text) { Characters.isLetter($0) || Characters.isNumber($0) })
        case .isspace: return .bool(all(text, Characters.isSpace))
        case .isupper, .islower: return .bool(hasCase(text, upper: method == .isupper))
        case .zfill, .ljust, .rjust, .center: return try pad(method, text, arguments)
        case .removeprefix, .removesuffix:
            let affix = try self.text(try bind(arguments, ["affix"])[0])
            if method == .removeprefix, text.hasPrefix(affix) { return .string(text.slice(affix.count..<text.count)) }
            if method == .removesuffix, text.hasSuffix(affix) {
                return .string(text.slice(0..<text.count - affix.count))
            }
            return .string(text)
        case .partition, .rpartition:
            let separator = try self.text(try bind(arguments, ["sep"])[0])
            guard !separator.isEmpty else { throw fail(.value, "empty separator") }
            let place =
                method == .partition
                ? try find(separator, in: text, from: 0) : try findLast(separator, in: text, before: text.count)
            guard let place else {
                let empty = Value.string(.empty)
                return try tuple(method == .partition ? [.string(text), empty, empty] : [empty, empty, .string(text)])
            }
            let rest = place + separator.count..<text.count
            return try tuple([.string(text.slice(0..<place)), .string(separator), .string(text.slice(rest))])
        }
    }

    private func all(_ text: Text, _ condition: (UInt32) -> Bool) -> Bool {
        !text.isEmpty && text.units.allSatisfy { condition($0 & Text.scalarMask) }
    }

    /// Whether there are cased characters and all of them have the case asked for.
    func hasCase(_ text: Text, upper: Bool) -> Bool {
        var seen = false
        for unit in text.units {
            let scalar = unit & Text.scalarMask
            guard Characters.isCased(scalar) else { continue }
            guard upper ? Characters.isUpper(scalar) : Characters.isLower(scalar) else { return false }
            seen = true
        }
        return seen
    }

    /// The part of a text between the bounds in the second and third argument.
    private func span(_ text: Text, _ bound: [Value?]) throws(TemplateError) -> Text {
        if bound[1] == nil, bound[2] == nil { return text }
        return text.slice(try range(text, bound))
    }

    private func range(_ text: Text, _ bound: [Value?]) throws(TemplateError) -> Range<Int> {
        func place(_ value: Value?, _ standard: Int) throws(TemplateError) -> Int {
            guard let value, value.kind != .null else { return standard }
            let place = try integer(value, standard)
            return min(max(place < 0 ? place + text.count : place, 0), text.count)
        }
        let start = try place(bound[1], 0)
        return start..<max(start, try place(bound[2], text.count))
    }

    @inline(never)
    private mutating func search(
        _ method: StringMethod, _ text: Text, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["sub", "start", "end"])
        let part = try self.text(bound[0])
        let range = try range(text, bound)
        let within = range == 0..<text.count ? text : text.slice(range)
        if method == .count {
            if part.isEmpty { return .int(within.count + 1) }
            return .int(try split(within, part, limit: -1, fromRight: false).count - 1)
        }
        let fromRight = method == .rfind || method == .rindex
        let place =
            fromRight
            ? try findLast(part, in: within, before: within.count) : try find(part, in: within, from: 0)
        if let place { return .int(place + range.lowerBound) }
        if method == .find || method == .rfind { return .int(-1) }
        throw fail(.value, "substring not found")
    }

    @inline(never)
    mutating func join(_ parts: [Text], _ separator: Text) throws(TemplateError) -> Text {
        var units: [UInt32] = []
        for (index, part) in parts.enumerated() {
            if index > 0 { try grow(&units, separator) }
            try grow(&units, part)
        }
        return Text(units: units)
    }

    /// A number of fill characters, which are untrusted unless a mark is given.
    func fill(_ count: Int, _ unit: UInt32 = 32) throws(TemplateError) -> [UInt32] {
        guard count <= template.limits.textLength else { throw fail(.tooLong, "a padding of \(count) is too long") }
        return Array(repeating: unit, count: max(0, count))
    }

    /// What stands at the beginning of an indented line: the text given, or so many blanks.
    func margin(_ value: Value?, _ standard: Int) throws(TemplateError) -> Text {
        if let text = value?.text { return text }
        return Text(units: try fill(try integer(value, standard)))
    }

    @inline(never)
    private mutating func pad(
        _ method: StringMethod, _ text: Text, _ arguments: Arguments
    ) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["width", "fillchar"])
        let width = try integer(bound[0], 0)
        let missing = width > text.count ? width - text.count : 0
        try charge(min(missing, 1 << 30) >> 4)
        guard method != .zfill else {
            let signed = text.count > 0 && (text.scalar(0) == 43 || text.scalar(0) == 45)
            let zeros = try fill(missing, 48)
            let digits = text.units.dropFirst(signed ? 1 : 0)
            return .string(Text(units: (signed ? [text.units[0]] : []) + zeros + digits))
        }
        let filler = try self.text(bound[1], Text(" "))
        guard filler.count == 1 else { throw fail(.type, "The fill character must be exactly one character long") }
        let left =
            switch method {
            case .ljust: 0
            case .rjust: missing
            default: missing / 2 + (missing & width & 1)
            }
        let padded = try fill(left, filler.units[0]) + text.units + fill(missing - left, filler.units[0])
        return .string(Text(units: padded))
    }
}
