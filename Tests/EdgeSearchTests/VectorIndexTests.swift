import EdgeKernels
import EdgePlatform
import Testing

@testable import EdgeSearch

@Suite("Vectors searched exactly") struct VectorIndexTests {
    /// Numbers of a simple generator, the same on every machine.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var x = state
            x ^= x >> 33
            x = x &* 0xff51_afd7_ed55_8ccd
            return x ^ x >> 33
        }
    }

    private func vectors(_ count: Int, _ dimensions: Int, seed: UInt64) -> [[Float]] {
        var numbers = Numbers(state: seed)
        return (0..<count).map { _ in
            var vector = (0..<dimensions).map { _ in Float.random(in: -1...1, using: &numbers) }
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            for i in vector.indices { vector[i] /= length }
            return vector
        }
    }

    private func makeIndex(
        _ vectors: [[Float]], threads: Int = 2, kernels: Kernels = .chosen
    ) throws -> VectorIndex {
        let index = try VectorIndex(
            dimensionCount: vectors[0].count, team: ThreadTeam(threadCount: threads), kernels: kernels)
        try index.add(vectors.enumerated().map { (Int64($0.offset + 1), .init($0.element)) })
        return index
    }

    /// The best by comparing everything in f64.
    private func best(_ vectors: [[Float]], _ query: [Float], _ limit: Int) -> [Int64] {
        let scores = vectors.map { vector in
            var score = 0.0
            for i in query.indices { score += Double(vector[i]) * Double(query[i]) }
            return score
        }
        return scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(limit).map { Int64($0 + 1) }
    }

    @Test(
        "An index of a file's parts finds what the index finds that they are of; parts that contradict each other are none"
    )
    func parts() throws {
        let all = vectors(300, 40, seed: 5)
        let index = try makeIndex(all)
        let parts = try #require(index.parts)
        let team = try ThreadTeam(threadCount: 2)
        let mapped = try #require(try VectorIndex(parts, dimensionCount: 40, team: team))
        let queries = vectors(4, 40, seed: 6)
        #expect(try mapped.search(queries, limit: 7) == index.search(queries, limit: 7))
        #expect(mapped.count == 300 && mapped.vector(17) == index.vector(17) && mapped.vector(301) == nil)
        #expect(mapped.byteCount < index.byteCount)

        func isRefused(_ change: (inout VectorIndex.Parts) -> Void) throws -> Bool {
            var changed = parts
            change(&changed)
            return try VectorIndex(changed, dimensionCount: 40, team: team) == nil
        }
        let (ids, bounds) = (parts.ids.copied(), parts.bounds.copied())
        #expect(try isRefused { $0.ids = ByteView(Array(ids.dropLast(8))) })
        #expect(try isRefused { $0.ids = ByteView(ids + [0]) })
        #expect(try isRefused { $0.ids = ByteView(Array(ids.dropFirst(8)) + ids.prefix(8)) })
        #expect(try isRefused { $0.bounds = ByteView([UInt8](repeating: 0xFF, count: bounds.count)) })
        #expect(try isRefused { $0.codes = ByteView(Array($0.codes.copied().dropLast())) })
        #expect(try isRefused { $0.values = ByteView($0.values.copied() + [1, 2, 3, 4]) })
        #expect(try VectorIndex(parts, dimensionCount: 41, team: team) != nil)
        #expect(try VectorIndex(parts, dimensionCount: 65, team: team) == nil)
        // Gaps are not written.
        index.remove([5])
        #expect(index.parts == nil)
    }

    @Test("All of the best are found", arguments: [1, 31, 32, 33, 384, 768])
    func recall(dimensions: Int) throws {
        let all = vectors(4500, dimensions, seed: 1)
        let index = try makeIndex(all)
        let queries = vectors(3, dimensions, seed: 2)
        let found = try index.search(queries, limit: 10)
        for (query, matches) in zip(queries, found) {
            #expect(matches.count == 10)
            if dimensions > 1 { #expect(matches.map(\.id) == best(all, query, 10)) }
            #expect(zip(matches, matches.dropFirst()).allSatisfy { $0.score >= $1.score })
        }
    }

    @Test("Vectors that int8 cannot tell apart are told apart")
    func close() throws {
        let base = vectors(1, 64, seed: 3)[0]
        // Less than a step of int8 between them.
        let all = (0..<3000).map { i in base.enumerated().map { $1 + ($0 == i % 64 ? Float(i) * 1e-7 : 0) } }
        let index = try makeIndex(all)
        #expect(try index.search([base], limit: 10)[0].count == 10)
        let scores = all.map { zip($0, base).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
        let worst = try #require(scores.sorted(by: >).prefix(10).last)
        for match in try index.search([base], limit: 10)[0] { #expect(scores[Int(match.id - 1)] > worst - 1e-6) }
    }

    @Test("The same bits for any threads, company and instruction set")
    func bits() throws {
        let all = vectors(5000, 96, seed: 4)
        let queries = vectors(40, 96, seed: 5)
        let expected = try makeIndex(all, threads: 1).search(queries, limit: 20)
        for kernels in Kernels.available {
            for threads in [1, 2, 3] {
                let index = try makeIndex(all, threads: threads, kernels: kernels)
                #expect(try index.search(queries, limit: 20) == expected, "\(kernels.name), \(threads) threads")
                #expect(try index.search([queries[7]], limit: 20)[0] == expected[7])
            }
        }
    }

    @Test("What is removed is not found, what replaces it is, and gaps close")
    func changes() throws {
        let all = vectors(4000, 48, seed: 6)
        let index = try makeIndex(all)
        let query = vectors(1, 48, seed: 7)[0]
        let first = best(all, query, 1)[0]
        index.remove([first])
        #expect(index.count == 3999 && index.vector(first) == nil)
        #expect(try index.search([query], limit: 5)[0].map(\.id) == Array(best(all, query, 6).dropFirst()))
        try index.add([(first, .init(all[Int(first - 1)]))])
        #expect(try index.search([query], limit: 5)[0].map(\.id) == best(all, query, 5))
        // More than half gone: the rest moves together.
        index.remove((1...4000).filter { $0 % 3 != 0 && $0 != first })
        #expect(index.storedCount == index.count)
        for match in try index.search([query], limit: 500)[0] {
            #expect(match.id % 3 == 0 || match.id == first)
            #expect(index.vector(match.id) == all[Int(match.id - 1)])
        }
    }

    @Test("Only what is allowed is found")
    func allowed() throws {
        let all = vectors(2000, 32, seed: 8)
        let index = try makeIndex(all)
        let query = vectors(1, 32, seed: 9)[0]
        let allowed = Set<Int64>([5, 77, 1999])
        let found = try index.search([query], limit: 10, allowed: allowed)[0]
        #expect(Set(found.map(\.id)) == allowed)
        #expect(try index.search([query], limit: 10, allowed: [])[0].isEmpty)
    }

    @Test("Zeros, equal vectors and numbers that are none do no harm")
    func edges() throws {
        let index = try makeIndex(Array(repeating: [Float](repeating: 0, count: 32), count: 70_000))
        #expect(try index.search([[Float](repeating: 0, count: 32)], limit: 3)[0].map(\.id) == [1, 2, 3])
        #expect(try index.search([[Float](repeating: .nan, count: 32)], limit: 3)[0].count == 3)
        #expect(try index.search([[Float](repeating: 1, count: 32)], limit: 100_000)[0].count == 70_000)
        #expect(try index.search([], limit: 3).isEmpty)
        #expect(!VectorIndex.Encoded(codes: [1], values: [2]).isValid(dimensionCount: 32))
        #expect(VectorIndex.Encoded([1, 2, 3]).isValid(dimensionCount: 3))
        #expect(VectorIndex.Encoded([1, 2, 3]).vector(dimensionCount: 3) == [1, 2, 3])
    }
}
