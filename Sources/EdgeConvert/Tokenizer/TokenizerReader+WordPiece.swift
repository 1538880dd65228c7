internal import EdgeGrammar
internal import EdgePlatform
internal import EdgeTokenizer

/// BERT's WordPiece.
extension TokenizerReader {
    func wordPiece(_ model: Settings) throws(ConversionError) -> Vocabulary {
        guard try model.optionalString("continuing_subword_prefix") ?? "##" == "##" else {
            throw ConversionError(
                .unsupportedTokenizer, "pieces inside a word do not begin with ##", path: model.path,
                key: "model.continuing_subword_prefix")
        }
        var table = try table(model, Self.wordPieceToken)
        for added in try addedTokens() {
            try table.add(
                added,
                TokenTable.Token(
                    text: Array(added.content.utf8), type: added.isControl ? .control : .userDefined, score: -1000))
        }
        let normalizer = try tokenizer?.optionalObject("normalizer")
        if let normalizer {
            guard try normalizer.optionalString("type") == "BertNormalizer",
                try normalizer.optionalBool("handle_chinese_chars") ?? true
            else {
                throw ConversionError(
                    .unsupportedTokenizer, "WordPiece is only supported with BERT's own normalizer",
                    path: normalizer.path, key: "normalizer")
            }
        }
        return try finishWordPiece(
            table, unknown: try model.optionalString("unk_token") ?? "[UNK]",
            lowercases: try normalizer?.optionalBool("lowercase") ?? (normalizer != nil),
            stripsAccents: try normalizer?.optionalBool("strip_accents"))
    }

    /// The vocabulary of BERT's first files: a token a line.
    func wordPiece(lines text: String) throws(ConversionError) -> Vocabulary {
        var table = TokenTable(count: vocabularySize, path: try files.path("vocab.txt"))
        var lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (id, line) in lines.enumerated() {
            let bytes = Array(line.last == 13 ? line.dropLast() : line)
            try table.insert(id, Self.wordPieceToken(bytes), name: bytes)
        }
        for name in ["[PAD]", "[CLS]", "[SEP]", "[MASK]"] {
            if let id = table.id(name) { table.setType(id, .control) }
        }
        return try finishWordPiece(
            table, unknown: "[UNK]", lowercases: try tokenizerConfig?.optionalBool("do_lower_case") ?? true,
            stripsAccents: try tokenizerConfig?.optionalBool("strip_accents"))
    }

    /// The first piece of a word gets U+2581 before it, the others lose their `##`.
    private static func wordPieceToken(_ text: [UInt8]) -> TokenTable.Token {
        let written: [UInt8]
        if text.first == UInt8(ascii: "["), text.last == UInt8(ascii: "]") {
            written = text
        } else if text.starts(with: [0x23, 0x23]) {
            written = Array(text.dropFirst(2))
        } else {
            written = [0xE2, 0x96, 0x81] + text
        }
        return TokenTable.Token(text: written, type: .normal, score: -1000)
    }

    private func finishWordPiece(
        _ table: TokenTable, unknown: String, lowercases: Bool, stripsAccents: Bool?
    ) throws(ConversionError) -> Vocabulary {
        var table = table
        if let id = table.id(unknown) { table.setType(id, .unknown) }
        var result = vocabulary("bert", table, scores: true, emptyScore: -1000)
        result.pre = "default"
        result.lowercase = lowercases
        result.stripAccents = stripsAccents ?? lowercases
        result.unkId = table.id(unknown)
        try setSpecial(&result, table)
        result.sepId = result.sepId ?? table.id("[SEP]")
        result.bosId = try special("cls", table) ?? table.id("[CLS]")
        result.eosId = result.sepId
        result.padId = result.padId ?? table.id("[PAD]")
        result.maskId = result.maskId ?? table.id("[MASK]")
        result.addBos = true
        result.addEos = true
        return result
    }
}
