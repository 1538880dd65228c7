/// Turns text into token ids and back. Immutable, so that threads may share it.
///
/// Follows llama.cpp in what counts as a token, with one exception: text that is not trusted never becomes a control
/// token, not even by way of merges.
package final class Tokenizer: Sendable {
    enum Model: Sendable {
        case sentencePiece(SentencePieceModel)
        case bytePair(BytePairModel)
        case wordPiece(WordPieceModel)
        case unigram(UnigramModel)
        case rwkv(RWKVModel)
    }

    let model: Model
    let tokens: PackedStrings
    let kinds: [TokenKind]
    let partition: SpecialPartition
    let hasRawPieces: Bool
    let addsSpacePrefix: Bool
    /// Whether decoding drops spaces before punctuation: only WordPiece, which has no other way to know where none stood.
    var cleansSpaces: Bool { if case .wordPiece = model { true } else { false } }

    package let bosId: Int32?
    package let eosId: Int32?
    package let eotId: Int32?
    package let unkId: Int32?
    package let sepId: Int32?
    package let padId: Int32?
    package let maskId: Int32?
    /// Whether `encode(addSpecial: true)` starts with BOS, ends with EOS.
    package let addsBos: Bool
    package let addsEos: Bool
    /// Whether a pair of texts is parted by SEP, as rerankers want it.
    package let addsSep: Bool
    /// Tokens after which a model has nothing more to say, ascending.
    package let endOfGenerationIds: [Int32]

    /// Number of tokens.
    package var count: Int { tokens.count }

    package init(_ vocabulary: Vocabulary) throws(TokenizerError) {
        var texts = vocabulary.tokens
        guard texts.isSound, texts.count <= Int(Int32.max) / 2 else {
            throw TokenizerError(.invalid, "the token list is damaged", key: "tokenizer.ggml.tokens")
        }
        guard texts.count > 0 else {
            throw TokenizerError(.missing, "the token list is empty", key: "tokenizer.ggml.tokens")
        }
        if let scores = vocabulary.scores, scores.count < texts.count {
            throw TokenizerError(
                .invalid, "\(scores.count) scores for \(texts.count) tokens", key: "tokenizer.ggml.scores")
        }
        if let types = vocabulary.types, types.count < texts.count {
            throw TokenizerError(
                .invalid, "\(types.count) types for \(texts.count) tokens", key: "tokenizer.ggml.token_type")
        }
        if let merges = vocabulary.merges, !merges.isSound {
            throw TokenizerError(.invalid, "the merge list is damaged", key: "tokenizer.ggml.merges")
        }
        let family = try TokenizerFamily(vocabulary)
        let special = SpecialTokens(vocabulary, family)
        self.kinds = special.kinds
        bosId = special.bos
        eosId = special.eos
        eotId = special.eot
        unkId = special.unk
        sepId = special.sep
        padId = special.pad
        maskId = special.mask
        endOfGenerationIds = special.endOfGeneration
        addsSpacePrefix = vocabulary.addSpacePrefix ?? family.addsSpacePrefix
        addsBos = family.alwaysAddsBos || (vocabulary.addBos ?? family.addsBos)
        addsEos = vocabulary.addEos ?? family.addsEos
        addsSep = vocabulary.addSep ?? family.addsSep
        partition = SpecialPartition(tokens: texts, kinds: kinds)
        let isHidden = kinds.map { $0.contains(.guarded) }
        try Self.checkLengths(texts, kinds, family)
        switch family.kind {
        case .sentencePiece:
            let scores = vocabulary.scores ?? [Float](repeating: 0, count: texts.count)
            model = .sentencePiece(
                SentencePieceModel(tokens: texts, scores: scores, isHidden: isHidden, unknown: special.unk ?? -1))
            hasRawPieces = false
        case .bytePair(let pre):
            model = .bytePair(
                BytePairModel(tokens: texts, merges: vocabulary.merges, pre: pre, isHidden: isHidden))
            hasRawPieces = pre.isByteEncoded
        case .wordPiece:
            let lowercases = vocabulary.lowercase ?? true
            model = .wordPiece(
                WordPieceModel(
                    tokens: texts, isHidden: isHidden, unknown: special.unk ?? -1, lowercases: lowercases,
                    stripsAccents: vocabulary.stripAccents ?? lowercases))
            hasRawPieces = false
        case .unigram(let map):
            model = .unigram(
                UnigramModel(
                    tokens: texts, scores: vocabulary.scores ?? [Float](repeating: 0, count: texts.count),
                    kinds: kinds, unknown: special.unk ?? -1, map: map, addsSpace: addsSpacePrefix,
                    mergesSpaces: vocabulary.removeExtraWhitespaces ?? false))
            hasRawPieces = false
        case .rwkv:
            model = .rwkv(RWKVModel(tokens: texts, isHidden: isHidden, unknown: special.unk ?? -1))
            hasRawPieces = false
        }
        if texts.ends.isEmpty { texts = PackedStrings() }
        tokens = texts
    }

    /// Tokens that are sought at every place of a text must be short, or a long text of near misses would take forever.
    private static func checkLengths(
        _ texts: PackedStrings, _ kinds: [TokenKind], _ family: TokenizerFamily
    ) throws(TokenizerError) {
        let soughtEverywhere =
            switch family.kind {
            case .sentencePiece, .bytePair: false
            case .wordPiece, .unigram, .rwkv: true
            }
        for id in kinds.indices where texts.range(id).count > longestSought {
            if soughtEverywhere || !kinds[id].isDisjoint(with: .special) {
                throw TokenizerError(
                    .invalid, "token \(id) has \(texts.range(id).count) bytes, over \(longestSought)",
                    key: "tokenizer.ggml.tokens")
            }
        }
    }

    private static let longestSought = 1024

    package func isControl(_ id: Int32) -> Bool {
        kinds.indices.contains(Int(id)) && kinds[Int(id)].contains(.control)
    }

    package func isEndOfGeneration(_ id: Int32) -> Bool { endOfGenerationIds.contains(id) }

    /// Token whose text is exactly this, special tokens included.
    package func id(of text: String) -> Int32? {
        let bytes = Array(text.utf8)
        for id in 0..<tokens.count where tokens.range(id).count == bytes.count && tokens[id].elementsEqual(bytes) {
            return Int32(truncatingIfNeeded: id)
        }
        return nil
    }
}
