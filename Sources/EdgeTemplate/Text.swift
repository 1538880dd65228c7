/// A text whose characters know where they come from.
///
/// One unit holds one Unicode scalar and, in its top bit, whether it was written in the template. Whatever moves units
/// about keeps track; whatever makes new ones makes them untrusted, because the bit is set in one place only. The bits between hold
/// the number that the input's text came with (`RenderedSegment.origin`); new units have none, 0.
struct Text: Sendable, Hashable {
    var units: [UInt32]

    static let trustBit: UInt32 = 1 << 31
    static let originShift: UInt32 = 24
    static let scalarMask: UInt32 = 1 << originShift - 1
    /// All that a unit says beside its scalar: what is written in its place, such as an escape, says the same.
    static let markMask: UInt32 = ~scalarMask
    /// The numbers that texts can come with.
    static let origins: ClosedRange<UInt8> = 0...127
    static let empty = Text(units: [])

    init(units: [UInt32]) { self.units = units }

    /// An untrusted text.
    init(_ string: String) {
        units = string.unicodeScalars.map { $0.value }
    }

    /// A text with its marks.
    init(_ segment: RenderedSegment) {
        let mark =
            (segment.isTrusted ? Text.trustBit : 0)
            | UInt32(min(segment.origin, Text.origins.upperBound)) << Text.originShift
        units = segment.text.unicodeScalars.map { $0.value | mark }
    }

    /// A text written in the template or chosen by the program.
    init(trusted string: String) {
        units = string.unicodeScalars.map { $0.value | Text.trustBit }
    }

    var count: Int { units.count }
    var isEmpty: Bool { units.isEmpty }

    /// The scalar at a place, without its mark.
    func scalar(_ index: Int) -> UInt32 { units[index] & Text.scalarMask }

    /// The characters as a Swift string, without their marks.
    var string: String { Text.string(units[...]) }

    static func string(_ units: ArraySlice<UInt32>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(units.count + 8)
        for unit in units { appendUTF8(unit & scalarMask, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
        if scalar < 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: scalar))
        } else if scalar < 0x800 {
            bytes.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else if scalar < 0x10000 {
            bytes.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else {
            bytes.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18 & 7))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }

    func slice(_ range: Range<Int>) -> Text { Text(units: Array(units[range])) }

    /// The same characters with none of them trusted.
    var untrusted: Text { Text(units: units.map { $0 & ~Text.trustBit }) }

    static func == (left: Text, right: Text) -> Bool {
        let count = left.units.count
        guard count == right.units.count else { return false }
        for index in 0..<count where (left.units[index] ^ right.units[index]) & scalarMask != 0 { return false }
        return true
    }

    func hash(into hasher: inout Hasher) {
        for unit in units { hasher.combine(unit & Text.scalarMask) }
    }

    /// Whether the text comes before another one, scalar by scalar.
    static func < (left: Text, right: Text) -> Bool {
        for index in 0..<min(left.count, right.count) {
            let (a, b) = (left.scalar(index), right.scalar(index))
            if a != b { return a < b }
        }
        return left.count < right.count
    }

    /// Whether the units from `offset` on begin with another text.
    func matches(_ other: Text, at offset: Int) -> Bool {
        guard offset >= 0, other.count <= count - offset else { return false }
        for index in 0..<other.count where (units[offset + index] ^ other.units[index]) & Text.scalarMask != 0 {
            return false
        }
        return true
    }

    func hasPrefix(_ other: Text) -> Bool { matches(other, at: 0) }
    func hasSuffix(_ other: Text) -> Bool { matches(other, at: count - other.count) }

    /// The range that remains when characters of a set, or white space, are taken off one or both ends.
    func stripped(_ set: Text?, left: Bool, right: Bool) -> Range<Int> {
        func goes(_ unit: UInt32) -> Bool {
            let scalar = unit & Text.scalarMask
            guard let set else { return Characters.isSpace(scalar) }
            return set.units.contains { $0 & Text.scalarMask == scalar }
        }
        var start = 0
        var end = count
        if left { while start < end, goes(units[start]) { start += 1 } }
        if right { while start < end, goes(units[end - 1]) { end -= 1 } }
        return start..<end
    }

    /// The ranges of lines, without the marks that end them.
    func lines() -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        var index = 0
        while index < count {
            let scalar = scalar(index)
            guard Characters.endsLine(scalar) else {
                index += 1
                continue
            }
            lines.append(start..<index)
            index += scalar == 13 && index + 1 < count && self.scalar(index + 1) == 10 ? 2 : 1
            start = index
        }
        if start < count { lines.append(start..<count) }
        return lines
    }
}

/// Classes of characters as Python sees them.
enum Characters {
    static func isSpace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 9...13, 28...32, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    static func endsLine(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 10...13, 28...30, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    static func isDigit(_ scalar: UInt32) -> Bool { scalar >= 48 && scalar <= 57 }

    static func isLetter(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return scalar >= 65 && scalar <= 90 || scalar >= 97 && scalar <= 122 }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return false
        }
    }

    static func isNumber(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return isDigit(scalar) }
        return Unicode.Scalar(scalar)?.properties.numericType != nil
    }

    /// Letters, numbers and the underscore.
    static func isWord(_ scalar: UInt32) -> Bool { scalar == 95 || isLetter(scalar) || isNumber(scalar) }

    static func isUpper(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return scalar >= 65 && scalar <= 90 }
        return Unicode.Scalar(scalar)?.properties.isUppercase ?? false
    }

    static func isLower(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return scalar >= 97 && scalar <= 122 }
        return Unicode.Scalar(scalar)?.properties.isLowercase ?? false
    }

    static func isCased(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return isLetter(scalar) }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        return properties.isUppercase || properties.isLowercase || properties.generalCategory == .titlecaseLetter
    }

    enum Case { case upper, lower, title }

    /// Appends a character in another case; what it becomes is as trusted as it was.
    static func append(_ unit: UInt32, in wanted: Case, to units: inout [UInt32]) {
        let scalar = unit & Text.scalarMask
        if scalar < 0x80 {
            switch wanted {
            case .lower: units.append(isUpper(scalar) ? unit + 32 : unit)
            case .upper, .title: units.append(isLower(scalar) ? unit - 32 : unit)
            }
            return
        }
        guard let properties = Unicode.Scalar(scalar)?.properties else {
            units.append(unit)
            return
        }
        let mapped =
            switch wanted {
            case .upper: properties.uppercaseMapping
            case .lower: properties.lowercaseMapping
            case .title: properties.titlecaseMapping
            }
        for new in mapped.unicodeScalars { units.append(new.value | unit & Text.markMask) }
    }
}

extension Text {
    func uppercased() -> Text { cased { _ in .upper } }
    func lowercased() -> Text { cased { _ in .lower } }

    /// The first character in title case, the others in lower case.
    func capitalized() -> Text { cased { $0 == 0 ? .title : .lower } }

    private func cased(_ wanted: (Int) -> Characters.Case) -> Text {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        for (index, unit) in units.enumerated() { Characters.append(unit, in: wanted(index), to: &result) }
        return Text(units: result)
    }

    /// Each run of cased characters with its first one in title case.
    func titled() -> Text {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        var inWord = false
        for unit in units {
            Characters.append(unit, in: inWord ? .lower : .title, to: &result)
            inWord = Characters.isCased(unit & Text.scalarMask)
        }
        return Text(units: result)
    }

    func swappedCase() -> Text {
        cased { Characters.isUpper(scalar($0)) ? .lower : .upper }
    }
}
