/// What a token is, as a bit set; a token may be several.
struct TokenKind: OptionSet, Sendable {
    let rawValue: UInt16

    static let normal = TokenKind(rawValue: 1)
    static let unknown = TokenKind(rawValue: 2)
    static let control = TokenKind(rawValue: 4)
    static let userDefined = TokenKind(rawValue: 8)
    static let unused = TokenKind(rawValue: 16)
    static let byte = TokenKind(rawValue: 32)
    /// Takes the white space before, after it along.
    static let stripsLeft = TokenKind(rawValue: 64)
    static let stripsRight = TokenKind(rawValue: 128)
    /// Only trusted text may become it. Control and unknown tokens are guarded, and those that were control tokens until
    /// the rules of a model showed them to the reader.
    static let guarded = TokenKind(rawValue: 256)
    /// Found in text before anything else is.
    static let special: TokenKind = [.control, .userDefined, .unknown]

    init(rawValue: UInt16) { self.rawValue = rawValue }

    /// From `tokenizer.ggml.token_type`.
    init(type: Int32) {
        switch type {
        case 1: self = .normal
        case 2: self = .unknown
        case 3: self = .control
        case 4: self = .userDefined
        case 5: self = .unused
        case 6: self = .byte
        default: self = []
        }
    }
}

/// Texts by which tokens are known to be special although the file does not say so.
enum KnownTokens {
    static let endOfTurn = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
        "[EOT]", "<\u{FF5C}end\u{2581}of\u{2581}sentence\u{FF5C}>", "<end_of_utterance>",
    ]
    static let endOfGeneration =
        endOfTurn + [
            "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "<|eom_id|>", "[EOS]", "<eos>", "<turn|>",
            "<|tool_response>", "[e~[",
        ]
    static let fimPrefix = [
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<\u{FF5C}fim\u{2581}begin\u{FF5C}>", "<PRE>",
        "\u{2581}<PRE>", "<|code_prefix|>", "<|prefix|>",
    ]
    static let fimSuffix = [
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<\u{FF5C}fim\u{2581}hole\u{FF5C}>", "<SUF>",
        "\u{2581}<SUF>", "<|code_suffix|>", "<|suffix|>",
    ]
    static let fimMiddle = [
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<\u{FF5C}fim\u{2581}end\u{FF5C}>", "<MID>",
        "\u{2581}<MID>", "<|code_middle|>", "<|middle|>",
    ]
    static let fimPad = ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]
    static let fimRepository = ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]
    static let fimSeparator = ["<|file_sep|>"]
    /// Control tokens of gpt-oss that are part of what a reader must see.
    static let shown = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"]
}
