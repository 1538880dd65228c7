import EdgeGGUF
import EdgePlatform
import EdgeQuant
import EdgeTestSupport

/// The files that every run starts from, small ones of every shape the reader has a branch for.
enum StartFiles {
    static func make() throws -> [[UInt8]] {
        var files: [[UInt8]] = []
        for version in 1...3 {
            for isBigEndian in [false, true] {
                let layout = GGUFLayout(version: version, isBigEndian: isBigEndian)
                files.append(try everyType(layout))
                files.append(try tiny(layout))
            }
        }
        for alignment in [1, 8, 128, 4096] as [UInt32] { files.append(try aligned(alignment)) }
        files.append(try vocabulary())
        files.append(try smallModel())
        files.append(try manyTensors())
        files.append(try GGUFWriter().encoded())
        return files
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var random = SplitMix(seed: UInt64(count))
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    private static func everyType(_ layout: GGUFLayout) throws -> [UInt8] {
        var writer = GGUFWriter(layout: layout)
        writer.set("general.architecture", .string("llama"))
        writer.set("u8", .uint8(1))
        writer.set("i8", .int8(-1))
        writer.set("u16", .uint16(2))
        writer.set("i16", .int16(-2))
        writer.set("u32", .uint32(3))
        writer.set("i32", .int32(-3))
        writer.set("u64", .uint64(4))
        writer.set("i64", .int64(-4))
        writer.set("f32", .float32(0.5))
        writer.set("f64", .float64(0.25))
        writer.set("bool", .bool(true))
        writer.set("text", .malformedString([0xC3, 0x28, 0xFF]))
        writer.set("a.i16", .array(GGUFArray([1, -2, 3] as [Int16])))
        writer.set("a.f64", .array(GGUFArray([1, -2, 3] as [Double])))
        writer.set("a.bool", .array(GGUFArray([true, false])))
        writer.set("a.str", .array(GGUFArray(["one", "", "drei"])))
        let inner = GGUFArray([GGUFArray([7] as [UInt8]), GGUFArray(["x"]), GGUFArray([] as [Float])])
        writer.set("a.nested", .array(GGUFArray([inner, GGUFArray([GGUFArray([inner])])])))
        for type in GGMLType.allCases {
            try writer.add(
                name: "t.\(type.name)", type: type, dimensions: [type.blockLength, 2],
                bytes: noise(2 * type.blockByteCount))
        }
        return try writer.encoded()
    }

    private static func tiny(_ layout: GGUFLayout) throws -> [UInt8] {
        var writer = GGUFWriter(layout: layout)
        writer.set("k", .uint32(7))
        try writer.add(name: "t", type: .f32, dimensions: [2, 1, 1, 3], bytes: noise(24))
        return try writer.encoded()
    }

    private static func aligned(_ alignment: UInt32) throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set(GGUFKey.alignment, .uint32(alignment))
        writer.set(GGUFKey.splitNumber, .uint16(0))
        writer.set(GGUFKey.splitCount, .uint16(1))
        writer.set(GGUFKey.splitTensorCount, .int32(2))
        try writer.add(name: "a", type: .i8, dimensions: [3], bytes: noise(3))
        try writer.add(name: "b", type: .q4K, dimensions: [256], bytes: noise(144))
        return try writer.encoded()
    }

    private static func vocabulary() throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("llama"))
        writer.set("tokenizer.ggml.model", .string("gpt2"))
        writer.set("tokenizer.ggml.tokens", .array(GGUFArray((0..<300).map { "token\($0)" })))
        writer.set("tokenizer.ggml.scores", .array(GGUFArray((0..<300).map { -Float($0) })))
        writer.set("tokenizer.ggml.token_type", .array(GGUFArray([Int32](repeating: 1, count: 300))))
        writer.set("tokenizer.ggml.merges", .array(GGUFArray((0..<100).map { "to ken\($0)" })))
        return try writer.encoded()
    }

    /// A one-layer Llama of a few numbers that a loader can run.
    private static func smallModel() throws -> [UInt8] {
        var writer = GGUFWriter()
        let tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "c"]
        writer.set("general.architecture", .string("llama"))
        for (key, value) in [
            ("block_count", 1), ("context_length", 32), ("embedding_length", 8), ("feed_forward_length", 16),
            ("attention.head_count", 2), ("attention.head_count_kv", 1), ("rope.dimension_count", 4),
        ] as [(String, UInt32)] { writer.set("llama.\(key)", .uint32(value)) }
        writer.set("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
        writer.set("tokenizer.ggml.model", .string("llama"))
        writer.set("tokenizer.ggml.tokens", .array(GGUFArray(tokens)))
        writer.set("tokenizer.ggml.scores", .array(GGUFArray(tokens.indices.map { -Float($0) })))
        writer.set("tokenizer.ggml.token_type", .array(GGUFArray([2, 3, 3, 6, 1, 1, 1, 1] as [Int32])))
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.eos_token_id", .uint32(2))
        var random = SplitMix(seed: 8)
        func floats(_ count: Int) -> [UInt8] {
            (0..<count).flatMap { _ in
                let value = Float(Int32(truncatingIfNeeded: random.next() >> 33)) / Float(Int32.max) - 0.5
                return (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
        }
        for (name, dimensions) in [
            ("token_embd", [8, 8]), ("output_norm", [8]), ("output", [8, 8]), ("blk.0.attn_norm", [8]),
            ("blk.0.attn_q", [8, 8]), ("blk.0.attn_k", [8, 4]), ("blk.0.attn_v", [8, 4]),
            ("blk.0.attn_output", [8, 8]), ("blk.0.ffn_norm", [8]), ("blk.0.ffn_gate", [8, 16]),
            ("blk.0.ffn_up", [8, 16]), ("blk.0.ffn_down", [16, 8]),
        ] {
            try writer.add(
                name: "\(name).weight", type: .f32, dimensions: dimensions, bytes: floats(dimensions.reduce(1, *)))
        }
        return try writer.encoded()
    }

    private static func manyTensors() throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set(GGUFKey.alignment, .uint32(2))
        for number in 0..<60 {
            try writer.add(name: "t\(number)", type: .i8, dimensions: [2], bytes: [0, 1])
        }
        return try writer.encoded()
    }
}
