import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Testing

/// The bundled model against what the plain Python reference beside its training script recorded: see `Fixtures/model/golden.py`.
@Suite("The bundled model") struct BundledModelTests {
    struct Golden: Decodable {
        struct Prompt: Decodable {
            struct Row: Decodable {
                let position: Int
                let row: Int
            }
            let text: String
            let ids: [Int32]
            let greedy: [Int32]
            let greedy_text: String
            let logits: [Row]
        }
        struct Text: Decodable {
            let text: String
            let ids: [Int32]
        }
        let prompts: [Prompt]
        let tokenize: [Text]
    }

    private let model: Model
    private let tokenizer: Tokenizer
    private let golden: Golden
    private let rows: [Float]

    init() throws {
        model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        tokenizer = try model.makeTokenizer()
        let folder = fixtures.appendingPathComponent("golden")
        golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: folder.appendingPathComponent("edge-car.json")))
        rows = try SharedData.floats(at: folder.appendingPathComponent("edge-car.f32"))
    }

    @Test("Texts become the recorded ids")
    func ids() {
        #expect(golden.tokenize.count > 5)
        for text in golden.tokenize {
            #expect(tokenizer.encode(text.text, addSpecial: false, parseSpecial: false) == text.ids, "\(text.text)")
        }
        for prompt in golden.prompts {
            #expect(tokenizer.encode(prompt.text, addSpecial: true, parseSpecial: false) == prompt.ids)
            #expect(tokenizer.decode(prompt.greedy) == prompt.greedy_text)
        }
    }

    @Test("Greedy ids and logits are the recorded ones")
    func logits() throws {
        let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 128, logitsCapacity: 128)
        for prompt in golden.prompts {
            let ids = prompt.ids + prompt.greedy
            let cache = try model.makeCache(capacity: ids.count, precision: .f32)
            pass.run(ids[...], cache: cache, logits: 0..<ids.count)
            for (step, id) in prompt.greedy.enumerated() {
                let logits = pass.logits.copy(row: prompt.ids.count - 1 + step)
                #expect(logits.indices.max { logits[$0] < logits[$1] } == Int(id), "\(prompt.text), step \(step)")
            }
            for recorded in prompt.logits {
                let width = model.vocabularySize
                let expected = rows[recorded.row * width..<(recorded.row + 1) * width]
                #expect(nmse(pass.logits.copy(row: recorded.position), expected) <= 1e-10)
            }
        }
    }
}
