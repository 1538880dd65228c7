internal import EdgeQuant

/// Which tensor of a model gets which type: the file types that llama.cpp's quantizer names, and its rules for them.
package struct QuantizationMix: Sendable {
    /// As it is written after the model's name: `Q4_K_M`.
    package let name: String
    /// `general.file_type`.
    package let fileType: UInt32
    private let base: GGMLType
    private let kind: Kind

    private enum Kind: Sendable {
        case pure
        /// Output in Q6_K, the rest in the base type.
        case plain
        /// More bits for the values and the down projection, in half of the layers.
        case medium(more: GGMLType)
        /// More bits for them in the first layers.
        case small(more: GGMLType)
        case q3Medium
        case q2
    }

    /// The mixes that can be asked for by name.
    package static let all: [QuantizationMix] = [
        QuantizationMix(name: "F32", fileType: 0, base: .f32, kind: .pure),
        QuantizationMix(name: "F16", fileType: 1, base: .f16, kind: .pure),
        QuantizationMix(name: "BF16", fileType: 32, base: .bf16, kind: .pure),
        QuantizationMix(name: "Q8_0", fileType: 7, base: .q8_0, kind: .pure),
        QuantizationMix(name: "Q4_0", fileType: 2, base: .q4_0, kind: .plain),
        QuantizationMix(name: "Q4_1", fileType: 3, base: .q4_1, kind: .plain),
        QuantizationMix(name: "Q5_0", fileType: 8, base: .q5_0, kind: .plain),
        QuantizationMix(name: "Q5_1", fileType: 9, base: .q5_1, kind: .plain),
        QuantizationMix(name: "Q2_K", fileType: 10, base: .q2K, kind: .q2),
        QuantizationMix(name: "Q3_K_S", fileType: 11, base: .q3K, kind: .plain),
        QuantizationMix(name: "Q3_K_M", fileType: 12, base: .q3K, kind: .q3Medium),
        QuantizationMix(name: "Q4_K_S", fileType: 14, base: .q4K, kind: .small(more: .q5K)),
        QuantizationMix(name: "Q4_K_M", fileType: 15, base: .q4K, kind: .medium(more: .q6K)),
        QuantizationMix(name: "Q5_K_S", fileType: 16, base: .q5K, kind: .plain),
        QuantizationMix(name: "Q5_K_M", fileType: 17, base: .q5K, kind: .medium(more: .q6K)),
        QuantizationMix(name: "Q6_K", fileType: 18, base: .q6K, kind: .pure),
        QuantizationMix(name: "IQ4_NL", fileType: 25, base: .iq4NL, kind: .plain),
        QuantizationMix(name: "IQ4_XS", fileType: 30, base: .iq4XS, kind: .plain),
        QuantizationMix(name: "TQ1_0", fileType: 36, base: .tq1_0, kind: .plain),
        QuantizationMix(name: "TQ2_0", fileType: 37, base: .tq2_0, kind: .plain),
        QuantizationMix(name: "MXFP4", fileType: 38, base: .mxfp4, kind: .plain),
    ]

    /// The mix of that name, in any case.
    package static func named(_ name: String) -> QuantizationMix? { all.first { $0.name == name.uppercased() } }

    /// The type of the matrix that logits are computed with.
    func output(columns: Int) -> GGMLType {
        if case .pure = kind { return Self.fitting(base, columns) }
        return Self.fitting(.q6K, columns)
    }

    /// The type of a matrix of a layer.
    func type(_ matrix: LayerMatrix, layer: Int, of count: Int, columns: Int) -> GGMLType {
        Self.fitting(wanted(matrix, layer, count), columns)
    }

    private func wanted(_ matrix: LayerMatrix, _ layer: Int, _ count: Int) -> GGMLType {
        let isImportant = matrix == .value || matrix == .down
        let eighth = count / 8
        let hasMore = layer < eighth || layer >= 7 * count / 8 || (layer - eighth) % 3 == 2
        switch kind {
        case .pure, .plain: return base
        case .medium(let more):
            if matrix == .queryKeyValue { return base == .q4K ? .q5K : more }
            return isImportant && hasMore ? more : base
        case .small(let more):
            return matrix == .value && layer < 4 || matrix == .down && layer < eighth ? more : base
        case .q3Medium:
            switch matrix {
            case .value: return layer < 2 ? .q5K : .q4K
            case .down: return layer < count / 16 ? .q5K : hasMore ? .q4K : .q3K
            case .attentionOutput, .queryKeyValue: return .q4K
            default: return base
            }
        case .q2:
            switch matrix {
            case .value: return .q4K
            case .down, .attentionOutput: return .q3K
            default: return base
            }
        }
    }

    /// What stands in where rows are no multiple of a superblock.
    private static func fitting(_ type: GGMLType, _ columns: Int) -> GGMLType {
        guard columns % type.blockLength != 0 else { return type }
        switch type {
        case .q2K, .q3K, .iq4XS: return .iq4NL
        case .tq1_0, .tq2_0: return .q4_0
        case .q4K: return .q5_0
        case .q5K: return .q5_1
        case .q6K: return .q8_0
        default: return .f16
        }
    }
}

/// The matrices of a layer.
enum LayerMatrix: String {
    case queryKeyValue = "attn_qkv"
    case query = "attn_q"
    case key = "attn_k"
    case value = "attn_v"
    case attentionOutput = "attn_output"
    case gate = "ffn_gate"
    case up = "ffn_up"
    case down = "ffn_down"
}
