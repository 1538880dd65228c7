internal import EdgeGrammar

/// How the checkpoints of one decoder family differ from Llama's; `DecoderFamily.all` lists them.
struct DecoderFamily: Sendable {
    /// What `architectures` of config.json names.
    var classes: [String]
    /// `general.architecture` of the result.
    var architecture: String

    /// Whether rotary embedding turns neighbours in the result, so that rows of queries and keys change places.
    var turnsNeighbours = false
    /// The norms of a layer: of the checkpoint, and of the result.
    var norms = [("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm")]
    /// Added to the weights of norms: Gemma's multiply by 1 + weight.
    var normOffset: Float = 0
    /// The key of the epsilon, and whether norms subtract the mean.
    var epsilonKey = "rms_norm_eps"
    var isLayerNorm = false

    enum HeadNorms: Sendable { case none, eachHead, allHeads }
    var headNorms = HeadNorms.none

    enum FeedForward: Sendable {
        case gated
        /// `mlp.gate_up_proj`, and queries, keys and values in one, too.
        case fused
        /// `mlp.c_fc` and `mlp.c_proj`.
        case plain
        /// By expert the names of gate, up and down.
        case experts(router: String, experts: String, gate: String, up: String, down: String)
    }
    var feedForward = FeedForward.gated

    enum Windows: Sendable {
        /// The reader knows none: a model that has them is refused.
        case refused
        /// The reader knows none, and the model says so beyond the window only.
        case ignored
        /// Every layer, by an architecture of that name.
        case all(architecture: String)
        /// Of so many layers the last sees everything, unless the file has another pattern.
        case allButLast(of: Int)
    }
    var windows = Windows.refused

    /// The names of the activation that the reader computes.
    var activations: Set<String> = ["silu", "swish"]
    /// What may stand before the names of all tensors.
    var prefixes = ["model."]
    /// Where in config.json the settings stand; nil for the top.
    var configKey: String?
    /// What the names of tensors begin with that are no part of the text's model.
    var leftOut: [String] = []
    /// What the class's own code has for settings that its published files leave out.
    var defaults: [String: JSON] = [:]

    static let gelu: Set<String> = ["gelu_pytorch_tanh", "gelu_new", "gelu"]
    static let normsAround = [
        ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "post_attention_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
    ]

    private static let gemma3: [String: JSON] = [
        "vocab_size": number(262_208), "num_attention_heads": number(8), "num_key_value_heads": number(4),
        "head_dim": number(256), "max_position_embeddings": number(131_072), "query_pre_attn_scalar": number(256),
        "rope_theta": number(1_000_000), "rope_local_base_freq": number(10_000), "rms_norm_eps": number(0.000_001),
    ]

    private static func number(_ value: Double) -> JSON { Decimal("\(value)".utf8).map(JSON.number) ?? .null }

    static let all: [DecoderFamily] = [
        DecoderFamily(
            classes: ["LlamaForCausalLM", "MistralForCausalLM"], architecture: "llama", turnsNeighbours: true,
            windows: .all(architecture: "mistral")),
        DecoderFamily(
            classes: ["MixtralForCausalLM"], architecture: "llama", turnsNeighbours: true,
            feedForward: .experts(
                router: "block_sparse_moe.gate", experts: "block_sparse_moe.experts", gate: "w1", up: "w3", down: "w2"),
            windows: .all(architecture: "mistral")),
        DecoderFamily(classes: ["Qwen2ForCausalLM"], architecture: "qwen2"),
        DecoderFamily(classes: ["Qwen3ForCausalLM"], architecture: "qwen3", headNorms: .eachHead),
        DecoderFamily(
            classes: ["Qwen3MoeForCausalLM"], architecture: "qwen3moe", headNorms: .eachHead,
            feedForward: .experts(
                router: "mlp.gate", experts: "mlp.experts", gate: "gate_proj", up: "up_proj", down: "down_proj")),
        DecoderFamily(classes: ["Phi3ForCausalLM"], architecture: "phi3", feedForward: .fused, windows: .ignored),
        DecoderFamily(
            classes: ["GemmaForCausalLM"], architecture: "gemma", normOffset: 1, activations: gelu),
        DecoderFamily(
            classes: ["Gemma2ForCausalLM"], architecture: "gemma2", norms: normsAround, normOffset: 1,
            windows: .allButLast(of: 2), activations: gelu),
        DecoderFamily(
            classes: ["Gemma3ForCausalLM"], architecture: "gemma3", norms: normsAround, normOffset: 1,
            headNorms: .eachHead, windows: .allButLast(of: 6), activations: gelu, defaults: gemma3),
        DecoderFamily(
            classes: ["Gemma3ForConditionalGeneration"], architecture: "gemma3", norms: normsAround, normOffset: 1,
            headNorms: .eachHead, windows: .allButLast(of: 6), activations: gelu,
            prefixes: ["language_model.model.", "model.language_model."], configKey: "text_config",
            leftOut: [
                "vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector.",
            ],
            defaults: gemma3),
        DecoderFamily(classes: ["GraniteForCausalLM"], architecture: "granite", turnsNeighbours: true),
        DecoderFamily(
            classes: ["Olmo2ForCausalLM", "Olmo3ForCausalLM"], architecture: "olmo2",
            norms: [
                ("post_attention_layernorm", "post_attention_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
            ], headNorms: .allHeads, windows: .allButLast(of: 4)),
        DecoderFamily(classes: ["SmolLM3ForCausalLM"], architecture: "smollm3", turnsNeighbours: true),
        DecoderFamily(
            classes: ["StableLmForCausalLM", "StableLMEpochForCausalLM"], architecture: "stablelm",
            epsilonKey: "layer_norm_eps", isLayerNorm: true),
        DecoderFamily(
            classes: ["Starcoder2ForCausalLM"], architecture: "starcoder2", epsilonKey: "norm_epsilon",
            isLayerNorm: true, feedForward: .plain, windows: .ignored, activations: gelu),
    ]

    static func of(_ name: String) -> DecoderFamily? { all.first { $0.classes.contains(name) } }
}
