internal import EdgePlatform

/// A piece of a DBC file.
struct DBCToken {
    enum Kind: Equatable {
        case word, number, string, symbol(UInt8), end
    }

    let kind: Kind
    /// Without the quotes of a string.
    let bytes: Range<Int>
    let line: Int
    let column: Int
}

/// Cuts a DBC file into tokens, one at a time.
struct DBCLexer {
    private let bytes: [UInt8]
    /// Whether texts are UTF-8; otherwise Windows-1252, which most editors of such files write.
    private let isUTF8: Bool
    private var offset = 0
    private var line = 1
    /// The column of the byte `counted`.
    private var column = 1
    private var counted = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isUTF8 = String(validating: bytes, as: UTF8.self) != nil
        // A byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            offset = 3
            counted = 3
        }
    }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        let index = offset + ahead
        return index < bytes.count ? bytes[index] : nil
    }

    /// Characters, not bytes. Counted on from the token before, so that a long line takes no more than its length.
    private mutating func columnHere() -> Int {
        column += isUTF8 ? bytes[counted..<offset].count { $0 & 0xC0 != 0x80 } : offset - counted
        counted = offset
        return column
    }

    private mutating func advanceLine() {
        line += 1
        counted = offset
        column = 1
    }

    private static func isDigit(_ byte: UInt8?) -> Bool { byte.map { (48...57).contains($0) } ?? false }
    private static func isLetter(_ byte: UInt8?) -> Bool {
        byte.map { (65...90).contains($0) || (97...122).contains($0) || $0 == 95 } ?? false
    }

    private mutating func skipSpace() {
        while let next = byte() {
            switch next {
            case 10:
                offset += 1
                advanceLine()
            case 32, 9, 13, 0x0B, 0x0C: offset += 1
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
                while let skipped = byte(), skipped != 10 { offset += 1 }
            default: return
            }
        }
    }

    mutating func next() throws(DBCError) -> DBCToken {
        skipSpace()
        let start = offset
        let (startLine, startColumn) = (line, columnHere())
        func token(_ kind: DBCToken.Kind, _ range: Range<Int>) -> DBCToken {
            DBCToken(kind: kind, bytes: range, line: startLine, column: startColumn)
        }
        guard let first = byte() else { return token(.end, start..<start) }
        let isSigned = first == UInt8(ascii: "+") || first == UInt8(ascii: "-")
        if Self.isDigit(first) || isSigned && Self.isDigit(byte(1)) {
            offset += 1
            skipDigits()
            if byte() == UInt8(ascii: ".") {
                offset += 1
                skipDigits()
            }
            if byte() == UInt8(ascii: "e") || byte() == UInt8(ascii: "E") {
                let hasSign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
                if Self.isDigit(byte(hasSign ? 2 : 1)) {
                    offset += hasSign ? 2 : 1
                    skipDigits()
                }
            }
            return token(.number, start..<offset)
        }
        if Self.isLetter(first) {
            while Self.isLetter(byte()) || Self.isDigit(byte()) { offset += 1 }
            return token(.word, start..<offset)
        }
        if first == UInt8(ascii: "\"") {
            offset += 1
            while let next = byte() {
                offset += 1
                switch next {
                case UInt8(ascii: "\""): return token(.string, start + 1..<offset - 1)
                case UInt8(ascii: "\\") where byte() == UInt8(ascii: "\""): offset += 1
                case 10: advanceLine()
                default: break
                }
            }
            throw DBCError(.syntax, "a text without an end", line: startLine, column: startColumn)
        }
        guard "()[],:;|@+-".utf8.contains(first) else {
            let shown = decoded(start..<min(start + 1, bytes.count)).printable(limit: 1)
            throw DBCError(.syntax, "\"\(shown)\" begins nothing", line: startLine, column: startColumn)
        }
        offset += 1
        return token(.symbol(first), start..<offset)
    }

    private mutating func skipDigits() { while Self.isDigit(byte()) { offset += 1 } }

    /// The characters of a token.
    func text(_ token: DBCToken) -> String {
        let text = decoded(token.bytes)
        return token.kind == .string && text.utf8.contains(UInt8(ascii: "\\"))
            ? text.split(separator: "\\\"", omittingEmptySubsequences: false).joined(separator: "\"") : text
    }

    private func decoded(_ range: Range<Int>) -> String {
        if isUTF8 { return String(decoding: bytes[range], as: UTF8.self) }
        var text = ""
        for byte in bytes[range] {
            let scalar = (0x80...0x9F).contains(byte) ? Self.windows1252[Int(byte) - 0x80] : UInt32(byte)
            text.unicodeScalars.append(Unicode.Scalar(scalar) ?? "\u{FFFD}")
        }
        return text
    }

    /// What Windows-1252 has in place of the control characters from 0x80; five are not defined.
    private static let windows1252: [UInt32] = [
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD,
        0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
        0x0153, 0xFFFD, 0x017E, 0x0178,
    ]
}
