/// Byte-pair encoding over raw bytes: symbols are ids, a merge is a pair of ids.
struct BytePairModel: Sendable {
    /// Strings by symbol: first the tokens, in raw bytes, then halves of merges that are no token.
    private let symbols: StringTable
    let tokenCount: Int
    let pre: PreTokenizer
    /// Symbol of each single byte, or -1.
    private let bytes: [Int32]
    /// Token of each byte that nothing else covers, or -1.
    private let fallback: [Int32]
    private let merges: MergeTable

    init(
        symbols: StringTable, tokenCount: Int, pre: PreTokenizer, bytes: [Int32], fallback: [Int32], merges: MergeTable
    ) {
        self.symbols = symbols
        self.tokenCount = tokenCount
        self.pre = pre
        self.bytes = bytes
        self.fallback = fallback
        self.merges = merges
    }

    /// Working memory of one call.
    struct Scratch {
        var text = ScalarText()
        var ends: [Int] = []
        var spare: [Int] = []
        var list = MergeList()
        var words: WordCache

        init(textLength: Int) { words = WordCache(textLength: textLength) }
    }

    /// Appends the tokens of `text[range]`. `text` must stay the same for all calls that share a scratch.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        let table = CharacterTable.stages
        var start = range.lowerBound
        scratch.text.read(text, start..<range.upperBound, table)
        pre.split(scratch.text, &scratch.ends, &scratch.spare)
        for index in scratch.ends.indices {
            let end = scratch.text.offsets[scratch.ends[index]]
            if end > start { word(text, start..<end, &scratch, &output) }
            start = end
        }
    }

    private func word(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        if range.count == 1 && pre.isByteEncoded {
            emit(bytes[Int(text[range.lowerBound])], text, range, &output)
            return
        }
        let hash = StringTable.hash(text, range)
        if pre.ignoresMerges || pre.isGemma4 {
            let isWhole = pre.ignoresMerges || !range.contains { text[$0] != 0x0A }
            if isWhole, range.count <= symbols.longest {
                let token = symbols.find(text, range, hash: hash)
                if token >= 0 && token < tokenCount {
                    output.append(token)
                    return
                }
            }
        }
        if scratch.words.repeatTokens(of: text, range, hash: hash, into: &output) { return }
        let before = output.count
        merge(text, range, &scratch, &output)
        scratch.words.remember(range, hash: hash, tokens: before..<output.count)
    }

    private func merge(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        scratch.list.removeAll()
        var position = range.lowerBound
        while position < range.upperBound {
            let length =
                pre.isByteEncoded
                ? 1 : min(CodePoints.announcedLength(text[position]), range.upperBound - position)
            let id = length == 1 ? bytes[Int(text[position])] : symbols.find(text, position..<position + length)
            scratch.list.append(length: length, id: id)
            position += length
        }
        scratch.list.merge { left, right in
            let found = merges.find(left.id, right.id)
            if found == .max { return nil }
            return (UInt32(truncatingIfNeeded: found >> 32), Int32(truncatingIfNeeded: found & 0xFFFF_FFFF))
        }
        for symbol in scratch.list.symbols where symbol.length > 0 {
            let start = range.lowerBound + Int(symbol.start)
            emit(symbol.id, text, start..<start + Int(symbol.length), &output)
        }
    }

    private func emit(_ symbol: Int32, _ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]) {
        if symbol >= 0 && symbol < tokenCount {
            output.append(symbol)
            return
        }
        for index in range {
            let token = fallback[Int(text[index])]
            if token >= 0 && token < tokenCount { output.append(token) }
        }
    }
}
