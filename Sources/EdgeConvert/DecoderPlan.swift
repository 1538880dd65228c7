/// The sizes of a decoder.
struct DecoderShape {
    let width: Int
    let layerCount: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headSize: Int
    let innerWidth: Int
    let contextLength: Int
    let vocabularySize: Int
    let statesHeadSize: Bool
    let expertCount: Int
    let usedExpertCount: Int
    let expertWidth: Int?

    /// Bounds far beyond any model, below which no product of sizes overflows.
    static let widest = 1 << 24
    static let mostLayers = 1 << 12
    static let mostTokens = 1 << 22

    init(_ config: Settings) throws(ConversionError) {
        width = try config.int("hidden_size", in: 1...Self.widest)
        layerCount = try config.int("num_hidden_layers", in: 1...Self.mostLayers)
        headCount = try config.int("num_attention_heads", in: 1...1 << 16)
        keyValueHeadCount = try config.optionalInt("num_key_value_heads", in: 1...1 << 16) ?? headCount
        guard headCount % keyValueHeadCount == 0 else {
            throw config.invalid("num_key_value_heads", "does not divide the \(headCount) heads")
        }
        let stated = try config.optionalInt("head_dim", in: 2...1 << 16)
        guard stated != nil || width % headCount == 0 else {
            throw config.invalid("num_attention_heads", "does not divide the width of \(width)")
        }
        headSize = stated ?? width / headCount
        guard headSize % 2 == 0 else { throw config.invalid("head_dim", "is odd") }
        statesHeadSize = headSize * headCount != width
        innerWidth = try config.int("intermediate_size", in: 1...Self.widest)
        contextLength = try config.int("max_position_embeddings", in: 1...Int(UInt32.max))
        vocabularySize = try config.int("vocab_size", in: 1...Self.mostTokens)
        var experts = try config.optionalInt("num_local_experts", in: 0...4096)
        if experts == nil { experts = try config.optionalInt("num_experts", in: 0...4096) }
        expertCount = experts ?? 0
        usedExpertCount = try config.optionalInt("num_experts_per_tok", in: 0...4096) ?? 0
        expertWidth = try config.optionalInt("moe_intermediate_size", in: 1...Self.widest)
    }
}

/// Plans the settings and tensors of a decoder.
struct DecoderPlanner {
    let family: DecoderFamily
    let config: Settings
    let shape: DecoderShape
    /// What stands before the names of all tensors.
    private let prefix: String
    private var plan: ModelPlan

    static func plan(
        _ family: DecoderFamily, _ config: Settings, _ collector: TensorCollector
    ) throws(ConversionError) -> ModelPlan {
        var settings = config
        if let key = family.configKey {
            guard let inner = try config.optionalObject(key) else { throw config.missing(key) }
            settings = inner
        }
        var planner = try DecoderPlanner(family, settings.filled(with: family.defaults), collector)
        try planner.writeSettings()
        try planner.writeTensors()
        return planner.plan
    }

    private init(_ family: DecoderFamily, _ config: Settings, _ collector: TensorCollector) throws(ConversionError) {
        self.family = family
        self.config = config
        shape = try DecoderShape(config)
        prefix = family.prefixes.first { collector.has($0 + "embed_tokens.weight") } ?? family.prefixes[0]
        var architecture = family.architecture
        if case .all(let other) = family.windows, try Self.window(config, shape) != nil { architecture = other }
        plan = ModelPlan(architecture: architecture, collector: collector)
        plan.vocabularySize = shape.vocabularySize
    }

    private func refuse(_ key: String, _ what: String) -> ConversionError {
        ConversionError(
            .unsupportedArchitecture, "\(what) not supported by the architecture '\(plan.architecture)'",
            path: config.path, key: key)
    }

    // MARK: Settings

    /// Positions that layers with a window see; nil where it is no shorter than the context.
    private static func window(_ config: Settings, _ shape: DecoderShape) throws(ConversionError) -> Int? {
        guard try config.optionalBool("use_sliding_window") ?? true,
            let window = try config.optionalInt("sliding_window", in: 0...Int(UInt32.max)), window > 0,
            window < shape.contextLength
        else { return nil }
        return window
    }

    private mutating func writeSettings() throws(ConversionError) {
        plan.set("vocab_size", shape.vocabularySize)
        plan.set("context_length", shape.contextLength)
        plan.set("embedding_length", shape.width)
        plan.set("block_count", shape.layerCount)
        plan.set("feed_forward_length", shape.innerWidth)
        plan.set("attention.head_count", shape.headCount)
        plan.set("attention.head_count_kv", shape.keyValueHeadCount)
        if shape.statesHeadSize {
            plan.set("attention.key_length", shape.headSize)
            plan.set("attention.value_length", shape.headSize)
        }
        let epsilon = try config.float(family.epsilonKey)
        plan.set(
            family.isLayerNorm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", epsilon)
        try writeRotary()
        try writeWindows()
        try checkActivation()
        if case .experts = family.feedForward { try writeExperts() }
        switch family.architecture {
        case "gemma2", "gemma3": try writeGemma()
        case "granite": try writeMultipliers()
        case "stablelm":
            // Older checkpoints do not have the key and run both branches in turn.
            guard try !(config.optionalBool("use_parallel_residual") ?? false) else {
                throw refuse("use_parallel_residual", "attention beside the feed-forward network is")
            }
            guard try !(config.optionalBool("qk_layernorm") ?? false) else {
                throw refuse("qk_layernorm", "norms of queries and keys are")
            }
            plan.set("use_parallel_residual", false)
        case "smollm3": try checkUnrotated()
        default: break
        }
    }

    private mutating func writeRotary() throws(ConversionError) {
        let rotary = try Rotary(config)
        guard rotary.partial == 1 || ["phi3", "stablelm"].contains(family.architecture) else {
            throw refuse("partial_rotary_factor", "turning a part of each head is")
        }
        guard rotary.dimensionCount(headSize: shape.headSize) % 2 == 0 else {
            throw config.invalid("partial_rotary_factor", "leaves an odd number of components")
        }
        try rotary.write(to: &plan, config, headSize: shape.headSize, contextLength: shape.contextLength)
        if let base = rotary.windowedBase { plan.set("rope.freq_base_swa", base) }
    }

    private mutating func writeWindows() throws(ConversionError) {
        guard let window = try Self.window(config, shape) else {
            // Files that say nothing get Gemma 2's own window.
            if case .allButLast = family.windows { plan.set("attention.sliding_window", 0) }
            return
        }
        var kinds: [Bool]?
        if let names = try config.optionalStrings("layer_types") {
            guard names.count >= shape.layerCount else {
                throw config.invalid("layer_types", "has \(names.count) entries for \(shape.layerCount) layers")
            }
            var found: [Bool] = []
            for name in names.prefix(shape.layerCount) {
                guard ["sliding_attention", "full_attention"].contains(name) else {
                    throw refuse("layer_types", "layers of the kind \(ConversionError.quoted(name)) are")
                }
                found.append(name == "sliding_attention")
            }
            kinds = found
        }
        switch family.windows {
        case .refused:
            // Qwen's first layers see everything.
            let first = try config.optionalInt("max_window_layers", in: 0...1 << 16) ?? 0
            if kinds?.contains(true) ?? (first < shape.layerCount) {
                throw refuse("sliding_window", "layers with a window are")
            }
        case .ignored:
            plan.set("attention.sliding_window", window)
            plan.notes.append(
                "the checkpoint's layers see \(window) positions; readers of '\(plan.architecture)' let them see all, "
                    + "so answers beyond that many tokens differ")
        case .all:
            guard !(kinds?.contains(false) ?? false) else { throw refuse("layer_types", "layers of two kinds are") }
            plan.set("attention.sliding_window", window)
            plan.notes.append(
                "every layer sees \(window) positions, which the architecture '\(plan.architecture)' says; not all readers "
                    + "of GGUF know it")
        case .allButLast(let standard):
            plan.set("attention.sliding_window", window)
            if kinds == nil {
                var period = try config.optionalInt("sliding_window_pattern", in: 1...1 << 16)
                if period == nil { period = try config.optionalInt("_sliding_window_pattern", in: 1...1 << 16) }
                if let period { kinds = pattern(period) }
            }
            if let kinds, kinds != pattern(standard) { plan.set("attention.sliding_window_pattern", kinds) }
        }
    }

    private func pattern(_ period: Int) -> [Bool] { (0..<shape.layerCount).map { $0 % period < period - 1 } }

    private func checkActivation() throws(ConversionError) {
        var name = try config.optionalString("hidden_activation")
        if name == nil { name = try config.optionalString("hidden_act") }
        guard let name, !family.activations.contains(name) else { return }
        throw refuse("hidden_act", "the activation \(ConversionError.quoted(name)) is")
    }

    private mutating func writeExperts() throws(ConversionError) {
        guard shape.expertCount > 0, (1...shape.expertCount).contains(shape.usedExpertCount) else {
            throw config.invalid("num_experts_per_tok", "is not between 1 and the \(shape.expertCount) experts")
        }
        plan.set("expert_count", shape.expertCount)
        plan.set("expert_used_count", shape.usedExpertCount)
        if let width = shape.expertWidth { plan.set("expert_feed_forward_length", width) }
        guard try config.optionalBool("norm_topk_prob") ?? (family.architecture != "qwen3moe") else {
            throw refuse("norm_topk_prob", "experts whose weights do not add up to 1 are")
        }
        guard try config.optionalInt("decoder_sparse_step", in: 0...1 << 16) ?? 1 == 1,
            try (config.optionalArray("mlp_only_layers") ?? []).isEmpty
        else { throw refuse("decoder_sparse_step", "layers without experts are") }
    }

    private mutating func writeGemma() throws(ConversionError) {
        let attentionCap = try config.optionalFloat("attn_logit_softcapping") ?? 0
        let outputCap = try config.optionalFloat("final_logit_softcapping") ?? 0
        if family.architecture == "gemma2" {
            plan.set("attn_logit_softcapping", attentionCap)
        } else if attentionCap != 0 {
            throw refuse("attn_logit_softcapping", "a bound of the scores is")
        }
        if family.architecture == "gemma2" || outputCap != 0 { plan.set("final_logit_softcapping", outputCap) }
        guard try !(config.optionalBool("use_bidirectional_attention") ?? false) else {
            throw refuse("use_bidirectional_attention", "attention in both directions is")
        }
        // Files have no key for it: readers divide by √(head size), of the largest models by √(width / heads).
        let largest = family.architecture == "gemma2" ? 46 : 62
        let expected = shape.layerCount == largest ? shape.width / shape.headCount : shape.headSize
        if let scalar = try config.optionalDouble("query_pre_attn_scalar"), scalar != Double(expected) {
            throw refuse("query_pre_attn_scalar", "scores divided by √\(scalar) and not by √\(expected) are")
        }
    }

    private mutating func writeMultipliers() throws(ConversionError) {
        for (key, name) in [
            ("logits_scaling", "logit_scale"), ("attention_multiplier", "attention.scale"),
            ("embedding_multiplier", "embedding_scale"), ("residual_multiplier", "residual_scale"),
        ] {
            if let value = try config.optionalFloat(key) { plan.set(name, value) }
        }
    }

    /// Every fourth layer turns nothing; files do not say so.
    private func checkUnrotated() throws(ConversionError) {
        guard let list = try config.optionalArray("no_rope_layers") else { return }
        guard list.count >= shape.layerCount,
            (0..<shape.layerCount).allSatisfy({ list[$0].int == (($0 + 1) % 4 == 0 ? 0 : 1) })
        else { throw refuse("no_rope_layers", "other layers without rotation than every fourth are") }
    }

    // MARK: Tensors

    private mutating func writeTensors() throws(ConversionError) {
        try plan.collector.linear(
            "token_embd", from: prefix + "embed_tokens", rows: shape.vocabularySize, columns: shape.width)
        for layer in 0..<shape.layerCount { try writeLayer(layer) }
        try plan.collector.norm("output_norm", from: prefix + "norm", count: shape.width, adding: family.normOffset)
        let output = prefix == "language_model.model." ? "language_model.lm_head" : "lm_head"
        let isTied = try config.optionalBool("tie_word_embeddings")
        let hasOutput = plan.collector.has(output + ".weight") || plan.collector.has(output + ".qweight")
        if isTied ?? !hasOutput {
            plan.collector.ignore(output + ".weight")
        } else {
            try plan.collector.linear("output", from: output, rows: shape.vocabularySize, columns: shape.width)
        }
        let left = plan.collector.checkpoint.names.count { name in family.leftOut.contains { name.hasPrefix($0) } }
        if left > 0 { plan.notes.append("\(left) tensors that see images are left out; the file takes text alone") }
        try plan.refuseRest { name in
            name.hasSuffix(".rotary_emb.inv_freq") || family.leftOut.contains { name.hasPrefix($0) }
        }
    }

    private mutating func writeLayer(_ layer: Int) throws(ConversionError) {
        let source = "\(prefix)layers.\(layer)."
        let block = "blk.\(layer)."
        for (from, name) in family.norms {
            try plan.collector.norm(block + name, from: source + from, count: shape.width, adding: family.normOffset)
        }
        try writeAttention(source + "self_attn.", block)
        switch family.feedForward {
        case .gated:
            try linear(block + "ffn_gate", source + "mlp.gate_proj", shape.innerWidth, shape.width)
            try linear(block + "ffn_up", source + "mlp.up_proj", shape.innerWidth, shape.width)
            try linear(block + "ffn_down", source + "mlp.down_proj", shape.width, shape.innerWidth)
        case .fused:
            try linear(block + "ffn_up", source + "mlp.gate_up_proj", 2 * shape.innerWidth, shape.width)
            try linear(block + "ffn_down", source + "mlp.down_proj", shape.width, shape.innerWidth)
        case .plain:
            try linear(block + "ffn_up", source + "mlp.c_fc", shape.innerWidth, shape.width)
            try linear(block + "ffn_down", source + "mlp.c_proj", shape.width, shape.innerWidth)
        case .experts(let router, let experts, let gate, let up, let down):
            let inner = shape.expertWidth ?? shape.innerWidth
            try plan.collector.table(
                block + "ffn_gate_inp", from: source + router, rows: shape.expertCount, columns: shape.width)
            for (name, from, rows, columns) in [
                ("ffn_gate_exps", gate, inner, shape.width), ("ffn_up_exps", up, inner, shape.width),
                ("ffn_down_exps", down, shape.width, inner),
            ] {
                try plan.collector.experts(
                    block + name, from: (0..<shape.expertCount).map { "\(source)\(experts).\($0).\(from)" }, rows: rows,
                    columns: columns)
            }
        }
    }

    private mutating func writeAttention(_ source: String, _ block: String) throws(ConversionError) {
        let queryWidth = shape.headCount * shape.headSize
        let keyWidth = shape.keyValueHeadCount * shape.headSize
        let order: RowOrder? = family.turnsNeighbours ? .neighbours(headSize: shape.headSize) : nil
        if case .fused = family.feedForward {
            try linear(block + "attn_qkv", source + "qkv_proj", queryWidth + 2 * keyWidth, shape.width)
        } else {
            try linear(block + "attn_q", source + "q_proj", queryWidth, shape.width, order)
            try linear(block + "attn_k", source + "k_proj", keyWidth, shape.width, order)
            try linear(block + "attn_v", source + "v_proj", keyWidth, shape.width)
        }
        try linear(block + "attn_output", source + "o_proj", shape.width, queryWidth)
        guard family.headNorms != .none else { return }
        let isEach = family.headNorms == .eachHead
        for (name, from, all) in [("attn_q_norm", "q_norm", queryWidth), ("attn_k_norm", "k_norm", keyWidth)] {
            try plan.collector.norm(
                block + name, from: source + from, count: isEach ? shape.headSize : all, adding: family.normOffset)
        }
    }

    private mutating func linear(
        _ name: String, _ base: String, _ rows: Int, _ columns: Int, _ order: RowOrder? = nil
    ) throws(ConversionError) {
        try plan.collector.linear(name, from: base, rows: rows, columns: columns, order: order)
    }
}
