import EdgeGGUF
import EdgePlatform
import EdgeQuant
import Foundation
import Testing

@Suite("Writer") struct WriterTests {
    @Test("a small file has exactly the bytes of the specification")
    func expectedBytes() throws {
        var writer = GGUFWriter()
        writer.set("k", .uint16(0x0102))
        try writer.add(name: "t", type: .i16, dimensions: [2], bytes: [1, 2, 3, 4])
        let expected = Fields(tensors: 1, pairs: 1).text("k").u32(2).u8(2).u8(1).tensor("t", [2], type: 25)
        let padding = 32 - expected.bytes.count % 32
        #expect(try writer.encoded() == expected.zeros(padding).appending([1, 2, 3, 4]).zeros(28).bytes)
    }

    @Test("a file on disk equals the one in memory, and producers stream in any pieces", arguments: allLayouts)
    func file(layout: GGUFLayout) throws {
        try withTemporaryFolder { folder in
            let path = folder.appendingPathComponent("a.gguf").path
            let bytes = pattern(3_000_000, seed: 5)
            var streamed = GGUFWriter(layout: layout)
            var whole = GGUFWriter(layout: layout)
            try streamed.add(name: "t", type: .f16, dimensions: [1_500_000]) { emit in
                try emit([])
                try emit(Array(bytes[..<1]))
                try emit(Array(bytes[1..<2_500_001]))
                for start in stride(from: 2_500_001, to: bytes.count, by: 1000) {
                    try emit(Array(bytes[start..<min(start + 1000, bytes.count)]))
                }
            }
            try whole.add(name: "t", type: .f16, dimensions: [1_500_000], bytes: bytes)
            try Data("old".utf8).write(to: URL(fileURLWithPath: path))
            // What a process that was killed an hour ago left.
            let left = path + ".2147483646-abc.tmp"
            try Data("part".utf8).write(to: URL(fileURLWithPath: left))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: left)
            try streamed.write(to: path)
            #expect(try MappedFile(path: path).bytes.copied() == whole.encoded())
            #expect(try GGUFFile(path: path).tensors[0].bytes.copied() == bytes)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.gguf"])
        }
    }

    @Test("a failed write leaves the old file and no other")
    func failedWrite() throws {
        struct Stop: Error {}
        try withTemporaryFolder { folder in
            let path = folder.appendingPathComponent("a.gguf").path
            try Data("old".utf8).write(to: URL(fileURLWithPath: path))
            var writer = GGUFWriter()
            try writer.add(name: "t", type: .f32, dimensions: [4]) { _ in throw Stop() }
            #expect(throws: Stop.self) { try writer.write(to: path) }
            var short = GGUFWriter()
            try short.add(name: "t", type: .f32, dimensions: [4]) { emit in try emit([1, 2, 3]) }
            #expect(throws: GGUFError.self) { try short.write(to: path) }
            var long = GGUFWriter()
            try long.add(name: "t", type: .f32, dimensions: [4]) { emit in try emit(pattern(17, seed: 1)) }
            #expect(throws: GGUFError.self) { try long.write(to: path) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.gguf"])
            #expect(throws: GGUFError.self) { try GGUFWriter().write(to: folder.path + "/none/a.gguf") }
        }
    }

    @Test("what GGUF cannot hold is refused")
    func refusals() throws {
        func code(_ body: (inout GGUFWriter) throws -> Void) -> GGUFError.Code? {
            var writer = GGUFWriter()
            do {
                try body(&writer)
                _ = try writer.encoded()
                return nil
            } catch { return (error as? GGUFError)?.code }
        }
        func add(_ name: String, _ dimensions: [Int], _ count: Int, type: GGMLType = .f32) -> GGUFError.Code? {
            code { try $0.add(name: name, type: type, dimensions: dimensions, bytes: pattern(count, seed: 0)) }
        }
        #expect(add("t", [1], 4) == nil)
        #expect(add("", [1], 4) == .invalidValue)
        #expect(add("a\0b", [1], 4) == .invalidValue)
        #expect(add(String(repeating: "n", count: 64), [1], 4) == .invalidValue)
        #expect(add(String(repeating: "n", count: 63), [1], 4) == nil)
        #expect(add("t", [], 4) == .invalidValue)
        #expect(add("t", [1, 1, 1, 1, 1], 4) == .invalidValue)
        #expect(add("t", [0], 0) == .invalidValue)
        #expect(add("t", [-1], 0) == .invalidValue)
        #expect(add("t", [1 << 40, 1 << 40], 0) == .invalidValue)
        #expect(add("t", [1 << 62], 0) == .invalidValue)
        #expect(add("t", [16], 18, type: .q4_0) == .invalidValue)
        #expect(add("t", [2], 4) == .invalidValue)
        #expect(code { $0.set("", .bool(true)) } == .invalidValue)
        #expect(code { $0.set(String(repeating: "k", count: 65_536), .bool(true)) } == .invalidValue)
        for layout in allLayouts {
            var array = GGUFArray([1, 2] as [UInt16])
            for _ in 1..<16 { array = GGUFArray([array]) }
            var writer = GGUFWriter(layout: layout)
            writer.set("k", .array(array))
            #expect(try GGUFFile(bytes: ByteView(writer.encoded()), path: "")["k"] == .array(array))
            writer.set("k", .array(GGUFArray([array])))
            #expect(throws: GGUFError.self) { try writer.encoded() }
        }
        #expect(code { $0.set(GGUFKey.alignment, .uint32(3)) } == .invalidValue)
        #expect(code { $0.set(GGUFKey.alignment, .string("32")) } == .invalidValue)
        #expect(
            code {
                try $0.add(name: "t", type: .i8, dimensions: [1], bytes: [0])
                try $0.add(name: "t", type: .i8, dimensions: [1], bytes: [0])
            } == .duplicateTensor)
    }
}
