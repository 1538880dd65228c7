public import Foundation

/// A query, and what it should find.
public struct JudgedQuery: Sendable, Hashable, Codable {
    /// Something that answers a query.
    public struct Answer: Sendable, Hashable, Codable {
        /// The document, or the end of its name.
        public var source: String
        /// Words of the passage as they stand in it, white space aside; nil where any passage of the document will do.
        public var quote: String?
        /// How well it answers, 1 or more; 1 where it is nil.
        public var grade: Int?

        /// An answer.
        public init(source: String, quote: String? = nil, grade: Int? = nil) {
            self.source = source
            self.quote = quote
            self.grade = grade
        }
    }

    /// What is asked.
    public var query: String
    /// What answers it.
    public var answers: [Answer]

    /// A query.
    public init(query: String, answers: [Answer]) {
        self.query = query
        self.answers = answers
    }

    /// The queries of a file: a list in JSON, of objects with `query` and `answers`.
    ///
    /// - Throws: `RetrievalError` with code `unreadable` or `invalidOptions`.
    public static func list(contentsOf url: URL) throws -> [JudgedQuery] {
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw RetrievalError(code: .unreadable, message: "\(url.lastPathComponent): cannot be read")
        }
        do {
            return try JSONDecoder().decode([JudgedQuery].self, from: data)
        } catch {
            throw RetrievalError(
                code: .invalidOptions,
                message: "\(url.lastPathComponent): no list of judged queries: \(error)".replacing("\n", with: " "))
        }
    }
}

/// How well a store finds what it should.
public struct RetrievalEvaluation: Sendable, Hashable, Codable {
    /// Queries.
    public var queryCount: Int
    /// The first so many of what was found were looked at.
    public var depth: Int
    /// The mean over queries of the share of their answers that were found.
    public var recall: Double
    /// The mean of 1 / the place of the first answer, 0 where there was none.
    public var meanReciprocalRank: Double
    /// Normalised discounted cumulative gain, with gains of 2^grade - 1.
    public var ndcg: Double
    /// The share of queries with an answer in the first place.
    public var hitAt1: Double
    /// The share of queries with an answer in the first three places.
    public var hitAt3: Double
    /// Indices of the queries none of whose answers was found.
    public var missed: [Int]
    /// Seconds of a query in the mean.
    public var secondsPerQuery: Double
}

extension PassageStore {
    /// Searches with each query and compares what is found with what should be.
    ///
    /// Where answers are whole documents, each document counts once, at the place of its best passage.
    /// - Throws: as `search(_:limit:filter:ranking:)`.
    public nonisolated(nonsending) func evaluate(
        _ queries: [JudgedQuery], depth: Int = 10, ranking: Ranking? = nil,
        progress: (@Sendable (Int) -> Void)? = nil
    ) async throws -> RetrievalEvaluation {
        guard !queries.isEmpty, depth > 0 else {
            throw RetrievalError(code: .invalidOptions, message: "there is nothing to evaluate")
        }
        var result = RetrievalEvaluation(
            queryCount: queries.count, depth: depth, recall: 0, meanReciprocalRank: 0, ndcg: 0, hitAt1: 0, hitAt3: 0,
            missed: [], secondsPerQuery: 0)
        var searching = Duration.zero
        var start = 0
        while start < queries.count {
            let part = Array(queries[start..<min(queries.count, start + 32)])
            let begin = ContinuousClock.now
            // Several passages of a document may come before the next document.
            let found = try await search(part.map(\.query), limit: min(1000, depth * 8), ranking: ranking)
            searching += begin.duration(to: .now)
            for (offset, judged) in part.enumerated() {
                result.add(judged, found[offset].passages.map(\.passage), index: start + offset)
            }
            start += part.count
            progress?(start)
        }
        let count = Double(queries.count)
        result.recall /= count
        result.meanReciprocalRank /= count
        result.ndcg /= count
        result.hitAt1 /= count
        result.hitAt3 /= count
        result.secondsPerQuery = searching / .seconds(1) / count
        return result
    }
}

extension RetrievalEvaluation {
    fileprivate mutating func add(_ judged: JudgedQuery, _ found: [Passage], index: Int) {
        var open = judged.answers
        let areDocuments = open.allSatisfy { $0.quote == nil }
        var seen: Set<String> = []
        var place = 0
        var first: Int?
        var gain = 0.0
        for passage in found {
            if areDocuments, !seen.insert(passage.source).inserted { continue }
            guard place < depth else { break }
            if let hit = open.firstIndex(where: { passage.meets($0) }) {
                let answer = open.remove(at: hit)
                first = first ?? place
                gain += Self.gain(answer) / Self.discount(place)
            }
            place += 1
        }
        let ideal = judged.answers.map(Self.gain).sorted(by: >).prefix(depth).enumerated()
            .reduce(0.0) { $0 + $1.element / Self.discount($1.offset) }
        if !judged.answers.isEmpty {
            recall += Double(judged.answers.count - open.count) / Double(judged.answers.count)
        }
        if ideal > 0 { ndcg += gain / ideal }
        if let first {
            meanReciprocalRank += 1 / Double(first + 1)
            if first == 0 { hitAt1 += 1 }
            if first < 3 { hitAt3 += 1 }
        } else {
            missed.append(index)
        }
    }

    private static func gain(_ answer: JudgedQuery.Answer) -> Double {
        // Grades beyond any that make sense do not overflow.
        Double(sign: .plus, exponent: min(60, max(0, answer.grade ?? 1)), significand: 1) - 1
    }

    private static func discount(_ place: Int) -> Double { log2(Double(place + 2)) }
}

extension Passage {
    fileprivate func meets(_ answer: JudgedQuery.Answer) -> Bool {
        guard source == answer.source || source.hasSuffix("/" + answer.source) else { return false }
        guard let quote = answer.quote else { return true }
        func words(_ text: String) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        return words(text).contains(words(quote))
    }
}
