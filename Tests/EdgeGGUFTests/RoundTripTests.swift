import EdgeGGUF
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@Suite("Round trip") struct RoundTripTests {
    @Test("every value type and tensor type comes back in every layout", arguments: allLayouts)
    func everything(layout: GGUFLayout) throws {
        let file = try GGUFFile(bytes: ByteView(sampleWriter(layout).encoded()), path: "sample")
        #expect(file.version == layout.version)
        #expect(file.isBigEndian == layout.isBigEndian)
        #expect(file.metadata.entries.map(\.key) == sampleValues.map(\.key))
        for (key, value) in sampleValues { #expect(file[key] == value, "\(key)") }

        let expected = sampleTensors()
        #expect(file.tensors.count == expected.count)
        for (tensor, (name, type, dimensions, bytes)) in zip(file.tensors, expected) {
            #expect(tensor.name == name)
            #expect(tensor.type == type)
            #expect(tensor.dimensions == dimensions)
            #expect(tensor.fileOffset % 32 == 0)
            #expect(tensor.bytes.copied() == bytes, "\(name)")
            #expect(tensor.byteCount == bytes.count)
        }
    }

    @Test("numbers in big-endian data lie the other way round")
    func bigEndianData() throws {
        var writer = GGUFWriter(layout: GGUFLayout(version: 3, isBigEndian: true))
        let value = Float(1.5).bitPattern.littleEndian
        let stored = (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        try writer.add(name: "t", type: .f32, dimensions: [1], bytes: stored)
        let block: [UInt8] = [1, 2] + (0..<32).map { UInt8($0) }
        try writer.add(name: "q", type: .q8_0, dimensions: [32], bytes: block)
        let file = try GGUFFile(bytes: ByteView(writer.encoded()), path: "sample")
        let tensors = try (#require(file.tensor(named: "t")), #require(file.tensor(named: "q")))
        #expect(tensors.0.storedBytes.copied() == stored.reversed())
        #expect(tensors.1.storedBytes.copied() == [2, 1] + (0..<32).map { UInt8($0) })
        #expect(tensors.0.bytes.copied() == stored)
        #expect(!tensors.0.isMapped)
    }

    @Test("any power of two aligns the data", arguments: [1, 2, 4, 8, 16, 32, 64, 128, 4096, 65_536] as [UInt32])
    func alignment(_ alignment: UInt32) throws {
        let bytes = try sampleWriter(alignment: alignment).encoded()
        let file = try GGUFFile(bytes: ByteView(bytes), path: "sample")
        #expect(file.alignment == Int(alignment))
        for (tensor, sample) in zip(file.tensors, sampleTensors()) {
            #expect(tensor.fileOffset % Int(alignment) == 0)
            #expect(tensor.bytes.copied() == sample.bytes)
        }
    }

    @Test("arrays decode to each kind they can be", arguments: allLayouts)
    func arrays(layout: GGUFLayout) throws {
        let file = try GGUFFile(bytes: ByteView(sampleWriter(layout).encoded()), path: "sample")
        func array(_ key: String) throws -> GGUFArray { try file.metadata.array(key) }
        #expect(try array("a.u8").ints() == [1, 2, 255])
        #expect(try array("a.i8").int32s() == [-1, 127])
        #expect(try array("a.u32").ints() == [0, Int(UInt32.max)])
        #expect(try array("a.u32").int32s() == nil)
        #expect(try array("a.u64").ints() == nil)
        #expect(try array("a.i64").ints() == [.min, 1])
        #expect(try array("a.f32").floats() == [0.5, .infinity])
        #expect(try array("a.f64").floats() == [0.25])
        #expect(try array("a.f32").ints() == nil)
        #expect(try array("a.bool").bools() == [true, false, true])
        #expect(try array("a.bool").ints() == nil)
        #expect(try array("a.none").ints() == [])
        #expect(try array("a.str").strings() == ["a", "", "▁the", "e\u{301}"])
        #expect(try array("a.raw").strings() == ["\u{FFFD}", "", "\u{FFFD}("])
        let packed = try array("a.raw").packedStrings()
        #expect(packed.bytes == [0xFF, 0xC3, 0x28])
        #expect(packed.ends == [1, 1, 3])
        let nested = try #require(try array("a.nested").arrays())
        #expect(nested.map(\.typeName) == ["arr[i32]", "arr[str]", "arr[arr]"])
        #expect(nested[1].strings() == ["x", "yz"])
        #expect(nested[2].arrays()?.map(\.count) == [1, 0])
        #expect(throws: GGUFError.self) { try array("a.u8").packedStrings() }
    }

    @Test("a canonical model of another writer comes out byte for byte", .enabled(if: SharedData.isPresent))
    func identicalModels() throws {
        let folder = try SharedData.url("golden/models").path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".gguf") }
        #expect(!names.isEmpty)
        for name in names {
            let original = try MappedFile(path: "\(folder)/\(name)").bytes
            let file = try GGUFFile(bytes: original, path: name)
            let written = try ByteView(GGUFWriter(copying: file).encoded())
            #expect(written.hasSameBytes(as: original), "\(name): \(written.count) and \(original.count) bytes")
        }
    }

    @Test("a vocabulary survives each layout", .enabled(if: SharedData.isPresent), arguments: allLayouts)
    func vocabulary(layout: GGUFLayout) throws {
        let file = try GGUFFile(path: SharedData.url("llama.cpp/models/ggml-vocab-bert-bge.gguf").path)
        let copy = try GGUFFile(
            bytes: ByteView(GGUFWriter(copying: file, layout: layout).encoded()), path: "copy")
        #expect(copy.metadata.entries.map(\.key) == file.metadata.entries.map(\.key))
        #expect(zip(copy.metadata.entries, file.metadata.entries).allSatisfy { $0.value == $1.value })
    }
}
