/// A vocabulary as prefix trees, laid out in the order of a walk: what a mask is computed over.
///
/// Tokens of ordinary characters alone (whole UTF-8 characters, none of them a control character, a quote or a backslash)
/// stand in trees by their number of characters, because inside a string they are all allowed, or all up to a length;
/// the rest stands in a tree of its own.
package struct VocabularyTree: Sendable {
    /// A byte of a token; children follow their parent.
    struct Node: Sendable {
        /// The token that ends here, or -1.
        var token: Int32
        /// Nodes of the subtree, this one included.
        var size: Int32
        /// Bytes before this one.
        var depth: UInt16
        var byte: UInt8
    }
    /// Tokens of at most `characters` ordinary characters, not counting those of the buckets before.
    struct Bucket: Sendable {
        var characters: Int
        var nodes: [Node]
        /// The tokens of this bucket and all before it, one bit each.
        var mask: [UInt64]
    }

    /// Tokens, all of them: a mask has a bit for each.
    package let tokenCount: Int
    /// Tokens that end the generation.
    package let endTokens: [Int32]
    var buckets: [Bucket] = []
    var rest: [Node] = []
    /// All tokens in one tree, for states that promise nothing about ordinary characters: fewer first bytes to look at.
    var whole: [Node] = []
    /// Tokens with the same bytes as one that stands in a tree.
    var duplicates: [(first: Int32, other: Int32)] = []
    /// Bytes of all tokens end to end, and where each ends; nothing for those that are not text.
    let bytes: [UInt8]
    let ends: [Int]
    let maximumLength: Int
    private let isTextToken: [Bool]
    /// Tokens that stand in the trees by their ids, too.
    private let named: NamedTokens

    /// The byte that spellings of marks begin with.
    package static let markByte: UInt8 = 0xFF

    /// The bytes by which a grammar names a token that is not text: never found in UTF-8, so nothing else matches them.
    ///
    /// A tree that is to allow such a token is given these bytes for it, and told that it is text, and that no other token with
    /// `markByte` in it is.
    package static func spelling(ofMark token: Int32) -> [UInt8] {
        let id = UInt32(bitPattern: token)
        return [markByte] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: id >> $0) }
    }

    func isText(_ token: Int32) -> Bool { token >= 0 && Int(token) < tokenCount && isTextToken[Int(token)] }

    /// Whether a grammar may name a token. One that ends a generation is never named.
    func isNamed(_ token: Int32) -> Bool {
        token >= 0 && Int(token) < tokenCount && (named.isAll || named.ids.contains(token))
            && !endTokens.contains(token)
    }

    /// The token that bytes are the spelling of; nil where they are none of a token that is allowed so.
    func token(spelledBy bytes: ArraySlice<UInt8>) -> Int32? {
        guard bytes.count == 5, bytes.first == Self.markByte else { return nil }
        let token = Int32(bitPattern: bytes.dropFirst().reduce(0) { $0 << 8 | UInt32($1) })
        guard !endTokens.contains(token), isNamed(token) || isText(token) && self.bytes(of: token) == bytes else {
            return nil
        }
        return token
    }

    /// Nodes that the walk of a mask can visit at most.
    package var nodeCount: Int { max(whole.count, buckets.reduce(rest.count) { $0 + $1.nodes.count }) }

    /// Words of 64 bits that a mask has.
    package var wordCount: Int { (tokenCount + 63) / 64 }

    /// Builds the trees.
    ///
    /// - Parameters:
    ///   - bytes: The bytes of all tokens, end to end.
    ///   - ends: Where each token ends in `bytes`; they must rise, up to at most the byte count.
    ///   - isText: Whether a token stands for its bytes; control tokens do not and never match.
    ///   - endTokens: The tokens that end a generation; allowed where the grammar may end.
    ///   - named: Tokens that a grammar names by their ids, beside what they stand for as text. No other token that is text may have
    ///     `markByte` in it then.
    package init(
        bytes: [UInt8], ends: [Int], isText: [Bool], endTokens: [Int32], named: NamedTokens = NamedTokens()
    ) {
        precondition(ends.count == isText.count, "each token says whether it is text")
        precondition(zip([0] + ends, ends).allSatisfy { $0 <= $1 } && (ends.last ?? 0) <= bytes.count, "ends must rise")
        tokenCount = ends.count
        self.endTokens = Set(endTokens).filter { $0 >= 0 && Int($0) < ends.count }.sorted()
        self.bytes = bytes
        self.ends = ends
        isTextToken = isText
        self.named = named

        // The spellings of named tokens stand behind the texts of all.
        var bytes = bytes
        // Sorted by their first eight bytes, by the rest only where those are equal.
        var order: [(key: UInt64, token: Int32, start: Int, end: Int)] = []
        order.reserveCapacity(ends.count)
        var longest = 0
        func add(_ token: Int, _ start: Int, _ end: Int) {
            var key: UInt64 = 0
            for place in 0..<8 { key = key << 8 | (start + place < end ? UInt64(bytes[start + place]) : 0) }
            order.append((key, Int32(token), start, end))
            longest = max(longest, end - start)
        }
        let isEnd = Set(self.endTokens)
        var start = 0
        for (token, end) in ends.enumerated() {
            defer { start = end }
            guard !isEnd.contains(Int32(token)) else { continue }
            if named.isAll || named.ids.contains(Int32(token)) {
                let start = bytes.count
                bytes += Self.spelling(ofMark: Int32(token))
                add(token, start, bytes.count)
            }
            if isText[token], end > start, end - start <= 1 << 15 { add(token, start, end) }
        }
        maximumLength = longest
        order.sort { left, right in
            if left.key != right.key { return left.key < right.key }
            let (first, second) = (left.start..<left.end, right.start..<right.end)
            let common = min(first.count, second.count)
            var place = min(8, common)
            while place < common {
                let (one, other) = (bytes[first.lowerBound + place], bytes[second.lowerBound + place])
                if one != other { return one < other }
                place += 1
            }
            return first.count != second.count ? first.count < second.count : left.token < right.token
        }

        let limits = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, Int.max]
        var all = TreeBuilder()
        var ignored: [(first: Int32, other: Int32)] = []
        var builders = [TreeBuilder](repeating: TreeBuilder(), count: limits.count + 1)
        for (_, token, start, end) in order {
            let place = start..<end
            let kind: Int
            if let count = Self.ordinaryCharacters(bytes, place) {
                kind = limits.firstIndex { count <= $0 } ?? limits.count - 1
            } else {
                kind = limits.count
            }
            builders[kind].add(token, bytes, place, &duplicates)
            all.add(token, bytes, place, &ignored)
        }
        all.finish()
        whole = all.nodes
        var mask = [UInt64](repeating: 0, count: (ends.count + 63) / 64)
        for (index, limit) in limits.enumerated() {
            builders[index].finish()
            for node in builders[index].nodes where node.token >= 0 {
                mask[Int(node.token) >> 6] |= 1 << UInt64(node.token & 63)
            }
            buckets.append(Bucket(characters: limit, nodes: builders[index].nodes, mask: mask))
        }
        builders[limits.count].finish()
        rest = builders[limits.count].nodes
    }

    /// The bytes of a token; none where it is not text.
    package func bytes(of token: Int32) -> ArraySlice<UInt8> {
        guard token >= 0, Int(token) < tokenCount else { return [] }
        return bytes[(token == 0 ? 0 : ends[Int(token) - 1])..<ends[Int(token)]]
    }

    /// Characters of a token that has ordinary ones alone, else nil.
    private static func ordinaryCharacters(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
        var (place, count) = (range.lowerBound, 0)
        while place < range.upperBound {
            let lead = bytes[place]
            let length: Int
            switch lead {
            case 0..<0x20, 0x22, 0x5C, 0x7F: return nil
            case 0..<0x80: length = 1
            case 0xC2...0xDF: length = 2
            case 0xE0...0xEF: length = 3
            case 0xF0...0xF4: length = 4
            default: return nil
            }
            guard place + length <= range.upperBound else { return nil }
            for next in 1..<max(length, 1) {
                let byte = bytes[place + next]
                guard byte & 0xC0 == 0x80 else { return nil }
                if next > 1 { continue }
                switch lead {
                case 0xE0 where byte < 0xA0, 0xED where byte > 0x9F, 0xF0 where byte < 0x90, 0xF4 where byte > 0x8F:
                    return nil
                default: break
                }
            }
            place += length
            count += 1
        }
        return count
    }

    private struct TreeBuilder {
        var nodes: [Node] = []
        /// Nodes of the path to the last token.
        var path: [Int] = []

        mutating func add(
            _ token: Int32, _ bytes: [UInt8], _ range: Range<Int>, _ duplicates: inout [(first: Int32, other: Int32)]
        ) {
            var common = 0
            while common < path.count, common < range.count,
                nodes[path[common]].byte == bytes[range.lowerBound + common]
            {
                common += 1
            }
            if common == range.count, common == path.count, common > 0 {
                duplicates.append((nodes[path[common - 1]].token, token))
                return
            }
            close(common)
            for depth in common..<range.count {
                path.append(nodes.count)
                nodes.append(
                    Node(
                        token: -1, size: 1, depth: UInt16(truncatingIfNeeded: depth),
                        byte: bytes[range.lowerBound + depth]))
            }
            nodes[nodes.count - 1].token = token
        }

        private mutating func close(_ depth: Int) {
            while path.count > depth, let node = path.popLast() {
                nodes[node].size = Int32(nodes.count - node)
            }
        }

        mutating func finish() { close(0) }
    }
}
