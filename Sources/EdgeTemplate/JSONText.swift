/// `tojson`: what Python's `json.dumps` writes with the settings of transformers.
extension Renderer {
    struct JSONStyle {
        var asciiOnly = false
        var indent: Text?
        var itemSeparator = Text(", ")
        var keySeparator = Text(": ")
        var sortsKeys = false
    }

    @inline(never)
    mutating func json(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
        let bound = try bind(arguments, ["ensure_ascii", "indent", "separators", "sort_keys"])
        var style = JSONStyle()
        if let flag = bound[0] { style.asciiOnly = try truth(flag) }
        if let indent = bound[1], indent.kind != .null {
            style.indent = try margin(indent, 0)
            style.itemSeparator = Text(",")
        }
        if let separators = bound[2], separators.kind != .null {
            let parts = try elements(of: separators)
            guard parts.count == 2 else { throw fail(.value, "separators must be a pair") }
            style.itemSeparator = try text(parts[0])
            style.keySeparator = try text(parts[1])
        }
        if let flag = bound[3] { style.sortsKeys = try truth(flag) }
        var units: [UInt32] = []
        try write(value, style, level: 0, into: &units)
        return .string(Text(units: units))
    }

    @inline(never)
    private mutating func write(
        _ value: Value, _ style: JSONStyle, level: Int, into units: inout [UInt32]
    ) throws(TemplateError) {
        try enter()
        defer { leave() }
        switch value {
        case .null: append("null", to: &units)
        case .bool(let flag): append(flag ? "true" : "false", to: &units)
        case .int(let number): append(String(number), to: &units)
        case .double(let number): append(Renderer.jsonDigits(of: number), to: &units)
        case .string(let text), .safe(let text): try quoteJSON(text, style, into: &units)
        case .list(let index), .tuple(let index):
            guard !lists[index].isEmpty else { return append("[]", to: &units) }
            append("[", to: &units)
            for (place, element) in lists[index].enumerated() {
                if place > 0 { try grow(&units, style.itemSeparator) }
                try breakLine(style, level + 1, into: &units)
                try write(element, style, level: level + 1, into: &units)
            }
            try breakLine(style, level, into: &units)
            append("]", to: &units)
        case .dict(let index): try writeDict(dicts[index], style, level: level, into: &units)
        default:
            throw fail(.type, "Object of type \(value.kind.name) is not JSON serializable")
        }
    }

    @inline(never)
    private mutating func writeDict(
        _ map: OrderedMap, _ style: JSONStyle, level: Int, into units: inout [UInt32]
    ) throws(TemplateError) {
        guard map.count > 0 else { return append("{}", to: &units) }
        append("{", to: &units)
        var members = map.entries.map { (name: $0.name, value: $0.value) }
        if style.sortsKeys {
            let order = try sorted(members.map(\.name), reverse: false)
            members = order.map { members[$0] }
        }
        for (place, member) in members.enumerated() {
            if place > 0 { try grow(&units, style.itemSeparator) }
            try breakLine(style, level + 1, into: &units)
            switch member.name {
            case .string(let text), .safe(let text): try quoteJSON(text, style, into: &units)
            case .null, .bool, .int, .double:
                append("\"", to: &units)
                try write(member.name, style, level: level, into: &units)
                append("\"", to: &units)
            default:
                throw fail(
                    .type, "keys must be str, int, float, bool or None, not \(member.name.kind.name)")
            }
            try grow(&units, style.keySeparator)
            try write(member.value, style, level: level + 1, into: &units)
        }
        try breakLine(style, level, into: &units)
        append("}", to: &units)
    }

    @inline(never)
    private mutating func breakLine(
        _ style: JSONStyle, _ level: Int, into units: inout [UInt32]
    ) throws(TemplateError) {
        guard let indent = style.indent else { return }
        units.append(10)
        for _ in 0..<level { try grow(&units, indent) }
    }

    static func jsonDigits(of number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return digits(of: number)
    }

    /// Appends a JSON string; an escape is as trusted as the character that it stands for.
    @inline(never)
    private mutating func quoteJSON(
        _ text: Text, _ style: JSONStyle, into units: inout [UInt32]
    ) throws(TemplateError) {
        try charge(characters: text.count)
        units.reserveCapacity(units.count + text.count + 2)
        units.append(34)
        for unit in text.units {
            let scalar = unit & Text.scalarMask
            if scalar >= 32, scalar < 0x7F || !style.asciiOnly, scalar != 34, scalar != 92 {
                units.append(unit)
                continue
            }
            if style.asciiOnly, scalar == 0x7F {
                units.append(unit)
                continue
            }
            let mark = unit & Text.markMask
            let letter: UInt32?
            switch scalar {
            case 34, 92: letter = scalar
            case 8: letter = 98
            case 9: letter = 116
            case 10: letter = 110
            case 12: letter = 102
            case 13: letter = 114
            default: letter = nil
            }
            if let letter {
                units += [92 | mark, letter | mark]
            } else {
                var halves = [scalar]
                if scalar > 0xFFFF {
                    halves = [0xD800 + (scalar - 0x10000) >> 10, 0xDC00 + (scalar - 0x10000) & 0x3FF]
                }
                for half in halves {
                    for new in ("\\u" + Renderer.hexadecimal(half, 4)).unicodeScalars {
                        units.append(new.value | mark)
                    }
                }
                try charge(2)
            }
        }
        units.append(34)
    }
}
