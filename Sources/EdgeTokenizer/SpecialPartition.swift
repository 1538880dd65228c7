/// Finds special tokens in text. Longer ones are sought first and win; among themselves matches go from left to right.
struct SpecialPartition: Sendable {
    enum Fragment: Sendable {
        case text(Range<Int>)
        case token(Int32)
    }

    /// Special tokens, longest first, with their texts.
    private let tokens: [Int32]
    private let texts: [[UInt8]]
    private let kinds: [TokenKind]
    /// Indexes into `tokens` by first byte.
    private let byFirstByte: [[Int32]]

    init(tokens: PackedStrings, kinds: [TokenKind]) {
        var ids: [Int] = []
        for id in kinds.indices
        where !kinds[id].isDisjoint(with: [.control, .userDefined, .unknown]) && !tokens.range(id).isEmpty {
            ids.append(id)
        }
        ids.sort {
            let (left, right) = (tokens.range($0).count, tokens.range($1).count)
            return left != right ? left > right : $0 < $1
        }
        var byFirstByte = [[Int32]](repeating: [], count: 256)
        for (index, id) in ids.enumerated() {
            byFirstByte[Int(tokens.bytes[tokens.range(id).lowerBound])].append(Int32(truncatingIfNeeded: index))
        }
        self.byFirstByte = byFirstByte
        self.tokens = ids.map { Int32(truncatingIfNeeded: $0) }
        texts = ids.map { Array(tokens[$0]) }
        self.kinds = ids.map { kinds[$0] }
    }

    /// Cuts `text`. Control and unknown tokens count only inside one of the `trusted` ranges.
    func split(_ text: [UInt8], trusted: [Range<Int>]) -> [Fragment] {
        if text.isEmpty { return [] }
        var matches: [(rank: Int32, start: Int)] = []
        var area = 0
        for position in text.indices {
            let candidates = byFirstByte[Int(text[position])]
            if candidates.isEmpty { continue }
            while area < trusted.count && trusted[area].upperBound <= position { area += 1 }
            let limit = area < trusted.count && trusted[area].contains(position) ? trusted[area].upperBound : position
            for rank in candidates {
                let own = texts[Int(rank)]
                let kind = kinds[Int(rank)]
                let end = kind.isDisjoint(with: [.control, .unknown]) ? text.count : limit
                if position + own.count <= end && Self.matches(own, text, position) { matches.append((rank, position)) }
            }
        }
        if matches.isEmpty { return [.text(0..<text.count)] }
        matches.sort { $0.rank != $1.rank ? $0.rank < $1.rank : $0.start < $1.start }
        var fragments: [Fragment] = [.text(0..<text.count)]
        var first = 0
        while first < matches.count {
            var last = first
            while last < matches.count && matches[last].rank == matches[first].rank { last += 1 }
            fragments = cut(fragments, Int(matches[first].rank), matches[first..<last].map(\.start), text)
            first = last
        }
        return fragments
    }

    @inline(__always)
    private static func matches(_ own: [UInt8], _ text: [UInt8], _ position: Int) -> Bool {
        for index in 0..<own.count where own[index] != text[position + index] { return false }
        return true
    }

    private func cut(_ fragments: [Fragment], _ rank: Int, _ starts: [Int], _ text: [UInt8]) -> [Fragment] {
        var result: [Fragment] = []
        result.reserveCapacity(fragments.count + 2 * starts.count)
        let length = texts[rank].count
        var next = 0
        for fragment in fragments {
            guard case .text(let range) = fragment else {
                result.append(fragment)
                continue
            }
            var base = range.lowerBound
            while next < starts.count && starts[next] + length <= range.upperBound {
                let start = starts[next]
                next += 1
                if start < base { continue }
                var end = start
                if kinds[rank].contains(.stripsLeft) {
                    while end > base && Self.isSpace(text[end - 1]) { end -= 1 }
                }
                if end > base { result.append(.text(base..<end)) }
                result.append(.token(tokens[rank]))
                base = start + length
                if kinds[rank].contains(.stripsRight) {
                    while base < range.upperBound && Self.isSpace(text[base]) { base += 1 }
                }
            }
            if base < range.upperBound { result.append(.text(base..<range.upperBound)) }
        }
        return result
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 9 && byte <= 13) }
}
