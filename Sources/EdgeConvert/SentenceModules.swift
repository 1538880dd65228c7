/// What sentence-transformers does to a text's vectors, by `modules.json`.
enum SentenceModules {
    /// GGUF's `pooling_type`: 1 for the mean, 2 for the first token, 3 for the last; nil where the folder says nothing.
    ///
    /// - Throws: `unsupportedArchitecture` for other steps: without them vectors would be others.
    static func pooling(_ files: ModelFiles) throws(ConversionError) -> Int? {
        guard let modules = try files.json("modules.json") else { return nil }
        var pooling: Int?
        for module in modules.value.items ?? [] {
            let entry = Settings(module, path: modules.path)
            let type = try entry.optionalString("type") ?? ""
            // Vectors get the length 1 from whoever asks for it.
            if type.hasSuffix(".Transformer") || type.hasSuffix(".Normalize") { continue }
            guard type.hasSuffix(".Pooling") else {
                throw ConversionError(
                    .unsupportedArchitecture, "the step \(ConversionError.quoted(type)) is not supported",
                    path: modules.path)
            }
            let folder = try entry.optionalString("path") ?? ""
            guard let settings = try files.json("\(folder)/config.json") else {
                throw ConversionError(
                    .unreadable, "the file is missing, but \(modules.path) names its folder",
                    path: try files.path("\(folder)/config.json"))
            }
            pooling = try self.pooling(settings)
        }
        return pooling
    }

    private static let modes = [("mean", "mean_tokens", 1), ("cls", "cls_token", 2), ("lasttoken", "lasttoken", 3)]

    private static func pooling(_ settings: Settings) throws(ConversionError) -> Int {
        var chosen: [Int] = []
        for (_, key, number) in modes where try settings.optionalBool("pooling_mode_" + key) ?? false {
            chosen.append(number)
        }
        if chosen.isEmpty, let mode = try settings.optionalString("pooling_mode"),
            let known = modes.first(where: { $0.0 == mode })
        {
            chosen = [known.2]
        }
        for key in ["max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens"]
        where try settings.optionalBool("pooling_mode_" + key) ?? false {
            chosen = []
        }
        guard chosen.count == 1 else {
            throw ConversionError(
                .unsupportedArchitecture,
                "only one of the mean, the first and the last token's vector can be a text's", path: settings.path)
        }
        return chosen[0]
    }
}
