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
    let files: ModelFiles
    let config: Settings
    let tokenizerConfig: Settings?
    let tokenizer: Settings?
    let vocabularySize: Int
    let preTokenizer: String?

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

    func vocabulary() throws(ConversionError) -> Vocabulary {
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
    func modelType(_ model: Settings) throws(ConversionError) -> String {
        if let type = try model.optionalString("type") { return type }
        if model.has("merges") { return "BPE" }
        if case .array? = model["vocab"] { return "Unigram" }
        return model.has("continuing_subword_prefix") ? "WordPiece" : ""
    }

    func isByteLevel() throws(ConversionError) -> Bool {
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
    func addedTokens() throws(ConversionError) -> [AddedToken] {
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
    func table(_ model: Settings, _ token: ([UInt8]) -> TokenTable.Token) throws(ConversionError) -> TokenTable {
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
    func vocabulary(_ model: String, _ table: TokenTable, scores: Bool, emptyScore: Float = 0) -> Vocabulary {
        let tokens = table.finished(emptyScore: emptyScore)
        var texts = PackedStrings()
        for token in tokens { texts.append(token.text) }
        var result = Vocabulary(model: model, tokens: texts)
        result.types = tokens.map(\.type.rawValue)
        if scores { result.scores = tokens.map(\.score) }
        return result
    }

    func bytePairs(_ model: Settings) throws(ConversionError) -> Vocabulary {
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
    func merges(_ model: Settings) throws(ConversionError) -> [(left: [UInt8], right: [UInt8])] {
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
}

extension AddedToken {
    /// A token that a file without further statements adds.
    init(id: Int, content: String) {
        (self.id, self.content, isSpecial, stripsRight) = (id, content, false, false)
    }
}
