/// Which tensors the files of an architecture have, and which sizes they state: its differences from Llama's.
struct FamilyLayout {
    enum HeadNorm { case none, eachHead, allHeads }
    enum Biases { case none, attentionInputs, everywhere }

    /// The norms of a layer.
    var norms = ["attn_norm", "ffn_norm"]
    /// Norms by mean and variance, with a bias.
    var hasLayerNorms = false
    var headNorm = HeadNorm.none
    var biases = Biases.none
    /// Queries, keys and values in one matrix, gate and up in another.
    var isFused = false
    var isGated = true
    /// Whether `attention.key_length` is stated.
    var statesHeadSize = false
    /// Whether `rope.dimension_count` is stated.
    var statesRotaryCount = false

    init(of architecture: String) {
        let onBothSides = ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]
        switch architecture {
        case "llama", "mistral3":
            (statesHeadSize, statesRotaryCount) = (true, true)
        case "qwen2":
            biases = .attentionInputs
        case "qwen3", "qwen3moe":
            (headNorm, statesHeadSize) = (.eachHead, true)
        case "gemma":
            statesHeadSize = true
        case "gemma2":
            (norms, statesHeadSize) = (onBothSides, true)
        case "gemma3":
            (norms, headNorm, statesHeadSize) = (onBothSides, .eachHead, true)
        case "phi3":
            (isFused, statesRotaryCount) = (true, true)
        case "granite", "smollm3":
            statesRotaryCount = true
        case "olmo2":
            (norms, headNorm) = (["post_attention_norm", "post_ffw_norm"], .allHeads)
        case "stablelm":
            (hasLayerNorms, biases, statesRotaryCount) = (true, .attentionInputs, true)
        case "starcoder2":
            (hasLayerNorms, biases, isGated) = (true, .everywhere, false)
        default: break
        }
    }
}
