/// A string as its UTF-8 bytes: two spellings that Unicode holds equivalent stay different, as JSON wants it.
package struct ByteString: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    package var utf8: [UInt8]

    package init(utf8: [UInt8]) { self.utf8 = utf8 }
    package init(stringLiteral value: String) { utf8 = Array(value.utf8) }
    package init(_ text: String) { utf8 = Array(text.utf8) }

    package var description: String { String(decoding: utf8, as: UTF8.self) }
    var scalars: [UInt32] { description.unicodeScalars.map(\.value) }
}

/// A parsed JSON text that keeps the order of members and the spelling of numbers.
package indirect enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Decimal)
    case string(ByteString)
    case array([JSON])
    case object([Member])

    package struct Member: Hashable, Sendable {
        package var key: ByteString
        package var value: JSON
    }

    /// The value of a key; nil where there is none, or this is no object.
    package subscript(key: ByteString) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// Reads a text. No key may stand twice; depth, length and the number of values are bounded by the limits.
    ///
    /// - Throws: `GrammarError` of the kinds `malformedJSON` and `tooLarge`, saying the byte.
    package init(parsing bytes: [UInt8], limits: GrammarLimits) throws(GrammarError) {
        guard bytes.count <= limits.sourceBytes else {
            throw GrammarError(.tooLarge, "the JSON text has \(bytes.count) bytes, \(limits.sourceBytes) are allowed")
        }
        var reader = JSONReader(bytes: bytes, limits)
        self = try reader.document()
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    let nesting: Int
    let values: Int
    var position = 0
    var valueCount = 0

    init(bytes: [UInt8], _ limits: GrammarLimits) {
        self.bytes = bytes
        nesting = limits.nesting
        values = limits.values
    }

    func failure(_ message: String) -> GrammarError {
        GrammarError(.malformedJSON, "not JSON: \(message) at byte \(position)")
    }

    var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func document() throws(GrammarError) -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        if position != bytes.count { throw failure("text after the value") }
        return value
    }

    mutating func take(_ word: StaticString, _ value: JSON) throws(GrammarError) -> JSON {
        for expected in word.description.utf8 {
            guard byte == expected else { throw failure("unknown word") }
            position += 1
        }
        return value
    }

    mutating func value(depth: Int) throws(GrammarError) -> JSON {
        if depth > nesting { throw GrammarError(.tooLarge, "the JSON text nests deeper than \(nesting)") }
        valueCount += 1
        if valueCount > values { throw GrammarError(.tooLarge, "the JSON text has more than \(values) values") }
        skipSpace()
        guard let first = byte else { throw failure("a value is missing") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try take("true", .bool(true))
        case UInt8(ascii: "f"): return try take("false", .bool(false))
        case UInt8(ascii: "n"): return try take("null", .null)
        default: return try number()
        }
    }

    mutating func object(depth: Int) throws(GrammarError) -> JSON {
        position += 1
        var members: [JSON.Member] = []
        var seen: Set<ByteString> = []
        skipSpace()
        if byte == UInt8(ascii: "}") {
            position += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard byte == UInt8(ascii: "\"") else { throw failure("a key is missing") }
            let key = try string()
            if !seen.insert(key).inserted { throw failure("the key \"\(key)\" stands twice") }
            skipSpace()
            guard byte == UInt8(ascii: ":") else { throw failure("a colon is missing") }
            position += 1
            members.append(.init(key: key, value: try value(depth: depth + 1)))
            skipSpace()
            guard let next = byte, next == UInt8(ascii: ",") || next == UInt8(ascii: "}") else {
                throw failure("a comma or brace is missing")
            }
            position += 1
            if next == UInt8(ascii: "}") { return .object(members) }
        }
    }

    mutating func array(depth: Int) throws(GrammarError) -> JSON {
        position += 1
        var items: [JSON] = []
        skipSpace()
        if byte == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            guard let next = byte, next == UInt8(ascii: ",") || next == UInt8(ascii: "]") else {
                throw failure("a comma or bracket is missing")
            }
            position += 1
            if next == UInt8(ascii: "]") { return .array(items) }
        }
    }

    mutating func number() throws(GrammarError) -> JSON {
        let start = position
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
        if byte == UInt8(ascii: "-") { position += 1 }
        guard isDigit(byte) else { throw failure("unexpected byte") }
        if byte == 0x30 { position += 1 } else { while isDigit(byte) { position += 1 } }
        if byte == UInt8(ascii: ".") {
            position += 1
            guard isDigit(byte) else { throw failure("a digit is missing") }
            while isDigit(byte) { position += 1 }
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            position += 1
            if byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") { position += 1 }
            guard isDigit(byte) else { throw failure("a digit is missing") }
            while isDigit(byte) { position += 1 }
        }
        guard let value = Decimal(bytes[start..<position]) else {
            throw GrammarError(.tooLarge, "the number at byte \(start) has too many digits")
        }
        return .number(value)
    }

    mutating func string() throws(GrammarError) -> ByteString {
        position += 1
        var text: [UInt8] = []
        while true {
            guard let next = byte else { throw failure("a string does not end") }
            position += 1
            switch next {
            case UInt8(ascii: "\""):
                guard String(validating: text, as: UTF8.self) != nil else { throw failure("a string is not UTF-8") }
                return ByteString(utf8: text)
            case UInt8(ascii: "\\"): text += String(try escape()).utf8
            case 0..<0x20: throw failure("a control character in a string")
            default: text.append(next)
            }
        }
    }

    mutating func escape() throws(GrammarError) -> Unicode.Scalar {
        guard let next = byte else { throw failure("a string does not end") }
        position += 1
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(next)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw failure("unknown escape")
        }
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, byte == UInt8(ascii: "\\"), position + 1 < bytes.count,
            bytes[position + 1] == UInt8(ascii: "u")
        {
            position += 2
            let second = try hexadecimal()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + second - 0xDC00)
            {
                return scalar
            }
        }
        throw failure("half a surrogate pair")
    }

    mutating func hexadecimal() throws(GrammarError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let next = byte, let digit = Character(Unicode.Scalar(next)).hexDigitValue else {
                throw failure("four hexadecimal digits are missing")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
