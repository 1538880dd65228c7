extension TemplateValue {
    /// Reads JSON, keeping the order of keys; the last of two equal keys counts.
    ///
    /// - Throws: `TemplateError` with code `syntax`, line and column in the JSON.
    package init(json text: String) throws(TemplateError) {
        var reader = JSONReader(Array(text.utf8))
        self = try reader.document()
    }

    /// The value as compact JSON.
    package var json: String {
        var text = ""
        writeJSON(to: &text, level: 0)
        return text
    }

    private func writeJSON(to text: inout String, level: Int) {
        guard level < 256 else {
            text += "null"
            return
        }
        switch self {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .int(let number): text += String(number)
        case .double(let number): text += number.isFinite ? Renderer.jsonDigits(of: number) : "null"
        case .string(let string), .literal(let string): TemplateValue.quote(string, to: &text)
        case .mixed: TemplateValue.quote(self.text ?? "", to: &text)
        case .list(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.writeJSON(to: &text, level: level + 1)
            }
            text += "]"
        case .dict(let members):
            text += "{"
            for (index, key) in members.keys.enumerated() {
                if index > 0 { text += "," }
                TemplateValue.quote(key, to: &text)
                text += ":"
                members.values[index].writeJSON(to: &text, level: level + 1)
            }
            text += "}"
        }
    }

    private static func quote(_ string: String, to text: inout String) {
        text += "\""
        escape(string, to: &text)
        text += "\""
    }

    /// A text as it stands between the quotes of JSON.
    static func escaped(_ string: String) -> String {
        var text = ""
        escape(string, to: &text)
        return text
    }

    private static func escape(_ string: String, to text: inout String) {
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 32 {
                    text += "\\u" + Renderer.hexadecimal(scalar.value, 4)
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
    }
}

private struct JSONReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private var byte: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private func fail(_ message: String) -> TemplateError {
        let before = bytes[bytes.startIndex..<min(position, bytes.endIndex)]
        let line = before.count { $0 == 10 }
        let start = before.lastIndex(of: 10).map { $0 + 1 } ?? before.startIndex
        return TemplateError(.syntax, message, line: line + 1, column: before.endIndex - start + 1)
    }

    mutating func document() throws(TemplateError) -> TemplateValue {
        let value = try value(0)
        skipSpace()
        guard position == bytes.endIndex else { throw fail("something follows the value") }
        return value
    }

    private mutating func skipSpace() {
        while let byte, byte == 32 || byte >= 9 && byte <= 10 || byte == 13 { position += 1 }
    }

    private mutating func takes(_ wanted: UInt8) -> Bool {
        skipSpace()
        guard byte == wanted else { return false }
        position += 1
        return true
    }

    mutating func value(_ level: Int) throws(TemplateError) -> TemplateValue {
        guard level < 120 else { throw TemplateError(.tooDeep, "the JSON is nested too deep") }
        skipSpace()
        switch byte {
        case UInt8(ascii: "{"): return try object(level)
        case UInt8(ascii: "["):
            position += 1
            var elements: [TemplateValue] = []
            if takes(UInt8(ascii: "]")) { return .list([]) }
            repeat { elements.append(try value(level + 1)) } while takes(UInt8(ascii: ","))
            guard takes(UInt8(ascii: "]")) else { throw fail("a comma or the end of the list is missing") }
            return .list(elements)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(_ level: Int) throws(TemplateError) -> TemplateValue {
        position += 1
        var members = Members()
        if takes(UInt8(ascii: "}")) { return .dict(members) }
        repeat {
            skipSpace()
            guard byte == UInt8(ascii: "\"") else { throw fail("a key is missing") }
            let key = try string()
            guard takes(UInt8(ascii: ":")) else { throw fail("a colon is missing") }
            members[key] = try value(level + 1)
        } while takes(UInt8(ascii: ","))
        guard takes(UInt8(ascii: "}")) else { throw fail("a comma or the end of the object is missing") }
        return .dict(members)
    }

    private typealias Members = TemplateValue.Members

    private mutating func word(_ word: StaticString, _ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        for wanted in "\(word)".utf8 {
            guard byte == wanted else { throw fail("not a JSON value") }
            position += 1
        }
        return value
    }

    private mutating func number() throws(TemplateError) -> TemplateValue {
        let start = position
        var isWhole = true
        if byte == 45 { position += 1 }
        let first = byte
        try digits()
        if first == 48, position - start > (bytes[start] == 45 ? 2 : 1) { throw fail("a number begins with zero") }
        if byte == 46 {
            isWhole = false
            position += 1
            try digits()
        }
        if byte == 101 || byte == 69 {
            isWhole = false
            position += 1
            if byte == 43 || byte == 45 { position += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let number = Int(text) { return .int(number) }
        guard let number = Double(text) else { throw fail("not a number") }
        return .double(number)
    }

    private mutating func digits() throws(TemplateError) {
        let start = position
        while let byte, byte >= 48, byte <= 57 { position += 1 }
        if position == start { throw fail("not a JSON value") }
    }

    private mutating func string() throws(TemplateError) -> String {
        position += 1
        var text: [UInt8] = []
        while let next = byte {
            position += 1
            switch next {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let letter = byte else { throw fail("the string does not end") }
                position += 1
                switch letter {
                case UInt8(ascii: "n"): text.append(10)
                case UInt8(ascii: "t"): text.append(9)
                case UInt8(ascii: "r"): text.append(13)
                case UInt8(ascii: "b"): text.append(8)
                case UInt8(ascii: "f"): text.append(12)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
                case UInt8(ascii: "u"): text += String(Character(try escapedScalar())).utf8
                default: throw fail("no such escape")
                }
            case 0..<32: throw fail("a control character in a string")
            default: text.append(next)
            }
        }
        throw fail("the string does not end")
    }

    private mutating func escapedScalar() throws(TemplateError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if first & 0xFC00 == 0xD800, byte == 92 {
            let start = position
            position += 1
            if byte == UInt8(ascii: "u") {
                position += 1
                let second = try hexadecimal()
                if second & 0xFC00 == 0xDC00 {
                    let value = 0x10000 + (first & 0x3FF) << 10 + second & 0x3FF
                    return Unicode.Scalar(value) ?? "\u{FFFD}"
                }
            }
            position = start
        }
        return Unicode.Scalar(first) ?? "\u{FFFD}"
    }

    private mutating func hexadecimal() throws(TemplateError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fail("four hexadecimal digits are missing")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
