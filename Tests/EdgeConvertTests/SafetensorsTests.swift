import EdgeGrammar
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeConvert

@Suite("Safetensors files") struct SafetensorsTests {
    /// A file of that header and so many bytes of data.
    private func file(_ header: String, dataCount: Int = 0, length: UInt64? = nil) -> [UInt8] {
        littleEndian(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + [UInt8](repeating: 7, count: dataCount)
    }

    private func read(_ bytes: [UInt8]) throws(ConversionError) -> SafetensorsFile {
        try SafetensorsFile(ByteView(bytes), path: "test.safetensors")
    }

    @Test("Tensors of all types, an empty one and a single value are found where they lie")
    func reads() throws {
        let header = """
            {"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},\
            "a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},\
            "empty":{"dtype":"I64","shape":[0,5],"data_offsets":[12,12]}}   
            """
        let file = try read(file(header, dataCount: 16))
        #expect(file.tensors.map(\.name) == ["a", "empty", "b"])
        #expect(file.tensors.map(\.shape) == [[2, 3], [0, 5], []])
        #expect(file.tensors.map(\.bytes.count) == [12, 0, 4])
        #expect(file.metadata == ["format": "pt"])
        for type in SafetensorsType.allCases {
            let header = #"{"t":{"dtype":"\#(type.rawValue)","shape":[3],"data_offsets":[0,\#(3 * type.byteCount)]}}"#
            #expect(try read(self.file(header, dataCount: 3 * type.byteCount)).tensors.first?.type == type)
        }
    }

    @Test(
        "Every damage is an error of its kind",
        arguments: [
            ("{}", 1, nil, ConversionError.Code.malformed),
            ("{}", 0, 3, .truncated),
            ("{}", 0, UInt64.max, .malformed),
            ("{}", 0, 100_000_001, .malformed),
            (" {}", 0, nil, .malformed),
            ("[]", 0, nil, .malformed),
            ("{", 0, nil, .malformed),
            (#"{"a":1}"#, 0, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, 4, nil, .unsupportedTensorType),
            (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}"#, 6, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, nil, .truncated),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, nil, .malformed),
            (#"{"a":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}}"#, 4, nil, .malformed),
            (#"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, 1, nil, .malformed),
            (
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
                3, nil, .malformed
            ),
            (
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                3, nil, .malformed
            ),
            (
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}"#,
                5, nil, .malformed
            ),
            (#"{"__metadata__":{"a":1}}"#, 0, nil, .malformed),
            (#"{"__metadata__":3}"#, 0, nil, .malformed),
        ] as [(String, Int, UInt64?, ConversionError.Code)])
    func damage(header: String, dataCount: Int, length: UInt64?, code: ConversionError.Code) throws {
        let error = try #require(throws: ConversionError.self) {
            _ = try read(file(header, dataCount: dataCount, length: length))
        }
        #expect(error.code == code, "\(error)")
        #expect(error.description.hasPrefix("test.safetensors: "))
    }

    @Test("Damaged files give an error or sound tensors, whatever was changed")
    func fuzz() throws {
        let header = """
            {"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[4],"data_offsets":[12,28]}}
            """
        let sound = file(header, dataCount: 28)
        var random = SplitMix(seed: 11)
        var errors = 0
        for _ in 0..<20_000 {
            var bytes = sound
            for _ in 0...Int(random.next() % 3) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
                case 2: bytes.remove(at: place)
                default: bytes.insert(UInt8(ascii: "9"), at: place)
                }
            }
            do throws(ConversionError) {
                let file = try read(bytes)
                #expect(file.tensors.reduce(0) { $0 + $1.bytes.count } <= bytes.count)
                for tensor in file.tensors {
                    #expect(tensor.bytes.count == tensor.shape.reduce(tensor.type.byteCount, *))
                }
            } catch { errors += 1 }
        }
        #expect(errors > 10_000)
        for count in 0..<sound.count {
            #expect(throws: ConversionError.self) { _ = try read(Array(sound.prefix(count))) }
        }
    }

    @Test("A text of more values than are allowed is refused before they are in memory")
    func values() throws {
        var limits = GrammarLimits()
        limits.values = 5
        #expect(try JSON(parsing: Array("[1,[2],3]".utf8), limits: limits).items?.count == 3)
        #expect(throws: GrammarError.self) { try JSON(parsing: Array("[1,[2],3,4]".utf8), limits: limits) }
        #expect(throws: ConversionError.self) {
            try JSON(file: "x", Array(("[" + String(repeating: "1,", count: 4_000_000) + "1]").utf8))
        }
    }

    @Test("Parts are joined by their index, and every contradiction between them is an error")
    func parts() throws {
        let folder = try TemporaryFolder()
        func one(_ name: String) -> [UInt8] {
            file(#"{"\#(name)":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, dataCount: 1)
        }
        func open(_ index: String) throws(ConversionError) -> Checkpoint {
            do { try folder.write("model.safetensors.index.json", Array(index.utf8)) } catch { Issue.record(error) }
            return try Checkpoint(ModelFiles(folder: folder.path))
        }
        #expect(throws: ConversionError.self) { try Checkpoint(ModelFiles(folder: folder.path)) }
        try folder.write("1.safetensors", one("a"))
        try folder.write("2.safetensors", one("b"))
        try folder.write("3.safetensors", one("a"))
        #expect(try open(#"{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#).names == ["a", "b"])
        let contradictions: [(String, ConversionError.Code)] = [
            ("{}", .missingMetadata), (#"{"weight_map":{"a":1}}"#, .invalidMetadata),
            (#"{"weight_map":{"a":"../1.safetensors"}}"#, .malformed), (#"{"weight_map":{"a":"/1"}}"#, .malformed),
            (#"{"weight_map":{"a":"4.safetensors"}}"#, .unreadable),
            (#"{"weight_map":{"a":"2.safetensors"}}"#, .missingTensor),
            (#"{"weight_map":{"a":"1.safetensors","c":"3.safetensors"}}"#, .malformed),
        ]
        for (index, code) in contradictions {
            let error = #expect(throws: ConversionError.self) { try open(index) }
            #expect(error?.code == code, "\(index): \(String(describing: error))")
        }
    }
}

/// The bytes of a number, lowest first.
func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// A folder that is removed with its contents when it is let go.
final class TemporaryFolder {
    let url: URL
    var path: String { url.path }

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-convert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }
}
