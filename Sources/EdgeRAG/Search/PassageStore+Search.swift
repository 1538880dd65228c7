internal import EdgeDocuments
internal import EdgeSearch
internal import GRDB

/// What a search found, and what it took.
public struct SearchResult: Sendable, Hashable, Codable {
    /// The best first.
    public var passages: [ScoredPassage]
    /// What was looked for.
    public var mode: Ranking.Mode
    /// Seconds of each step.
    public var timings: Timings

    /// Seconds of a search.
    public struct Timings: Sendable, Hashable, Codable {
        /// For the query's vector.
        public var embedding = 0.0
        /// For the words.
        public var lexical = 0.0
        /// To compare vectors.
        public var dense = 0.0
        /// For the reranker.
        public var reranking = 0.0
        /// For all of it.
        public var total = 0.0
    }
}

extension PassageStore {
    /// The passages that may answer a query, the best first, by the store's own ranking.
    public nonisolated(nonsending) func passages(for query: String, limit: Int) async throws -> [ScoredPassage] {
        try await search(query, limit: limit).passages
    }

    /// Searches.
    ///
    /// - Parameters:
    ///   - limit: passages at most, 1 to 1,000.
    ///   - filter: which passages may be found.
    ///   - ranking: nil for the store's own.
    /// - Throws: `RetrievalError`; what the embedding model throws, such as `EmbeddingError.textTooLong`; `CancellationError`.
    public nonisolated(nonsending) func search(
        _ query: String, limit: Int = 10, filter: PassageFilter? = nil, ranking: Ranking? = nil
    ) async throws -> SearchResult {
        let results = try await search([query], limit: limit, filter: filter, ranking: ranking)
        guard let result = results.first else {
            throw RetrievalError(code: .storageFailed, message: "\(name): the search gave nothing")
        }
        return result
    }

    /// Searches with several queries at once: their vectors are computed, and compared with all others, together.
    ///
    /// - Throws: as `search(_:limit:filter:ranking:)`.
    public nonisolated(nonsending) func search(
        _ queries: [String], limit: Int = 10, filter: PassageFilter? = nil, ranking: Ranking? = nil
    ) async throws -> [SearchResult] {
        let ranking = ranking ?? options.ranking
        try ranking.check()
        guard (1...1000).contains(limit) else {
            throw RetrievalError(
                code: .invalidOptions, message: "a search can give 1 to 1000 passages, and not \(limit)")
        }
        var mode = ranking.mode
        if mode == .dense, dense == nil {
            throw RetrievalError(
                code: .modelRequired, message: "\(name): to search by meaning, open the store with its embedding model")
        }
        if mode == .hybrid, dense == nil { mode = .lexical }
        let start = ContinuousClock.now
        let depth = max(ranking.depth, limit)
        var allowed: Set<Int64>?
        let condition = try filter?.condition()
        if let condition, mode != .lexical {
            allowed = try await read { db in
                try Int64.fetchSet(
                    db,
                    sql:
                        "SELECT passages.id FROM passages JOIN sources ON sources.id = passages.source WHERE \(condition.sql)",
                    arguments: StatementArguments(condition.arguments))
            }
        }
        var timings = SearchResult.Timings()
        var vectors: [[Float]] = []
        var near: [[RankedPassage]] = queries.map { _ in [] }
        if mode != .lexical, let embedder, let dense {
            var step = ContinuousClock.now
            vectors = try await embedder.embed(queries, as: .query).map { Embedding(normalizing: $0.values).values }
            guard vectors.count == queries.count, vectors.allSatisfy({ $0.count == embedder.dimensionCount }) else {
                throw RetrievalError(
                    code: .unusableVectors, message: "\(embedder.identifier) gave vectors that are not of its own kind")
            }
            timings.embedding = step.duration(to: .now) / .seconds(1)
            step = .now
            near = try await dense.search(vectors, limit: depth, allowed: allowed).matches
                .map { $0.map { RankedPassage(id: $0.id, score: Double($0.score)) } }
            timings.dense = step.duration(to: .now) / .seconds(1)
        }
        var results: [SearchResult] = []
        for (index, query) in queries.enumerated() {
            try Task.checkCancellation()
            var own = timings
            var step = ContinuousClock.now
            let words: [RankedPassage]
            if mode == .dense {
                words = []
            } else {
                let groups = Self.matches(for: query)
                words = try await read { try Self.lexical(groups, depth, condition, $0) }
            }
            own.lexical = step.duration(to: .now) / .seconds(1)
            step = .now
            var similarities: [Int64: Float] = [:]
            if case .convex = ranking.fusion, mode == .hybrid, let dense {
                // A passage that was found by its words only has a cosine all the same.
                let known = Set(near[index].map(\.id))
                let others = await dense.vectors(words.map(\.id).filter { !known.contains($0) })
                for (id, vector) in others {
                    similarities[id] = zip(vector, vectors[index]).reduce(0) { $0 + $1.0 * $1.1 }
                }
            }
            var fused: [FusedPassage]
            switch mode {
            case .hybrid: fused = ranking.fuse(lexical: words, dense: near[index], similarities: similarities)
            case .lexical:
                fused = words.enumerated().map { .init(id: $1.id, score: $1.score, lexicalRank: $0) }
            case .dense:
                fused = near[index].enumerated().map {
                    .init(id: $1.id, score: $1.score, denseRank: $0, similarity: Float($1.score))
                }
            }
            if reranker != nil {
                step = .now
                fused = try await reranked(Array(fused.prefix(max(limit, 20))), query)
                own.reranking = step.duration(to: .now) / .seconds(1)
            }
            if ranking.diversity > 0, let dense {
                fused = ranking.diversified(
                    Array(fused.prefix(ranking.depth)), limit: limit, vectors: await dense.vectors(fused.map(\.id)))
            }
            let chosen = Array(fused.prefix(limit))
            let passages = try await read { try Self.fetch(chosen.map(\.id), $0) }
            own.total = start.duration(to: .now) / .seconds(1)
            results.append(
                SearchResult(
                    passages: chosen.compactMap { found in
                        passages[found.id].map {
                            ScoredPassage(
                                passage: $0, score: found.score, lexicalRank: found.lexicalRank,
                                denseRank: found.denseRank, similarity: found.similarity)
                        }
                    }, mode: mode, timings: own))
        }
        return results
    }

    /// The first of a list in the order of the reranker's scores; a passage that is too long for it keeps its place after those.
    private func reranked(_ list: [FusedPassage], _ query: String) async throws -> [FusedPassage] {
        guard let reranker, list.count > 1 else { return list }
        let passages = try await read { try Self.fetch(list.map(\.id), $0) }
        let known = list.filter { passages[$0.id] != nil }
        let texts = known.map { passages[$0.id]?.text ?? "" }
        let scores = try await reranker.scores(of: texts, for: query)
        return zip(known, scores)
            .map { passage, score in
                var passage = passage
                passage.score = score
                return passage
            }
            .sorted { ($1.score, $0.id) < ($0.score, $1.id) }
    }

    /// Terms of a query in SQLite's language, in groups that its parser takes, and how much each group counts.
    ///
    /// Who names a trouble code or a part's number means that one: such terms count for themselves once more.
    private static func matches(for query: String) -> [(match: String, weight: Double)] {
        let (terms, codes) = Terms.ofQuery(query)
        func groups(_ terms: [String], _ weight: Double) -> [(match: String, weight: Double)] {
            stride(from: 0, to: terms.count, by: 128).map { start in
                let part = terms[start..<min(terms.count, start + 128)]
                return (part.map { "\"\($0)\"" }.joined(separator: " OR "), weight)
            }
        }
        return groups(terms, 1) + groups(codes, 2)
    }

    /// The passages that have terms of the query, by BM25 as SQLite computes it (k1 1.2, b 0.75), its sign turned.
    private static func lexical(
        _ groups: [(match: String, weight: Double)], _ depth: Int,
        _ condition: (sql: String, arguments: [any DatabaseValueConvertible & Sendable])?, _ db: Database
    ) throws -> [RankedPassage] {
        var sql = "SELECT rowid, -rank FROM terms WHERE terms MATCH ?"
        if let condition {
            sql += """
                 AND rowid IN (SELECT passages.id FROM passages JOIN sources ON sources.id = passages.source
                WHERE \(condition.sql))
                """
        }
        // BM25 is a sum over terms: of several groups the sums are added.
        sql += groups.count == 1 ? " ORDER BY rank, rowid LIMIT \(depth)" : ""
        var scores: [Int64: Double] = [:]
        for group in groups {
            let rows = try Row.fetchCursor(
                db, sql: sql,
                arguments: StatementArguments(
                    [group.match] as [any DatabaseValueConvertible & Sendable] + (condition?.arguments ?? [])))
            while let row = try rows.next() { scores[row[0], default: 0] += group.weight * (row[1] as Double) }
        }
        return scores.map { RankedPassage(id: $0.key, score: $0.value) }
            .sorted { ($1.score, $0.id) < ($0.score, $1.id) }
            .prefix(depth).map { $0 }
    }
}
