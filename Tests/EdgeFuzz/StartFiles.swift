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
        files += try models()
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

    /// Llama models of one layer that can be loaded and run: each family of vocabularies, each kind of weights.
    private static func models() throws -> [[UInt8]] {
        let types: [GGMLType] = [
            .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS, .tq1_0,
            .tq2_0, .mxfp4,
        ]
        let families = ["llama", "gpt2", "bert", "t5", "rwkv"]
        return try types.enumerated().map { index, type in
            try model(type, family: families[index % families.count], experts: index % 4 == 3 ? 2 : 0)
        } + [try model(.f32, family: "llama", experts: 2), try model(.f32, family: "t5", experts: 0)]
    }

    private static func model(_ type: GGMLType, family: String, experts: Int) throws -> [UInt8] {
        let width = type.blockLength == 1 ? 8 : type.blockLength
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("llama"))
        for (key, value) in [
            ("block_count", 1), ("context_length", 32), ("embedding_length", width), ("feed_forward_length", width),
            ("attention.head_count", 2), ("attention.head_count_kv", 1), ("rope.dimension_count", width / 2),
            ("expert_count", experts), ("expert_used_count", experts / 2),
        ] { writer.set("llama.\(key)", .uint32(UInt32(value))) }
        writer.set("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
        writer.set("llama.rope.scaling.type", .string("yarn"))
        writer.set("llama.rope.scaling.factor", .float32(4))
        writer.set("llama.rope.scaling.original_context_length", .uint32(16))
        let count = setVocabulary(family, in: &writer)
        var random = SplitMix(seed: UInt64(width))
        func add(_ name: String, _ type: GGMLType, _ dimensions: [Int]) throws {
            let values = (0..<dimensions.reduce(1, *)).map { _ in
                Float(Int32(truncatingIfNeeded: random.next() >> 33)) / Float(Int32.max) - 0.5
            }
            try writer.add(name: name + ".weight", type: type, dimensions: dimensions, bytes: type.encode(values))
        }
        for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] { try add(name, .f32, [width]) }
        try add("token_embd", type, [width, count])
        try add("rope_freqs", .f32, [width / 4])
        for (name, rows) in [("q", width), ("k", width / 2), ("v", width / 2), ("output", width)] {
            try add("blk.0.attn_\(name)", type, [width, rows])
        }
        if experts > 0 { try add("blk.0.ffn_gate_inp", .f32, [width, experts]) }
        for name in ["ffn_gate", "ffn_up", "ffn_down"] {
            try add(
                "blk.0.\(name)\(experts > 0 ? "_exps" : "")", type,
                experts > 0 ? [width, width, experts] : [width, width])
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
