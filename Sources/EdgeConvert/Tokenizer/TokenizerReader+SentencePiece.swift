internal import EdgeGrammar
internal import EdgePlatform
internal import EdgeTokenizer

/// SentencePiece's byte pairs and Unigram.
extension TokenizerReader {
    func sentencePiece(_ file: SentencePieceFile) throws(ConversionError) -> Vocabulary {
        let path = try files.path("tokenizer.model")
        guard file.modelType == 1 || file.modelType == 2, !file.putsSpacesBehind else {
            throw ConversionError(
                .unsupportedTokenizer,
                "of SentencePiece's models only Unigram and byte pairs are supported, "
                    + "with spaces before words", path: path)
        }
        let isUnigram = file.modelType == 1
        guard isUnigram || file.charactersMap.isEmpty else {
            throw ConversionError(
                .unsupportedTokenizer, "byte pairs of normalised text are not supported", path: path)
        }
        var table = TokenTable(count: vocabularySize, path: path)
        for (id, piece) in file.pieces.enumerated() {
            // Pieces defined by the user are found by their scores, unless they are added tokens.
            let type = piece.type == .userDefined ? .normal : piece.type
            try table.insert(
                id, TokenTable.Token(text: piece.text, type: type, score: piece.score), name: piece.text)
        }
        try addSentencePieceTokens(&table)
        var result = vocabulary(isUnigram ? "t5" : "llama", table, scores: true, emptyScore: -10_000)
        result.addSpacePrefix = try tokenizerConfig?.optionalBool("add_prefix_space") ?? file.addsSpacePrefix
        if isUnigram {
            result.removeExtraWhitespaces = file.mergesSpaces
            if !file.charactersMap.isEmpty { result.precompiledCharsmap = file.charactersMap }
        }
        func id(_ number: Int) -> Int? { file.pieces.indices.contains(number) ? number : nil }
        result.unkId = id(file.unknownId)
        result.bosId = id(file.bosId)
        result.eosId = id(file.eosId)
        result.padId = id(file.padId)
        try setSpecial(&result, table)
        return result
    }

    private func addSentencePieceTokens(_ table: inout TokenTable) throws(ConversionError) {
        for added in try addedTokens() {
            // What SentencePiece itself calls unknown or a byte stays that.
            if let known = table.tokens.indices.contains(added.id) ? table.tokens[added.id] : nil,
                known.type == .unknown || known.type == .byte
            {
                continue
            }
            let text = added.isControl ? added.content : added.content.replacing("\u{2581}", with: " ")
            try table.add(
                added,
                TokenTable.Token(
                    text: Array(text.utf8), type: added.isControl ? .control : .userDefined, score: -1000))
        }
    }

    /// A SentencePiece model that was saved as merges only: the rank of the first merge that makes a token is its score.
    func sentencePiece(_ model: Settings) throws(ConversionError) -> Vocabulary {
        let unknown = try model.optionalString("unk_token") ?? "<unk>"
        var table = try table(model) { text in
            TokenTable.Token(
                text: text,
                type: text.elementsEqual(unknown.utf8) ? .unknown : Self.isByte(text) ? .byte : .normal, score: 0)
        }
        let prefix = try spacePrefix()
        let scores = try MergeScores(try merges(model), table, path: model.path)
        for (id, token) in table.tokens.enumerated() {
            guard var token, token.type == .normal else { continue }
            token.score = scores.score(of: token.text)
            try table.set(id, token, name: token.text)
        }
        try addSentencePieceTokens(&table)
        var result = vocabulary("llama", table, scores: true, emptyScore: -10_000_000)
        result.addSpacePrefix = prefix
        try setSpecial(&result, table)
        return result
    }

    private static func isByte(_ text: [UInt8]) -> Bool {
        text.count == 6 && text.starts(with: Array("<0x".utf8)) && text[5] == UInt8(ascii: ">")
            && text[3...4].allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }

    /// Whether a space is put before a text, by the normalizer or the pre-tokenizer.
    ///
    /// - Throws: `unsupportedTokenizer` for steps that change text in another way.
    private func spacePrefix() throws(ConversionError) -> Bool {
        var prefix = false
        var escapes = false
        func visit(_ step: Settings?, depth: Int) throws(ConversionError) {
            guard let step else { return }
            func refuse(_ what: String) -> ConversionError {
                ConversionError(
                    .unsupportedTokenizer, "the step '\(what)' is not supported for SentencePiece's byte pairs",
                    path: step.path)
            }
            let type = try step.optionalString("type") ?? ""
            switch type {
            case "Sequence":
                guard depth < 8 else { throw refuse(type) }
                for key in ["normalizers", "pretokenizers"] {
                    for item in try step.optionalArray(key) ?? [] {
                        try visit(Settings(item, path: step.path), depth: depth + 1)
                    }
                }
            case "Prepend":
                guard try step.optionalString("prepend") == "\u{2581}" else { throw refuse(type) }
                prefix = true
            case "Replace":
                guard try step.optionalObject("pattern")?.optionalString("String") == " ",
                    try step.optionalString("content") == "\u{2581}"
                else { throw refuse(type) }
                escapes = true
            case "Metaspace":
                guard try step.optionalString("replacement") ?? "\u{2581}" == "\u{2581}" else { throw refuse(type) }
                if let scheme = try step.optionalString("prepend_scheme") {
                    prefix = scheme != "never"
                } else {
                    prefix = try step.optionalBool("add_prefix_space") ?? true
                }
                escapes = true
            case "Split":
                // Gemma's: spaces are gone by then.
                guard try step.optionalObject("pattern")?.optionalString("String") == " " else { throw refuse(type) }
            default: throw refuse(type)
            }
        }
        try visit(tokenizer?.optionalObject("normalizer"), depth: 0)
        try visit(tokenizer?.optionalObject("pre_tokenizer"), depth: 0)
        guard escapes else {
            throw ConversionError(
                .unsupportedTokenizer, "spaces are not written as U+2581", path: tokenizer?.path, key: "normalizer")
        }
        return prefix
    }

    func unigram(_ model: Settings) throws(ConversionError) -> Vocabulary {
        guard let items = try model.optionalArray("vocab") else { throw model.missing("vocab") }
        let unknown = try model.optionalInt("unk_id", in: 0...Int(Int32.max))
        var table = TokenTable(count: vocabularySize, path: model.path)
        for (id, item) in items.enumerated() {
            guard let pair = item.items, pair.count == 2, case .string(let text) = pair[0], let score = pair[1].double,
                Float(score).isFinite
            else { throw model.invalid("vocab", "has an entry \(id) that is no piece with a score") }
            try table.insert(
                id,
                TokenTable.Token(text: text.utf8, type: id == unknown ? .unknown : .normal, score: Float(score)),
                name: text.utf8)
        }
        for added in try addedTokens() where added.id != unknown {
            try table.add(
                added,
                TokenTable.Token(
                    text: Array(added.content.utf8), type: added.isControl ? .control : .userDefined, score: -1000))
        }
        var result = vocabulary("t5", table, scores: true, emptyScore: -10_000)
        let steps = try UnigramSteps(tokenizer)
        result.addSpacePrefix = steps.addsSpacePrefix
        result.removeExtraWhitespaces = steps.mergesSpaces
        if !steps.charactersMap.isEmpty { result.precompiledCharsmap = steps.charactersMap }
        result.unkId = unknown
        try setSpecial(&result, table)
        return result
    }
}
