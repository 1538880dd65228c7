/// General category and white space of a code point, as a bit set.
///
/// A code point has exactly one category bit; only a position outside the text has none.
struct CharacterClass: OptionSet, Sendable {
    let rawValue: UInt16

    static let unassigned = CharacterClass(rawValue: 0x01)
    static let number = CharacterClass(rawValue: 0x02)
    static let letter = CharacterClass(rawValue: 0x04)
    static let separator = CharacterClass(rawValue: 0x08)
    static let mark = CharacterClass(rawValue: 0x10)
    static let punctuation = CharacterClass(rawValue: 0x20)
    static let symbol = CharacterClass(rawValue: 0x40)
    static let control = CharacterClass(rawValue: 0x80)
    static let space = CharacterClass(rawValue: 0x100)
}

/// Two-stage table of character classes, built once.
enum CharacterTable {
    /// The code points with the White_Space property.
    static let spaces: [UInt32] = [
        0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
        0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    ]

    /// Blocks of 256 code points: `stage2[Int(stage1[c >> 8]) << 8 | c & 255]`.
    static let stages: (first: [UInt16], second: [UInt16]) = build()

    /// The class of a code point, also of one beyond Unicode.
    @inline(__always)
    static func kind(of scalar: UInt32, _ table: (first: [UInt16], second: [UInt16])) -> CharacterClass {
        let block = Int(scalar >> 8)
        guard block < table.first.count else { return .unassigned }
        return CharacterClass(rawValue: table.second[Int(table.first[block]) << 8 | Int(scalar & 0xFF)])
    }

    private static func build() -> (first: [UInt16], second: [UInt16]) {
        let runs = UnicodeData.categoryRuns
        var first: [UInt16] = []
        var second: [UInt16] = []
        var uniform: [UInt16: UInt16] = [:]
        var run = 0
        var block = [UInt16](repeating: 0, count: 256)
        for number in 0..<0x1100 {
            let start = UInt32(number) << 8
            // A block inside one run is shared with all others of its category.
            while run + 1 < runs.count && runs[run + 1] >> 8 <= start { run += 1 }
            let isUniform = (run + 1 == runs.count || runs[run + 1] >> 8 >= start + 256)
            let isSpaced = spaces.contains { $0 >> 8 == UInt32(number) }
            if isUniform && !isSpaced, let known = uniform[UInt16(runs[run] & 0xFF)] {
                first.append(known)
                continue
            }
            for offset in 0..<256 {
                let scalar = start + UInt32(offset)
                while run + 1 < runs.count && runs[run + 1] >> 8 <= scalar { run += 1 }
                block[offset] = UInt16(runs[run] & 0xFF) | (spaces.contains(scalar) ? CharacterClass.space.rawValue : 0)
            }
            let index = UInt16(second.count >> 8)
            if isUniform && !isSpaced { uniform[UInt16(runs[run] & 0xFF)] = index }
            first.append(index)
            second.append(contentsOf: block)
        }
        return (first, second)
    }

    static let lowercase: [UInt32: UInt32] = {
        var map: [UInt32: UInt32] = [:]
        let runs = UnicodeData.lowercaseRuns
        var index = 0
        while index + 2 < runs.count {
            let (start, shape, image) = (runs[index], runs[index + 1], runs[index + 2])
            for step in 0..<(shape >> 2) { map[start + step * (shape & 3)] = image + step * (shape & 3) }
            index += 3
        }
        return map
    }()

    private static let decomposition: [UInt32: UInt32] = {
        var map: [UInt32: UInt32] = [:]
        let runs = UnicodeData.decompositionRuns
        var index = 0
        while index + 2 < runs.count {
            for scalar in runs[index]...runs[index + 1] { map[scalar] = runs[index + 2] }
            index += 3
        }
        return map
    }()

    /// What follows the first code point of a decomposition and is no nonspacing mark.
    private static let tails: [UInt32: [UInt32]] = {
        var map: [UInt32: [UInt32]] = [:]
        let list = UnicodeData.decompositionTails
        var index = 0
        while index + 1 < list.count {
            let count = Int(list[index + 1])
            map[list[index]] = Array(list[index + 2..<index + 2 + count])
            index += 2 + count
        }
        return map
    }()

    /// The canonical decomposition of a code point, but for nonspacing marks after its first.
    static func decompose(_ scalar: UInt32, into result: inout [UInt32]) {
        result.removeAll(keepingCapacity: true)
        if scalar < 0xC0 {
            result.append(scalar)
            return
        }
        if (0xAC00...0xD7A3).contains(scalar) {
            let index = scalar - 0xAC00
            result.append(0x1100 + index / 588)
            result.append(0x1161 + index % 588 / 28)
            if index % 28 > 0 { result.append(0x11A7 + index % 28) }
            return
        }
        result.append(decomposition[scalar] ?? scalar)
        if let tail = tails[scalar] { result.append(contentsOf: tail) }
    }

    /// Whether a mark takes no room of its own (category Mn), given that it is a mark.
    static func isNonspacing(mark: UInt32) -> Bool {
        let runs = UnicodeData.spacingMarkRuns
        var low = 0
        var high = runs.count / 2
        while low < high {
            let middle = (low + high) / 2
            if runs[2 * middle + 1] < mark { low = middle + 1 } else { high = middle }
        }
        return low == runs.count / 2 || mark < runs[2 * low]
    }

    static func lowercased(_ scalar: UInt32) -> UInt32 {
        if scalar < 0x80 { return scalar >= 0x41 && scalar <= 0x5A ? scalar + 32 : scalar }
        return lowercase[scalar] ?? scalar
    }
}
