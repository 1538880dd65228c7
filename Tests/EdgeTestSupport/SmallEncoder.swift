internal import EdgeGGUF
internal import EdgeQuant

/// A BERT of one layer with random weights and a WordPiece vocabulary of a dozen tokens, made in memory.
package struct SmallEncoder: Sendable {
    package var width = 8
    package var positions = 16
    /// `pooling_type`, or none stated.
    package var pooling: UInt32? = 1

    package init() {}

    /// The file.
    ///
    /// - Throws: nothing but what a fault of the writer would throw.
    package func encoded() throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("bert"))
        for (key, value) in [
            ("block_count", 1), ("context_length", positions), ("embedding_length", width),
            ("feed_forward_length", 2 * width), ("attention.head_count", 2),
        ] { writer.set("bert.\(key)", .uint32(UInt32(value))) }
        writer.set("bert.attention.layer_norm_epsilon", .float32(1e-12))
        if let pooling { writer.set("bert.pooling_type", .uint32(pooling)) }
        let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁brake", "▁fluid", "▁oil", "▁is", "▁low", "s"]
        writer.set("tokenizer.ggml.model", .string("bert"))
        writer.set("tokenizer.ggml.tokens", .array(GGUFArray(tokens)))
        writer.set(
            "tokenizer.ggml.token_type", .array(GGUFArray([3, 2, 3, 3] + Array(repeating: 1, count: 6) as [Int32])))
        for (key, value) in [("unknown", 1), ("bos", 2), ("cls", 2), ("seperator", 3), ("padding", 0)] {
            writer.set("tokenizer.ggml.\(key)_token_id", .uint32(UInt32(value)))
        }
        var random = SplitMix(seed: 11)
        func add(_ name: String, _ dimensions: [Int]) throws {
            let values = (0..<dimensions.reduce(1, *)).map { _ in
                Float(Int32(truncatingIfNeeded: random.next() >> 33)) / Float(Int32.max) - 0.5
            }
            try writer.add(name: name, type: .f32, dimensions: dimensions, bytes: GGMLType.f32.encode(values))
        }
        func norm(_ name: String) throws {
            try add(name + ".weight", [width])
            try add(name + ".bias", [width])
        }
        try add("token_embd.weight", [width, tokens.count])
        try add("position_embd.weight", [width, positions])
        try add("token_types.weight", [width, 2])
        try norm("token_embd_norm")
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            try add("blk.0.\(name).weight", [width, width])
            try add("blk.0.\(name).bias", [width])
        }
        try add("blk.0.ffn_up.weight", [width, 2 * width])
        try add("blk.0.ffn_up.bias", [2 * width])
        try add("blk.0.ffn_down.weight", [2 * width, width])
        try add("blk.0.ffn_down.bias", [width])
        try norm("blk.0.attn_output_norm")
        try norm("blk.0.layer_output_norm")
        return try writer.encoded()
    }
}
