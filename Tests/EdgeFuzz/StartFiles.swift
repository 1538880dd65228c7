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

    /// Llama models of one layer that can be loaded and run: each family of vocabularies, each kind of weights.
    private static func models() throws -> [[UInt8]] {
        let families = ["llama", "gpt2", "bert", "t5", "rwkv"]
        return try SmallModel.weightTypes.enumerated().map { index, type in
            try SmallModel(
                type: type, family: families[index % families.count], experts: index % 4 == 3 ? 2 : 0
            ).encoded()
        } + [
            try SmallModel(type: .f32, family: "llama", experts: 2).encoded(),
            try SmallModel(type: .f32, family: "t5", experts: 0).encoded(),
        ]
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
