/// GPT-2's alphabet: a printable character for each byte, so that token texts hold neither spaces nor control characters.
struct ByteAlphabet: Sendable {
    /// The byte that a code point below 324 stands for, or -1.
    private let bytes: [Int16]

    static let standard = ByteAlphabet()

    private init() {
        var table = [Int16](repeating: -1, count: 324)
        var next = 256
        for byte in 0..<256 {
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE {
                table[byte] = Int16(byte)
            } else {
                table[next] = Int16(byte)
                next += 1
            }
        }
        bytes = table
    }

    /// The byte that the character at `position` stands for, and the character's length; a byte of -1 where it stands for none.
    @inline(__always)
    func read(_ text: Span<UInt8>, _ position: Int, _ end: Int) -> (byte: Int16, length: Int) {
        let lead = text[position]
        if lead < 0x80 { return (bytes[Int(lead)], 1) }
        // Two bytes reach up to U+07FF, the alphabet ends below U+0144; C0 and C1 would be overlong.
        guard lead >= 0xC2, lead <= 0xC5, position + 1 < end, text[position + 1] & 0xC0 == 0x80 else { return (-1, 1) }
        let scalar = Int(lead & 0x1F) << 6 | Int(text[position + 1] & 0x3F)
        return (scalar < bytes.count ? bytes[scalar] : -1, 2)
    }

    /// The raw bytes of a text of this alphabet, or nil.
    func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var raw: [UInt8] = []
        raw.reserveCapacity(text.count)
        let span = text.span
        var position = 0
        while position < span.count {
            let (byte, length) = read(span, position, span.count)
            if byte < 0 { return nil }
            raw.append(UInt8(truncatingIfNeeded: byte))
            position += length
        }
        return raw
    }
}
