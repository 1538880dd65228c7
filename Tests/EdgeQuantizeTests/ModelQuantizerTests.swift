import EdgeGGUF
import EdgeLLM
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeQuantize

/// A folder that is gone with the test.
final class ScratchFolder {
    let url: URL
    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-quantize-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: url) }
    func file(_ name: String) -> URL { url.appendingPathComponent(name) }
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? [] }
}

let carModel = packageRoot.appendingPathComponent("Fixtures/edge-car-1m.gguf")

func recipe(_ name: String) throws -> QuantizationRecipe { try #require(QuantizationRecipe(name)) }

@Suite("Quantizing a model")
struct ModelQuantizerTests {
    /// XXH64 of what llama.cpp 0.3.36 of llama-cpp-python writes, by model and recipe.
    static let recorded: [String: [String: String]] =
        (try? JSONDecoder().decode(
            [String: [String: String]].self,
            from: Data(contentsOf: packageRoot.appendingPathComponent("Fixtures/golden/quantized.json")))) ?? [:]

    @Test(
        "writes llama.cpp's file, byte for byte, for every architecture and recipe",
        .enabled(if: SharedData.isPresent, "needs shared data"), arguments: recorded.keys.sorted())
    func likePeer(model: String) async throws {
        let folder = try ScratchFolder()
        let input = try SharedData.url("golden/models/\(model).gguf")
        let expected = try #require(Self.recorded[model])
        #expect(expected.count == QuantizationRecipe.all.count)
        for recipe in QuantizationRecipe.all {
            let output = folder.file("\(recipe.name).gguf")
            try await ModelQuantizer(contentsOf: input, options: .init(recipe: recipe, threadCount: 2)).write(
                to: output)
            let hash = QualityCertificate.hash(of: [UInt8](try Data(contentsOf: output)))
            #expect(hash == expected[recipe.name], "\(recipe.name)")
        }
    }

    @Test("writes the same bytes with any number of threads, and runs")
    func threads() async throws {
        let folder = try ScratchFolder()
        var files: [Data] = []
        for count in 1...3 {
            let output = folder.file("\(count).gguf")
            let options = ModelQuantizer.Options(recipe: try recipe("Q4_K_M"), threadCount: count)
            try await ModelQuantizer(contentsOf: carModel, options: options).write(to: output)
            files.append(try Data(contentsOf: output))
        }
        #expect(files[0] == files[1] && files[1] == files[2])
        let model = try await GGUFLanguageModel(contentsOf: folder.file("1.gguf"))
        #expect(
            try await model.perplexity(of: String(repeating: "Check the oil level. ", count: 20), pieceLength: 32).value
                < 100)
    }

    @Test("a file in the other byte order gives the same bytes")
    func bigEndian() async throws {
        let folder = try ScratchFolder()
        let turned = folder.file("turned.gguf")
        let layout = GGUFLayout(version: 3, isBigEndian: true)
        try GGUFWriter(copying: GGUFFile(path: carModel.path), layout: layout).write(to: turned.path)
        for (input, name) in [(carModel, "a"), (turned, "b")] {
            let options = ModelQuantizer.Options(recipe: try recipe("Q5_K_M"))
            try await ModelQuantizer(contentsOf: input, options: options).write(to: folder.file(name))
        }
        #expect(try Data(contentsOf: folder.file("a")) == Data(contentsOf: folder.file("b")))
    }

    @Test("takes rules, pure mixes, and types for output and embedding")
    func choices() throws {
        func types(_ change: (inout ModelQuantizer.Options) throws -> Void) throws -> [String: String] {
            var options = ModelQuantizer.Options(recipe: try recipe("Q4_0"))
            try change(&options)
            let plan = try ModelQuantizer(contentsOf: carModel, options: options).plan
            return Dictionary(uniqueKeysWithValues: plan.map { ($0.name, $0.newType) })
        }
        let plain = try types { _ in }
        #expect(plain["token_embd.weight"] == "Q8_0" && plain["blk.0.attn_v.weight"] == "Q4_0")
        #expect(plain["blk.0.attn_norm.weight"] == "F32")
        #expect(try types { $0.isPure = true }["token_embd.weight"] == "Q4_0")
        let ruled = try types {
            $0.rules = [
                .init(pattern: #"^blk\.[0-2]\.attn_(q|k)"#, type: try #require(TensorType("q5_1"))),
                .init(pattern: "attn_k", type: try #require(TensorType("F16"))),
            ]
            $0.embeddingType = TensorType("IQ4_NL")
        }
        #expect(ruled["blk.1.attn_k.weight"] == "Q5_1" && ruled["blk.3.attn_k.weight"] == "F16")
        #expect(ruled["blk.1.attn_v.weight"] == "Q4_0" && ruled["token_embd.weight"] == "IQ4_NL")
        // Rows of 128 values have no blocks of 256: the type that stands in.
        #expect(
            try types { $0.rules = [.init(pattern: "attn_k", type: try #require(TensorType("Q4_K")))] }[
                "blk.0.attn_k.weight"] == "Q5_0")
    }

    @Test("refuses what cannot be, with the reason, and leaves nothing")
    func refusals() async throws {
        let folder = try ScratchFolder()
        let output = folder.file("out.gguf")
        func code(_ input: URL = carModel, _ change: (inout ModelQuantizer.Options) throws -> Void = { _ in })
            async throws
            -> QuantizationError.Code?
        {
            var options = ModelQuantizer.Options(recipe: try recipe("Q4_0"))
            try change(&options)
            do {
                try await ModelQuantizer(contentsOf: input, options: options).write(to: output)
                return nil
            } catch let error as QuantizationError {
                return error.code
            }
        }
        #expect(
            try await code { $0.rules = [.init(pattern: "(", type: try #require(TensorType("F16")))] }
                == .invalidPattern)
        #expect(
            try await code { $0.rules = [.init(pattern: "nothing", type: try #require(TensorType("F16")))] }
                == .invalidPattern)
        #expect(try await code { $0.embeddingType = TensorType("Q4_K") } == .unfitShape)
        #expect(try await code { $0.threadCount = 0 } == .invalidOptions)
        #expect(folder.names.isEmpty)
        #expect(try await code() == nil)
        let again = folder.file("again.gguf")
        try FileManager.default.moveItem(at: output, to: again)
        #expect(try await code(again) { $0.recipe = try recipe("Q8_0") } == .requantization)
        #expect(
            try await code(again) {
                $0.recipe = try recipe("Q8_0"); $0.allowsRequantizing = true
            } == nil)
        try FileManager.default.removeItem(at: output)
        #expect(try await code(again) { $0.recipe = try recipe("Q4_0") } == nil)
    }

    @Test("a weight that is no number is found, a full folder or a missing one is an error, and no half file is left")
    func damage() async throws {
        let folder = try ScratchFolder()
        var bytes = [UInt8](try Data(contentsOf: carModel))
        let file = try GGUFFile(path: carModel.path)
        let tensor = try #require(file.tensor(named: "blk.3.ffn_up.weight"))
        bytes[tensor.fileOffset + 1001] = 0x7E
        let damaged = folder.file("damaged.gguf")
        try Data(bytes).write(to: damaged)
        let options = ModelQuantizer.Options(recipe: try recipe("Q4_0"))
        let error = await #expect(throws: QuantizationError.self) {
            try await ModelQuantizer(contentsOf: damaged, options: options).write(to: folder.file("out.gguf"))
        }
        #expect(error?.code == .notFinite && error?.tensor == "blk.3.ffn_up.weight")
        let unwritable = await #expect(throws: QuantizationError.self) {
            try await ModelQuantizer(contentsOf: carModel, options: options).write(to: folder.file("none/out.gguf"))
        }
        #expect(unwritable?.code == .unwritable)
        #expect(throws: ModelLoadingError.self) {
            try Data(bytes.prefix(bytes.count / 2)).write(to: damaged)
            _ = try ModelQuantizer(contentsOf: damaged, options: options)
        }
        // Cut off after the header has been read.
        try Data(bytes).write(to: damaged)
        bytes[tensor.fileOffset + 1001] = 0
        try Data(bytes).write(to: damaged)
        let quantizer = try ModelQuantizer(contentsOf: damaged, options: options)
        let handle = try FileHandle(forWritingTo: damaged)
        try handle.truncate(atOffset: UInt64(tensor.fileOffset))
        let cut = await #expect(throws: QuantizationError.self) {
            try await quantizer.write(to: folder.file("out.gguf"))
        }
        #expect(cut?.code == .unreadable)
        let same = await #expect(throws: QuantizationError.self) {
            try await ModelQuantizer(contentsOf: carModel, options: options).write(to: carModel)
        }
        #expect(same?.code == .invalidOptions)
        #expect(folder.names == ["damaged.gguf"])
    }

    @Test("a cancelled task leaves nothing")
    func cancellation() async throws {
        let folder = try ScratchFolder()
        let quantizer = try ModelQuantizer(contentsOf: carModel, options: .init(recipe: try recipe("Q4_0")))
        let output = folder.file("out.gguf")
        let work = Task { try await quantizer.write(to: output) }
        work.cancel()
        await #expect(throws: CancellationError.self) { try await work.value }
        #expect(folder.names.isEmpty)
    }
}
