internal import EdgeGrammar

/// Plans the settings and tensors of BERT, of RoBERTa, which counts positions from behind the padding's, and of Nomic's BERT.
struct EncoderPlanner {
    let config: Settings
    private var plan: ModelPlan
    private let width: Int
    private let layerCount: Int
    private let innerWidth: Int
    private let isNomic: Bool
    /// Rows of the positions that no token has.
    private let skippedPositions: Int
    /// What stands before the names of all tensors.
    private let prefix: String

    static let classes = [
        "BertModel", "BertForMaskedLM", "BertForSequenceClassification", "RobertaModel", "RobertaForMaskedLM",
        "RobertaForSequenceClassification", "XLMRobertaModel", "XLMRobertaForMaskedLM",
        "XLMRobertaForSequenceClassification", "NomicBertModel",
    ]

    static func plan(
        _ name: String, _ config: Settings, _ collector: TensorCollector
    ) throws(ConversionError) -> ModelPlan {
        var planner = try EncoderPlanner(name, config, collector)
        try planner.writeSettings(isReranker: name.hasSuffix("ForSequenceClassification"))
        if planner.isNomic { try planner.writeNomic() } else { try planner.writeBERT() }
        // Heads for training, and ids of positions that follow from their number.
        try planner.plan.refuseRest { name in
            name.hasPrefix("cls.") || name.hasPrefix("lm_head.") || name.contains("pooler.")
                || name.hasSuffix("position_ids")
        }
        return planner.plan
    }

    private init(
        _ name: String, _ config: Settings, _ collector: TensorCollector
    ) throws(ConversionError) {
        self.config = config
        isNomic = name == "NomicBertModel"
        // Nomic's own code has GPT-2's names for the sizes, transformers BERT's.
        width = try Self.size(config, "hidden_size", "n_embd", in: 1...DecoderShape.widest)
        layerCount = try Self.size(config, "num_hidden_layers", "n_layer", in: 1...DecoderShape.mostLayers)
        innerWidth = try Self.size(config, "intermediate_size", "n_inner", in: 1...DecoderShape.widest)
        prefix = ["bert.", "roberta."].first { collector.has($0 + "embeddings.word_embeddings.weight") } ?? ""
        skippedPositions =
            name.contains("Roberta") ? 1 + (try config.optionalInt("pad_token_id", in: 0...1 << 16) ?? 1) : 0
        plan = ModelPlan(architecture: isNomic ? "nomic-bert" : "bert", collector: collector)
    }

    private static func size(
        _ config: Settings, _ key: String, _ other: String, in range: ClosedRange<Int>
    ) throws(ConversionError) -> Int {
        if let value = try config.optionalInt(key, in: range) { return value }
        if config.has(other) { return try config.int(other, in: range) }
        return try config.int(key, in: range)
    }

    private func refuse(_ key: String, _ what: String) -> ConversionError {
        ConversionError(
            .unsupportedArchitecture, "\(what) not supported by the architecture '\(plan.architecture)'",
            path: config.path, key: key)
    }

    // MARK: Settings

    private mutating func writeSettings(isReranker: Bool) throws(ConversionError) {
        let heads = try Self.size(config, "num_attention_heads", "n_head", in: 1...1 << 16)
        guard width % heads == 0 else {
            throw config.invalid("num_attention_heads", "does not divide the width of \(width)")
        }
        plan.vocabularySize = try config.int("vocab_size", in: 1...DecoderShape.mostTokens)
        plan.set("vocab_size", plan.vocabularySize)
        plan.set("context_length", try positionCount())
        plan.set("embedding_length", width)
        plan.set("feed_forward_length", innerWidth)
        plan.set("block_count", layerCount)
        plan.set("attention.head_count", heads)
        var epsilon = try config.optionalFloat("layer_norm_eps")
        if epsilon == nil { epsilon = try config.optionalFloat("layer_norm_epsilon") }
        plan.set("attention.layer_norm_epsilon", epsilon ?? 1e-12)
        plan.set("attention.causal", false)
        if isNomic { try writeNomicSettings() } else { try checkBERT() }
        if isReranker {
            plan.set("pooling_type", 4)
            try writeLabels()
        }
    }

    /// Positions that a text may have.
    private func positionCount() throws(ConversionError) -> Int {
        let lowest = 1 + skippedPositions
        return try Self.size(config, "max_position_embeddings", "n_positions", in: lowest...DecoderShape.widest)
            - skippedPositions
    }

    private func checkBERT() throws(ConversionError) {
        let kind = try config.optionalString("position_embedding_type") ?? "absolute"
        guard kind == "absolute" else { throw refuse("position_embedding_type", "positions that are '\(kind)' are") }
        let activation = try config.optionalString("hidden_act") ?? "gelu"
        guard DecoderFamily.gelu.contains(activation) else { throw refuse("hidden_act", "'\(activation)' is") }
        guard try !(config.optionalBool("is_decoder") ?? false) else { throw refuse("is_decoder", "decoding is") }
    }

    private mutating func writeNomicSettings() throws(ConversionError) {
        let rotary = try Rotary(config)
        plan.set("rope.freq_base", try config.optionalFloat("rotary_emb_base") ?? rotary.base)
        guard rotary.partial == 1, try config.optionalDouble("rotary_emb_fraction") ?? 1 == 1,
            try !(config.optionalBool("rotary_emb_interleaved") ?? false), rotary.method == nil
        else { throw refuse("rotary_emb_fraction", "rotary embedding of other kinds than BERT's are") }
        guard try !(config.optionalBool("prenorm") ?? false), try !(config.optionalBool("parallel_block") ?? false)
        else {
            throw refuse("prenorm", "norms before the branches are")
        }
        var activation = try config.optionalString("activation_function")
        if activation == nil { activation = try config.optionalString("hidden_act") }
        guard ["swiglu", "silu"].contains(activation ?? "swiglu") else {
            throw refuse("activation_function", "'\(activation ?? "")' is")
        }
        guard try config.optionalInt("num_experts", in: 0...4096) ?? 0 == 0 else {
            throw refuse("num_experts", "experts are")
        }
    }

    /// The matrix that a reranker's scores come from.
    private var labels: SafetensorsTensor? {
        plan.collector.checkpoint.tensor("classifier.weight")
            ?? plan.collector.checkpoint.tensor("classifier.out_proj.weight")
    }

    /// Scores that a reranker gives: rows of its last matrix.
    private var labelCount: Int { max(1, labels?.shape.first ?? 1) }

    /// The names of what a reranker scores.
    private mutating func writeLabels() throws(ConversionError) {
        guard labelCount <= 1 << 16 else {
            throw ConversionError(
                .tensorShapeMismatch, "\(labelCount) scores are more than any reranker gives",
                path: plan.collector.checkpoint.path, tensor: labels?.name)
        }
        var stated: [String: String] = [:]
        for member in try config.optionalObject("id2label")?.value.members ?? [] {
            stated[member.key.description] = member.value.text
        }
        let names = (0..<labelCount).map { stated[String($0)] ?? "LABEL_\($0)" }
        if names.count > 1 { plan.set("classifier.output_labels", names) }
    }

    // MARK: Tensors

    private mutating func writeEmbeddings(norm: String) throws(ConversionError) {
        let embeddings = prefix + "embeddings."
        try plan.collector.linear(
            "token_embd", from: embeddings + "word_embeddings", rows: plan.vocabularySize, columns: width)
        let kinds = try config.optionalInt("type_vocab_size", in: 0...1 << 16) ?? 2
        if kinds > 0 {
            try plan.collector.table(
                "token_types", from: embeddings + "token_type_embeddings", rows: kinds, columns: width)
        }
        try plan.collector.norm("token_embd_norm", from: prefix + norm, count: width)
    }

    private mutating func writeBERT() throws(ConversionError) {
        try writeEmbeddings(norm: "embeddings.LayerNorm")
        try plan.collector.table(
            "position_embd", from: prefix + "embeddings.position_embeddings", rows: try positionCount(),
            columns: width, skipping: skippedPositions)
        for layer in 0..<layerCount {
            let source = "\(prefix)encoder.layer.\(layer)."
            let block = "blk.\(layer)."
            for (name, from) in [("attn_q", "query"), ("attn_k", "key"), ("attn_v", "value")] {
                try plan.collector.linear(
                    block + name, from: source + "attention.self." + from, rows: width, columns: width)
            }
            try plan.collector.linear(
                block + "attn_output", from: source + "attention.output.dense", rows: width, columns: width)
            try plan.collector.norm(
                block + "attn_output_norm", from: source + "attention.output.LayerNorm", count: width)
            try plan.collector.linear(
                block + "ffn_up", from: source + "intermediate.dense", rows: innerWidth, columns: width)
            try plan.collector.linear(
                block + "ffn_down", from: source + "output.dense", rows: width, columns: innerWidth)
            try plan.collector.norm(block + "layer_output_norm", from: source + "output.LayerNorm", count: width)
        }
        guard labels != nil else { return }
        let isRoberta = plan.collector.has("classifier.dense.weight")
        try plan.collector.linear(
            "cls", from: isRoberta ? "classifier.dense" : prefix + "pooler.dense", rows: width, columns: width)
        try plan.collector.linear(
            "cls.output", from: isRoberta ? "classifier.out_proj" : "classifier", rows: labelCount, columns: width)
    }

    private mutating func writeNomic() throws(ConversionError) {
        try writeEmbeddings(norm: "emb_ln")
        for layer in 0..<layerCount {
            let source = "\(prefix)encoder.layers.\(layer)."
            let block = "blk.\(layer)."
            try plan.collector.linear(block + "attn_qkv", from: source + "attn.Wqkv", rows: 3 * width, columns: width)
            try plan.collector.linear(
                block + "attn_output", from: source + "attn.out_proj", rows: width, columns: width)
            try plan.collector.norm(block + "attn_output_norm", from: source + "norm1", count: width)
            // The names count the two halves the other way round: 12 is the gate.
            try plan.collector.linear(block + "ffn_up", from: source + "mlp.fc11", rows: innerWidth, columns: width)
            try plan.collector.linear(block + "ffn_gate", from: source + "mlp.fc12", rows: innerWidth, columns: width)
            try plan.collector.linear(block + "ffn_down", from: source + "mlp.fc2", rows: width, columns: innerWidth)
            try plan.collector.norm(block + "layer_output_norm", from: source + "norm2", count: width)
        }
    }
}
