/// Byte-pair encoding over raw bytes: symbols are ids, a merge is a pair of ids.
struct BytePairModel: Sendable {
    /// Strings by symbol: first the tokens, in raw bytes, then halves of merges that are no token.
    private(set) var symbols: StringTable
    let tokenCount: Int
    let pre: PreTokenizer
    /// Symbol of each single byte, or -1.
    private var bytes: [Int32]
    /// Token of each byte that nothing else covers, or -1.
    private var fallback: [Int32]
    private var keys: [UInt64]
    private var values: [UInt64]

    /// GPT-2's alphabet: the byte that a code point below 324 stands for, or -1.
    static let alphabet: [Int16] = {
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
        return table
    }()

    /// Writes the raw bytes of a token in GPT-2's alphabet; false where a character is not of that alphabet.
    static func decode(_ text: [UInt8], _ range: Range<Int>, into raw: inout [UInt8]) -> Bool {
        raw.removeAll(keepingCapacity: true)
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = text[position]
            if byte > 0x20 && byte < 0x7F {
                raw.append(byte)
                position += 1
                continue
            }
            let read = CodePoints.read(text, position, range.upperBound)
            guard read.isValid, read.scalar < 324, alphabet[Int(read.scalar)] >= 0 else { return false }
            raw.append(UInt8(truncatingIfNeeded: alphabet[Int(read.scalar)]))
            position += read.length
        }
        return true
    }

    /// `isHidden` names the tokens that text must not become.
    init(tokens: PackedStrings, merges: PackedStrings?, pre: PreTokenizer, isHidden: [Bool]) {
        self.pre = pre
        tokenCount = tokens.count
        let mergeCount = merges?.count ?? 0
        symbols = StringTable(capacity: tokens.count)
        var raw: [UInt8] = []
        for id in 0..<tokens.count {
            let range = tokens.range(id)
            if !pre.isByteEncoded {
                symbols.append(tokens.bytes, range, isHidden: isHidden[id] || range.isEmpty)
            } else {
                let isRaw = Self.decode(tokens.bytes, range, into: &raw)
                symbols.append(raw, 0..<raw.count, isHidden: !isRaw || isHidden[id] || raw.isEmpty)
            }
        }
        bytes = []
        fallback = []
        var size = 16
        while size < mergeCount * 2 { size *= 2 }
        keys = [UInt64](repeating: .max, count: size)
        values = [UInt64](repeating: 0, count: size)
        for byte in 0..<256 {
            let single = symbols.find([UInt8(byte)], 0..<1)
            bytes.append(single)
            fallback.append(pre.isByteEncoded ? single : symbols.findByteToken(UInt8(byte)))
        }
        if let merges { addMerges(merges) }
    }

    private mutating func addMerges(_ merges: PackedStrings) {
        var raw: [UInt8] = []
        for rank in 0..<merges.count {
            let range = merges.range(rank)
            // The space that parts the halves is not the first byte: a half may itself be a space.
            var gap = range.lowerBound + 1
            while gap < range.upperBound && merges.bytes[gap] != 0x20 { gap += 1 }
            guard gap < range.upperBound else { continue }
            var split = 0
            if pre.isByteEncoded {
                guard Self.decode(merges.bytes, range.lowerBound..<gap, into: &raw) else { continue }
                let left = raw
                guard Self.decode(merges.bytes, gap + 1..<range.upperBound, into: &raw) else { continue }
                split = left.count
                raw = left + raw
            } else {
                raw = Array(merges.bytes[range.lowerBound..<gap] + merges.bytes[gap + 1..<range.upperBound])
                split = gap - range.lowerBound
            }
            guard split > 0, split < raw.count else { continue }
            let left = symbol(raw, 0..<split)
            let right = symbol(raw, split..<raw.count)
            let whole = symbol(raw, 0..<raw.count)
            insert(left, right, rank: UInt32(truncatingIfNeeded: rank), whole)
        }
    }

    private mutating func symbol(_ raw: [UInt8], _ range: Range<Int>) -> Int32 {
        let known = symbols.find(raw, range)
        if known >= 0 { return known }
        symbols.append(raw, range)
        let id = Int32(truncatingIfNeeded: symbols.count - 1)
        if range.count == 1 { bytes[Int(raw[range.lowerBound])] = id }
        return id
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, _ whole: Int32) {
        let key = Self.key(left, right)
        let mask = keys.count - 1
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while keys[slot] != .max {
            if keys[slot] == key { return }
            slot = (slot + 1) & mask
        }
        keys[slot] = key
        values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: whole))
    }

    /// Rank (upper half) and result (lower half) of a merge, or `.max`.
    @inline(__always)
    private func merge(_ left: Int32, _ right: Int32) -> UInt64 {
        if left < 0 || right < 0 { return .max }
        let key = Self.key(left, right)
        let mask = keys.count - 1
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while true {
            let known = keys[slot]
            if known == key { return values[slot] }
            if known == .max { return .max }
            slot = (slot + 1) & mask
        }
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
        for index in 0..<max(0, count - 1) { ranks[index] = merge(list[index].id, list[index + 1].id) }
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
            ranks[place] = place + 1 < count ? merge(list[place].id, list[place + 1].id) : .max
            if place > 0 { ranks[place - 1] = merge(list[place - 1].id, list[place].id) }
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
        let found = merge(first.id, second.id)
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
