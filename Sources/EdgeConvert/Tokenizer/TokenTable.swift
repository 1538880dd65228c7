internal import EdgeTokenizer

/// What a token is, by the numbers of `tokenizer.ggml.token_type`, which are SentencePiece's, too.
enum TokenType: Int32 {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
}

/// The tokens of a vocabulary by id, while they are gathered.
struct TokenTable {
    struct Token {
        var text: [UInt8]
        var type: TokenType
        var score: Float
    }

    private(set) var tokens: [Token?]
    private var ids: [[UInt8]: Int] = [:]
    /// The file, for messages.
    let path: String

    /// A table of as many tokens as the model's embedding has rows.
    init(count: Int, path: String) {
        tokens = Array(repeating: nil, count: count)
        self.path = path
    }

    /// Puts a token where none stands yet; `name` is what other files call it.
    mutating func insert(_ id: Int, _ token: Token, name: [UInt8]) throws(ConversionError) {
        guard tokens.indices.contains(id) else {
            throw ConversionError(
                .invalidVocabulary, "token \(id) is beyond the \(tokens.count) rows of the embedding", path: path)
        }
        guard tokens[id] == nil else {
            throw ConversionError(.invalidVocabulary, "two tokens have the id \(id)", path: path)
        }
        tokens[id] = token
        // Of equal names the first counts.
        if ids[name] == nil { ids[name] = id }
    }

    /// Sets a token that was added. One beyond the embedding, as some checkpoints have, cannot be given to the model and is left out.
    mutating func add(_ added: AddedToken, _ token: Token) throws(ConversionError) {
        guard added.id < tokens.count else { return }
        try set(added.id, token, name: Array(added.content.utf8))
    }

    /// Sets a token that may stand there already.
    mutating func set(_ id: Int, _ token: Token, name: [UInt8]) throws(ConversionError) {
        guard tokens.indices.contains(id), tokens[id] != nil else {
            return try insert(id, token, name: name)
        }
        tokens[id] = token
        if ids[name] == nil { ids[name] = id }
    }

    mutating func setType(_ id: Int, _ type: TokenType) { if tokens.indices.contains(id) { tokens[id]?.type = type } }

    /// The id of a token by the name that other files call it.
    func id(_ name: String) -> Int? { ids[Array(name.utf8)] }

    /// All tokens; an id that has none gets `[PAD…]`, which is never used.
    func finished(emptyScore: Float) -> [Token] {
        tokens.indices.map { id in
            tokens[id] ?? Token(text: Array("[PAD\(id)]".utf8), type: .unused, score: emptyScore)
        }
    }
}

/// A token that was added to a vocabulary: an entry of `added_tokens` or `added_tokens_decoder`.
struct AddedToken {
    var id: Int
    var content: String
    var isSpecial: Bool
    var stripsRight: Bool

    init(id: Int, _ entry: Settings) throws(ConversionError) {
        self.id = id
        guard let content = try entry.optionalString("content") else { throw entry.missing("content") }
        self.content = content
        isSpecial = try entry.optionalBool("special") ?? false
        stripsRight = try entry.optionalBool("rstrip") ?? false
    }

    /// Whether it steers a model, by its entry or by its looks: some checkpoints do not mark their control tokens.
    var isControl: Bool {
        isSpecial || ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(content)
            || content.hasPrefix("<|") && content.hasSuffix("|>")
            || content.hasPrefix("<\u{FF5C}") && content.hasSuffix("\u{FF5C}>")
            || content.hasPrefix("<unused") && content.hasSuffix(">")
    }
}
