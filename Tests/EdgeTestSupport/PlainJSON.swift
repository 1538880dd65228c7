internal import Foundation

/// JSON for the tests: a parser of their own, so that none of the code under test is trusted.
package indirect enum PlainJSON: Equatable {
    case null
    case bool(Bool)
    /// As it is spelled.
    case number(String)
    case string([Unicode.Scalar])
    case array([PlainJSON])
    case object([(key: [Unicode.Scalar], value: PlainJSON)])

    struct Malformed: Error {}

    package static func == (left: PlainJSON, right: PlainJSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)):
            left == right || Foundation.Decimal(string: left) == Foundation.Decimal(string: right)
        case (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)):
            left.count == right.count
                && left.allSatisfy { member in right.contains { $0.key == member.key && $0.value == member.value } }
        default: false
        }
    }

    package subscript(key: String) -> PlainJSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == Array(key.unicodeScalars) }?.value
    }

    package init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed() }
        var reader = Reader(scalars: Array(text.unicodeScalars))
        self = try reader.value()
        reader.space()
        if reader.next != nil { throw Malformed() }
    }

    private struct Reader {
        let scalars: [Unicode.Scalar]
        var position = 0
        var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        mutating func space() { while let scalar = next, " \t\n\r".unicodeScalars.contains(scalar) { position += 1 } }

        mutating func take() throws -> Unicode.Scalar {
            guard let scalar = next else { throw Malformed() }
            position += 1
            return scalar
        }

        mutating func value() throws -> PlainJSON {
            space()
            guard let first = next else { throw Malformed() }
            switch first {
            case "{":
                position += 1
                var members: [(key: [Unicode.Scalar], value: PlainJSON)] = []
                space()
                if next == "}" {
                    position += 1
                    return .object([])
                }
                while true {
                    space()
                    guard try take() == "\"" else { throw Malformed() }
                    let key = try string()
                    space()
                    guard try take() == ":" else { throw Malformed() }
                    members.append((key, try value()))
                    space()
                    let end = try take()
                    if end == "}" { return .object(members) }
                    if end != "," { throw Malformed() }
                }
            case "[":
                position += 1
                var items: [PlainJSON] = []
                space()
                if next == "]" {
                    position += 1
                    return .array([])
                }
                while true {
                    items.append(try value())
                    space()
                    let end = try take()
                    if end == "]" { return .array(items) }
                    if end != "," { throw Malformed() }
                }
            case "\"":
                position += 1
                return .string(try string())
            default:
                var word = ""
                while let scalar = next,
                    scalar.properties.isAlphabetic || "+-.0123456789".unicodeScalars.contains(scalar)
                {
                    word.unicodeScalars.append(scalar)
                    position += 1
                }
                switch word {
                case "null": return .null
                case "true": return .bool(true)
                case "false": return .bool(false)
                default:
                    guard word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+\-]?[0-9]+)?/) != nil else {
                        throw Malformed()
                    }
                    return .number(word)
                }
            }
        }

        mutating func string() throws -> [Unicode.Scalar] {
            var text: [Unicode.Scalar] = []
            while true {
                let scalar = try take()
                if scalar == "\"" { return text }
                if scalar.value < 0x20 { throw Malformed() }
                guard scalar == "\\" else {
                    text.append(scalar)
                    continue
                }
                switch try take() {
                case "b": text.append("\u{8}")
                case "f": text.append("\u{C}")
                case "n": text.append("\n")
                case "r": text.append("\r")
                case "t": text.append("\t")
                case "u":
                    var value = try unit()
                    if (0xD800..<0xDC00).contains(value) {
                        guard try take() == "\\", try take() == "u" else { throw Malformed() }
                        value = 0x10000 + (value - 0xD800) << 10 + (try unit() - 0xDC00)
                    }
                    guard let scalar = Unicode.Scalar(value) else { throw Malformed() }
                    text.append(scalar)
                case let other where "\"\\/".unicodeScalars.contains(other): text.append(other)
                default: throw Malformed()
                }
            }
        }

        mutating func unit() throws -> UInt32 {
            var text = ""
            for _ in 0..<4 { text.unicodeScalars.append(try take()) }
            guard let value = UInt32(text, radix: 16) else { throw Malformed() }
            return value
        }
    }

    package func text(expandsExponents: Bool = false) -> String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let spelling): expandsExponents ? Self.expanded(spelling) : spelling
        case .string(let scalars): Self.quoted(scalars)
        case .array(let items):
            "[" + items.map { $0.text(expandsExponents: expandsExponents) }.joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.map { Self.quoted($0.key) + ":" + $0.value.text(expandsExponents: expandsExponents) }
                .joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ scalars: [Unicode.Scalar]) -> String {
        var text = "\""
        for scalar in scalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" {
                text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// The same number without an exponent.
    private static func expanded(_ spelling: String) -> String {
        guard let mark = spelling.firstIndex(where: { $0 == "e" || $0 == "E" }),
            let exponent = Int(spelling[spelling.index(after: mark)...].drop { $0 == "+" })
        else { return spelling }
        let isNegative = spelling.hasPrefix("-")
        let parts = spelling[..<mark].drop { $0 == "-" }.split(separator: ".")
        var digits = parts.joined()
        var point = parts[0].count + exponent
        if point <= 0 {
            digits = String(repeating: "0", count: 1 - point) + digits
            point = 1
        }
        if digits.count < point { digits += String(repeating: "0", count: point - digits.count) }
        let whole = digits.prefix(point).drop { $0 == "0" }
        let fraction = digits.dropFirst(point)
        return (isNegative ? "-" : "") + (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : "." + fraction)
    }
}
