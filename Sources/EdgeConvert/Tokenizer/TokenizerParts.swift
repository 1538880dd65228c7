internal import EdgeGrammar

/// The tokens that tokenizer.json puts around a text, by its post-processor.
struct TokenFrame {
    /// The first token, and the last.
    var first: Int?
    var last: Int?
    /// Whether there are tokens between two texts.
    var partsPairs = false

    /// Nil where there is no tokenizer.json.
    init?(_ tokenizer: Settings?) throws(ConversionError) {
        guard let tokenizer else { return nil }
        guard let processor = try tokenizer.optionalObject("post_processor") else { return }
        try read(processor)
        for item in try processor.optionalArray("processors") ?? [] {
            try read(Settings(item, path: tokenizer.path, place: "post_processor.processors"))
        }
    }

    private mutating func read(_ processor: Settings) throws(ConversionError) {
        switch try processor.optionalString("type") {
        case "RobertaProcessing", "BertProcessing":
            // Pairs of a token's text and its id.
            first = try processor.optionalArray("cls")?.last?.int
            last = try processor.optionalArray("sep")?.last?.int
            partsPairs = true
        case "TemplateProcessing":
            guard let tokens = try processor.optionalObject("special_tokens") else { return }
            func id(_ item: JSON?) throws(ConversionError) -> Int? {
                guard let name = item?["SpecialToken"]?["id"]?.text else { return nil }
                return try tokens.optionalObject(name)?.optionalArray("ids")?.first?.int
            }
            let single = try processor.optionalArray("single") ?? []
            if let id = try id(single.first) { first = id }
            if single.count > 1, let id = try id(single.last) { last = id }
            let pair = try processor.optionalArray("pair") ?? []
            partsPairs = pair.dropFirst().dropLast().contains { $0["SpecialToken"] != nil }
        default: break
        }
    }
}

/// What tokenizer.json does to text before Unigram sees it.
struct UnigramSteps {
    var addsSpacePrefix = false
    var mergesSpaces = false
    var charactersMap: [UInt8] = []

    init(_ tokenizer: Settings?) throws(ConversionError) {
        guard let tokenizer else { return }
        if let step = try tokenizer.optionalObject("normalizer") { try visit(step, "normalizer", depth: 0) }
        if let step = try tokenizer.optionalObject("pre_tokenizer") { try visit(step, "pre_tokenizer", depth: 0) }
    }

    private mutating func visit(_ step: Settings, _ key: String, depth: Int) throws(ConversionError) {
        func refuse(_ what: String) -> ConversionError {
            ConversionError(
                .unsupportedTokenizer, "the step '\(what)' is not supported for Unigram", path: step.path, key: key)
        }
        let type = try step.optionalString("type") ?? ""
        switch type {
        case "Sequence":
            guard depth < 8 else { throw refuse(type) }
            for list in ["normalizers", "pretokenizers"] {
                for item in try step.optionalArray(list) ?? [] {
                    try visit(Settings(item, path: step.path), key, depth: depth + 1)
                }
            }
        case "Precompiled":
            guard let text = try step.optionalString("precompiled_charsmap") else { return }
            guard let bytes = Self.decodeBase64(text) else {
                throw step.invalid("precompiled_charsmap", "is no Base64")
            }
            charactersMap = bytes
        case "Replace":
            guard try step.optionalObject("pattern")?.optionalString("Regex") == " {2,}" else { throw refuse(type) }
            mergesSpaces = true
        case "Strip", "WhitespaceSplit": mergesSpaces = true
        case "Metaspace":
            guard try step.optionalString("replacement") ?? "\u{2581}" == "\u{2581}" else { throw refuse(type) }
            if let scheme = try step.optionalString("prepend_scheme") {
                addsSpacePrefix = scheme != "never"
            } else {
                addsSpacePrefix = try step.optionalBool("add_prefix_space") ?? true
            }
        default: throw refuse(type)
        }
    }

    /// Bytes of a text in Base64 (RFC 4648); nil where it is none.
    static func decodeBase64(_ text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var word: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="):
                padding += 1
                value = 0
            default: return nil
            }
            guard padding == 0 || byte == UInt8(ascii: "=") else { return nil }
            word = word << 6 | UInt32(value)
            count += 1
            if count % 4 == 0 {
                result.append(UInt8(truncatingIfNeeded: word >> 16))
                result.append(UInt8(truncatingIfNeeded: word >> 8))
                result.append(UInt8(truncatingIfNeeded: word))
                word = 0
            }
        }
        guard count % 4 == 0, padding <= 2 else { return nil }
        result.removeLast(padding)
        return result
    }
}

/// Scores for SentencePiece's byte pairs from a list of merges.
///
/// SentencePiece merges any two neighbours that make a token, the best token first. A list of merges says the same if the merges that
/// make a token follow one another and there is one for each way to part it into tokens; other lists are refused, as no scores could
/// express them.
struct MergeScores {
    private var ranks: [[UInt8]: Int] = [:]
    private let count: Int

    init(
        _ merges: [(left: [UInt8], right: [UInt8])], _ table: TokenTable, path: String
    ) throws(ConversionError) {
        count = merges.count
        var previous: [UInt8] = []
        var ways: [[UInt8]: Int] = [:]
        for (rank, pair) in merges.enumerated() {
            let made = pair.left + pair.right
            if made != previous {
                guard ranks.updateValue(rank, forKey: made) == nil else {
                    throw Self.refusal(
                        "merges \(rank) and \(ranks[made] ?? 0) make the same token at different ranks", path)
                }
                previous = made
            }
            ways[made, default: 0] += 1
        }
        var known: Set<[UInt8]> = []
        for token in table.tokens {
            if let token, token.type == .normal { known.insert(token.text) }
        }
        for token in table.tokens {
            guard let text = token?.text, token?.type == .normal, text.count > 1 else { continue }
            var found = 0
            for middle in 1..<min(text.count, Self.longest)
            where known.contains(Array(text[..<middle])) && known.contains(Array(text[middle...])) {
                found += 1
            }
            guard ways[text] ?? 0 >= found else {
                throw Self.refusal(
                    "\(found) pairs of tokens make \(ConversionError.quoted(String(decoding: text, as: UTF8.self))), "
                        + "but \(ways[text] ?? 0) merges do", path)
            }
        }
    }

    /// Places at which a token is tried to be parted, so that checking takes time in proportion to the vocabulary.
    private static let longest = 128

    private static func refusal(_ what: String, _ path: String) -> ConversionError {
        ConversionError(
            .unsupportedTokenizer, "\(what); scores cannot say the same, so tokenizer.model is needed", path: path,
            key: "model.merges")
    }

    /// Minus the rank of the merges that make a token; tokens that none makes come last.
    func score(of text: [UInt8]) -> Float { Float(-(ranks[text] ?? count)) }
}
