import EdgeRAG
import EdgeTestSupport
import Foundation
import Testing

@Suite("Evaluating retrieval") struct EvaluationTests {
    @Test("Measures of a list whose order is known")
    func measures() async throws {
        let store = try await PassageStore(at: nil)
        try await store.add([
            Document(name: "a", text: "tyre tyre tyre"), Document(name: "b", text: "tyre tyre and oil, and more"),
            Document(name: "c", text: "tyre, with many other words around it that are not asked for at all"),
            Document(name: "d", text: "nothing of the kind"),
        ])
        let queries = [
            JudgedQuery(query: "tyre", answers: [.init(source: "a")]),
            JudgedQuery(query: "tyre", answers: [.init(source: "b")]),
            JudgedQuery(query: "tyre", answers: [.init(source: "a"), .init(source: "d", quote: "nothing\n of")]),
            JudgedQuery(query: "tyre", answers: [.init(source: "x")]),
        ]
        let result = try await store.evaluate(queries, depth: 3)
        #expect(result.queryCount == 4 && result.missed == [3])
        #expect(abs(result.recall - (1 + 1 + 0.5) / 4) < 1e-9)
        #expect(abs(result.meanReciprocalRank - (1 + 0.5 + 1) / 4) < 1e-9)
        let second = 1 / log2(3.0)
        #expect(abs(result.ndcg - (1 + second + 1 / (1 + second)) / 4) < 1e-9)
        #expect(result.hitAt1 == 0.5 && result.hitAt3 == 0.75)
        await #expect(throws: RetrievalError.self) { try await store.evaluate([]) }
    }

    @Test(
        "Questions about cars find their answers word for word: nine of ten in the first three places",
        .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
    func carQuestions() async throws {
        // By meaning too they do better, but to embed all passages takes minutes: see the README of EdgeRAG.
        let store = try await PassageStore(at: nil)
        for folder in ["rag/ovms", "rag/dtc"] { try await store.index(folder: SharedData.url(folder)) }
        let queries = try JudgedQuery.list(contentsOf: fixtures.appendingPathComponent("car-questions.json"))
        #expect(queries.count == 50)
        let result = try await store.evaluate(queries)
        #expect(result.hitAt3 >= 0.9, "\(result)")
        let code = try await store.passages(for: "What does P0301 mean?", limit: 3)
        #expect(code.contains { $0.passage.text.contains("P0301 - Cylinder 1 Misfire") })
    }

    private struct Squad: Decodable {
        var data: [Article]
        struct Article: Decodable { var paragraphs: [Paragraph] }
        struct Paragraph: Decodable {
            var context: String
            var qas: [Question]
        }
        struct Question: Decodable { var question: String }
    }

    @Test(
        "XQuAD's questions find their paragraphs word for word",
        .enabled(if: SharedData.isPresent, "\(SharedData.reason)"),
        arguments: [("en", 0.9597), ("de", 0.95), ("zh", 0.965), ("ar", 0.92)])
    func xquad(language: String, least: Double) async throws {
        let data = try Data(contentsOf: SharedData.url("rag/xquad/xquad.\(language).json"))
        let paragraphs = try JSONDecoder().decode(Squad.self, from: data).data.flatMap(\.paragraphs)
        let store = try await PassageStore(at: nil, options: .init(splitter: .init(maximumTokens: 8192)))
        try await store.add(paragraphs.enumerated().map { Document(name: "\($0)", text: $1.context) })
        let queries = paragraphs.enumerated().flatMap { index, paragraph in
            paragraph.qas.map { JudgedQuery(query: $0.question, answers: [.init(source: "\(index)")]) }
        }
        let result = try await store.evaluate(queries)
        #expect(result.ndcg >= least, "\(language): \(result.ndcg)")
    }
}
