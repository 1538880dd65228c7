import EdgeGGUF
import EdgeKernels
import EdgeLLM
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeQuantize

@Suite("Scaling by activations")
struct ActivationScalingTests {
    /// The decoders among the golden models whose weights are floats.
    static let models = [
        "gemma", "gemma2", "gemma3-default-pattern", "granite", "llama-base256", "llama-mha", "llama-moe",
        "llama-tied-hd24", "olmo2",
        "phi3", "qwen2", "qwen3-hd24", "qwen3moe", "smollm3", "stablelm", "starcoder2",
    ]

    /// Inputs of made-up sizes, from a hundredth to a hundred, for all that reads one.
    private func importance(of file: GGUFFile) -> ImportanceMatrix {
        var random = SplitMix(seed: 11)
        var entries: [String: ImportanceMatrix.Entry] = [:]
        for input in ScaledInput.all(of: file) {
            for reader in input.readers {
                let sums = (0..<reader.dimensions[0]).map { _ in Float(1) / Float(1 + random.next() % 10_000) * 100 }
                entries[reader.name] = .init(sums: sums, counts: [1])
            }
        }
        return ImportanceMatrix(entries: entries, datasets: [], chunkCount: 1, chunkSize: 8)
    }

    private func logits(_ url: URL) throws -> [Float] {
        let model = try Model(GGUFFile(path: url.path))
        let ids = (0..<24).map { Int32($0 * 37 % model.vocabularySize) }
        let pass = try ForwardPass(
            model, team: ThreadTeam(threadCount: 1), batchCapacity: 32, logitsCapacity: 32, path: .exact)
        pass.run(ids[...], cache: try model.makeCache(capacity: 32, precision: .f32), logits: 0..<ids.count)
        return ids.indices.flatMap { pass.logits.copy(row: $0) }
    }

    @Test(
        "a scaled model computes what the original does", .enabled(if: SharedData.isPresent, "needs shared data"),
        arguments: models)
    func sameModel(name: String) async throws {
        let folder = try ScratchFolder()
        let input = try SharedData.url("golden/models/\(name).gguf")
        let file = try GGUFFile(path: input.path)
        let output = folder.file("scaled.gguf")
        let options = ModelQuantizer.Options(
            recipe: try recipe("F32"), scaling: ActivationScaling(importance(of: file), exponent: 0.5))
        try await ModelQuantizer(contentsOf: input, options: options).write(to: output)
        let scaled = try GGUFFile(path: output.path)
        let changed = file.tensors.filter { tensor in
            tensor.type == .f32 && scaled.tensor(named: tensor.name)?.bytes.copied() != tensor.bytes.copied()
        }
        #expect(changed.count >= 4)
        let (before, after) = (try logits(input), try logits(output))
        let error = zip(before, after).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        let size = before.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(error <= 1e-9 * size)
    }

    @Test(
        "a model with large inputs loses much less, with the same bytes for any number of threads, and with feedback and importance"
    )
    func helps() async throws {
        let folder = try ScratchFolder()
        let assistant = packageRoot.appendingPathComponent("Fixtures/edge-assistant.gguf")
        let manual = try Data(contentsOf: packageRoot.appendingPathComponent("Fixtures/manual/03-symptoms.md"))
        let (calibration, test) = ([UInt8](manual.prefix(6000)), [UInt8](manual.dropFirst(6000).prefix(4000)))
        let importance = try await ImportanceMatrix.measure(
            assistant, on: calibration, dataset: "manual", pieceLength: 128)
        func divergence(_ name: String, _ change: (inout ModelQuantizer.Options) -> Void) async throws -> Double {
            var options = ModelQuantizer.Options(recipe: try recipe("Q4_0"), allowsRequantizing: true)
            change(&options)
            try await ModelQuantizer(contentsOf: assistant, options: options).write(to: folder.file(name))
            return try await ModelComparison.measure(
                base: assistant, model: folder.file(name), on: test, pieceLength: 128
            ).divergence.value
        }
        let plain = try await divergence("plain") { _ in }
        let one = try await divergence("one") {
            $0.scaling = ActivationScaling(importance)
            $0.threadCount = 1
        }
        _ = try await divergence("two") {
            $0.scaling = ActivationScaling(importance)
            $0.threadCount = 2
        }
        #expect(one < 0.8 * plain)
        #expect(try Data(contentsOf: folder.file("one")) == Data(contentsOf: folder.file("two")))
        let weighed = try await divergence("weighed") { $0.importance = importance }
        let both = try await divergence("both") {
            $0.importance = importance
            $0.scaling = ActivationScaling(importance)
        }
        #expect(both < weighed)
    }

    @Test("sizes of another model's inputs are refused")
    func foreign() async throws {
        let folder = try ScratchFolder()
        var matrix = ImportanceMatrix(entries: [:], datasets: [], chunkCount: 1, chunkSize: 8)
        matrix.entries["blk.0.attn_q.weight"] = .init(sums: [1, 2, 3], counts: [1])
        let options = ModelQuantizer.Options(recipe: try recipe("Q4_0"), scaling: ActivationScaling(matrix))
        let error = await #expect(throws: QuantizationError.self) {
            try await ModelQuantizer(contentsOf: carModel, options: options).write(to: folder.file("never.gguf"))
        }
        #expect(error?.code == .invalidImportance && folder.names.isEmpty)
    }
}
