package import EdgeGGUF
package import EdgeTokenizer

extension Vocabulary {
    /// Reads `tokenizer.ggml.*`. Missing optional keys stay nil; a key of the wrong type is an error that names it.
    package init(_ file: GGUFFile) throws(GGUFError) {
        let data = file.metadata
        let prefix = "tokenizer.ggml."
        let tokens = try data.packedStrings(prefix + "tokens")
        try self.init(
            model: data.string(prefix + "model"), pre: data.optionalString(prefix + "pre"),
            tokens: PackedStrings(bytes: tokens.bytes, ends: tokens.ends))
        if data[prefix + "scores"] != nil { scores = try Self.floats(data, prefix + "scores") }
        if let list = try data.optionalInts(prefix + "token_type") {
            types = list.map { Int32(clamping: $0) }
        }
        if data[prefix + "merges"] != nil {
            let list = try data.packedStrings(prefix + "merges")
            merges = PackedStrings(bytes: list.bytes, ends: list.ends)
        }
        bosId = try data.optionalInt(prefix + "bos_token_id")
        eosId = try data.optionalInt(prefix + "eos_token_id")
        eotId = try data.optionalInt(prefix + "eot_token_id")
        eomId = try data.optionalInt(prefix + "eom_token_id")
        unkId = try data.optionalInt(prefix + "unknown_token_id")
        // The key was written with a slip of the pen for years.
        sepId = try data.optionalInt(prefix + "seperator_token_id")
        padId = try data.optionalInt(prefix + "padding_token_id")
        maskId = try data.optionalInt(prefix + "mask_token_id")
        fimPreId = try Self.firstId(data, prefix + "fim_pre_token_id", prefix + "prefix_token_id")
        fimSufId = try Self.firstId(data, prefix + "fim_suf_token_id", prefix + "suffix_token_id")
        fimMidId = try Self.firstId(data, prefix + "fim_mid_token_id", prefix + "middle_token_id")
        fimPadId = try data.optionalInt(prefix + "fim_pad_token_id")
        fimRepId = try data.optionalInt(prefix + "fim_rep_token_id")
        fimSepId = try data.optionalInt(prefix + "fim_sep_token_id")
        addBos = try data.optionalBool(prefix + "add_bos_token")
        addEos = try data.optionalBool(prefix + "add_eos_token")
        addSep = try data.optionalBool(prefix + "add_sep_token")
        addSpacePrefix = try data.optionalBool(prefix + "add_space_prefix")
        removeExtraWhitespaces = try data.optionalBool(prefix + "remove_extra_whitespaces")
        lowercase = try data.optionalBool(prefix + "normalizer.lowercase")
        stripAccents = try data.optionalBool(prefix + "normalizer.strip_accents")
        if let list = try data.optionalInts(prefix + "precompiled_charsmap") {
            precompiledCharsmap = list.map { UInt8(truncatingIfNeeded: $0) }
        }
        modelName = try data.optionalString("general.name")
        architecture = try data.optionalString("general.architecture")
    }

    /// The value of the first key, or of its older name.
    private static func firstId(_ data: GGUFMetadata, _ key: String, _ older: String) throws(GGUFError) -> Int? {
        if let id = try data.optionalInt(key) { return id }
        return try data.optionalInt(older)
    }

    private static func floats(_ data: GGUFMetadata, _ key: String) throws(GGUFError) -> [Float] {
        let array = try data.array(key)
        if let floats = array.floats() { return floats }
        return try data.ints(key).map { Float($0) }
    }
}
