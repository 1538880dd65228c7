/// Why a matcher cannot go on.
package enum MatcherError: Error, Equatable, Sendable {
    /// The text so far can be read in more ways than `GrammarLimits.parses` allows.
    case tooAmbiguous
    /// `rollback` was asked for more tokens than are remembered.
    case rollbackTooFar(remembered: Int)
}

/// Follows a text through a grammar, and says which tokens may come next.
///
/// It has the value semantics of a structure; copies share what they have learnt of the grammar, so a matcher and its
/// copies belong to one thread at a time.
package struct Matcher {
    package let tree: VocabularyTree
    private var automaton: LazyAutomaton
    private var masks: MaskMemory
    private var configuration: Int32
    /// Configurations before each of the last tokens.
    private var history: [Int32] = []
    /// Tokens that can be taken back at the least.
    package static let rollbackLimit = 256

    package init(_ grammar: Grammar, tree: VocabularyTree) {
        self.tree = tree
        automaton = LazyAutomaton(grammar)
        masks = MaskMemory()
        configuration = automaton.start()
    }

    /// Whether the text so far is whole.
    package var canEnd: Bool { automaton.canEnd[Int(configuration)] }

    /// Whether no byte may follow: only an end.
    package var mustEnd: Bool { canEnd && automaton.heads(of: configuration).isEmpty }

    // MARK: Tokens

    /// Writes one bit for each token that may come next, and returns whether there is one.
    ///
    /// - Parameter bits: At least `tree.wordCount` words; token t is bit `t % 64` of word `t / 64`.
    /// - Throws: `MatcherError.tooAmbiguous`.
    /// - Complexity: A walk over the vocabulary's tree at worst, one table look-up a byte; mostly a few thousand bytes.
    package mutating func mask(into bits: inout [UInt64]) throws(MatcherError) -> Bool {
        precondition(bits.count >= tree.wordCount, "a mask has a bit for each token")
        prepare()
        if !masks.recall(configuration, into: &bits) {
            let reach = Int(automaton.reach[Int(configuration)])
            var first = 0
            while first < tree.buckets.count, reach == 255 || tree.buckets[first].characters <= reach { first += 1 }
            if first > 0 {
                let mask = tree.buckets[first - 1].mask
                for word in mask.indices { bits[word] = mask[word] }
            } else {
                for word in 0..<tree.wordCount { bits[word] = 0 }
            }
            if first == 0 {
                walk(tree.whole, &bits)
            } else {
                walk(tree.rest, &bits)
                for bucket in tree.buckets[first...] { walk(bucket.nodes, &bits) }
            }
            if automaton.isOverfull { throw .tooAmbiguous }
            for (one, other) in tree.duplicates where bits[Int(one) >> 6] >> UInt64(one & 63) & 1 != 0 {
                bits[Int(other) >> 6] |= 1 << UInt64(other & 63)
            }
            if canEnd { for token in tree.endTokens { bits[Int(token) >> 6] |= 1 << UInt64(token & 63) } }
            masks.remember(configuration, bits, tree.wordCount)
        }
        for word in 0..<tree.wordCount where bits[word] != 0 { return true }
        return false
    }

    /// Walks a tree from the configuration, and sets the bits of the tokens whose bytes it survives.
    private mutating func walk(_ nodes: [VocabularyTree.Node], _ bits: inout [UInt64]) {
        let classOf = automaton.grammar.classOf
        let classCount = automaton.classCount
        let limit = automaton.grammar.limits.cacheBytes
        var table = automaton.next
        automaton.next = []
        var path = [Int32](repeating: 0, count: tree.maximumLength + 1)
        path[0] = configuration
        var place = 0
        let count = nodes.count
        while place < count {
            let node = nodes[place]
            let depth = Int(node.depth)
            let group = Int(classOf[Int(node.byte)])
            var target = table[Int(path[depth]) * classCount + group]
            if target < 0 {
                automaton.next = table
                table = []
                if automaton.size > 2 * limit {
                    let full = automaton
                    compact()
                    for place in 0...depth { path[place] = automaton.adopt(path[place], from: full) }
                }
                target = automaton.step(path[depth], class: group)
                table = automaton.next
                automaton.next = []
            }
            if target == LazyAutomaton.dead {
                place += Int(node.size)
                continue
            }
            if node.token >= 0 { bits[Int(node.token) >> 6] |= 1 << UInt64(node.token & 63) }
            path[depth + 1] = target
            place += 1
        }
        automaton.next = table
    }

    /// Takes a token, where it may come next; else changes nothing and says no. An end token changes nothing either.
    package mutating func accept(_ token: Int32) -> Bool {
        if tree.endTokens.contains(token) { return canEnd }
        let bytes = tree.bytes(of: token)
        let isText = !bytes.isEmpty && tree.isText(token)
        guard tree.isNamed(token) else { return isText && accept(bytes: bytes) }
        // It may be meant by its id or by its text, and where both can be, it is both.
        prepare()
        return take(
            automaton.union(
                configuration(after: VocabularyTree.spelling(ofMark: token)),
                isText ? configuration(after: bytes) : LazyAutomaton.dead))
    }

    /// Takes the bytes of one token, or of a stretch of forced text; counts as one step for `rollback`.
    package mutating func accept(bytes: some Sequence<UInt8>) -> Bool {
        prepare()
        return take(configuration(after: bytes))
    }

    private func configuration(after bytes: some Sequence<UInt8>) -> Int32 {
        var next = configuration
        for byte in bytes where next != LazyAutomaton.dead { next = automaton.step(next, byte) }
        return next
    }

    private mutating func take(_ next: Int32) -> Bool {
        guard next != LazyAutomaton.dead else { return false }
        if history.count >= 2 * Self.rollbackLimit { history.removeFirst(Self.rollbackLimit) }
        history.append(configuration)
        configuration = next
        return true
    }

    /// Takes back the last steps.
    package mutating func rollback(_ count: Int) throws(MatcherError) {
        guard count >= 0, count <= history.count else { throw .rollbackTooFar(remembered: history.count) }
        if count == 0 { return }
        configuration = history[history.count - count]
        history.removeLast(count)
    }

    // MARK: Forced text

    /// The bytes that must come next, up to the first choice, an end, or `limit`.
    package mutating func forcedBytes(limit: Int = 4_096) -> [UInt8] {
        prepare()
        var bytes: [UInt8] = []
        var place = configuration
        while bytes.count < limit, let byte = automaton.onlyByte(place), !automaton.isOverfull {
            bytes.append(byte)
            place = automaton.step(place, byte)
        }
        return automaton.isOverfull ? [] : bytes
    }

    /// The tokens that must come next, as `tokenize` cuts the forced bytes, without those that a longer token might replace.
    ///
    /// The model's tokenizer may join the last forced bytes with what follows them. So a token is kept only where no token
    /// of the vocabulary starts with all forced bytes from there on and goes on as the grammar allows. Where `tokenize` gives
    /// other bytes (a space put before a text), the tokens end before them. A token that is named stands for itself, and no text
    /// reaches over it.
    package mutating func forcedTokens(limit: Int = 4_096, tokenize: ([UInt8]) -> [Int32]) -> [Int32] {
        var rest = forcedBytes(limit: limit)[...]
        var place = configuration
        var made: [Int32] = []
        while let mark = rest.firstIndex(of: VocabularyTree.markByte) {
            let text = Array(rest[..<mark])
            let tokens = text.isEmpty ? [] : tokenize(text)
            let starts = starts(of: tokens, in: text)
            made += tokens.prefix(starts.count - 1)
            guard starts.last == text.count, let token = tree.token(spelledBy: rest[mark...].prefix(5)) else {
                return made
            }
            made.append(token)
            for byte in rest[..<(mark + 5)] { place = automaton.step(place, byte) }
            rest = rest[(mark + 5)...]
        }
        return made + forcedTokens(Array(rest), from: place, tokenize)
    }

    /// Where each token begins that tokens of a text are cut to, and where they end; up to the first that has other bytes.
    private func starts(of tokens: [Int32], in text: [UInt8]) -> [Int] {
        var starts = [0]
        for token in tokens {
            let (place, bytes) = (starts[starts.count - 1], tree.bytes(of: token))
            guard tree.isText(token), !bytes.isEmpty, place + bytes.count <= text.count,
                bytes.elementsEqual(text[place..<place + bytes.count])
            else { break }
            starts.append(place + bytes.count)
        }
        return starts
    }

    /// The tokens of forced text, at the end of which there is a choice.
    private mutating func forcedTokens(
        _ forced: [UInt8], from configuration: Int32, _ tokenize: ([UInt8]) -> [Int32]
    ) -> [Int32] {
        if forced.isEmpty { return [] }
        let tokens = tokenize(forced)
        let starts = starts(of: tokens, in: forced)
        // Configurations after each forced byte.
        var configurations = [configuration]
        for byte in forced { configurations.append(automaton.step(configurations[configurations.count - 1], byte)) }
        guard let last = configurations.last else { return [] }
        var kept = starts.count - 1
        for index in starts.indices where starts[index] < forced.count {
            if forced.count - starts[index] >= tree.maximumLength { continue }
            if canExtend(forced[starts[index]...], last) {
                kept = index
                break
            }
        }
        return Array(tokens.prefix(kept))
    }

    /// Whether some token begins with the bytes, is longer, and its next byte is allowed in the configuration.
    private func canExtend(_ bytes: ArraySlice<UInt8>, _ after: Int32) -> Bool {
        let nodes = tree.whole
        var (place, end) = (0, nodes.count)
        var matched = bytes.startIndex
        while place < end {
            let node = nodes[place]
            if matched == bytes.endIndex {
                if automaton.step(after, node.byte) != LazyAutomaton.dead { return true }
                place += Int(node.size)
            } else if node.byte == bytes[matched] {
                matched += 1
                end = place + Int(node.size)
                place += 1
            } else {
                place += Int(node.size)
            }
        }
        return false
    }

    // MARK: Memory

    /// Before each call: the tables within their limit, and a fresh budget.
    private mutating func prepare() {
        automaton.budget = automaton.grammar.limits.parsesPerCall
        if automaton.size > automaton.grammar.limits.cacheBytes { compact() }
    }

    /// Starts a new automaton from what is still needed, once the old one has grown past its limit.
    private mutating func compact() {
        let fresh = LazyAutomaton(automaton.grammar)
        fresh.budget = automaton.budget
        history = Array(history.suffix(Self.rollbackLimit)).map { fresh.adopt($0, from: automaton) }
        configuration = fresh.adopt(configuration, from: automaton)
        automaton = fresh
        masks = MaskMemory()
    }
}

/// The masks of the configurations that were met last.
private final class MaskMemory {
    private static let limit = 64
    private var index: [Int32: Int] = [:]
    private var owners: [Int32] = []
    private var masks: [[UInt64]] = []
    private var oldest = 0

    func recall(_ configuration: Int32, into bits: inout [UInt64]) -> Bool {
        guard let place = index[configuration] else { return false }
        let mask = masks[place]
        for word in mask.indices { bits[word] = mask[word] }
        return true
    }

    func remember(_ configuration: Int32, _ bits: [UInt64], _ count: Int) {
        let mask = Array(bits[..<count])
        if masks.count < Self.limit {
            index[configuration] = masks.count
            masks.append(mask)
            owners.append(configuration)
            return
        }
        index[owners[oldest]] = nil
        index[configuration] = oldest
        owners[oldest] = configuration
        masks[oldest] = mask
        oldest = (oldest + 1) % Self.limit
    }
}
