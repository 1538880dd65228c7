import Testing

@testable import EdgeRAG

@Suite("Ranking") struct RankingTests {
    private func list(_ scores: [(Int64, Double)]) -> [RankedPassage] { scores.map { .init(id: $0.0, score: $0.1) } }

    @Test("Reciprocal ranks")
    func reciprocal() {
        let ranking = Ranking(fusion: .reciprocalRank(k: 60))
        let fused = ranking.fuse(lexical: list([(1, 9), (2, 5)]), dense: list([(2, 0.9), (3, 0.8)]))
        #expect(fused.map(\.id) == [2, 1, 3])
        #expect(abs(fused[0].score - (1 / 62.0 + 1 / 61.0)) < 1e-12)
        #expect(fused[1].denseRank == nil && fused[2].lexicalRank == nil && fused[0].similarity == 0.9)
    }

    @Test("A weighted sum of scores")
    func convex() {
        let ranking = Ranking(fusion: .convex(weight: 0.25))
        let fused = ranking.fuse(
            lexical: list([(1, 8), (2, 4)]), dense: list([(3, 0.9), (2, 0.5)]), similarities: [1: 0.1])
        #expect(fused.map(\.id) == [1, 2, 3])
        #expect(abs(fused[0].score - 0.75) < 1e-6 && abs(fused[2].score - 0.25) < 1e-6)
        #expect(abs(fused[1].score - (0.25 * 0.5 + 0.75 * 0.5)) < 1e-6)
        #expect(ranking.fuse(lexical: [], dense: []).isEmpty)
        #expect(ranking.fuse(lexical: list([(5, 0), (4, 0)]), dense: []).map(\.id) == [4, 5])
    }

    @Test("Diversity puts what says the same later")
    func diversity() {
        let fused = [FusedPassage(id: 1, score: 1), FusedPassage(id: 2, score: 0.99), FusedPassage(id: 3, score: 0.5)]
        let vectors: [Int64: [Float]] = [1: [1, 0], 2: [1, 0], 3: [0, 1]]
        let order = { (diversity: Double) in
            Ranking(diversity: diversity).diversified(fused, limit: 3, vectors: vectors).map(\.id)
        }
        #expect(order(0) == [1, 2, 3])
        #expect(order(0.6) == [1, 3, 2])
    }
}
