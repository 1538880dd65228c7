import EdgeGGUF
import EdgePlatform
import EdgeQuant
import Foundation
import Testing

@Suite("Malformed files") struct MalformedTests {
    @Test("a file cut at any byte is an error, never a crash", arguments: allLayouts)
    func truncation(layout: GGUFLayout) throws {
        let bytes = try sampleWriter(layout).encoded()
        let file = try GGUFFile(bytes: ByteView(bytes), path: "whole")
        let last = try #require(file.tensors.last)
        let end = last.fileOffset + last.byteCount
        for count in 0..<end {
            #expect(failure(of: Array(bytes[..<count])) != nil, "\(count) bytes")
        }
        // Only padding lies behind the last tensor.
        #expect(failure(of: Array(bytes[..<end])) == nil)
    }

    @Test("no change of a single byte crashes", arguments: allLayouts)
    func mutation(layout: GGUFLayout) throws {
        let bytes = try tinyFile(layout)
        var parsed = 0
        var refused = 0
        for position in bytes.indices {
            var copy = bytes
            for value in UInt8.min...UInt8.max where value != bytes[position] {
                copy[position] = value
                if failure(of: copy) == nil { parsed += 1 } else { refused += 1 }
            }
        }
        #expect(parsed > 0)
        #expect(refused > bytes.count)
    }

    @Test("each field refuses what it cannot mean")
    func fields() {
        func code(_ fields: Fields) -> GGUFError.Code? { failure(of: fields.bytes)?.code }
        let one = Fields(tensors: 1, pairs: 0)
        #expect(code(one.tensor("t", [8]).zeros(64)) == nil)
        #expect(code(one.tensor("t", []).zeros(64)) == nil)
        #expect(code(one.tensor("t", [1, 1, 1, 1, 1]).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [8, 0]).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [UInt64.max]).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [1 << 32, 1 << 32]).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [1 << 61]).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [1 << 40]).zeros(64)) == .truncated)
        #expect(code(one.tensor("t", [33], type: 2).zeros(64)) == .malformed)
        #expect(code(one.tensor("t", [8], type: 16).zeros(64)) == .unsupportedTensorType)
        #expect(code(one.tensor("t", [8], type: .max).zeros(64)) == .unsupportedTensorType)
        #expect(code(one.tensor("t", [8], offset: 16).zeros(96)) == .malformed)
        #expect(code(one.tensor("t", [8], offset: 1 << 63).zeros(96)) == .truncated)
        #expect(code(one.tensor("t", [8], offset: UInt64.max - 31).zeros(96)) == .truncated)
        #expect(code(one.tensor("", [8]).zeros(64)) == .malformed)
        #expect(code(one.tensor("a\0", [8]).zeros(64)) == .malformed)
        #expect(code(one.tensor(String(repeating: "n", count: 63), [8]).zeros(96)) == nil)
        #expect(code(one.tensor(String(repeating: "n", count: 64), [8]).zeros(96)) == .malformed)

        let pair = Fields(tensors: 0, pairs: 1)
        #expect(code(pair.text("k").u32(7).u8(1)) == nil)
        #expect(code(pair.text("k").u32(7).u8(2)) == .invalidValue)
        #expect(code(pair.text("").u32(7).u8(1).zeros(1)) == .malformed)
        #expect(code(pair.raw([0xFF]).u32(7).u8(1)) == .malformed)
        #expect(code(pair.text(String(repeating: "k", count: 65_536)).u32(7).u8(1)) == .malformed)
        #expect(code(pair.text("k").u32(13).u8(1)) == .malformed)
        #expect(code(pair.text("k").u32(9).u32(13).u64(0)) == .malformed)
        #expect(code(pair.text("k").u32(9).u32(7).u64(2).u8(1).u8(3)) == .invalidValue)
        #expect(code(pair.text("k").u32(9).u32(10).u64(1 << 61)) == .truncated)
        #expect(code(pair.text("k").u32(9).u32(8).u64(1).u64(.max)) == .truncated)
        #expect(code(pair.text("k").u32(8).u64(.max - 7)) == .truncated)
        #expect(code(pair.text(GGUFKey.alignment).u32(10).u64(32)) == .wrongMetadataType)
        #expect(code(pair.text(GGUFKey.alignment).u32(4).u32(0)) == .invalidValue)
        #expect(code(pair.text(GGUFKey.alignment).u32(4).u32(48)) == .invalidValue)

        for version in [0, 4, 0x0400_0000, 0x0001_0000, UInt32.max] {
            #expect(code(Fields(version: version, tensors: 0, pairs: 0)) == .unsupportedVersion)
        }
        #expect(code(Fields(tensors: .max, pairs: 0)) == .truncated)
        #expect(code(Fields(tensors: 0, pairs: 1 << 40)) == .truncated)
        #expect(failure(of: Array("GGML".utf8) + [UInt8](repeating: 0, count: 60))?.code == .notGGUF)
        #expect(failure(of: [])?.code == .truncated)
    }

    @Test("arrays nest to a bound")
    func nesting() {
        func nested(_ depth: Int) -> GGUFError? {
            var fields = Fields(tensors: 0, pairs: 1).text("k").u32(9)
            for _ in 1..<depth { fields = fields.u32(9).u64(1) }
            return failure(of: fields.u32(0).u64(1).u8(7).bytes)
        }
        #expect(nested(1) == nil)
        #expect(nested(16) == nil)
        #expect(nested(17)?.code == .malformed)
        #expect(nested(100_000)?.code == .malformed)
    }

    @Test("duplicates and overlaps name the culprit")
    func duplicates() {
        let keys = Fields(tensors: 0, pairs: 2).text("k").u32(0).u8(1).text("k").u32(0).u8(1)
        #expect(failure(of: keys.bytes)?.code == .duplicateKey)
        #expect(failure(of: keys.bytes)?.key == "k")
        let names = Fields(tensors: 2, pairs: 0).tensor("t", [8]).tensor("t", [8], offset: 32).zeros(128)
        #expect(failure(of: names.bytes)?.code == .duplicateTensor)
        #expect(failure(of: names.bytes)?.tensor == "t")
        let overlap = Fields(tensors: 2, pairs: 0).tensor("a", [9], offset: 32).tensor("b", [8], offset: 64).zeros(192)
        #expect(failure(of: overlap.bytes)?.code == .malformed)
        #expect(failure(of: overlap.bytes)?.tensor == "b")
        let swapped = Fields(tensors: 2, pairs: 0).tensor("a", [8], offset: 32).tensor("b", [8]).zeros(192)
        #expect(failure(of: swapped.bytes) == nil)
    }

    @Test("an unsupported type is named, with the supported ones")
    func unsupportedType() {
        let file = Fields(tensors: 1, pairs: 0).tensor("blk.0.w", [256], type: 16).zeros(512)
        let error = failure(of: file.bytes)
        #expect(error?.tensor == "blk.0.w")
        #expect(error?.message.contains("IQ2_XXS") == true)
        #expect(error?.message.contains(GGMLType.supportedNames) == true)
    }

    @Test("a million keys take one pass")
    func millionKeys() throws {
        let count = 1_000_000
        var bytes = Fields(tensors: 0, pairs: UInt64(count)).bytes
        bytes.reserveCapacity(count * 24)
        for number in 0..<count {
            let key = Array("key.\(number)".utf8)
            bytes.append(UInt8(key.count))
            bytes.append(contentsOf: [0, 0, 0, 0, 0, 0, 0])
            bytes += key
            bytes.append(contentsOf: [0, 0, 0, 0, UInt8(truncatingIfNeeded: number)])
        }
        let file = try GGUFFile(bytes: ByteView(bytes), path: "many")
        #expect(file.metadata.count == count)
        #expect(try file.metadata.int("key.999999") == 999_999 % 256)
    }
}

@Suite("Split files") struct SplitTests {
    /// Writes the parts of a model of five tensors, two in each part.
    private func write(
        _ folder: URL, layouts: [GGUFLayout] = [.current, .current, .current],
        change: (Int, inout GGUFWriter) throws -> Void = { _, _ in }
    ) throws {
        for part in 0..<3 {
            var writer = GGUFWriter(layout: layouts[part])
            if part == 0 { writer.set("general.architecture", .string("split")) }
            writer.set(GGUFKey.splitNumber, .uint16(UInt16(part)))
            writer.set(GGUFKey.splitCount, .uint16(3))
            writer.set(GGUFKey.splitTensorCount, .int32(5))
            for number in 2 * part..<min(2 * part + 2, 5) {
                try writer.add(
                    name: "t\(number)", type: .f32, dimensions: [4], bytes: pattern(16, seed: UInt64(number)))
            }
            try change(part, &writer)
            try writer.write(to: folder.appendingPathComponent("m-0000\(part + 1)-of-00003.gguf").path)
        }
    }

    private func code(_ folder: URL, _ name: String = "m-00001-of-00003.gguf") -> GGUFError.Code? {
        do {
            _ = try GGUFFile(path: folder.appendingPathComponent(name).path)
            return nil
        } catch { return error.code }
    }

    @Test("any part opens the whole model", arguments: 1...3)
    func anyPart(number: Int) throws {
        try withTemporaryFolder { folder in
            let big = GGUFLayout(version: 3, isBigEndian: true)
            try write(folder, layouts: [.current, big, GGUFLayout(version: 2)])
            let file = try GGUFFile(path: folder.appendingPathComponent("m-0000\(number)-of-00003.gguf").path)
            #expect(try file.metadata.string("general.architecture") == "split")
            #expect(file.tensors.map(\.name) == ["t0", "t1", "t2", "t3", "t4"])
            #expect(file.paths.count == 3)
            for index in 0..<5 {
                #expect(file.tensor(named: "t\(index)")?.bytes.copied() == pattern(16, seed: UInt64(index)))
            }
        }
    }

    @Test("a set that does not fit together is refused")
    func badSets() throws {
        try withTemporaryFolder { folder in
            try write(folder) { part, writer in if part == 1 { writer.set(GGUFKey.splitNumber, .uint16(2)) } }
            #expect(code(folder) == .missingSplit)
            try write(folder) { part, writer in if part == 2 { writer.set(GGUFKey.splitCount, .uint16(4)) } }
            #expect(code(folder) == .missingSplit)
            try write(folder) { _, writer in writer.set(GGUFKey.splitTensorCount, .int32(6)) }
            #expect(code(folder) == .missingSplit)
            try write(folder) { part, writer in if part == 0 { writer.set(GGUFKey.splitCount, .string("3")) } }
            #expect(code(folder) == .wrongMetadataType)
            try write(folder) { part, writer in if part == 0 { writer.set(GGUFKey.splitNumber, .uint16(3)) } }
            #expect(code(folder) == .invalidValue)
            try write(folder) { part, writer in if part == 0 { writer.set(GGUFKey.splitNumber, .uint16(1)) } }
            #expect(code(folder) == .missingSplit)
            try write(folder) { part, writer in
                if part == 2 { try writer.add(name: "t0", type: .i8, dimensions: [1], bytes: [0]) }
            }
            #expect(code(folder) == .duplicateTensor)
        }
    }

    @Test("a missing part and a renamed first part say so")
    func missingParts() throws {
        try withTemporaryFolder { folder in
            try write(folder)
            let manager = FileManager.default
            try manager.copyItem(
                at: folder.appendingPathComponent("m-00001-of-00003.gguf"),
                to: folder.appendingPathComponent("renamed.gguf"))
            #expect(code(folder, "renamed.gguf") == .missingSplit)
            try manager.removeItem(at: folder.appendingPathComponent("m-00002-of-00003.gguf"))
            #expect(code(folder) == .missingSplit)
            #expect(code(folder, "m-00003-of-00003.gguf") == .missingSplit)
            #expect(code(folder, "none.gguf") == .unreadable)
            #expect(code(folder, ".") == .unreadable)
        }
    }
}
