internal import EdgeGGUF
package import EdgeQuant

/// Which tensor of a model gets which type: the mixes that llama.cpp's quantizer names, with its choices, so that files compare.
public struct QuantizationRecipe: Sendable, Hashable, CustomStringConvertible {
    /// The name, such as `Q4_K_M`.
    public let name: String
    /// `general.file_type`.
    package let fileType: UInt32
    /// What most tensors get.
    package let base: GGMLType

    /// The recipe of that name, in any case; nil where there is none.
    public init?(_ name: String) {
        guard let found = Self.all.first(where: { $0.name == name.uppercased() }) else { return nil }
        self = found
    }

    private init(_ name: String, _ fileType: UInt32, _ base: GGMLType) {
        self.name = name
        self.fileType = fileType
        self.base = base
    }

    /// The name.
    public var description: String { name }

    /// The recipes, those of most bits first.
    public static let all: [QuantizationRecipe] = [
        QuantizationRecipe("F32", 0, .f32), QuantizationRecipe("F16", 1, .f16), QuantizationRecipe("BF16", 32, .bf16),
        QuantizationRecipe("Q8_0", 7, .q8_0), QuantizationRecipe("Q6_K", 18, .q6K),
        QuantizationRecipe("Q5_1", 9, .q5_1), QuantizationRecipe("Q5_K_M", 17, .q5K),
        QuantizationRecipe("Q5_K_S", 16, .q5K), QuantizationRecipe("Q5_0", 8, .q5_0),
        QuantizationRecipe("Q4_1", 3, .q4_1), QuantizationRecipe("Q4_K_M", 15, .q4K),
        QuantizationRecipe("Q4_K_S", 14, .q4K), QuantizationRecipe("Q4_0", 2, .q4_0),
        QuantizationRecipe("IQ4_NL", 25, .iq4NL), QuantizationRecipe("IQ4_XS", 30, .iq4XS),
        QuantizationRecipe("Q3_K_L", 13, .q3K), QuantizationRecipe("Q3_K_M", 12, .q3K),
        QuantizationRecipe("Q3_K_S", 11, .q3K), QuantizationRecipe("Q2_K", 10, .q2K),
    ]
}

/// What a tensor is for, as far as a recipe cares; by parts of its name.
private enum TensorRole {
    case output
    case embedding
    case queryKeyValue
    case keyValueB
    case value
    case key
    case query
    case attentionOutput
    case up
    case gate
    case down
    case other

    init(_ name: String) {
        let parts: [(String, TensorRole)] = [
            ("attn_qkv.weight", .queryKeyValue), ("attn_kv_b.weight", .keyValueB), ("attn_v.weight", .value),
            ("attn_k.weight", .key), ("attn_q.weight", .query), ("attn_output.weight", .attentionOutput),
            ("ffn_up", .up), ("ffn_gate", .gate), ("ffn_down", .down),
        ]
        switch name {
        case "output.weight": self = .output
        case "token_embd.weight", "per_layer_token_embd.weight": self = .embedding
        default: self = parts.first { name.contains($0.0) }?.1 ?? .other
        }
    }

    var isLikeValue: Bool { self == .value || self == .queryKeyValue || self == .keyValueB }
}

/// Chooses the types of a model's tensors, one after the other in the order in which llama.cpp's quantizer meets them: its choices count
/// what they have seen.
struct RecipeChooser {
    private let recipe: QuantizationRecipe
    private let hasImportance: Bool
    private let hasTiedEmbedding: Bool
    private let expertCount: Int
    /// Query heads that share a key.
    private let groupSize: Int
    private let layerCount: Int
    private let valueCount: Int
    private let isLargeWithFewKeys: Bool
    private var valuesSeen = 0
    private var downsSeen = 0

    init(_ recipe: QuantizationRecipe, for file: GGUFFile, hasImportance: Bool) {
        self.recipe = recipe
        self.hasImportance = hasImportance
        let architecture = file["general.architecture"]?.text ?? ""
        /// A number, or the first of a list that has one for each layer; what no model has is cut off before it is computed with.
        func number(_ key: String) -> Int? {
            let value = file["\(architecture).\(key)"]
            return (value?.int ?? value?.array?.ints()?.first).map { min(max(0, $0), 1 << 20) }
        }
        expertCount = number("expert_count") ?? 0
        layerCount = number("block_count") ?? 0
        let heads = number("attention.head_count") ?? 0
        let keys = number("attention.head_count_kv") ?? heads
        groupSize = keys > 0 ? heads / keys : 0
        // What llama.cpp calls 70B.
        isLargeWithFewKeys = layerCount == 80 && (architecture == "qwen2" || architecture == "llama" && heads != keys)
        let roles = file.tensors.map { TensorRole($0.name) }
        valueCount = roles.count { $0.isLikeValue }
        hasTiedEmbedding = !roles.contains(.output)
    }

    /// Whether a tensor's type may be changed at all: matrices that are no norms, routers, positions and the like.
    static func mayQuantize(_ tensor: GGUFTensor) -> Bool {
        let name = tensor.name
        let dimensionCount = (tensor.dimensions.lastIndex { $0 > 1 } ?? 0) + 1
        guard dimensionCount >= 2, name.hasSuffix("weight") else { return false }
        guard name != "position_embd.weight", name != "token_types.weight" else { return false }
        return !kept.contains { name.contains($0) }
    }

    /// Parts of the names of tensors that stay as they are.
    private static let kept = [
        "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
        "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight",
        "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight",
        "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
        "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight",
        "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight", "attn_rel_b.weight", ".position_embd",
        "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook",
        "mm.a.code_embd",
    ]

    /// Whether the tensor is the matrix of embeddings, or that of logits.
    static func isEmbedding(_ name: String) -> Bool { TensorRole(name) == .embedding }
    static func isOutput(_ name: String) -> Bool { TensorRole(name) == .output }

    /// The type for the next tensor that may be quantized, before its shape is looked at.
    mutating func choose(_ name: String, columns: Int, output: GGMLType?, embedding: GGMLType?) -> GGMLType {
        let role = TensorRole(name)
        let base = recipe.base
        if role == .output || hasTiedEmbedding && role == .embedding {
            if let output { return output }
            if columns % base.blockLength != 0 { return .q8_0 }
            return base == .q8_0 ? base : .q6K
        }
        if role == .embedding { return embedding ?? base }
        if role.isLikeValue {
            defer { valuesSeen += 1 }
            if expertCount == 8 { return .q8_0 }
            let type = valueType()
            return isLargeWithFewKeys && (type == .q3K || type == .q4K) ? .q5K : type
        }
        switch role {
        case .key: return expertCount == 8 ? .q8_0 : base
        case .down:
            defer { downsSeen += 1 }
            // With experts the tensors need not come in the order of their layers.
            return downType(layer: expertCount > 1 ? GGUFTensorOrder.layer(name) : downsSeen)
        case .attentionOutput: return attentionOutputType()
        default: return base
        }
    }

    private func hasMoreBits(_ layer: Int, of count: Int) -> Bool {
        layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    private func valueType() -> GGMLType {
        switch recipe.name {
        case "Q2_K": groupSize >= 4 ? .q4K : .q3K
        case "Q3_K_M": valuesSeen < 2 ? .q5K : .q4K
        case "Q3_K_L": .q5K
        case "IQ4_NL", "IQ4_XS": groupSize >= 4 ? .q5K : recipe.base
        case "Q4_K_M", "Q5_K_M": hasMoreBits(valuesSeen, of: valueCount) ? .q6K : recipe.base
        case "Q4_K_S": valuesSeen < 4 ? .q5K : recipe.base
        default: recipe.base
        }
    }

    private func downType(layer: Int) -> GGMLType {
        let isEarly = layer < layerCount / 8
        return switch recipe.name {
        case "Q2_K": .q3K
        case "Q3_K_M": layer < layerCount / 16 ? .q5K : .q4K
        case "Q3_K_L": .q5K
        case "Q4_K_M", "Q5_K_M": hasMoreBits(layer, of: layerCount) ? .q6K : recipe.base
        case "IQ4_NL", "IQ4_XS": isEarly && !hasImportance ? .q5K : recipe.base
        case "Q4_K_S": isEarly ? .q5K : recipe.base
        case "Q4_0": isEarly && hasImportance ? .q4_1 : recipe.base
        case "Q5_0": isEarly && hasImportance ? .q5_1 : recipe.base
        default: recipe.base
        }
    }

    private func attentionOutputType() -> GGMLType {
        let name = recipe.name
        if expertCount == 8 {
            let more = ["Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ4_XS"]
            return more.contains(name) ? .q5K : recipe.base
        }
        return switch name {
        case "Q2_K": .q3K
        case "Q3_K_M": .q4K
        case "Q3_K_L": .q5K
        default: recipe.base
        }
    }

    /// What stands in for a type whose blocks do not divide a row.
    static func fitting(_ type: GGMLType, columns: Int) -> GGMLType {
        guard columns % type.blockLength != 0 else { return type }
        let other: GGMLType =
            switch type {
            case .iq4XS: .iq4NL
            case .q2K, .q3K: .q4_0
            case .q4K: .q5_0
            case .q5K: .q5_1
            case .q6K: .q8_0
            default: .f16
            }
        return columns % other.blockLength == 0 ? other : .f16
    }
}

/// The order in which llama.cpp's quantizer writes tensors: by layer, those of none first, then by name.
enum GGUFTensorOrder {
    /// The layer in a name such as `blk.3.attn_q.weight`; -1 for a tensor of none.
    static func layer(_ name: String) -> Int {
        guard name.hasPrefix("blk.") else { return -1 }
        return Int(name.dropFirst(4).prefix { $0.isASCII && $0.isNumber }.prefix(9)) ?? -1
    }

    static func sorted(_ tensors: [GGUFTensor]) -> [GGUFTensor] {
        tensors.map { (layer: layer($0.name), tensor: $0) }.sorted { left, right in
            left.layer != right.layer
                ? left.layer < right.layer
                : left.tensor.name.utf8.lexicographicallyPrecedes(right.tensor.name.utf8)
        }.map(\.tensor)
    }
}
