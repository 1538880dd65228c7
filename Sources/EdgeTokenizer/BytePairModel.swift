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
        var list: [MergeSymbol] = []
        var queue = MergeQueue()
        var words = WordCache()
    }

    /// Appends the tokens of `text[range]`. `text` must stay the same for all calls that share a scratch.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ scratch: inout Scratch, _ output: inout [Int32]) {
        let table = CharacterTable.stages
        var start = range.lowerBound
        // Texts beyond a few megabytes go in stretches that end at a line, so that memory stays bounded by the text.
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
        scratch.list.removeAll(keepingCapacity: true)
        var position = range.lowerBound
        while position < range.upperBound {
            let length =
                pre.isByteEncoded
                ? 1 : min(CodePoints.announcedLength(text[position]), range.upperBound - position)
            let id = length == 1 ? bytes[Int(text[position])] : symbols.find(text, position..<position + length)
            let index = Int32(truncatingIfNeeded: scratch.list.count)
            scratch.list.append(
                MergeSymbol(
                    start: Int32(truncatingIfNeeded: position - range.lowerBound),
                    length: Int32(length), previous: index - 1, next: index + 1, id: id))
            position += length
        }
        if scratch.list.count > 24 { mergeLong(&scratch) } else { mergeShort(&scratch.list) }
        for symbol in scratch.list where symbol.length > 0 {
            let start = range.lowerBound + Int(symbol.start)
            emit(symbol.id, text, start..<start + Int(symbol.length), &output)
        }
    }

    /// Merges a short word in place by looking for the best pair again and again.
    private func mergeShort(_ list: inout [MergeSymbol]) {
        // `next` of each element holds the rank of its merge with its right neighbour, `previous` the result.
        var ranks = [UInt64](repeating: .max, count: list.count)
        var count = list.count
        for index in 0..<max(0, count - 1) { ranks[index] = merges.find(list[index].id, list[index + 1].id) }
        while count > 1 {
            var best = UInt64.max
            var place = 0
            for index in 0..<count - 1 where ranks[index] >> 32 < best >> 32 {
                best = ranks[index]
                place = index
            }
            if best == .max { break }
            list[place].id = Int32(truncatingIfNeeded: best & 0xFFFF_FFFF)
            list[place].length += list[place + 1].length
            for index in place + 1..<count - 1 {
                list[index] = list[index + 1]
                ranks[index] = ranks[index + 1]
            }
            count -= 1
            ranks[place] = place + 1 < count ? merges.find(list[place].id, list[place + 1].id) : .max
            if place > 0 { ranks[place - 1] = merges.find(list[place - 1].id, list[place].id) }
        }
        list.removeSubrange(count..<list.count)
    }

    private func mergeLong(_ scratch: inout Scratch) {
        scratch.queue.removeAll()
        let count = Int32(truncatingIfNeeded: scratch.list.count)
        scratch.list[Int(count) - 1].next = -1
        for index in 1..<count { propose(index - 1, index, &scratch) }
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
            propose(scratch.list[left].previous, best.left, &scratch)
            propose(best.left, next, &scratch)
        }
    }

    private func propose(_ left: Int32, _ right: Int32, _ scratch: inout Scratch) {
        guard left >= 0, right >= 0 else { return }
        let first = scratch.list[Int(left)]
        let second = scratch.list[Int(right)]
        let found = merges.find(first.id, second.id)
        if found == .max { return }
        scratch.queue.push(
            MergeCandidate(
                rank: found >> 32, left: left, right: right, length: first.length + second.length,
                symbol: Int32(truncatingIfNeeded: found & 0xFFFF_FFFF)))
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
