/// SentencePiece's byte-pair model: a merge is any two neighbours whose text is a token; the best score goes first.
struct SentencePieceModel: Sendable {
    private var tokens: StringTable
    private let scores: [Float]
    /// Token of each byte that no piece covers, or -1.
    private let bytes: [Int32]
    private let unknown: Int32
    /// Whether every token has U+2581 only at its start, so that no merge crosses from a letter to a space.
    private let splitsAtSpaces: Bool

    init(tokens texts: PackedStrings, scores: [Float], isHidden: [Bool], unknown: Int32) {
        tokens = StringTable(capacity: texts.count)
        var splits = true
        for id in 0..<texts.count {
            let range = texts.range(id)
            tokens.append(texts.bytes, range, isHidden: isHidden[id] || range.isEmpty)
            if splits && !isHidden[id] {
                var seesLetter = false
                var position = range.lowerBound
                while position < range.upperBound {
                    let isSpace = Self.isSpace(texts.bytes, position, range.upperBound)
                    if isSpace && seesLetter { splits = false }
                    if !isSpace { seesLetter = true }
                    position += isSpace ? 3 : 1
                }
            }
        }
        splitsAtSpaces = splits
        self.scores = scores
        self.unknown = unknown
        var bytes: [Int32] = []
        for byte in 0..<256 {
            let token = tokens.findByteToken(UInt8(byte))
            bytes.append(token >= 0 ? token : tokens.find([UInt8(byte)], 0..<1))
        }
        self.bytes = bytes
    }

    @inline(__always)
    private static func isSpace(_ bytes: [UInt8], _ position: Int, _ end: Int) -> Bool {
        position + 2 < end && bytes[position] == 0xE2 && bytes[position + 1] == 0x96 && bytes[position + 2] == 0x81
    }

    struct Scratch {
        var list = MergeList()
        var words: WordCache

        init(textLength: Int) { words = WordCache(textLength: textLength) }
    }

    /// Appends the tokens of a text whose spaces are U+2581 already. One scratch serves one text.
    func encode(_ text: [UInt8], _ scratch: inout Scratch, _ output: inout [Int32]) {
        var start = 0
        var position = 0
        while position < text.count {
            if splitsAtSpaces {
                while position < text.count && Self.isSpace(text, position, text.count) { position += 3 }
                while position < text.count && !Self.isSpace(text, position, text.count) { position += 1 }
            } else {
                position = text.count
            }
            word(text, start..<position, &scratch, &output)
            start = position
        }
    }

    private func word(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        let hash = StringTable.hash(text, range)
        if scratch.words.repeatTokens(of: text, range, hash: hash, into: &output) { return }
        let before = output.count
        merge(text, range, &scratch, &output)
        scratch.words.remember(range, hash: hash, tokens: before..<output.count)
    }

    private func merge(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        scratch.list.removeAll()
        var position = range.lowerBound
        while position < range.upperBound {
            let length = min(CodePoints.announcedLength(text[position]), range.upperBound - position)
            scratch.list.append(length: length, id: -1)
            position += length
        }
        scratch.list.merge { left, right in
            let start = range.lowerBound + Int(left.start)
            let token = tokens.find(text, start..<start + Int(left.length + right.length))
            return token < 0 ? nil : (Self.order(scores[Int(token)]), token)
        }
        for symbol in scratch.list.symbols where symbol.length > 0 {
            let start = range.lowerBound + Int(symbol.start)
            let own = start..<start + Int(symbol.length)
            let token = symbol.id >= 0 ? symbol.id : tokens.find(text, own)
            if token >= 0 {
                output.append(token)
                continue
            }
            for index in own {
                let byte = bytes[Int(text[index])]
                if byte >= 0 { output.append(byte) } else if unknown >= 0 { output.append(unknown) }
            }
        }
    }

    /// Maps a score to an integer that falls as the score rises; equal scores (and both zeros) map alike.
    @inline(__always)
    private static func order(_ score: Float) -> UInt32 {
        if score.isNaN { return .max - 1 }
        let bits = (score == 0 ? Float(0) : score).bitPattern
        return bits & 0x8000_0000 != 0 ? bits : 0x7FFF_FFFF - bits
    }
}
