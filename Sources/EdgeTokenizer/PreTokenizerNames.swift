/// The pre-tokenizers by the names that `tokenizer.ggml.pre` gives them, with the behaviour of llama.cpp.
extension PreTokenizer {
    /// Every name that `named` knows.
    static let names: [String] = [
        "default", "minicpm5", "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
        "lfm2", "jina-v5-nano", "deepseek-llm", "deepseek-coder", "deepseek-v3", "spark2_5", "youtu", "falcon", "mpt",
        "starcoder", "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0",
        "mellum", "modern-bert", "jais-2", "gemma4", "granite-embed-multi-311m", "sarvam-moe", "jina-v1-en",
        "jina-v2-code", "roberta-bpe", "refact", "command-r", "qwen2", "deepseek-r1-qwen", "kormo",
        "f2llmv2", "qwen35", "stablelm2", "olmo", "dbrx", "smaug-bpe", "poro-chat", "chatglm-bpe", "glm4", "glm5",
        "viking", "jais", "tekken", "smollm", "codeshell", "bloom", "gpt3-finnish", "exaone", "exaone4", "exaone-moe",
        "chameleon", "minerva-7b", "megrez", "gpt-4o", "llama4", "kanana2", "talkie", "granite-embed-multi-97m",
        "tiny_aya", "cohere2moe", "superbpe", "trillion", "granite-docling", "bailingmoe", "bailingmoe2", "llada-moe",
        "seed-coder", "hunyuan", "hunyuan-dense", "hy_v4", "joyai-llm", "kimi-k2", "ufakzeka", "grok-2", "afmoe",
        "laguna", "minimax-m2", "solar-open", "mellum2", "whitespace",
    ]

    /// The pre-tokenizer of a name, or nil. A missing or empty name means `default`.
    static func named(_ name: String?) -> PreTokenizer? {
        let llama3 = Step.llama3(digits: 3, marks: false)
        let qwen2 = Step.llama3(digits: 1, marks: false)
        let digit = Step.one(.numbers)
        switch name ?? "default" {
        case "", "default":
            return PreTokenizer(steps: [
                .run(CharacterSet(.punctuation, "$+<=>^~|")), .gpt2, .run(.numbers), digitTriples,
            ])
        case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano":
            return PreTokenizer(steps: [llama3], ignoresMerges: true, addsBos: true)
        case "dbrx", "smaug-bpe": return PreTokenizer(steps: [llama3])
        case "chatglm-bpe": return PreTokenizer(steps: [llama3], hasDefaultBos: false)
        case "glm4", "glm5": return PreTokenizer(steps: [llama3], ignoresMerges: true, hasDefaultBos: false)
        case "minicpm5":
            // The second step meets runs of at most three digits, so its own count of digits does not matter.
            return PreTokenizer(steps: [.run(.numbers, max: 3), llama3], ignoresMerges: true)
        case "jais-2": return PreTokenizer(steps: [jais2])
        case "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum",
            "modern-bert", "mpt", "olmo", "jais", "exaone4":
            return PreTokenizer(steps: [.gpt2])
        case "jina-v1-en", "jina-v2-code", "roberta-bpe": return PreTokenizer(steps: [.gpt2], addsSep: true)
        case "trillion", "granite-docling": return PreTokenizer(steps: [.gpt2])
        case "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2":
            return PreTokenizer(steps: [digit, .gpt2])
        case "command-r", "smollm": return PreTokenizer(steps: [digit, .gpt2])
        case "falcon":
            return PreTokenizer(steps: [.run(CharacterSet(.punctuation, "$+<=>^~|`")), .gpt2, digitTriples])
        case "stablelm2": return PreTokenizer(steps: [qwen2])
        case "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "hunyuan", "solar-open", "grok-2", "megrez":
            return PreTokenizer(steps: [qwen2])
        case "qwen35": return PreTokenizer(steps: [.llama3(digits: 1, marks: true)])
        case "laguna": return PreTokenizer(steps: [.lines, qwen2])
        case "kimi-k2": return PreTokenizer(steps: [.kimi])
        case "superbpe": return PreTokenizer(steps: [.run(.numbers), .beforeThousands])
        case "gemma4", "granite-embed-multi-311m":
            return PreTokenizer(steps: [.lines], isByteEncoded: false, escapesSpaces: true, isGemma4: true)
        case "sarvam-moe":
            return PreTokenizer(steps: [.lines], isByteEncoded: false, escapesSpaces: true)
        case "whitespace":
            return PreTokenizer(steps: [.run(.not(.space))], isByteEncoded: false)
        default: return name.flatMap(patterned)
        }
    }

    /// The names whose steps are patterns of their own.
    private static func patterned(_ name: String) -> PreTokenizer? {
        let digits = Step.run(.numbers, max: 3)
        switch name {
        case "deepseek-llm":
            return PreTokenizer(
                steps: [
                    .one(.breaks), .pattern([.maybe(.spaces), .some(deepseekLetters)]),
                    .pattern([.maybe(.spaces), .some(deepseekMarks)]), .trailingSpaces, .run(deepseekHan),
                    .run(.numbers),
                ])
        case "deepseek-coder":
            return PreTokenizer(
                steps: [
                    .one(.breaks), .pattern([.maybe(.spaces), .some(.letters)]),
                    .pattern([.maybe(.spaces), .some(CharacterSet(.punctuation))]), .run(deepseekHan), .one(.numbers),
                ])
        case "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4":
            return PreTokenizer(
                steps: [digits, .run(.kana), deepseekWords([.some(symbols), .any(.breaks)])])
        case "afmoe":
            return PreTokenizer(
                steps: [.digitGroups, .run(afmoeScripts), deepseekWords([.some(symbols), .any(.breaks)])])
        case "spark2_5":
            return PreTokenizer(steps: [digits, .run(.kana), sparkWords, .one(.numbers)])
        case "youtu":
            return PreTokenizer(
                steps: [youtuScripts, cased(letters: [.letter, .mark], digits: 1, slash: true)], ignoresMerges: true)
        case "tiny_aya", "cohere2moe":
            return PreTokenizer(
                steps: [.digitGroups, cased(letters: [.letter, .mark], digits: 3, slash: true)])
        case "tekken":
            return PreTokenizer(
                steps: [asciiCased(.letter, digits: 1, contractions: false)], ignoresMerges: true, addsBos: true)
        case "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2":
            return PreTokenizer(steps: [asciiCased(.letter, digits: 3, contractions: true)])
        case "granite-embed-multi-97m":
            return PreTokenizer(
                steps: [asciiCased([.letter, .mark], digits: 3, contractions: true)], ignoresMerges: true)
        case "poro-chat": return PreTokenizer(steps: [bloomWords])
        case "bloom", "gpt3-finnish": return PreTokenizer(steps: [bloomWords])
        case "viking": return PreTokenizer(steps: [bloomWords, .one(.numbers)])
        case "chameleon": return PreTokenizer(steps: chameleon, addsBos: true)
        case "bailingmoe", "bailingmoe2", "llada-moe":
            return PreTokenizer(
                steps: [words(digits: 1, symbols: [.some(.other), .any(.breaks)])])
        case "seed-coder":
            let other = CharacterSet.not([.space, .letter, .number], "\r\u{0A}")
            return PreTokenizer(steps: [words(digits: 1, symbols: [.some(other)])])
        case "ufakzeka":
            return PreTokenizer(
                steps: [words(contractions: false, digits: 1, symbols: [.some(.other), .any(.breaks)])])
        case "exaone-moe":
            return PreTokenizer(steps: [exaoneMoE])
        default: return nil
        }
    }
}
