/// Finds special tokens in text. Longer ones are sought first and win; among themselves matches go from left to right.
struct SpecialPartition: Sendable {
    enum Fragment: Sendable {
        case text(Range<Int>)
        case token(Int32)
    }

    private struct Special: Sendable {
        var token: Int32
        var text: [UInt8]
        var kind: TokenKind
    }

    /// Longest first; the place in this list is a token's rank.
    private let specials: [Special]
    /// Rank by text; of equal texts the first.
    private let ranks: ByteTrie
    private let isFirstByte: [Bool]

    init(tokens: PackedStrings, kinds: [TokenKind]) {
        var specials: [Special] = []
        for id in kinds.indices where !kinds[id].isDisjoint(with: .special) && !tokens.range(id).isEmpty {
            specials.append(
                Special(token: Int32(truncatingIfNeeded: id), text: Array(tokens[id]), kind: kinds[id]))
        }
        specials.sort {
            $0.text.count != $1.text.count ? $0.text.count > $1.text.count : $0.token < $1.token
        }
        var ranks = ByteTrie()
        var isFirstByte = [Bool](repeating: false, count: 256)
        for (rank, special) in specials.enumerated() {
            ranks.insert(special.text, Int32(truncatingIfNeeded: rank))
            isFirstByte[Int(special.text[0])] = true
        }
        self.specials = specials
        self.ranks = ranks
        self.isFirstByte = isFirstByte
    }

    /// Cuts `text`. Guarded tokens, and those in `marks`, count only inside one of the `trusted` ranges.
    ///
    /// - Parameter borders: ascending places in the text that no fragment reaches over.
    func split(_ text: [UInt8], trusted: [Range<Int>], borders: [Int] = [], marks: Set<Int32> = []) -> [Fragment] {
        if text.isEmpty { return [] }
        var fragments: [Fragment] = []
        var start = 0
        for border in borders + [text.count] where border > start {
            fragments.append(.text(start..<border))
            start = border
        }
        for rank in present(in: text, trusted) {
            let special = specials[rank]
            fragments = cut(
                fragments, special, text, trusted,
                isGuarded: special.kind.contains(.guarded) || marks.contains(special.token))
        }
        return fragments
    }

    /// Where the trusted stretch that holds each position ends, for positions that rise.
    private struct Limits {
        let trusted: [Range<Int>]
        var area = 0

        /// The end of the trusted stretch around `position`, or `position` itself outside of any.
        @inline(__always)
        mutating func limit(_ position: Int) -> Int {
            while area < trusted.count && trusted[area].upperBound <= position { area += 1 }
            return area < trusted.count && trusted[area].lowerBound <= position ? trusted[area].upperBound : position
        }
    }

    /// Ranks of the tokens that stand anywhere in the text, in order.
    private func present(in text: [UInt8], _ trusted: [Range<Int>]) -> [Int] {
        var isPresent: [Bool] = []
        var limits = Limits(trusted: trusted)
        for position in text.indices where isFirstByte[Int(text[position])] {
            let limit = limits.limit(position)
            var node: Int32 = 0
            var next = position
            while next < text.count {
                node = ranks.child(node, text[next])
                if node < 0 { break }
                next += 1
                let rank = Int(ranks.value(node))
                if rank < 0 || (next > limit && specials[rank].kind.contains(.guarded)) { continue }
                if isPresent.isEmpty { isPresent = [Bool](repeating: false, count: specials.count) }
                isPresent[rank] = true
            }
        }
        return isPresent.indices.filter { isPresent[$0] }
    }

    private func cut(
        _ fragments: [Fragment], _ special: Special, _ text: [UInt8], _ trusted: [Range<Int>], isGuarded: Bool
    ) -> [Fragment] {
        var result: [Fragment] = []
        result.reserveCapacity(fragments.count)
        var limits = Limits(trusted: trusted)
        let length = special.text.count
        for fragment in fragments {
            guard case .text(let range) = fragment else {
                result.append(fragment)
                continue
            }
            var base = range.lowerBound
            var start = base
            while start + length <= range.upperBound {
                guard text[start] == special.text[0], Self.matches(special.text, text, start),
                    !isGuarded || start + length <= limits.limit(start)
                else {
                    start += 1
                    continue
                }
                var end = start
                if special.kind.contains(.stripsLeft) {
                    while end > base && Self.isSpace(text[end - 1]) { end -= 1 }
                }
                if end > base { result.append(.text(base..<end)) }
                result.append(.token(special.token))
                base = start + length
                if special.kind.contains(.stripsRight) {
                    while base < range.upperBound && Self.isSpace(text[base]) { base += 1 }
                }
                start = base
            }
            if base < range.upperBound { result.append(.text(base..<range.upperBound)) }
        }
        return result
    }

    @inline(__always)
    private static func matches(_ own: [UInt8], _ text: [UInt8], _ position: Int) -> Bool {
        for index in 0..<own.count where own[index] != text[position + index] { return false }
        return true
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 9 && byte <= 13) }
}
