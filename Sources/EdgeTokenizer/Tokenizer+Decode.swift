extension Tokenizer {
    /// Bytes that a token stands for; empty for an id outside the vocabulary, for control and unknown tokens unless
    /// `special`, and for unused tokens.
    package func bytes(of id: Int32, special: Bool = true) -> [UInt8] {
        guard kinds.indices.contains(Int(id)) else { return [] }
        let kind = kinds[Int(id)]
        let range = tokens.range(Int(id))
        if case .rwkv = model { return RWKVModel.unescape(tokens.bytes[range]) }
        if !kind.isDisjoint(with: [.control, .unknown]) { return special ? Array(tokens.bytes[range]) : [] }
        if kind.contains(.userDefined) { return Array(tokens.bytes[range]) }
        if kind.contains(.normal) {
            if hasRawPieces { return ByteAlphabet.standard.decode(tokens.bytes[range]) ?? Array(tokens.bytes[range]) }
            return Self.unescape(tokens.bytes[range])
        }
        if kind.contains(.byte) { return Self.byteValue(tokens.bytes[range]).map { [$0] } ?? [] }
        return []
    }

    /// Text of the tokens, invalid UTF-8 repaired.
    ///
    /// Where the model puts a space before a text, the first one is dropped. WordPiece, which keeps no spaces, also drops those
    /// before punctuation; the other families give back exactly the text that was encoded.
    package func decode(_ ids: [Int32], skipSpecial: Bool = true) -> String {
        var joiner = PieceJoiner(self)
        var text: [UInt8] = []
        for id in ids { joiner.append(bytes(of: id, special: !skipSpecial), to: &text) }
        joiner.finish(&text)
        return String(decoding: text, as: UTF8.self)
    }

    static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = text.startIndex
        while position < text.endIndex {
            if position + 2 < text.endIndex && text[position] == 0xE2 && text[position + 1] == 0x96
                && text[position + 2] == 0x81
            {
                result.append(0x20)
                position += 3
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    /// The byte of `<0xAB>`.
    private static func byteValue(_ text: ArraySlice<UInt8>) -> UInt8? {
        guard text.count == 6, text.starts(with: [0x3C, 0x30, 0x78]) else { return nil }
        return UInt8(String(decoding: text.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
    }
}
