internal import EdgeGGUF
internal import EdgePlatform
internal import EdgeQuant
internal import EdgeTokenizer

/// A Hugging Face folder of a model, read and checked, ready to be written as one GGUF file.
package struct Conversion: Sendable {
    /// What is asked of a conversion.
    package struct Options: Sendable {
        package var weightType = WeightType.stored
        /// The name of the pre-tokenizer where tokenizer.json does not tell.
        package var preTokenizer: String?
        /// `general.name`; the folder's name by default.
        package var name: String?
        /// False for a model that takes ids only.
        package var includesTokenizer = true

        package init() {}
    }

    /// `general.architecture`.
    package let architecture: String
    /// What differs from the original, in sentences.
    package let notes: [String]
    package let tensors: [PlannedTensor]
    private let metadata: [(key: String, value: GGUFValue)]

    /// Reads settings, tokenizer and the weights' directories, and checks everything but the values.
    ///
    /// - Throws: `ConversionError`.
    package init(folder: String, options: Options = Options()) throws(ConversionError) {
        var folder = folder
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        let files = ModelFiles(folder: folder)
        guard let config = try files.json("config.json") else {
            throw ConversionError(.unreadable, "there is no config.json", path: folder)
        }
        let quantization = try PackedQuantization(config, files)
        let collector = TensorCollector(
            try Checkpoint(files), weightType: options.weightType, quantization: quantization)
        var plan = try Self.plan(config, collector)
        if !plan.settings.contains(where: { $0.key == "pooling_type" }),
            let pooling = try SentenceModules.pooling(files)
        {
            plan.set("pooling_type", pooling)
        }
        var name = options.name ?? folder.split(separator: "/").last.map(String.init) ?? plan.architecture
        var tokenizer: ConvertedTokenizer?
        if options.includesTokenizer {
            tokenizer = try TokenizerReader(
                files, config, vocabularySize: plan.vocabularySize, preTokenizer: options.preTokenizer
            ).read()
            // The one thing that readers know a model of this kind by.
            let lower = name.lowercased()
            if plan.architecture == "phi3", tokenizer?.stripsBehindSpecial == true, !lower.contains("phi-3"),
                !lower.contains("phi3")
            {
                name += " (Phi-3)"
            }
        }
        architecture = plan.architecture
        notes = plan.notes + (tokenizer?.notes ?? [])
        tensors = plan.collector.planned
        var metadata: [(key: String, value: GGUFValue)] = [
            ("general.architecture", .string(plan.architecture)), ("general.type", .string("model")),
            ("general.name", .string(name)),
        ]
        let fileType = Self.fileType(tensors)
        metadata.append(("general.file_type", .uint32(fileType)))
        if fileType > 1, fileType != 32 { metadata.append(("general.quantization_version", .uint32(2))) }
        metadata += plan.settings.map { (plan.architecture + "." + $0.key, $0.value) }
        metadata += tokenizer?.metadata ?? [("tokenizer.ggml.model", .string("none"))]
        self.metadata = metadata
    }

    private static func plan(
        _ config: Settings, _ collector: TensorCollector
    ) throws(ConversionError) -> ModelPlan {
        let names = try config.optionalStrings("architectures") ?? []
        guard let name = names.first else { throw config.missing("architectures") }
        if let family = DecoderFamily.of(name) { return try DecoderPlanner.plan(family, config, collector) }
        if EncoderPlanner.classes.contains(name) { return try EncoderPlanner.plan(name, config, collector) }
        let known = DecoderFamily.all.flatMap(\.classes) + EncoderPlanner.classes
        throw ConversionError(
            .unsupportedArchitecture,
            "models of the class \(ConversionError.quoted(name)) cannot be converted; these can: "
                + known.joined(separator: ", "), path: config.path, key: "architectures")
    }

    /// `general.file_type` (`llama_ftype`): the type that most bytes of matrices have.
    private static func fileType(_ tensors: [PlannedTensor]) -> UInt32 {
        var bytes: [GGMLType: Int] = [:]
        for tensor in tensors where tensor.dimensions.count > 1 { bytes[tensor.type, default: 0] += tensor.byteCount }
        let most = bytes.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .f32
        return switch most {
        case .f16: 1
        case .q4_0: 2
        case .q8_0: 7
        case .q5_0: 8
        case .bf16: 32
        default: 0
        }
    }

    /// Values of all tensors.
    package var parameterCount: Int { tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) } }

    /// Bytes of all tensors in the result.
    package var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Writes the file, tensor by tensor; readers see all of it or none.
    ///
    /// - Parameters:
    ///   - threadCount: threads that compute; nil for the physical cores. The bytes are the same for any number.
    ///   - progress: called with the bytes of tensors that are written; may throw to end it.
    /// - Throws: `ConversionError` (`valueOutOfRange`, `unwritable`, …), and whatever `progress` throws.
    package func write(
        to path: String, threadCount: Int? = nil, progress: @escaping (Int) throws -> Void = { _ in }
    ) throws {
        var done = 0
        do {
            let team = try ThreadTeam(threadCount: threadCount ?? min(256, Processors.usableCoreCount))
            var writer = GGUFWriter()
            for (key, value) in metadata { writer.set(key, value) }
            for tensor in tensors {
                try writer.add(name: tensor.name, type: tensor.type, dimensions: tensor.dimensions) { emit in
                    try tensor.produce(team) { bytes in
                        try emit(bytes)
                        done += bytes.count
                        try progress(done)
                    }
                }
            }
            try writer.write(to: path)
        } catch let error as PlatformError {
            throw ConversionError(.unreadable, error.description)
        } catch let error as GGUFError {
            let code: ConversionError.Code = error.code == .unreadable ? .unwritable : .malformed
            throw ConversionError(code, error.message, path: path, key: error.key, tensor: error.tensor)
        }
    }
}

extension ConvertedTokenizer {
    /// The keys `tokenizer.*`.
    var metadata: [(key: String, value: GGUFValue)] {
        var result: [(key: String, value: GGUFValue)] = []
        func add(_ key: String, _ value: GGUFValue?) { if let value { result.append(("tokenizer." + key, value)) } }
        add("ggml.model", .string(vocabulary.model))
        // Readers want a name even where nothing is cut.
        add("ggml.pre", .string(vocabulary.pre ?? "default"))
        let tokens = vocabulary.tokens
        add("ggml.tokens", .array(GGUFArray(byteStrings: (0..<tokens.count).map { Array(tokens[$0]) })))
        add("ggml.scores", vocabulary.scores.map { .array(GGUFArray($0)) })
        add("ggml.token_type", vocabulary.types.map { .array(GGUFArray($0)) })
        add(
            "ggml.merges",
            vocabulary.merges.map { merges in
                .array(GGUFArray(byteStrings: (0..<merges.count).map { Array(merges[$0]) }))
            })
        let isBERT = vocabulary.model == "bert"
        if isBERT { add("ggml.token_type_count", .uint32(2)) }
        for (key, id) in [
            ("bos", vocabulary.bosId), ("eos", vocabulary.eosId), ("cls", isBERT ? vocabulary.bosId : nil),
            // The key is written with a slip of the pen that became the rule.
            ("seperator", vocabulary.sepId), ("unknown", vocabulary.unkId), ("padding", vocabulary.padId),
            ("mask", vocabulary.maskId),
        ] {
            add("ggml.\(key)_token_id", id.map { .uint32(UInt32(clamping: $0)) })
        }
        add("ggml.add_bos_token", vocabulary.addBos.map(GGUFValue.bool))
        add("ggml.add_eos_token", vocabulary.addEos.map(GGUFValue.bool))
        add("ggml.add_sep_token", vocabulary.addSep.map(GGUFValue.bool))
        add("ggml.add_space_prefix", vocabulary.addSpacePrefix.map(GGUFValue.bool))
        add("ggml.remove_extra_whitespaces", vocabulary.removeExtraWhitespaces.map(GGUFValue.bool))
        add("ggml.normalizer.lowercase", vocabulary.lowercase.map(GGUFValue.bool))
        add("ggml.normalizer.strip_accents", vocabulary.stripAccents.map(GGUFValue.bool))
        add("ggml.precompiled_charsmap", vocabulary.precompiledCharsmap.map { .array(GGUFArray($0)) })
        for (name, text) in templates { add("chat_template" + (name.map { "." + $0 } ?? ""), .string(text)) }
        let names = templates.compactMap(\.name)
        if !names.isEmpty { add("chat_templates", .array(GGUFArray(names))) }
        return result
    }
}
