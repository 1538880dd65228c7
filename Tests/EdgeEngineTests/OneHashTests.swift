import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeEngine

@Suite("One hash of the logits, whatever became of the cache") struct OneHashTests {
    private let model: Model
    private let ids: [Int32]

    init() throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        self.model = model
        ids = (0..<300).map { Int32(3 + ($0 * 31 + $0 / 7) % (model.vocabularySize - 3)) }
    }

    private func makeEngine(
        _ precision: CachePrecision, threads: Int = 2, batch: Int = 64, cacheMemory: Int? = nil,
        prefixes: URL? = nil
    ) throws -> Engine {
        try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: 448, threadCount: threads,
            precision: precision,
            batchCapacity: batch,
            spill: cacheMemory.map {
                .init(byteCount: $0, folder: FileManager.default.temporaryDirectory.path)
            },
            prefixes: prefixes.map {
                try SavedPrefixes(folder: $0.path, byteLimit: 1 << 30, minimumTokenCount: 32, savesPrompts: true)
            })
    }

    /// A hash of the logits of six more tokens, each after the others; the cache holds `ids`.
    private func hash(_ cache: KeyValueCache, beside others: [KeyValueCache] = [], threads: Int = 2) throws -> Int {
        #expect(cache.tokens == ids)
        cache.setActive(true)
        defer { cache.setActive(false) }
        let pass = try ForwardPass(model, threadCount: threads, batchCapacity: 64, logitsCapacity: 8)
        var hasher = Hasher()
        for step in 0..<6 {
            let items =
                others.enumerated().map { ForwardPass.Part([Int32(9 + $0 + step)], of: $1) }
                + [.init([Int32(20 + 3 * step)], of: cache)]
            #expect(pass.run(items))
            for logit in pass.logits.copy(row: others.count) { hasher.combine(logit.bitPattern) }
        }
        return hasher.finalize()
    }

    @Test(
        "Cold, in pieces, on more threads, shared, restored, from the folder of beginnings, spilled, beside others",
        arguments: CachePrecision.allCases)
    func hashes(precision: CachePrecision) async throws {
        let files = FileManager.default.temporaryDirectory.appendingPathComponent("edge-hash-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: files) }
        var hashes: [String: Int] = [:]

        let engine = try makeEngine(precision)
        let first = try await engine.makeContext()
        try await engine.prefill(ids, in: first)
        let state = files.appendingPathComponent("state").path
        try await engine.save(first, info: [], to: state)

        // Another context of the engine finds what the first one has.
        let second = try await engine.makeContext()
        try await engine.prefill(ids, in: second)
        let held = engine.cacheState.held
        #expect(engine.cacheState.contradiction == nil && held < 2 * ((ids.count + 15) / 16))
        hashes["cold"] = try hash(first.cache)
        hashes["shared"] = try hash(second.cache)

        for (threads, batch) in [(1, 1), (3, 7), (2, 448)] {
            let other = try makeEngine(precision, threads: threads, batch: batch)
            let context = try await other.makeContext()
            try await other.prefill(ids, in: context)
            hashes["\(threads) threads, pieces of \(batch)"] = try hash(context.cache, threads: threads)
        }

        let restoring = try makeEngine(precision, threads: 1)
        let saved = try Data(contentsOf: URL(filePath: state))
        let restored = try await restoring.restore(from: state).context
        #expect(restoring.pool.mappedBlockCount == (ids.count + 31) / 32)
        hashes["restored"] = try hash(restored.cache, threads: 1)
        // The last of them was written on; what comes in their place takes memory of its own.
        #expect(try Data(contentsOf: URL(filePath: state)) == saved)
        restored.removeAll()
        restoring.releaseUnusedCache()
        #expect(restoring.pool.mappedBlockCount == 0 && restoring.cacheState.contradiction == nil)
        try await restoring.prefill(ids, in: restored)
        hashes["computed again"] = try hash(restored.cache, threads: 1)
        #expect(try Data(contentsOf: URL(filePath: state)) == saved)

        let prefixes = files.appendingPathComponent("prefixes")
        let saving = try makeEngine(precision, prefixes: prefixes)
        try await saving.prefill(ids, in: saving.makeContext())
        let finding = try makeEngine(precision, prefixes: prefixes)
        let found = try await finding.makeContext()
        try await finding.prefill(ids, in: found)
        hashes["from the folder of beginnings"] = try hash(found.cache)

        let whole = try #require(engine.cacheGeometry.byteCount(contexts: 1))
        let spilling = try makeEngine(precision, batch: 16, cacheMemory: whole / 2)
        #expect(spilling.cacheGeometry.capacity == 448)
        let spilled = try await spilling.makeContext()
        try await spilling.prefill(ids, in: spilled)
        hashes["spilled"] = try hash(spilled.cache)
        let both = try await spilling.restore(from: state).context
        #expect(spilling.pool.mappedBlockCount == 0)
        hashes["restored and spilled"] = try hash(both.cache)

        let common = try makeEngine(precision)
        var contexts: [GenerationContext] = []
        for _ in 0..<4 { contexts.append(try await common.makeContext()) }
        for (index, context) in contexts.enumerated() {
            try await common.prefill(index == 2 ? ids : Array(ids.suffix(40 + 30 * index)), in: context)
        }
        hashes["beside others"] = try hash(
            contexts[2].cache, beside: [contexts[0], contexts[1], contexts[3]].map(\.cache))

        #expect(Set(hashes.values).count == 1, "\(hashes)")
        #expect(hashes.count == 11)
    }
}
