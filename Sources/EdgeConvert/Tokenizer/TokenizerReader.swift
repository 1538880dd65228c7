internal import EdgeGrammar
internal import EdgePlatform
internal import EdgeTokenizer

/// A model's tokenizer as GGUF describes it, and its chat templates.
struct ConvertedTokenizer {
    var vocabulary: Vocabulary
    /// The text, and the name of those beside the default one.
    var templates: [(name: String?, text: String)] = []
    /// What differs from the original, in sentences.
    var notes: [String] = []
    /// Whether the tokens that steer the model take the white space behind them along, which GGUF has no key for.
    var stripsBehindSpecial = false
}

/// Reads a folder's tokenizer: `tokenizer.json`, `tokenizer.model` or `vocab.txt`, and the files beside them that say which tokens are
/// special.
struct TokenizerReader {
    private let files: ModelFiles
    private let config: Settings
    private let tokenizerConfig: Settings?
    private let tokenizer: Settings?
    private let vocabularySize: Int
    private let preTokenizer: String?

    /// The longest `tokenizer.json`, in bytes.
    static let longest = 1 << 27

    /// - Parameter preTokenizer: the name for the pre-tokenizer where its structure does not tell; nil to refuse such tokenizers.
    init(
        _ files: ModelFiles, _ config: Settings, vocabularySize: Int, preTokenizer: String?
    ) throws(ConversionError) {
        self.files = files
        self.config = config
        self.vocabularySize = vocabularySize
        self.preTokenizer = preTokenizer
        tokenizerConfig = try files.json("tokenizer_config.json")
        tokenizer = try files.json("tokenizer.json", limit: Self.longest)
    }

    /// - Throws: `ConversionError`: `unreadable` where there is no tokenizer, `unsupportedTokenizer`, `invalidVocabulary`.
    func read() throws(ConversionError) -> ConvertedTokenizer {
        var result = ConvertedTokenizer(vocabulary: try vocabulary())
        result.templates = try templates()
        let added = try addedTokens()
        result.stripsBehindSpecial = added.contains { $0.isSpecial && $0.stripsRight }
        let beyond = added.filter { $0.id >= vocabularySize }
        if let first = beyond.first {
            result.notes.append(
                "\(beyond.count) added tokens have no row in the embedding and are left out, among them "
                    + ConversionError.quoted(first.content))
        }
        // Whoever loads the file would find the same faults.
        do throws(TokenizerError) { _ = try Tokenizer(result.vocabulary) } catch {
            throw ConversionError(
                error.code == .unknownPreTokenizer ? .unsupportedTokenizer : .invalidVocabulary, error.message,
                path: files.folder, key: error.key)
        }
        return result
    }

    private func vocabulary() throws(ConversionError) -> Vocabulary {
        guard let tokenizer else {
            if let bytes = try files.bytes("tokenizer.model") {
                return try sentencePiece(SentencePieceFile(bytes, path: files.path("tokenizer.model")))
            }
            if let text = try files.text("vocab.txt") { return try wordPiece(lines: text) }
            throw ConversionError(
                .unreadable, "there is none of tokenizer.json, tokenizer.model and vocab.txt", path: files.folder)
        }
        guard let model = try tokenizer.optionalObject("model") else { throw tokenizer.missing("model") }
        switch try modelType(model) {
        case "WordPiece": return try wordPiece(model)
        case "Unigram": return try unigram(model)
        case "BPE":
            if try isByteLevel() { return try bytePairs(model) }
            guard try model.optionalBool("byte_fallback") ?? false else {
                throw ConversionError(
                    .unsupportedTokenizer,
                    "byte-pair encoding neither of bytes nor with tokens for them is not supported",
                    path: tokenizer.path, key: "model")
            }
            if let bytes = try files.bytes("tokenizer.model") {
                return try sentencePiece(SentencePieceFile(bytes, path: files.path("tokenizer.model")))
            }
            return try sentencePiece(model)
        case let other:
            throw ConversionError(
                .unsupportedTokenizer, "the model '\(other)' is not supported; BPE, Unigram and WordPiece are",
                path: tokenizer.path, key: "model.type")
        }
    }

    /// Old files do not name the type.
    private func modelType(_ model: Settings) throws(ConversionError) -> String {
        if let type = try model.optionalString("type") { return type }
        if model.has("merges") { return "BPE" }
        if case .array? = model["vocab"] { return "Unigram" }
        return model.has("continuing_subword_prefix") ? "WordPiece" : ""
    }

    private func isByteLevel() throws(ConversionError) -> Bool {
        func holds(_ step: Settings?, _ key: String, depth: Int) throws(ConversionError) -> Bool {
            guard let step, depth < 8 else { return false }
            if try step.optionalString("type") == "ByteLevel" { return true }
            for item in try step.optionalArray(key) ?? [] {
                if try holds(Settings(item, path: step.path), key, depth: depth + 1) { return true }
            }
            return false
        }
        if try holds(tokenizer?.optionalObject("pre_tokenizer"), "pretokenizers", depth: 0) { return true }
        return try holds(tokenizer?.optionalObject("decoder"), "decoders", depth: 0)
    }

    // MARK: Tokens

    /// Tokens that were added to the vocabulary, by all files that tell of them; of equal ids the last counts.
    private func addedTokens() throws(ConversionError) -> [AddedToken] {
        var found: [Int: AddedToken] = [:]
        for item in try tokenizer?.optionalArray("added_tokens") ?? [] {
            let entry = Settings(item, path: tokenizer?.path ?? "", place: "added_tokens")
            let id = try entry.int("id", in: 0...Int(Int32.max))
            found[id] = try AddedToken(id: id, entry)
        }
        if let decoder = try tokenizerConfig?.optionalObject("added_tokens_decoder") {
            for member in decoder.value.members ?? [] {
                let key = member.key.description
                guard let id = Int(key), case .object = member.value else {
                    throw decoder.invalid(key, "is no token with an id")
                }
                found[id] = try AddedToken(
                    id: id, Settings(member.value, path: decoder.path, place: "added_tokens_decoder.\(key)"))
            }
        }
        if let added = try files.json("added_tokens.json") {
            for member in added.value.members ?? [] {
                let name = member.key.description
                guard let id = member.value.int, (0...Int(Int32.max)).contains(id) else {
                    throw added.invalid(name, "is no id")
                }
                if found[id] == nil { found[id] = AddedToken(id: id, content: name) }
            }
        }
        return found.values.sorted { $0.id < $1.id }
    }

    /// Reads `vocab` of a BPE or WordPiece model.
    private func table(_ model: Settings, _ token: ([UInt8]) -> TokenTable.Token) throws(ConversionError) -> TokenTable
    {
        guard let vocab = try model.optionalObject("vocab"), let members = vocab.value.members else {
            throw model.missing("vocab")
        }
        var table = TokenTable(count: vocabularySize, path: model.path)
        for member in members {
            guard let id = member.value.int else { throw vocab.invalid(member.key.description, "is no id") }
            try table.insert(id, token(member.key.utf8), name: member.key.utf8)
        }
        return table
    }

    /// The vocabulary of a table whose tokens are complete.
    private func vocabulary(_ model: String, _ table: TokenTable, scores: Bool, emptyScore: Float = 0) -> Vocabulary {
        let tokens = table.finished(emptyScore: emptyScore)
        var texts = PackedStrings()
        for token in tokens { texts.append(token.text) }
        var result = Vocabulary(model: model, tokens: texts)
        result.types = tokens.map(\.type.rawValue)
        if scores { result.scores = tokens.map(\.score) }
        return result
    }

    private func bytePairs(_ model: Settings) throws(ConversionError) -> Vocabulary {
        if let normalizer = try tokenizer?.optionalObject("normalizer"), preTokenizer == nil {
            // Composing letters is left out, as every reader of GGUF does.
            let type = try normalizer.optionalString("type") ?? ""
            let steps = try normalizer.optionalArray("normalizers") ?? []
            guard type == "NFC" || type == "Sequence" && steps.allSatisfy({ $0["type"]?.text == "NFC" }) else {
                throw ConversionError(
                    .unsupportedTokenizer, "the normalizer '\(type)' is not supported before bytes are paired",
                    path: normalizer.path, key: "normalizer")
            }
        }
        var table = try table(model) { TokenTable.Token(text: $0, type: .normal, score: 0) }
        for added in try addedTokens() {
            try table.add(
                added,
                TokenTable.Token(
                    text: Array(added.content.utf8), type: added.isControl ? .control : .userDefined, score: 0))
        }
        var result = vocabulary("gpt2", table, scores: false)
        let ignores = try model.optionalBool("ignore_merges") ?? false
        if let preTokenizer {
            result.pre = preTokenizer
        } else if let tokenizer {
            result.pre = try PreTokenizerName.find(tokenizer, ignoresMerges: ignores)
        }
        var merges = PackedStrings()
        for (left, right) in try self.merges(model) { merges.append(left + [0x20] + right) }
        result.merges = merges
        try setSpecial(&result, table)
        return result
    }

    /// Pairs in order of rank, written as `left right` or as two strings.
    private func merges(_ model: Settings) throws(ConversionError) -> [(left: [UInt8], right: [UInt8])] {
        guard let items = try model.optionalArray("merges") else { throw model.missing("merges") }
        var result: [(left: [UInt8], right: [UInt8])] = []
        result.reserveCapacity(items.count)
        for item in items {
            let parts: [[UInt8]]
            switch item {
            case .string(let pair):
                parts = pair.utf8.split(separator: 0x20, omittingEmptySubsequences: false).map(Array.init)
            case .array(let pair):
                parts = pair.compactMap { if case .string(let text) = $0 { text.utf8 } else { nil } }
            default: parts = []
            }
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, !parts[0].contains(0x20),
                !parts[1].contains(0x20)
            else { throw model.invalid("merges", "has an entry \(result.count) that is no pair") }
            result.append((parts[0], parts[1]))
        }
        return result
    }

    // MARK: SentencePiece

    private func sentencePiece(_ file: SentencePieceFile) throws(ConversionError) -> Vocabulary {
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
    private func sentencePiece(_ model: Settings) throws(ConversionError) -> Vocabulary {
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

    private func unigram(_ model: Settings) throws(ConversionError) -> Vocabulary {
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

    // MARK: WordPiece

    private func wordPiece(_ model: Settings) throws(ConversionError) -> Vocabulary {
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
    private func wordPiece(lines text: String) throws(ConversionError) -> Vocabulary {
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

    // MARK: Special tokens

    /// The id of a special token by the files that name it.
    private func special(_ name: String, _ table: TokenTable) throws(ConversionError) -> Int? {
        for source in [tokenizerConfig, try files.json("special_tokens_map.json")] {
            guard let value = source?["\(name)_token"] else { continue }
            let content = value.text ?? value["content"]?.text
            if let content, let id = table.id(content) { return id }
        }
        return nil
    }

    /// The ids that config.json states are those of the model's own: one, or several of which the first counts.
    private func statedId(_ name: String) throws(ConversionError) -> Int? {
        for source in [config, try files.json("generation_config.json")] {
            guard let value = source?["\(name)_token_id"], let id = value.int ?? value.items?.first?.int else {
                continue
            }
            if (0..<vocabularySize).contains(id) { return id }
        }
        return nil
    }

    private func setSpecial(_ vocabulary: inout Vocabulary, _ table: TokenTable) throws(ConversionError) {
        func id(_ name: String, _ known: Int?) throws(ConversionError) -> Int? {
            if let id = try special(name, table) { return id }
            return try statedId(name) ?? known
        }
        vocabulary.bosId = try id("bos", vocabulary.bosId)
        vocabulary.eosId = try id("eos", vocabulary.eosId)
        vocabulary.padId = try id("pad", vocabulary.padId)
        vocabulary.unkId = try special("unk", table) ?? vocabulary.unkId
        vocabulary.sepId = try special("sep", table) ?? vocabulary.sepId
        vocabulary.maskId = try special("mask", table) ?? vocabulary.maskId
        let frame = try TokenFrame(tokenizer)
        if let frame {
            vocabulary.addBos = vocabulary.bosId.map { frame.first == $0 } ?? false
            vocabulary.addEos = vocabulary.eosId.map { frame.last == $0 } ?? false
            // Rerankers part two texts by a token more than one text has.
            if frame.partsPairs, vocabulary.model == "t5" { vocabulary.addSep = true }
        }
        if let flag = try tokenizerConfig?.optionalBool("add_bos_token") { vocabulary.addBos = flag }
        if let flag = try tokenizerConfig?.optionalBool("add_eos_token") { vocabulary.addEos = flag }
    }

    // MARK: Chat templates

    /// The longest template, in bytes.
    private static let longestTemplate = 1 << 22

    private func templates() throws(ConversionError) -> [(name: String?, text: String)] {
        if let text = try files.text("chat_template.jinja", limit: Self.longestTemplate) { return [(nil, text)] }
        var source = tokenizerConfig
        if source?["chat_template"] == nil { source = try files.json("chat_template.json") }
        guard let source, let value = source["chat_template"] else { return [] }
        if let text = value.text { return [(nil, text)] }
        guard let items = value.items else { throw source.invalid("chat_template", "is neither a text nor a list") }
        var result: [(name: String?, text: String)] = []
        for item in items {
            guard let name = item["name"]?.text, let text = item["template"]?.text else {
                throw source.invalid("chat_template", "has an entry without name and template")
            }
            result.append((name == "default" ? nil : name, text))
        }
        return result
    }
}

extension AddedToken {
    /// A token that a file without further statements adds.
    init(id: Int, content: String) {
        (self.id, self.content, isSpecial, stripsRight) = (id, content, false, false)
    }
}
