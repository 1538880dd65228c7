internal import EdgeGrammar

/// The name that GGUF has for what a tokenizer.json says about cutting text into words.
enum PreTokenizerName {
    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let tail = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    private static let words = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
    private static let marks = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    private static let upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
    private static let lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    private static let leader = "[^\\r\\n\\p{L}\\p{N}]?"

    /// Words in upper then lower case, as GPT-4o cuts them.
    private static func cased(_ contractions: String, digits: String) -> String {
        "\(leader)\(upper)*\(lower)+\(contractions)|\(leader)\(upper)+\(lower)*\(contractions)|\(digits)"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*\(tail)"
    }

    private static let llama3 = "\(contractions)|\(words)|\\p{N}{1,3}\(marks)\(tail)"
    /// OpenAI's spelling of the same: without going back, and with one line break behind white space that takes in all others.
    private static let cl100k =
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]"
        + "|\\s+(?!\\S)|\\s+"
    private static let deepseek =
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        + "| ?[\\p{P}\\p{S}]+[\\r\\n]*\(tail)"

    /// Steps, and the names where a word that is a token is merged all the same, and where it is taken whole.
    private static let known: [(steps: [String], merged: String?, whole: String?)] = [
        (["gpt2"], "gpt-2", nil),
        (["\\p{N}", "gpt2"], "smollm", nil),
        ([llama3], "dbrx", "llama-bpe"),
        ([cl100k], "dbrx", "llama-bpe"),
        (["\(contractions)|\(words)|\\p{N}\(marks)\(tail)"], "qwen2", nil),
        (
            [
                "\(contractions)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*\(tail)"
            ], "qwen35", nil
        ),
        ([cased(contractions + "?", digits: "\\p{N}{1,3}")], "gpt-4o", nil),
        ([cased("", digits: "\\p{N}")], nil, "tekken"),
        (["\\p{N}{1,3}", "[一-龥\u{3040}-ゟ゠-ヿ]+", deepseek], "deepseek-v3", nil),
    ]

    /// The name, by the structure of `pre_tokenizer`.
    ///
    /// - Throws: `unsupportedTokenizer` where there is none, with the steps that were found.
    static func find(_ tokenizer: Settings, ignoresMerges: Bool) throws(ConversionError) -> String {
        var steps: [String] = []
        if let pre = try tokenizer.optionalObject("pre_tokenizer") { try append(pre, to: &steps, depth: 0) }
        for entry in known where entry.steps == steps {
            if let name = ignoresMerges ? entry.whole : entry.merged { return name }
        }
        throw ConversionError(
            .unsupportedTokenizer,
            "GGUF has no name for this way to cut text into words: "
                + steps.map(ConversionError.quoted).joined(separator: ", ")
                + (ignoresMerges ? ", words that are tokens taken whole" : "")
                + "; a name can be given, such as 'default'", path: tokenizer.path, key: "pre_tokenizer")
    }

    private static func append(_ step: Settings, to steps: inout [String], depth: Int) throws(ConversionError) {
        switch try step.optionalString("type") ?? "" {
        case "Sequence":
            guard depth < 8 else { throw step.invalid("pretokenizers", "nests too deep") }
            for item in try step.optionalArray("pretokenizers") ?? [] {
                try append(
                    Settings(item, path: step.path, place: "pre_tokenizer.pretokenizers"), to: &steps, depth: depth + 1)
            }
        case "Split":
            let pattern = try step.optionalObject("pattern")
            guard let regex = try pattern?.optionalString("Regex") else {
                throw ConversionError(
                    .unsupportedTokenizer, "words are parted by a text and not by a pattern", path: step.path,
                    key: "pre_tokenizer")
            }
            // Cutting around matches, or keeping nothing but them, is the same for patterns that match everything.
            steps.append(regex)
        case "Digits": steps.append(try step.optionalBool("individual_digits") ?? false ? "\\p{N}" : "\\p{N}+")
        case "ByteLevel":
            if try step.optionalBool("add_prefix_space") ?? false { steps.append("a space before the text") }
            if try step.optionalBool("use_regex") ?? true { steps.append("gpt2") }
        case let other: steps.append(other)
        }
    }
}
