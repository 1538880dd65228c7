/// How what was found word for word and what was found by meaning become one list.
public struct Ranking: Sendable, Hashable, Codable {
    /// What is looked for.
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// Words and meaning; in a store without vectors words only.
        case hybrid
        /// Words, by BM25.
        case lexical
        /// Meaning, by the cosines of vectors.
        case dense
    }

    /// How two lists become one.
    public enum Fusion: Sendable, Hashable, Codable {
        /// The sum of 1 / (k + rank) over both lists.
        case reciprocalRank(k: Double)
        /// `weight` times the cosine, brought to 0 to 1 over both lists' passages, plus 1 - `weight` times the BM25 score brought so.
        case convex(weight: Double)
    }

    /// What is looked for.
    public var mode: Mode
    /// How two lists become one.
    public var fusion: Fusion
    /// Passages taken of each list, 1 to 1,000.
    public var depth: Int
    /// From 0 to 1: how much a passage loses by being like those before it (maximal marginal relevance). 0 leaves the order as it is.
    public var diversity: Double

    /// A ranking. The default was chosen on XQuAD, see the README of EdgeRAG.
    public init(mode: Mode = .hybrid, fusion: Fusion = .convex(weight: 0.3), depth: Int = 100, diversity: Double = 0) {
        self.mode = mode
        self.fusion = fusion
        self.depth = depth
        self.diversity = diversity
    }

    func check() throws(RetrievalError) {
        let isFusionValid =
            switch fusion {
            case .reciprocalRank(let k): k >= 0 && k.isFinite
            case .convex(let weight): (0...1).contains(weight)
            }
        guard isFusionValid, (1...1000).contains(depth), (0...1).contains(diversity) else {
            throw RetrievalError(
                code: .invalidOptions,
                message:
                    "give a ranking with a depth of 1 to 1000, a weight and a diversity of 0 to 1, and k of 0 or more")
        }
    }
}

/// A passage in the list of one kind of search.
struct RankedPassage: Sendable, Equatable {
    var id: Int64
    var score: Double
}

/// A passage in the list that both became.
struct FusedPassage: Sendable, Equatable {
    var id: Int64
    var score: Double
    var lexicalRank: Int?
    var denseRank: Int?
    var similarity: Float?
}

extension Ranking {
    /// Both lists as one, the best first; of equals the lower number first.
    ///
    /// - Parameter similarities: the cosines of passages that were found word for word only, where they are known.
    func fuse(
        lexical: [RankedPassage], dense: [RankedPassage], similarities: [Int64: Float] = [:]
    ) -> [FusedPassage] {
        var fused: [Int64: FusedPassage] = [:]
        for (rank, passage) in lexical.enumerated() {
            fused[passage.id] = FusedPassage(id: passage.id, score: 0, lexicalRank: rank)
        }
        for (rank, passage) in dense.enumerated() {
            fused[passage.id, default: FusedPassage(id: passage.id, score: 0)].denseRank = rank
            fused[passage.id]?.similarity = Float(passage.score)
        }
        for (id, similarity) in similarities where fused[id] != nil && fused[id]?.similarity == nil {
            fused[id]?.similarity = similarity
        }
        var list = Array(fused.values)
        switch fusion {
        case .reciprocalRank(let k):
            for i in list.indices {
                let ranks = [list[i].lexicalRank, list[i].denseRank].compactMap { $0 }
                list[i].score = ranks.reduce(0) { $0 + 1 / (k + Double($1) + 1) }
            }
        case .convex(let weight):
            let words = Dictionary(lexical.map { ($0.id, $0.score) }) { first, _ in first }
            // A passage without any of the words has a BM25 score of 0, so scores need only be divided by the best.
            let best = max(lexical.first?.score ?? 0, .leastNormalMagnitude)
            let cosines = list.compactMap { $0.similarity.map(Double.init) }
            let low = cosines.min() ?? 0
            let width = max((cosines.max() ?? 0) - low, .leastNormalMagnitude)
            for i in list.indices {
                let meaning = list[i].similarity.map { (Double($0) - low) / width } ?? 0
                list[i].score = weight * meaning + (1 - weight) * (words[list[i].id] ?? 0) / best
            }
        }
        return list.sorted { ($1.score, $0.id) < ($0.score, $1.id) }
    }

    /// The first `limit` of a list in the order of maximal marginal relevance: next comes what has the highest score, less what it is like
    /// one that came before.
    func diversified(_ list: [FusedPassage], limit: Int, vectors: [Int64: [Float]]) -> [FusedPassage] {
        guard diversity > 0, list.count > 1, let first = list.first, let last = list.last else {
            return Array(list.prefix(limit))
        }
        let width = max(first.score - last.score, .leastNormalMagnitude)
        var rest = list.map { (passage: $0, relevance: ($0.score - last.score) / width, likeness: 0.0) }
        var chosen: [FusedPassage] = []
        while chosen.count < limit, !rest.isEmpty {
            var best = 0
            var bestValue = -Double.infinity
            for (index, candidate) in rest.enumerated() {
                let value = (1 - diversity) * candidate.relevance - diversity * candidate.likeness
                if value > bestValue { (best, bestValue) = (index, value) }
            }
            let next = rest.remove(at: best).passage
            chosen.append(next)
            guard let vector = vectors[next.id] else { continue }
            for index in rest.indices {
                guard let other = vectors[rest[index].passage.id] else { continue }
                let cosine = zip(vector, other).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                rest[index].likeness = max(rest[index].likeness, cosine)
            }
        }
        return chosen
    }
}
