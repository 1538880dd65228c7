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
        var list: [MergeSymbol] = []
        var queue = MergeQueue()
        var words = WordCache()
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
        scratch.list.removeAll(keepingCapacity: true)
        scratch.queue.removeAll()
        var position = range.lowerBound
        while position < range.upperBound {
            let length = min(CodePoints.announcedLength(text[position]), range.upperBound - position)
            let index = Int32(truncatingIfNeeded: scratch.list.count)
            scratch.list.append(
                MergeSymbol(
                    start: Int32(truncatingIfNeeded: position - range.lowerBound), length: Int32(length),
                    previous: index - 1, next: index + 1, id: -1))
            position += length
        }
        guard !scratch.list.isEmpty else { return }
        scratch.list[scratch.list.count - 1].next = -1
        for index in 1..<max(1, Int32(truncatingIfNeeded: scratch.list.count)) {
            propose(index - 1, index, text, range.lowerBound, &scratch)
        }
        while let best = scratch.queue.pop() {
            let left = Int(best.left)
            let right = Int(best.right)
            let length = scratch.list[left].length + scratch.list[right].length
            if scratch.list[left].length == 0 || scratch.list[right].length == 0 || length != best.length { continue }
            scratch.list[left].length = length
            scratch.list[left].id = best.symbol
            scratch.list[right].length = 0
            let next = scratch.list[right].next
            scratch.list[left].next = next
            if next >= 0 { scratch.list[Int(next)].previous = best.left }
            propose(scratch.list[left].previous, best.left, text, range.lowerBound, &scratch)
            propose(best.left, next, text, range.lowerBound, &scratch)
        }
        for symbol in scratch.list where symbol.length > 0 {
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

    private func propose(_ left: Int32, _ right: Int32, _ text: [UInt8], _ base: Int, _ scratch: inout Scratch) {
        guard left >= 0, right >= 0 else { return }
        let first = scratch.list[Int(left)]
        let length = first.length + scratch.list[Int(right)].length
        let start = base + Int(first.start)
        let token = tokens.find(text, start..<start + Int(length))
        if token < 0 { return }
        scratch.queue.push(
            MergeCandidate(
                rank: Self.order(scores[Int(token)]), left: left, right: right, length: length, symbol: token))
    }

    /// Maps a score to an integer that falls as the score rises; equal scores (and both zeros) map alike.
    @inline(__always)
    private static func order(_ score: Float) -> UInt64 {
        if score.isNaN { return UInt64(UInt32.max) }
        let bits = (score == 0 ? Float(0) : score).bitPattern
        return UInt64(bits & 0x8000_0000 != 0 ? bits : 0x7FFF_FFFF - bits)
    }
}
