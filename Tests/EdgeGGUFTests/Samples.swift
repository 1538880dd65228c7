import EdgeGGUF
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation

/// Every layout a file can have.
let allLayouts: [GGUFLayout] = (1...3).flatMap { version in
    [false, true].map { GGUFLayout(version: version, isBigEndian: $0) }
}

/// A value of each type, with the extremes.
let sampleValues: [(key: String, value: GGUFValue)] = [
    ("general.architecture", .string("sample")),
    ("u8", .uint8(.max)), ("i8", .int8(.min)), ("u16", .uint16(.max - 1)), ("i16", .int16(.min + 1)),
    ("u32", .uint32(0x8000_0001)), ("i32", .int32(-2)), ("u64", .uint64(.max)), ("i64", .int64(.min)),
    ("f32", .float32(-0.0)), ("f32.nan", .float32(Float(bitPattern: 0x7FC0_1234))), ("f64", .float64(.pi)),
    ("true", .bool(true)), ("false", .bool(false)), ("empty", .string("")), ("text", .string("Grüße, 車\n")),
    ("raw", .malformedString([0x66, 0xFF, 0xED, 0xA0, 0x80])),
    ("a.u8", .array(GGUFArray([1, 2, 255] as [UInt8]))), ("a.i8", .array(GGUFArray([-1, 127] as [Int8]))),
    ("a.u16", .array(GGUFArray([1, 65_535] as [UInt16]))), ("a.i16", .array(GGUFArray([-1, 300] as [Int16]))),
    ("a.u32", .array(GGUFArray([0, .max] as [UInt32]))), ("a.i32", .array(GGUFArray([-5, 6] as [Int32]))),
    ("a.u64", .array(GGUFArray([.max, 1] as [UInt64]))), ("a.i64", .array(GGUFArray([.min, 1] as [Int64]))),
    ("a.f32", .array(GGUFArray([0.5, .infinity] as [Float]))), ("a.f64", .array(GGUFArray([0.25] as [Double]))),
    ("a.bool", .array(GGUFArray([true, false, true]))), ("a.none", .array(GGUFArray([] as [UInt32]))),
    ("a.str", .array(GGUFArray(["a", "", "▁the", "e\u{301}"]))),
    ("a.raw", .array(GGUFArray(byteStrings: [[0xFF], [], [0xC3, 0x28]]))),
    (
        "a.nested",
        .array(
            GGUFArray([
                GGUFArray([1, 2, 3] as [Int32]), GGUFArray(["x", "yz"]),
                GGUFArray([GGUFArray([0.5] as [Float]), GGUFArray([] as [Bool])]),
            ]))
    ),
]

/// Bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 11) }
}

/// Two blocks in a row, three rows, of each type that can be stored.
func sampleTensors() -> [(name: String, type: GGMLType, dimensions: [Int], bytes: [UInt8])] {
    GGMLType.allCases.enumerated().map { number, type in
        let dimensions = [2 * type.blockLength, 3]
        return ("blk.\(type.name)", type, dimensions, pattern(6 * type.blockByteCount, seed: UInt64(number)))
    }
}

/// A file with all of it.
func sampleWriter(_ layout: GGUFLayout = .current, alignment: UInt32? = nil) throws -> GGUFWriter {
    var writer = GGUFWriter(layout: layout)
    for (key, value) in sampleValues { writer.set(key, value) }
    if let alignment { writer.set(GGUFKey.alignment, .uint32(alignment)) }
    for tensor in sampleTensors() {
        try writer.add(name: tensor.name, type: tensor.type, dimensions: tensor.dimensions, bytes: tensor.bytes)
    }
    return writer
}

/// A file small enough to try every mutation of it.
func tinyFile(_ layout: GGUFLayout = .current) throws -> [UInt8] {
    var writer = GGUFWriter(layout: layout)
    writer.set("general.alignment", .uint32(8))
    writer.set("s", .string("ab"))
    writer.set("b", .bool(true))
    writer.set("n", .array(GGUFArray([GGUFArray(["x", ""]), GGUFArray([true])])))
    try writer.add(name: "t", type: .f32, dimensions: [2, 1], bytes: pattern(8, seed: 1))
    try writer.add(name: "q", type: .q8_0, dimensions: [32], bytes: pattern(34, seed: 2))
    return try writer.encoded()
}

/// A new folder, removed when the body is done.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-gguf-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
}

/// The error of parsing, nil when the bytes parse.
func failure(of bytes: [UInt8]) -> GGUFError? {
    do {
        touch(try GGUFFile(bytes: ByteView(bytes), path: "test.gguf"))
        return nil
    } catch {
        return error
    }
}

/// Writes fields by hand, to make files that the writer refuses to make.
struct Fields {
    var bytes: [UInt8] = Array("GGUF".utf8)

    init(version: UInt32 = 3, tensors: UInt64, pairs: UInt64) {
        self = self.u32(version).u64(tensors).u64(pairs)
    }

    func u8(_ value: UInt8) -> Fields { appending([value]) }
    func u32(_ value: UInt32) -> Fields { appending((0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }) }
    func u64(_ value: UInt64) -> Fields { appending((0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }) }
    func text(_ value: String) -> Fields { raw(Array(value.utf8)) }
    func raw(_ value: [UInt8]) -> Fields { u64(UInt64(value.count)).appending(value) }
    func zeros(_ count: Int) -> Fields { appending([UInt8](repeating: 0, count: count)) }
    func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> Fields {
        dimensions.reduce(text(name).u32(UInt32(dimensions.count))) { $0.u64($1) }.u32(type).u64(offset)
    }
    func appending(_ more: [UInt8]) -> Fields {
        var copy = self
        copy.bytes += more
        return copy
    }
}
