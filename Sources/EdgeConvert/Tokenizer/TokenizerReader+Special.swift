internal import EdgeGrammar
internal import EdgePlatform
internal import EdgeTokenizer

/// Special tokens and chat templates.
extension TokenizerReader {
    /// The id of a special token by the files that name it.
    func special(_ name: String, _ table: TokenTable) throws(ConversionError) -> Int? {
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

    func setSpecial(_ vocabulary: inout Vocabulary, _ table: TokenTable) throws(ConversionError) {
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

    func templates() throws(ConversionError) -> [(name: String?, text: String)] {
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
