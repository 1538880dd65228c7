/// RWKV's world tokenizer: the longest token goes first, over raw bytes. Token texts are written with escapes.
struct RWKVModel: Sendable {
    private let pieces: ByteTrie
    private let unknown: Int32

    init(tokens: PackedStrings, isHidden: [Bool], unknown: Int32) {
        var pieces = ByteTrie(capacity: tokens.count * 4)
        for id in 0..<tokens.count where !isHidden[id] {
            let bytes = Self.unescape(tokens[id])
            if !bytes.isEmpty { pieces.insert(bytes, Int32(truncatingIfNeeded: id)) }
        }
        self.pieces = pieces
        self.unknown = unknown
    }

    func encode(_ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]) {
        var position = range.lowerBound
        while position < range.upperBound {
            if let best = pieces.longestMatch(text, position, range.upperBound) {
                output.append(best.value)
                position = best.end
            } else {
                if unknown >= 0 { output.append(unknown) }
                position += 1
            }
        }
    }

    /// Bytes of a token text: `\n`, `\t`, `\r`, `\x0f`, and a backslash before what stands for itself.
    static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var position = text.startIndex
        while position < text.endIndex {
            let byte = text[position]
            position += 1
            guard byte == 0x5C, position < text.endIndex else {
                bytes.append(byte)
                continue
            }
            let escaped = text[position]
            position += 1
            switch escaped {
            case 0x74: bytes.append(0x09)
            case 0x6E: bytes.append(0x0A)
            case 0x72: bytes.append(0x0D)
            case 0x78:
                let digits = text[position..<min(position + 2, text.endIndex)]
                if let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) { bytes.append(value) }
                position += digits.count
            default: bytes.append(escaped)
            }
        }
        return bytes
    }
}
