/// What `tokenizer.ggml.model` implies where the file says nothing else.
struct TokenizerFamily {
    enum Kind {
        case sentencePiece
        case bytePair(PreTokenizer)
        case wordPiece
        case unigram(CharacterMap)
        case rwkv
    }

    var kind: Kind
    var addsBos = false
    var addsEos = false
    var addsSep = false
    var addsSpacePrefix = false
    var alwaysAddsBos = false
    var bos: Int?
    var eos: Int?
    var unk: Int?
    var sep: Int?
    var pad: Int?
    var mask: Int?

    static let names = ["llama", "gpt2", "gemma4", "whitespace", "bert", "t5", "rwkv"]

    init(_ vocabulary: Vocabulary) throws(TokenizerError) {
        switch vocabulary.model {
        case "llama":
            kind = .sentencePiece
            addsBos = true
            addsSpacePrefix = true
            (bos, eos, unk) = (1, 2, 0)
        case "gpt2", "gemma4", "whitespace":
            let isGemma = vocabulary.model == "gemma4"
            let name = isGemma ? "gemma4" : vocabulary.pre
            guard var pre = PreTokenizer.named(name) else {
                throw TokenizerError(
                    .unknownPreTokenizer,
                    "unknown pre-tokenizer '\(name ?? "")'; known are \(PreTokenizer.names.joined(separator: ", "))",
                    key: "tokenizer.ggml.pre")
            }
            if vocabulary.merges == nil && name != "kimi-k2" {
                throw TokenizerError(.missing, "byte-pair encoding needs merges", key: "tokenizer.ggml.merges")
            }
            if vocabulary.model == "whitespace" {
                pre.dropsSpaces = true
                pre.lowercases = vocabulary.lowercase ?? (name != "whitespace")
            }
            kind = .bytePair(pre)
            addsBos = pre.addsBos
            addsSep = pre.addsSep
            alwaysAddsBos = pre.isGemma4
            if !isGemma { (bos, eos) = (pre.hasDefaultBos ? 11 : nil, 11) }
        case "bert":
            kind = .wordPiece
            addsBos = true
            addsSep = true
            alwaysAddsBos = true
            (bos, unk, sep, pad, mask) = (101, 100, 102, 0, 103)
        case "t5":
            kind = .unigram(try CharacterMap(vocabulary.precompiledCharsmap ?? []))
            addsEos = true
            (eos, unk, pad) = (1, 2, 0)
        case "rwkv":
            kind = .rwkv
        default:
            throw TokenizerError(
                .unknownModel,
                "unknown tokenizer '\(vocabulary.model)'; known are \(Self.names.joined(separator: ", "))",
                key: "tokenizer.ggml.model")
        }
    }
}
