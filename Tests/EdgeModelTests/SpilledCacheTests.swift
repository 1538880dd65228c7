import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@Suite("Keys and values that are not all in memory") struct SpilledCacheTests {
    private static let folder = FileManager.default.temporaryDirectory.path
    private static let context = 900
    private static let batch = 40

    private func model(heads: Int = 4) throws -> Model {
        var small = SmallModel(type: .q8_0)
        small.width = 128
        small.heads = heads
        small.layers = 3
        return try Model(GGUFFile(bytes: ByteView(small.encoded()), path: "small"))
    }

    private func makePass(_ model: Model) throws -> ForwardPass {
        try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: Self.batch, logitsCapacity: 4)
    }

    private func geometry(_ model: Model, _ precision: CachePrecision) -> CacheGeometry {
        model.cacheGeometry(capacity: Self.context, batchCapacity: Self.batch, precision: precision)
    }

    /// The least that a pool can have in memory, which a smaller limit names.
    private func least(_ geometry: CacheGeometry) throws -> Int {
        do throws(CacheError) {
            _ = try geometry.spillLayout(byteCount: 1)
        } catch {
            if case .tooSmall(let least, _) = error { return least }
            throw error
        }
        throw CacheError.exhausted(needed: 0, capacity: 0)
    }

    private func ids(_ range: Range<Int>, _ model: Model, seed: Int = 31) -> [Int32] {
        range.map { Int32(($0 * seed + $0 / 7) % model.vocabularySize) }
    }

    /// Prompts in batches of changing sizes, tokens, two sequences together, and going back into what was written long ago.
    private func bits(_ model: Model, _ pool: CachePool) throws -> [UInt32] {
        let pass = try makePass(model)
        let (one, two) = (pool.makeCache(), pool.makeCache())
        var result: [UInt32] = []
        func run(_ range: Range<Int>, _ cache: KeyValueCache, seed: Int = 31) {
            let text = ids(range, model, seed: seed)
            #expect(pass.run(text[...], cache: cache, logits: text.count - 1..<text.count))
            result += pass.logits.copy(row: 0).map(\.bitPattern)
            #expect(pool.contradiction() == nil)
        }
        for start in stride(from: 0, to: 600, by: 40) { run(start..<start + 40 - start % 3, one) }
        for start in stride(from: 0, to: 120, by: 30) { run(start..<start + 30, two, seed: 17) }
        for position in 700..<705 { run(position..<position + 1, one) }
        for step in 0..<3 {
            #expect(pass.run([.init([Int32(step)], of: one), .init([Int32(step + 1)], of: two)]))
            for row in 0..<2 { result += pass.logits.copy(row: row).map(\.bitPattern) }
        }
        try one.truncate(to: 45)
        run(0..<33, one, seed: 5)
        // Beginning like another, and then another way.
        let three = pool.makeCache()
        let shared = three.adopt(one.tokens[..<70])
        #expect(shared == 70)
        run(0..<20, three, seed: 3)
        run(0..<9, one, seed: 2)
        return result
    }

    @Test("The bits are those of a cache in memory, for every precision", arguments: CachePrecision.allCases)
    func bits(precision: CachePrecision) throws {
        let model = try model()
        let geometry = geometry(model, precision)
        let expected = try bits(model, CachePool(geometry, contexts: 3))
        let least = try least(geometry)
        let all = try #require(geometry.byteCount(contexts: 1))
        try #require(least < all)
        for limit in [least, (least + all) / 2] {
            for readsAhead in [true, false] {
                let pool = try CachePool(
                    geometry, spill: .init(byteCount: limit, folder: Self.folder, readsAhead: readsAhead))
                #expect(pool.spill != nil)
                #expect(try bits(model, pool) == expected)
            }
        }
        let roomy = try CachePool(geometry, spill: .init(byteCount: all, folder: Self.folder))
        #expect(roomy.spill == nil)
    }

    @Test("A limit too low for a batch names the least, and a folder that is not there is an error")
    func refusals() throws {
        let geometry = geometry(try model(), .f16)
        let least = try least(geometry)
        #expect(throws: CacheError.tooSmall(least: least, limit: least - 1)) {
            try CachePool(geometry, spill: .init(byteCount: least - 1, folder: Self.folder))
        }
        let error = #expect(throws: CacheError.self) {
            try CachePool(geometry, spill: .init(byteCount: least, folder: Self.folder + "/not/there"))
        }
        if case .storage(let reason) = error {
            #expect(reason.contains("not/there"))
        } else {
            Issue.record("\(error as Any)")
        }
    }

    @Test("A disk that is full is an error of the batch, and what was there before stays right")
    func full() throws {
        let model = try model()
        let geometry = geometry(model, .f32)
        let pool = try CachePool(geometry, spill: .init(byteCount: least(geometry), folder: Self.folder))
        let expected = try CachePool(geometry, contexts: 1).makeCache()
        let (pass, cache) = (try makePass(model), pool.makeCache())
        for start in stride(from: 0, to: 80, by: 20) {
            #expect(pass.run(ids(start..<start + 20, model)[...], cache: cache, logits: 0..<1))
            #expect(pass.run(ids(start..<start + 20, model)[...], cache: expected, logits: 0..<1))
        }
        pool.failFile(with: ENOSPC)
        var count = cache.count
        var failed = false
        while !failed, count < 800 {
            let text = ids(count..<count + 20, model)
            failed = !pass.run(text[...], cache: cache, logits: 0..<1)
            if !failed { #expect(pass.run(text[...], cache: expected, logits: 0..<1)) }
            #expect(cache.count == (failed ? count : count + 20) && pool.contradiction() == nil)
            count = cache.count
        }
        #expect(failed && pass.failure != nil)
        pool.failFile(with: 0)
        let text = ids(count..<count + 20, model)
        #expect(pass.run(text[...], cache: expected, logits: 19..<20))
        let wanted = pass.logits.copy(row: 0).map(\.bitPattern)
        #expect(pass.run(text[...], cache: cache, logits: 19..<20) && pass.failure == nil)
        #expect(pass.logits.copy(row: 0).map(\.bitPattern) == wanted)
        // Blocks that cannot be read end the batch likewise.
        pool.failFile(with: ENOSPC)
        #expect(!pass.run([1], cache: cache, logits: 0..<1) && pass.failure != nil)
        pool.failFile(with: 0)
        #expect(pass.run([1], cache: cache, logits: 0..<1) && pass.run([1], cache: expected, logits: 0..<1))
    }

    @Test("Any sequences, longer than memory together, leave every block accounted for", arguments: 0..<6)
    func accounting(seed: Int) throws {
        let model = try model()
        let geometry = geometry(model, .q8_0)
        let pool = try CachePool(geometry, spill: .init(byteCount: least(geometry), folder: Self.folder))
        let pass = try makePass(model)
        var random = SplitMix(seed: UInt64(seed))
        var caches = [pool.makeCache()]
        for _ in 0..<80 {
            let cache = caches[Int.random(in: 0..<caches.count, using: &random)]
            cache.setActive(true)
            switch Int.random(in: 0..<10, using: &random) {
            case 0 where caches.count < 5: caches.append(pool.makeCache())
            case 1 where caches.count > 1: caches.removeLast()
            case 2 where cache.count > 0: try cache.truncate(to: Int.random(in: 0..<cache.count, using: &random))
            case 3: _ = cache.adopt(ids(0..<300, model)[...])
            default:
                let count = Int.random(in: 1...40, using: &random)
                guard cache.count + count <= 900 else { break }
                do throws(CacheError) {
                    try cache.reserve(count)
                    pass.run(ids(cache.count..<cache.count + count, model)[...], cache: cache, logits: 0..<1)
                } catch {
                    guard case .exhausted = error else { throw error }
                }
            }
            cache.setActive(false)
            #expect(pool.contradiction() == nil)
        }
    }
}
