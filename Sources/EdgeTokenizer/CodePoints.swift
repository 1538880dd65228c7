/// Reads code points from bytes that need not be UTF-8, the way llama.cpp does: a lead byte with its continuation
/// bytes counts as one code point even where the standard forbids it (overlong forms, surrogates); any other byte
/// reads as U+FFFD of one byte.
enum CodePoints {
    /// Bytes that a lead byte announces; continuation bytes count as one.
    @inline(__always)
    static func announcedLength(_ byte: UInt8) -> Int {
        byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }

    /// The code point at `position` and its length in bytes; `isValid` is false for a repaired byte.
    @inline(__always)
    static func read(_ bytes: [UInt8], _ position: Int, _ end: Int) -> (scalar: UInt32, length: Int, isValid: Bool) {
        let lead = bytes[position]
        if lead < 0x80 { return (UInt32(lead), 1, true) }
        let length = announcedLength(lead)
        if lead < 0xC0 || lead >= 0xF8 || position + length > end { return (0xFFFD, 1, false) }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            let byte = bytes[position + offset]
            if byte & 0xC0 != 0x80 { return (0xFFFD, 1, false) }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        return (scalar, length, true)
    }

    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
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

    /// The text with each unreadable byte replaced by U+FFFD and each overlong form by the shortest, so that every later stage
    /// sees well-formed lengths.
    static func repaired(_ text: [UInt8]) -> [UInt8] {
        var position = 0
        while position < text.count {
            if text[position] < 0x80 {
                position += 1
                continue
            }
            let read = read(text, position, text.count)
            if !read.isValid || read.scalar > 0x10FFFF || read.length > length(read.scalar) { break }
            position += read.length
        }
        if position == text.count { return text }
        var repaired = Array(text[..<position])
        repaired.reserveCapacity(text.count + 64)
        while position < text.count {
            let read = read(text, position, text.count)
            append(read.scalar > 0x10FFFF ? 0xFFFD : read.scalar, to: &repaired)
            position += read.length
        }
        return repaired
    }

    /// Bytes that a code point takes.
    @inline(__always)
    private static func length(_ scalar: UInt32) -> Int {
        scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4
    }
}
