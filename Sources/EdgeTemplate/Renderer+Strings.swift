/// Values as text.
extension Renderer {
    /// What a value prints as.
    @inline(never)
    mutating func string(_ value: Value) throws(TemplateError) -> Text {
        switch value {
        case .string(let text), .safe(let text): return text
        case .undefined: return .empty
        case .null: return Text("None")
        case .bool(let flag): return Text(flag ? "True" : "False")
        case .int(let number): return Text(String(number))
        case .double(let number): return Text(Renderer.digits(of: number))
        default:
            var units: [UInt32] = []
            try represent(value, into: &units)
            return Text(units: units)
        }
    }

    /// Appends a value as Python would write it in a program.
    @inline(never)
    private mutating func represent(_ value: Value, into units: inout [UInt32]) throws(TemplateError) {
        try enter()
        defer { leave() }
        switch value {
        case .string(let text), .safe(let text): try quote(text, into: &units)
        case .list(let index):
            append("[", to: &units)
            try represent(lists[index], into: &units)
            append("]", to: &units)
        case .tuple(let index):
            append("(", to: &units)
            try represent(lists[index], into: &units)
            append(lists[index].count == 1 ? ",)" : ")", to: &units)
        case .dict(let index):
            append("{", to: &units)
            for (place, entry) in dicts[index].entries.enumerated() {
                if place > 0 { append(", ", to: &units) }
                try represent(entry.name, into: &units)
                append(": ", to: &units)
                try represent(entry.value, into: &units)
            }
            append("}", to: &units)
        case .namespace(let index):
            append("<Namespace ", to: &units)
            let copy = try dict(dicts[index])
            try represent(copy, into: &units)
            append(">", to: &units)
        case .undefined: append("Undefined", to: &units)
        case .macro: append("<Macro>", to: &units)
        case .loop(let index): append("<LoopContext \(loops[index].index + 1)/\(loops[index].items.count)>", to: &units)
        case .method, .function: append("<built-in method>", to: &units)
        case .null, .bool, .int, .double: units += try string(value).units
        }
    }

    @inline(never)
    private mutating func represent(_ elements: [Value], into units: inout [UInt32]) throws(TemplateError) {
        for (place, element) in elements.enumerated() {
            if place > 0 { append(", ", to: &units) }
            try represent(element, into: &units)
        }
    }

    func append(_ string: String, to units: inout [UInt32]) {
        for scalar in string.unicodeScalars { units.append(scalar.value) }
    }

    @inline(never)
    private mutating func quote(_ text: Text, into units: inout [UInt32]) throws(TemplateError) {
        try charge(scanning: text)
        var hasSingle = false
        var hasDouble = false
        for unit in text.units {
            let scalar = unit & Text.scalarMask
            if scalar == 39 { hasSingle = true }
            if scalar == 34 { hasDouble = true }
        }
        let quote: UInt32 = hasSingle && !hasDouble ? 34 : 39
        units.append(quote)
        for unit in text.units {
            let scalar = unit & Text.scalarMask
            let mark = unit & Text.markMask
            switch scalar {
            case quote, 92: units += [92 | mark, unit]
            case 10: units += [92 | mark, 110 | mark]
            case 13: units += [92 | mark, 114 | mark]
            case 9: units += [92 | mark, 116 | mark]
            default:
                if Renderer.isPrintable(scalar) {
                    units.append(unit)
                } else {
                    let (letter, length): (String, Int) =
                        scalar < 0x100 ? ("x", 2) : scalar < 0x10000 ? ("u", 4) : ("U", 8)
                    for new in ("\\" + letter + Renderer.hexadecimal(scalar, length)).unicodeScalars {
                        units.append(new.value | mark)
                    }
                }
            }
        }
        units.append(quote)
    }

    private static func isPrintable(_ scalar: UInt32) -> Bool {
        if scalar < 0x7F { return scalar >= 32 }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    static func hexadecimal(_ value: UInt32, _ length: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, length - digits.count)) + digits
    }

    /// The shortest digits that read back as the number, laid out as Python does.
    static func digits(of number: Double) -> String {
        if number.isNaN { return "nan" }
        if number.isInfinite { return number < 0 ? "-inf" : "inf" }
        var digits = ""
        var exponent = 0
        var point: Int?
        var text = Substring(number.description)
        let sign = text.first == "-" ? "-" : ""
        if !sign.isEmpty { text.removeFirst() }
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = text[..<mark]
        }
        for character in text {
            if character == "." { point = digits.count } else { digits.append(character) }
        }
        // The value is 0.DIGITS times ten to the `exponent`.
        exponent += point ?? digits.count
        let leading = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leading)
        exponent -= leading
        while digits.last == "0" { digits.removeLast() }
        if digits.isEmpty { return sign + "0.0" }
        if exponent > 16 || exponent < -3 {
            let power = exponent - 1
            let size = String(power.magnitude)
            let rest = digits.dropFirst()
            return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e" + (power < 0 ? "-" : "+")
                + (size.count < 2 ? "0" + size : size)
        }
        if exponent <= 0 { return sign + "0." + String(repeating: "0", count: -exponent) + digits }
        if digits.count <= exponent {
            return sign + digits + String(repeating: "0", count: exponent - digits.count) + ".0"
        }
        return sign + digits.prefix(exponent) + "." + digits.dropFirst(exponent)
    }

    /// The text with the characters that mean something to HTML written as entities, unless it counts as escaped.
    @inline(never)
    mutating func escaped(_ value: Value) throws(TemplateError) -> Text {
        if case .safe(let text) = value { return text }
        let text = try string(value)
        try charge(characters: text.count)
        var units: [UInt32] = []
        units.reserveCapacity(text.count)
        for unit in text.units {
            let entity: String
            switch unit & Text.scalarMask {
            case 38: entity = "&amp;"
            case 60: entity = "&lt;"
            case 62: entity = "&gt;"
            case 39: entity = "&#39;"
            case 34: entity = "&#34;"
            default:
                units.append(unit)
                continue
            }
            for new in entity.unicodeScalars { units.append(new.value | unit & Text.markMask) }
        }
        return Text(units: units)
    }
}

// MARK: - Search

extension Renderer {
    /// Where a text first occurs in another, from a place on.
    @inline(never)
    mutating func find(_ part: Text, in text: Text, from start: Int) throws(TemplateError) -> Int? {
        guard start <= text.count - part.count else { return nil }
        guard !part.isEmpty else { return start }
        let first = part.scalar(0)
        var work = 0
        var index = start
        let last = text.count - part.count
        while index <= last {
            if text.scalar(index) == first {
                var matched = 1
                while matched < part.count, text.scalar(index + matched) == part.scalar(matched) { matched += 1 }
                if matched == part.count {
                    try charge((work + index - start) >> 4)
                    return index
                }
                work += matched
                if work > 1 << 12 {
                    try charge(work >> 4)
                    work = 0
                }
            }
            index += 1
        }
        try charge((work + index - start) >> 4)
        return nil
    }

    /// Where a text last occurs in another, wholly before a place.
    @inline(never)
    mutating func findLast(_ part: Text, in text: Text, before end: Int) throws(TemplateError) -> Int? {
        var index = end - part.count
        var work = 0
        while index >= 0 {
            var matched = 0
            while matched < part.count, text.scalar(index + matched) == part.scalar(matched) { matched += 1 }
            if matched == part.count {
                try charge(work >> 4)
                return index
            }
            work += matched + 1
            if work > 1 << 12 {
                try charge(work >> 4)
                work = 0
            }
            index -= 1
        }
        try charge(work >> 4)
        return nil
    }

    /// A text with the occurrences of another replaced, the first `limit` of them if that is not negative.
    @inline(never)
    mutating func replace(_ text: Text, _ old: Text, _ new: Text, limit: Int) throws(TemplateError) -> Text {
        var units: [UInt32] = []
        var left = limit < 0 ? Int.max : limit
        var index = 0
        if old.isEmpty {
            while left > 0, index <= text.count {
                units += new.units
                if index < text.count { units.append(text.units[index]) }
                index += 1
                left -= 1
                try charge(1 + new.count >> 4)
            }
        } else {
            while left > 0, let place = try find(old, in: text, from: index) {
                units += text.units[index..<place]
                units += new.units
                index = place + old.count
                left -= 1
                try charge(1 + new.count >> 4)
            }
        }
        if index < text.count { units += text.units[index...] }
        try charge(characters: units.count)
        return Text(units: units)
    }

    /// The ranges between separators, cut at most `limit` times from the left or from the right.
    @inline(never)
    mutating func split(
        _ text: Text, _ separator: Text, limit: Int, fromRight: Bool
    ) throws(TemplateError) -> [Range<Int>] {
        guard !separator.isEmpty else { throw fail(.value, "empty separator") }
        var left = limit < 0 ? Int.max : limit
        var ranges: [Range<Int>] = []
        if fromRight {
            var end = text.count
            while left > 0, let place = try findLast(separator, in: text, before: end) {
                try charge(1)
                ranges.append(place + separator.count..<end)
                end = place
                left -= 1
            }
            ranges.append(0..<end)
            ranges.reverse()
        } else {
            var start = 0
            while left > 0, let place = try find(separator, in: text, from: start) {
                try charge(1)
                ranges.append(start..<place)
                start = place + separator.count
                left -= 1
            }
            ranges.append(start..<text.count)
        }
        return ranges
    }

    /// The ranges between runs of white space.
    @inline(never)
    mutating func words(_ text: Text, limit: Int, fromRight: Bool) throws(TemplateError) -> [Range<Int>] {
        try charge(characters: text.count)
        var words: [Range<Int>] = []
        var index = 0
        while index < text.count {
            while index < text.count, Characters.isSpace(text.scalar(index)) { index += 1 }
            let start = index
            while index < text.count, !Characters.isSpace(text.scalar(index)) { index += 1 }
            if start < index { words.append(start..<index) }
        }
        try charge(words.count)
        guard limit >= 0, words.count > limit else { return words }
        // What is not cut keeps its white space, but for that beside a cut.
        if fromRight {
            let kept = words.count - limit
            return [0..<words[kept - 1].upperBound] + words[kept...]
        }
        return words[..<limit] + [words[limit].lowerBound..<text.count]
    }
}
