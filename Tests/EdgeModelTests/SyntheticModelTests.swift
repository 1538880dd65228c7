import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeSynthesis
import Foundation
import Testing

@Suite("Synthetic models of every architecture")
struct SyntheticModelTests {
    /// The shape with narrow layers, enough of them that each kind of layer occurs.
    private func narrow(_ shape: ModelShape) -> ModelShape {
        var narrow = shape
        narrow.blockCount = 6
        narrow.feedForwardLength = 96
        narrow.headSize = 32
        narrow.rotaryCount = shape.rotaryCount.map { $0 * narrow.headSize / shape.headSize }
        narrow.keyValueHeadCount = min(2, shape.keyValueHeadCount)
        narrow.headCount = narrow.keyValueHeadCount * (shape.headCount / shape.keyValueHeadCount)
        // Where files state no size of a head, it is this quotient.
        let isQuotient = shape.embeddingLength == shape.headCount * shape.headSize
        narrow.embeddingLength = isQuotient ? narrow.headCount * narrow.headSize : 64
        narrow.vocabularySize = 128
        if shape.architecture == "llama", shape.experts != nil { narrow.feedForwardLength = 32 }
        if shape.experts != nil { narrow.experts = .init(count: 8, usedCount: 2, feedForwardLength: 32) }
        return narrow
    }

    @Test(
        "Each shape loads as its architecture and gives finite logits",
        arguments: ModelShape.all.flatMap { [$0.name, $0.name + "@llama"] })
    func shapes(name: String) throws {
        let shape = narrow(try #require(ModelShape.named(name)))
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("synthetic-\(UUID()).gguf").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for mix in ["F32", "Q4_0", "Q4_K_M"] {
            let synthetic = SyntheticModel(shape: shape, mix: try #require(QuantizationMix.named(mix)))
            try synthetic.write(to: path)
            let file = try GGUFFile(path: path)
            #expect(synthetic.weightCount == file.tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) })
            let model = try Model(file)
            #expect(model.hyperparameters.architecture.name == shape.architecture)
            #expect(model.hyperparameters.headSize == shape.headSize)
            #expect(model.hyperparameters.rotary?.dimensionCount == shape.rotaryCount ?? shape.headSize)
            let ids: [Int32] = [1, 5, 99, 3, 127, 0, 64, 5]
            let pass = try ForwardPass(
                model, team: ThreadTeam(threadCount: 2), batchCapacity: ids.count, logitsCapacity: ids.count)
            pass.run(ids[...], cache: try model.makeCache(capacity: 16, precision: .f16), logits: 0..<ids.count)
            for row in ids.indices {
                let logits = pass.logits.copy(row: row)
                #expect(logits.count == 128 && logits.allSatisfy(\.isFinite))
                // Rows are drawn from 64, so tokens share theirs.
                #expect(Set(logits).count > 32)
            }
        }
    }

    /// Every architecture that generates has a shape, except `mistral`, which no converter writes.
    @Test("Every architecture that generates has a shape")
    func coverage() {
        let generating = Set(Architecture.all.filter { !$0.isEncoder }.map(\.name)).subtracting(["mistral"])
        #expect(Set(ModelShape.all.map(\.architecture)) == generating)
    }

    /// Weights in millions, as the models' authors give them.
    @Test(
        "Shapes have as many weights as the models",
        arguments: [
            ("llama-3.2-1b", 1236), ("llama-3.2-3b", 3213), ("tinyllama-1.1b", 1100), ("smollm2-135m", 135),
            ("mistral-7b", 7242), ("ministral-3-3b", 3429), ("qwen2.5-0.5b", 494), ("qwen3-0.6b", 596),
            ("qwen3-30b-a3b", 30_532), ("gemma-2b", 2506), ("gemma-2-2b", 2614), ("gemma-3-1b", 1000),
            ("phi-3-mini", 3821), ("granite-3.1-2b", 2534), ("olmo-2-1b", 1485), ("smollm3-3b", 3075),
            ("stablelm-2-1.6b", 1645), ("starcoder2-3b", 3030),
        ])
    func weightCounts(name: String, millions: Int) throws {
        let synthetic = try #require(SyntheticModel(name + ":F16"))
        #expect(abs(synthetic.weightCount - millions * 1_000_000) <= 1_000_000)
    }

    @Test("A shape as Llama's has the same matrices, and nothing that Llama has not")
    func asLlama() throws {
        for name in ["qwen3-0.6b", "qwen2.5-0.5b", "smollm2-135m"] {
            let own = try #require(ModelShape.named(name + "/2"))
            let llama = try #require(ModelShape.named(name + "@llama/2"))
            #expect(llama.architecture == "llama" && llama.name == "\(name)@llama/2")
            let mix = try #require(QuantizationMix.named("Q4_0"))
            // Norms and biases of the heads are all that differs, if anything does.
            let more =
                SyntheticModel(shape: own, mix: mix).weightCount - SyntheticModel(shape: llama, mix: mix).weightCount
            let heads = (own.headCount + 2 * own.keyValueHeadCount) * own.headSize
            let expected = ["qwen3-0.6b": 2 * own.headSize, "qwen2.5-0.5b": heads][name] ?? 0
            #expect(more == own.blockCount * expected)
        }
        #expect(ModelShape.named("qwen3-0.6b@llama")?.blockCount == 28 && ModelShape.named("@llama") == nil)
        #expect(ModelShape.named("qwen3-0.6b@qwen2") == nil)
    }

    @Test("A reduced shape has fewer layers, tokens and experts, and true widths")
    func reduction() throws {
        let whole = try #require(ModelShape.named("Qwen3-30B-A3B"))
        let part = try #require(ModelShape.named("qwen3-30b-a3b/16"))
        #expect(part.name == "qwen3-30b-a3b/16")
        #expect(part.blockCount == 3 && part.vocabularySize == 16_384 && part.experts?.count == 32)
        #expect(part.embeddingLength == whole.embeddingLength && part.experts?.usedCount == 8)
        #expect(ModelShape.named("smollm2-135m/30")?.blockCount == 1)
        for wrong in ["qwen3-30b-a3b/0", "qwen3-30b-a3b/49", "qwen3-30b-a3b/", "qwen3-30b-a3b/-1", "/2", "", "a/b/c"] {
            #expect(ModelShape.named(wrong) == nil)
        }
    }
}
