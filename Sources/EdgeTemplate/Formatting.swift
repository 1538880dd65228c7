/// `%` and `format`: what Python's two ways of filling in a text do with the conversions that templates use.
extension Renderer {
    /// How one value is to be laid out.
    private struct Layout {
        var fill: UInt32 = 32
        /// `<`, `>`, `^`, or nil for what the type asks for.
        var alignment: UInt32?
        var sign: UInt32?
        var width = 0
        var precision: Int?
        var grouped = false
        var conversion: UInt32?
    }

    /// `text % values`.
    @inline(never)
    mutating func format(_ text: Text, percent value: Value) throws(TemplateError) -> Text {
        // What is copied costs as what is looked for: each character is looked at.
        try charge(1 + text.count >> 3)
        var values: [Value] = [value]
        if case .tuple(let index) = value { values = lists[index] }
        var next = 0
        var units: [UInt32] = []
        var index = 0
        func scalar() -> UInt32 { index < text.count ? text.scalar(index) : 0 }
        while index < text.count {
            guard text.scalar(index) == 37 else {
                units.append(text.units[index])
                index += 1
                continue
            }
            index += 1
            if scalar() == 37 {
                units.append(text.units[index])
                index += 1
                continue
            }
            var argument: Value?
            if scalar() == 40, case .dict(let map) = value {
                let start = index + 1
                while index < text.count, scalar() != 41 { index += 1 }
                guard index < text.count else { throw fail(.value, "incomplete format key") }
                guard let found = dicts[map].value(of: text.slice(start..<index)) else {
                    throw fail(.value, "KeyError: '\(text.slice(start..<index).string)'")
                }
                argument = found
                index += 1
            }
            var layout = Layout(alignment: 62)
            flags: while true {
                switch scalar() {
                case 45: layout.alignment = 60
                case 48: layout.fill = 48
                case 43, 32: layout.sign = scalar()
                case 35: break
                default: break flags
                }
                index += 1
            }
            layout.width = try number(text, &index) ?? 0
            if scalar() == 46 {
                index += 1
                layout.precision = try number(text, &index) ?? 0
            }
            layout.conversion = scalar()
            index += 1
            if argument == nil {
                guard next < values.count else { throw fail(.type, "not enough arguments for format string") }
                argument = values[next]
                next += 1
            }
            try grow(&units, try laidOut(argument ?? .null, layout, percent: true))
        }
        if next < values.count, value.kind != .dict {
            throw fail(.type, "not all arguments converted during string formatting")
        }
        return Text(units: units)
    }

    /// `text.format(...)`.
    @inline(never)
    mutating func format(_ text: Text, _ arguments: Arguments) throws(TemplateError) -> Text {
        try charge(1 + text.count >> 3)
        var units: [UInt32] = []
        var next = 0
        var index = 0
        while index < text.count {
            let scalar = text.scalar(index)
            guard scalar == 123 || scalar == 125 else {
                units.append(text.units[index])
                index += 1
                continue
            }
            if index + 1 < text.count, text.scalar(index + 1) == scalar {
                units.append(text.units[index])
                index += 2
                continue
            }
            guard scalar == 123 else { throw fail(.value, "Single '}' encountered in format string") }
            let start = index + 1
            while index < text.count, text.scalar(index) != 125 { index += 1 }
            guard index < text.count else { throw fail(.value, "expected '}' before end of string") }
            let field = text.slice(start..<index)
            index += 1
            try grow(&units, try fieldText(field, arguments, &next))
        }
        return Text(units: units)
    }

    @inline(never)
    private mutating func fieldText(
        _ field: Text, _ arguments: Arguments, _ next: inout Int
    ) throws(TemplateError) -> Text {
        let colon = field.units.firstIndex { $0 & Text.scalarMask == 58 } ?? field.count
        var name = field.slice(0..<colon).string
        var isRepresented = false
        if name.hasSuffix("!r") || name.hasSuffix("!s") {
            isRepresented = name.hasSuffix("!r")
            name.removeLast(2)
        }
        let value: Value
        if name.isEmpty || Int(name) != nil {
            let place = Int(name) ?? next
            if name.isEmpty { next += 1 }
            guard place >= 0, place < arguments.positional.count else {
                throw fail(.value, "Replacement index \(place) out of range for positional args tuple")
            }
            value = arguments.positional[place]
        } else {
            guard let found = arguments.named.first(where: { template.names.strings[$0.name] == name }) else {
                if name.contains(".") || name.contains("[") {
                    throw fail(.unsupported, "attributes in a format string are not supported")
                }
                throw fail(.value, "KeyError: '\(name)'")
            }
            value = found.value
        }
        var layout = Layout()
        var index = colon + 1
        func scalar(_ offset: Int = 0) -> UInt32 { index + offset < field.count ? field.scalar(index + offset) : 0 }
        let alignments: [UInt32] = [60, 62, 94]
        if alignments.contains(scalar(1)) {
            layout.fill = scalar()
            layout.alignment = scalar(1)
            index += 2
        } else if alignments.contains(scalar()) {
            layout.alignment = scalar()
            index += 1
        }
        if scalar() == 43 || scalar() == 45 || scalar() == 32 {
            layout.sign = scalar() == 45 ? nil : scalar()
            index += 1
        }
        if scalar() == 48 {
            layout.fill = 48
            layout.alignment = layout.alignment ?? 62
            index += 1
        }
        layout.width = try number(field, &index) ?? 0
        if scalar() == 44 {
            layout.grouped = true
            index += 1
        }
        if scalar() == 46 {
            index += 1
            layout.precision = try number(field, &index) ?? 0
        }
        if index < field.count {
            layout.conversion = scalar()
            index += 1
        }
        guard index >= field.count else { throw fail(.value, "Invalid format specifier") }
        if isRepresented { layout.conversion = 114 }
        return try laidOut(value, layout, percent: false)
    }

    private func number(_ text: Text, _ index: inout Int) throws(TemplateError) -> Int? {
        var value: Int?
        while index < text.count, Characters.isDigit(text.scalar(index)) {
            value = (value ?? 0) * 10 + Int(text.scalar(index)) - 48
            guard (value ?? 0) <= 1 << 22 else { throw fail(.tooLong, "a width in the format is too large") }
            index += 1
        }
        return value
    }

    @inline(never)
    private mutating func laidOut(_ value: Value, _ layout: Layout, percent: Bool) throws(TemplateError) -> Text {
        var units: [UInt32]
        var isNumber = false
        switch layout.conversion {
        case 115, 114, nil:
            if layout.conversion == 114 {
                let wrapped = try string(try list([value]))
                units = Array(wrapped.units[1..<wrapped.count - 1])
            } else {
                units = try string(value).units
                isNumber = layout.conversion == nil && value.number != nil && value.kind != .bool
            }
            if let precision = layout.precision, !isNumber { units = Array(units.prefix(precision)) }
            if isNumber { units = decorate(units, layout) }
        case 100, 105, 117:
            var number = value.integer
            if number == nil, percent, case .double(let double) = value {
                number = Int(exactly: double.rounded(.towardZero))
            }
            guard let number else { throw fail(.type, "%d format: a number is required, not \(value.kind.name)") }
            units = decorate(Text(String(number)).units, layout)
            isNumber = true
        case 102, 70:
            guard let number = value.number else { throw fail(.type, "must be real number, not \(value.kind.name)") }
            units = decorate(Text(try fixed(number, layout.precision ?? 6)).units, layout)
            isNumber = true
        case 120, 88, 111, 98:
            guard let number = value.integer else { throw fail(.type, "an integer is required") }
            let radix = layout.conversion == 111 ? 8 : layout.conversion == 98 ? 2 : 16
            units = decorate(Text(String(number, radix: radix, uppercase: layout.conversion == 88)).units, layout)
            isNumber = true
        default: throw fail(.unsupported, "the format conversion is not supported")
        }
        let missing = layout.width - units.count
        guard missing > 0 else { return Text(units: units) }
        if layout.fill == 48, isNumber, layout.alignment != 60, let first = units.first, first == 45 || first == 43 {
            return Text(units: [first] + (try fill(missing, 48)) + units.dropFirst())
        }
        let filler: UInt32 = percent && (!isNumber || layout.alignment == 60) ? 32 : layout.fill
        let left =
            switch layout.alignment ?? (isNumber ? 62 : 60) {
            case 60: 0
            case 94: missing / 2
            default: missing
            }
        return Text(units: try fill(left, filler) + units + fill(missing - left, filler))
    }

    /// The digits of a number with its sign and with commas between thousands, as the layout asks.
    private func decorate(_ units: [UInt32], _ layout: Layout) -> [UInt32] {
        var units = units
        if layout.grouped {
            let start = units.first == 45 ? 1 : 0
            var place = (units.firstIndex(of: 46) ?? units.count) - 3
            while place > start {
                units.insert(44, at: place)
                place -= 3
            }
        }
        if let sign = layout.sign, units.first != 45 { units.insert(sign, at: 0) }
        return units
    }

    /// A number with a fixed count of digits after the point, rounded half to even on its exact value.
    @inline(never)
    mutating func fixed(_ number: Double, _ places: Int) throws(TemplateError) -> String {
        guard number.isFinite else { return Renderer.digits(of: number) }
        let size = Int(number.exponent.magnitude) + 52
        try charge(size * size >> 6)
        guard places <= 400 else { throw fail(.tooLong, "so many digits are not supported") }
        // The significand times a power of two, as decimal digits: exact, by long arithmetic on digits.
        var digits: [UInt8] = String(number.magnitude.significandBitPattern | (number.isNormal ? 1 << 52 : 0)).utf8
            .reversed().map { $0 - 48 }
        let exponent = (number.isNormal ? Int(number.exponentBitPattern) - 1075 : -1074)
        var point = 0
        if exponent >= 0 {
            for _ in 0..<exponent { Renderer.scale(&digits, by: 2) }
        } else {
            // A halving is five times the digits with the point one place further left.
            for _ in 0..<(-exponent) { Renderer.scale(&digits, by: 5) }
            point = -exponent
        }
        while digits.count <= point { digits.append(0) }
        if point > places {
            let dropped = digits[..<(point - places)]
            var kept = Array(digits[(point - places)...])
            let half = dropped.last ?? 0
            let rest = dropped.dropLast().contains { $0 != 0 }
            if half > 5 || half == 5 && (rest || (kept.first ?? 0) & 1 == 1) {
                var place = 0
                while place < kept.count, kept[place] == 9 {
                    kept[place] = 0
                    place += 1
                }
                if place < kept.count { kept[place] += 1 } else { kept.append(1) }
            }
            digits = kept
        } else {
            digits = Array(repeating: 0, count: places - point) + digits
        }
        var text = number.sign == .minus ? "-" : ""
        for (place, digit) in digits.enumerated().reversed() {
            text.unicodeScalars.append(Unicode.Scalar(digit + 48))
            if place == places, places > 0 { text += "." }
        }
        return text
    }

    private static func scale(_ digits: inout [UInt8], by factor: UInt8) {
        var carry: UInt8 = 0
        for index in digits.indices {
            let value = digits[index] * factor + carry
            digits[index] = value % 10
            carry = value / 10
        }
        if carry > 0 { digits.append(carry) }
    }
}
