/// Text of a stream of tokens, handed out in whole characters: joined, the pieces equal `Tokenizer.decode`.
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    private let shown: Set<Int32>
    private var joiner: PieceJoiner
    private var pending: [UInt8] = []

    /// - Parameters:
    ///   - shown: special tokens whose text is handed out nevertheless.
    ///   - continuesText: true where the stream follows other text, whose spaces all count.
    package init(
        _ tokenizer: Tokenizer, skipSpecial: Bool = true, shown: Set<Int32> = [], continuesText: Bool = false
    ) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
        self.shown = shown
        joiner = PieceJoiner(tokenizer, continuesText: continuesText)
    }

    /// Adds a token and returns the text that is complete now, often all of it, sometimes nothing.
    package mutating func append(_ id: Int32) -> String {
        joiner.append(tokenizer.bytes(of: id, special: !skipSpecial || shown.contains(id)), to: &pending)
        if pending.isEmpty { return "" }
        let whole = pending.count - Self.openLength(pending)
        let text = String(decoding: pending[..<whole], as: UTF8.self)
        pending.removeSubrange(..<whole)
        return text
    }

    /// The rest, an unfinished character as U+FFFD.
    package mutating func finish() -> String {
        joiner.finish(&pending)
        let text = String(decoding: pending, as: UTF8.self)
        pending.removeAll()
        return text
    }

    /// Bytes at the end that could still grow into one character.
    private static func openLength(_ bytes: [UInt8]) -> Int {
        for length in 1...3 {
            guard length <= bytes.count else { return 0 }
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = lead < 0xC2 || lead > 0xF4 ? 1 : CodePoints.announcedLength(lead)
            if needed <= length { return 0 }
            if length >= 2 {
                let second = bytes[bytes.count - length + 1]
                switch lead {
                case 0xE0: if second < 0xA0 { return 0 }
                case 0xED: if second > 0x9F { return 0 }
                case 0xF0: if second < 0x90 { return 0 }
                case 0xF4: if second > 0x8F { return 0 }
                default: break
                }
            }
            return length
        }
        return 0
    }
}
