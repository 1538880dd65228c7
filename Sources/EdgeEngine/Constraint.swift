package import EdgeGrammar
internal import EdgeModel
package import EdgeTokenizer

/// A grammar that an answer must follow. One object for all requests with the same grammar: the engine remembers what it has learnt
/// of it by its identity.
package final class GenerationConstraint: Sendable {
    package let grammar: Grammar
    /// Tokens that the grammar names by `VocabularyTree.spelling(ofMark:)`. They are no text, even where the vocabulary has them as such.
    package let marks: Set<Int32>

    package init(_ grammar: Grammar, marks: Set<Int32> = []) {
        self.grammar = grammar
        self.marks = marks
    }
}

extension GBNF.Vocabulary {
    /// The tokens of a vocabulary, by the texts that are one of them.
    package init(_ tokenizer: Tokenizer) {
        self.init(tokenCount: tokenizer.count, endTokens: tokenizer.endOfGenerationIds) { text in
            let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: true)
            guard ids.count == 1, tokenizer.bytes(of: ids[0], special: true) == Array(text.utf8) else { return nil }
            return ids[0]
        }
    }
}

/// Decides while an answer is written when its constraint begins to bind.
package protocol ConstraintTrigger: Sendable {
    /// Takes a token and the text that it makes whole; where the constraint binds from now on, the end of that text that belongs to
    /// it already, else nil.
    mutating func append(_ token: Int32, _ text: String) -> [UInt8]?
}

/// What an engine knows of the grammars it has followed: the vocabulary's tree, made once, and a matcher for each of the latest
/// grammars, whose automata are unrolled already where earlier answers went.
struct ConstraintMemory {
    private var trees: [(marks: Set<Int32>, named: NamedTokens, tree: VocabularyTree)] = []
    private var latest: [(constraint: GenerationConstraint, start: Matcher)] = []

    /// Automata take up to 24 MiB each.
    private static let limit = 4

    mutating func follower(
        of constraint: GenerationConstraint, _ tokenizer: Tokenizer, vocabularySize: Int
    ) -> ConstraintFollower {
        let known = latest.firstIndex { $0.constraint === constraint }
        let entry =
            known.map { latest.remove(at: $0) }
            ?? (
                constraint,
                Matcher(
                    constraint.grammar,
                    tree: tree(
                        of: tokenizer, vocabularySize, marks: constraint.marks, named: constraint.grammar.named))
            )
        latest.append(entry)
        if latest.count > Self.limit { latest.removeFirst() }
        return ConstraintFollower(entry.1, tokenizer, vocabularySize: vocabularySize)
    }

    /// Forgets what it knows of a grammar that an answer could not follow any further: the automaton, which others would share, has
    /// given up parses then.
    mutating func forget(_ constraint: GenerationConstraint?) { latest.removeAll { $0.constraint === constraint } }

    /// A model has one set of marks, so there are mostly two trees; two are kept.
    private mutating func tree(
        of tokenizer: Tokenizer, _ vocabularySize: Int, marks: Set<Int32>, named: NamedTokens
    ) -> VocabularyTree {
        if let known = trees.first(where: { $0.marks == marks && $0.named == named }) { return known.tree }
        var (bytes, ends, isText): ([UInt8], [Int], [Bool]) = ([], [], [])
        for id in 0..<Int32(min(tokenizer.count, vocabularySize)) {
            let isMark = marks.contains(id)
            let token =
                isMark ? VocabularyTree.spelling(ofMark: id) : tokenizer.bytes(of: id, special: false)
            bytes += token
            ends.append(bytes.count)
            // A vocabulary may have tokens for single bytes; the one that marks begin with is never part of a text.
            let isSpelling = !(marks.isEmpty && named.isEmpty) && token.contains(VocabularyTree.markByte)
            isText.append(isMark || !token.isEmpty && !tokenizer.isControl(id) && !isSpelling)
        }
        let made = VocabularyTree(
            bytes: bytes, ends: ends, isText: isText, endTokens: tokenizer.endOfGenerationIds, named: named)
        trees = trees.suffix(1) + [(marks, named, made)]
        return made
    }
}

/// Follows one answer through its grammar.
struct ConstraintFollower {
    private var matcher: Matcher
    private let tokenizer: Tokenizer
    /// Bytes put before forced text, where the tokenizer would put a space of its own there.
    private let lead: [UInt8]
    /// A bit for each token that may come next, as of the last `update`.
    private(set) var bits: [UInt64]

    /// Forced bytes looked at at once: the rest is forced the next time.
    private static let stretch = 1_024

    init(_ matcher: Matcher, _ tokenizer: Tokenizer, vocabularySize: Int) {
        self.matcher = matcher
        self.tokenizer = tokenizer
        bits = [UInt64](repeating: 0, count: max(matcher.tree.wordCount, (vocabularySize + 63) / 64))
        let letter = tokenizer.encode(bytes: [0x61], addSpecial: false, parseSpecial: false)
        lead = letter.flatMap { tokenizer.bytes(of: $0, special: false) } == [0x61] ? [] : [0x0A]
    }

    /// Whether nothing but an end may follow.
    var mustEnd: Bool { matcher.mustEnd }

    /// Finds out what may come next.
    ///
    /// - Throws: `EngineError.constraintFailed` where nothing may.
    mutating func update() throws(EngineError) {
        do throws(MatcherError) {
            if try matcher.mask(into: &bits) { return }
        } catch {
            throw .constraintFailed("the text can be read in too many ways by its grammar to be followed")
        }
        throw .constraintFailed("the vocabulary has no token for what the grammar asks for next")
    }

    /// Takes a token that was allowed.
    ///
    /// - Throws: `EngineError.constraintFailed` where it was not.
    mutating func accept(_ id: Int32) throws(EngineError) {
        guard matcher.accept(id) else {
            throw .constraintFailed("token \(id) was chosen where the grammar does not allow it")
        }
    }

    /// Takes text that was written before the constraint bound; says whether it may stand there.
    mutating func accept(bytes: [UInt8]) -> Bool { bytes.isEmpty || matcher.accept(bytes: bytes) }

    /// The tokens that must come next and are not open to another spelling.
    mutating func forced() -> [Int32] {
        let (tokenizer, lead) = (tokenizer, lead)
        return matcher.forcedTokens(limit: Self.stretch) { bytes in
            let ids = tokenizer.encode(bytes: lead + bytes, addSpecial: false, parseSpecial: false)
            guard !lead.isEmpty else { return ids }
            // Tokens of the lead, and of the space that the tokenizer put before it.
            var spelled: [UInt8] = []
            for (index, id) in ids.enumerated() {
                spelled += tokenizer.bytes(of: id, special: false)
                if spelled.suffix(lead.count) == lead[...] { return Array(ids[(index + 1)...]) }
                if spelled.count > lead.count { return [] }
            }
            return []
        }
    }
}
