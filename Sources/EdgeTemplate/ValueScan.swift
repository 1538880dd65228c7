/// Sees where a JSON value that comes in pieces ends. Looks at brackets and quotes alone: whether it is JSON, a reader has to say.
package struct ValueScan: Sendable, Equatable {
    private enum Kind: Sendable { case unknown, object, other, scalar }

    private var kind = Kind.unknown
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    /// Whether the end has been seen. A number or a word ends only before what follows it.
    private(set) package var isWhole = false

    package init() {}

    /// Whether the value is an object.
    package var isObject: Bool { kind == .object }

    /// Takes bytes up to the value's end, with the white space before it; returns how many these are.
    package mutating func append(_ bytes: some Sequence<UInt8>) -> Int {
        var taken = 0
        for byte in bytes {
            if isWhole || kind == .scalar && Self.endsScalar(byte) {
                isWhole = true
                break
            }
            taken += 1
            take(byte)
        }
        return taken
    }

    private mutating func take(_ byte: UInt8) {
        if isInText {
            if !isEscaped, byte == UInt8(ascii: "\"") {
                isInText = false
                isWhole = depth == 0
            }
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            return
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInText = true
            if kind == .unknown { kind = .other }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if kind == .unknown { kind = byte == UInt8(ascii: "{") ? .object : .other }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            isWhole = depth <= 0
        case 0x20, 0x09, 0x0A, 0x0D: break
        default: if kind == .unknown { kind = .scalar }
        }
    }

    private static func endsScalar(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
    }
}
