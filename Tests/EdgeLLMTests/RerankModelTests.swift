import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

@Suite("Rerank models") struct RerankModelTests {
    private let url = fixtures.appendingPathComponent("rerank-tiny.gguf")

    @Test("Each document has its score, whatever the others are")
    func scores() async throws {
        let model = try await GGUFRerankModel(contentsOf: url)
        let documents = (0..<20).map { ["a red light", "stop the engine", "oil pressure", ""][$0 % 4] }
        let scores = try await model.scores(of: documents, for: "engine light")
        #expect(scores.count == 20 && Set(scores).count == 4)
        for (document, score) in zip(documents.prefix(4), scores) {
            #expect(try await model.scores(of: [document], for: "engine light") == [score])
        }
        #expect(try await model.scores(of: [], for: "engine light").isEmpty)
        do {
            _ = try await model.scores(of: documents + [String(repeating: "oil ", count: 80)], for: "engine")
            Issue.record("too long a document was accepted")
        } catch let error as LanguageModelError {
            #expect(error.description.contains("text 20"))
        }
    }

    @Test("A model that gives no scores is refused")
    func refusals() async throws {
        do {
            _ = try await GGUFRerankModel(contentsOf: bundled)
            Issue.record("was accepted")
        } catch let error as ModelLoadingError {
            #expect(error.code == .unsupportedArchitecture)
        }
        await #expect(throws: ModelLoadingError.self) { try await GGUFRerankModel(contentsOf: url, tokenLimit: 0) }
    }
}
