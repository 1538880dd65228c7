internal import EdgeGGUF
package import EdgeQuant

/// A Llama of a few layers with random weights and a vocabulary of a dozen tokens, made in memory: something of every tensor type
/// and every family of vocabularies that can be loaded and run.
package struct SmallModel: Sendable {
    package var type: GGMLType
    /// `tokenizer.ggml.model`.
    package var family: String
    /// 0 for a dense feed-forward network.
    package var experts: Int
    package var layers = 1
    package var width: Int
    package var heads = 2
    /// `tokenizer.chat_template`.
    package var chatTemplate: String?

    /// The types that weights may have.
    package static let weightTypes: [GGMLType] = [
        .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS, .tq1_0,
        .tq2_0, .mxfp4,
    ]

    /// A model as narrow as its type's blocks allow.
    package init(type: GGMLType, family: String = "llama", experts: Int = 0) {
        self.type = type
        self.family = family
        self.experts = experts
        width = max(8, type.blockLength)
    }

    private var headSize: Int { width / heads }

    /// The file.
    ///
    /// - Throws: nothing but what a fault of the writer or the encoders would throw.
    package func encoded() throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("llama"))
        for (key, value) in [
            ("block_count", layers), ("context_length", 32), ("embedding_length", width),
            ("feed_forward_length", width),
            ("attention.head_count", heads), ("attention.head_count_kv", heads / 2), ("rope.dimension_count", headSize),
            ("expert_count", experts), ("expert_used_count", experts / 2),
        ] { writer.set("llama.\(key)", .uint32(UInt32(value))) }
        writer.set("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
        writer.set("llama.rope.scaling.type", .string("yarn"))
        writer.set("llama.rope.scaling.factor", .float32(4))
        writer.set("llama.rope.scaling.original_context_length", .uint32(16))
        let count = Self.setVocabulary(family, in: &writer)
        if let chatTemplate { writer.set("tokenizer.chat_template", .string(chatTemplate)) }
        var random = SplitMix(seed: UInt64(width))
        func add(_ name: String, _ type: GGMLType, _ dimensions: [Int]) throws {
            let values = (0..<dimensions.reduce(1, *)).map { _ in
                Float(Int32(truncatingIfNeeded: random.next() >> 33)) / Float(Int32.max) - 0.5
            }
            try writer.add(name: name + ".weight", type: type, dimensions: dimensions, bytes: type.encode(values))
        }
        try add("output_norm", .f32, [width])
        try add("token_embd", type, [width, count])
        try add("rope_freqs", .f32, [headSize / 2])
        for layer in 0..<layers {
            let block = "blk.\(layer)."
            for name in ["attn_norm", "ffn_norm"] { try add(block + name, .f32, [width]) }
            for (name, rows) in [("q", width), ("k", width / 2), ("v", width / 2), ("output", width)] {
                try add(block + "attn_\(name)", type, [width, rows])
            }
            if experts > 0 { try add(block + "ffn_gate_inp", .f32, [width, experts]) }
            for name in ["ffn_gate", "ffn_up", "ffn_down"] {
                try add(
                    block + name + (experts > 0 ? "_exps" : ""), type,
                    experts > 0 ? [width, width, experts] : [width, width])
            }
        }
        return try writer.encoded()
    }

    /// A vocabulary of each family, small enough that a changed byte matters; returns the number of its tokens.
    private static func setVocabulary(_ family: String, in writer: inout GGUFWriter) -> Int {
        let bytes = (0..<256).map { "<0x" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) + ">" }
        var tokens: [String]
        var types: [Int32]
        writer.set("tokenizer.ggml.model", .string(family))
        switch family {
        case "gpt2":
            tokens = [
                "<s>", "</s>", "Ġ", "a", "b", "c", "t", "o", "k", "e", "n", "1", "2", "to", "ken", "Ġto", "<user>",
            ]
            types = [3, 3] + Array(repeating: 1, count: 14) + [4]
            writer.set("tokenizer.ggml.pre", .string("llama-bpe"))
            writer.set("tokenizer.ggml.merges", .array(GGUFArray(["t o", "k e", "ke n", "Ġ to"])))
        case "bert":
            tokens = ["[PAD]", "[UNK]", "<s>", "</s>", "▁a", "▁cab", "b", "▁to", "ken", "▁12"]
            types = [3, 2, 3, 3] + Array(repeating: 1, count: 6)
        case "rwkv":
            tokens = ["<s>", "</s>", "\\x00", "\\n", "a", "b", "c", " to", "ken", "12"]
            types = [3, 3] + Array(repeating: 1, count: 8)
        default:
            tokens =
                ["<unk>", "<s>", "</s>"] + (family == "llama" ? bytes : []) + ["▁", "a", "b", "▁to", "ken", "<user>"]
            types = [2, 3, 3] + Array(repeating: 6, count: family == "llama" ? 256 : 0) + [1, 1, 1, 1, 1, 4]
            writer.set("tokenizer.ggml.unknown_token_id", .uint32(0))
            if family == "t5" {
                // One unit, one rule: "A" becomes "a".
                var map: [UInt8] = [8, 0, 0, 0]
                for unit in [0x41 << 10, 0x0041] as [UInt32] {
                    map += (0..<4).map { UInt8(truncatingIfNeeded: unit >> (8 * $0)) }
                }
                writer.set("tokenizer.ggml.precompiled_charsmap", .array(GGUFArray(map + [0x61, 0])))
            }
        }
        writer.set("tokenizer.ggml.tokens", .array(GGUFArray(tokens)))
        writer.set("tokenizer.ggml.token_type", .array(GGUFArray(types)))
        writer.set("tokenizer.ggml.scores", .array(GGUFArray(tokens.indices.map { -Float($0) })))
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.eos_token_id", .uint32(2))
        writer.set("tokenizer.ggml.add_space_prefix", .bool(true))
        return tokens.count
    }
}
