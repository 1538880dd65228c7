/// SentencePiece's compiled normalisation rules: a double array that maps prefixes of the text to replacements.
///
/// The table begins with its own size in bytes (32 bits), then the array of 32-bit units (darts-clone: offset in bits
/// 10…30, label in bits 0…7, "has a value" in bit 8, scale of the offset in bit 9, value units marked by bit 31), then
/// the replacements, each closed by a zero.
struct CharacterMap: Sendable {
    private var units: [UInt32] = []
    private var replacements: [UInt8] = []

    /// The longest that NFKC knows has 33 bytes.
    private static let longestReplacement = 256

    init(_ table: [UInt8]) throws(TokenizerError) {
        if table.isEmpty { return }
        let key = "tokenizer.ggml.precompiled_charsmap"
        guard table.count > 4 else { throw TokenizerError(.invalid, "the table is too short", key: key) }
        func word(_ index: Int) -> UInt32 {
            UInt32(table[index]) | UInt32(table[index + 1]) << 8 | UInt32(table[index + 2]) << 16
                | UInt32(table[index + 3]) << 24
        }
        let size = Int(word(0))
        guard size < table.count - 4 else {
            throw TokenizerError(.invalid, "the table names \(size) bytes but has \(table.count - 4)", key: key)
        }
        units.reserveCapacity(size / 4)
        for index in 0..<size / 4 { units.append(word(4 + 4 * index)) }
        replacements = Array(table[(4 + size)...])
        // Else a short text could become one without bound.
        var length = 0
        for byte in replacements {
            length = byte == 0 ? 0 : length + 1
            if length > Self.longestReplacement {
                throw TokenizerError(.invalid, "a replacement of over \(Self.longestReplacement) bytes", key: key)
            }
        }
    }

    /// The longest rule that applies at `position`: bytes it takes, and where its replacement lies; nil without one.
    func rule(_ text: [UInt8], _ position: Int, _ end: Int) -> (length: Int, replacement: Range<Int>)? {
        guard let root = units.first else { return nil }
        var node = Self.offset(root)
        var length = 0
        var place = 0
        for index in position..<end {
            let byte = text[index]
            if byte == 0 { break }
            node ^= UInt32(byte)
            guard Int(node) < units.count else { break }
            let unit = units[Int(node)]
            if unit & 0x8000_00FF != UInt32(byte) { break }
            node ^= Self.offset(unit)
            if unit >> 8 & 1 == 1 {
                guard Int(node) < units.count else { break }
                length = index - position + 1
                place = Int(units[Int(node)] & 0x7FFF_FFFF)
            }
        }
        guard length > 0, place < replacements.count else { return nil }
        var stop = place
        while stop < replacements.count && replacements[stop] != 0 { stop += 1 }
        return stop < replacements.count ? (length, place..<stop) : nil
    }

    func appendReplacement(_ range: Range<Int>, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: replacements[range])
    }

    @inline(__always)
    private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & 0x200) >> 6) }
}
