import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeSynthesis
import EdgeTestSupport
import Foundation
import Testing

@Suite("Weights that are not all in memory") struct StreamedWeightsTests {
    private func withFile<R>(_ bytes: [UInt8], _ body: (String) throws -> R) throws -> R {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("streamed-\(UUID()).gguf").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    /// The bits of a prompt's logits, cut in two, of tokens one by one, and of two sequences together.
    private func bits(_ model: Model, threads: Int) throws -> [UInt32] {
        let pass = try ForwardPass(
            model, team: ThreadTeam(threadCount: threads), batchCapacity: 24, logitsCapacity: 4)
        let cache = try model.makeCache(capacity: 64, batchCapacity: 24, precision: .f16)
        let other = try model.makeCache(capacity: 64, batchCapacity: 24, precision: .f16)
        let ids = (0..<40).map { Int32($0 * 31 % model.vocabularySize) }
        #expect(pass.run(ids[..<20], cache: cache, logits: 0..<0))
        #expect(pass.run(ids[20..<37], cache: cache, logits: 15..<17))
        var result = pass.logits.copy(row: 0) + pass.logits.copy(row: 1)
        for index in 37..<40 {
            #expect(pass.run(ids[index...index], cache: cache, logits: 0..<1))
            result += pass.logits.copy(row: 0)
        }
        #expect(pass.run(ids[..<5], cache: other, logits: 0..<0))
        #expect(pass.run([.init([3], of: cache), .init([4], of: other)]))
        result += pass.logits.copy(row: 0) + pass.logits.copy(row: 1)
        return result.map(\.bitPattern)
    }

    private func small(experts: Int = 0) -> SmallModel {
        var small = SmallModel(type: .q8_0, experts: experts)
        small.width = 128
        small.layers = 5
        return small
    }

    @Test("The bits are those of mapped weights, for every limit that two layers fit", arguments: [0, 4])
    func bits(experts: Int) throws {
        try withFile(small(experts: experts).encoded()) { path in
            let file = try GGUFFile(path: path)
            let mapped = try Model(file)
            let expected = try bits(mapped, threads: 2)
            var readings: Set<Int> = []
            var least: Int?
            for limit in stride(from: file.byteCount - 1, to: 0, by: -max(4096, file.byteCount / 23)) {
                let counts: (resident: Int, read: Int)?
                do throws(ModelError) {
                    counts = try mapped.streamedByteCounts(limit: limit)
                } catch {
                    #expect(error.code == .insufficientMemory)
                    #expect(throws: ModelError.self) { try Model(file, weightLimit: limit) }
                    continue
                }
                let found = try #require(counts)
                #expect(found.resident <= limit)
                readings.insert(found.read)
                least = limit
                for readsAhead in [true, false] {
                    let model = try Model(file, weightLimit: limit, readsAhead: readsAhead)
                    #expect(model.stream != nil)
                    #expect(try bits(model, threads: 1 + limit % 2) == expected)
                }
            }
            // Less memory, more to be read; and there are limits under which much is.
            #expect(readings.count > 3 && readings.max() ?? 0 > file.byteCount / 3)
            #expect(least ?? 0 < file.byteCount * 4 / 5)
        }
    }

    @Test(
        "Every architecture gives the same bits",
        arguments: ["gemma-2-2b", "phi-3-mini", "qwen2.5-0.5b", "qwen3-30b-a3b", "starcoder2-3b"])
    func architectures(name: String) throws {
        var shape = try #require(ModelShape.named(name))
        shape.blockCount = 4
        shape.feedForwardLength = 96
        shape.headSize = 32
        shape.rotaryCount = shape.rotaryCount.map { _ in 32 }
        shape.keyValueHeadCount = 2
        shape.headCount = 4
        shape.embeddingLength = 128
        shape.vocabularySize = 512
        if shape.experts != nil { shape.experts = .init(count: 8, usedCount: 2, feedForwardLength: 32) }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("streamed-\(UUID()).gguf").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try SyntheticModel(shape: shape, mix: try #require(QuantizationMix.named("F32"))).write(to: path)
        let file = try GGUFFile(path: path)
        let mapped = try Model(file)
        // An embedding of its own is not kept, so that the others all fit somewhat less than the file.
        let limit = try #require(
            stride(from: 95, to: 0, by: -5).map { file.byteCount / 100 * $0 }.first {
                (try? mapped.streamedByteCounts(limit: $0))?.read ?? 0 > 0
            })
        let model = try Model(file, weightLimit: limit)
        #expect(model.stream != nil)
        #expect(try bits(model, threads: 2) == bits(mapped, threads: 2))
    }

    @Test("Passes on several threads take turns")
    func turns() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("streamed-\(UUID()).gguf").path
            try Data(small().encoded()).write(to: URL(fileURLWithPath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            let file = try GGUFFile(path: path)
            let expected = try bits(Model(file), threads: 1)
            let model = try Model(file, weightLimit: file.byteCount * 3 / 4)
            for _ in 0..<3 { group.addTask { try bits(model, threads: 1) == expected } }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test("A file that became shorter ends the batch with an error, and the cache stays as it was")
    func truncation() throws {
        try withFile(small().encoded()) { path in
            let file = try GGUFFile(path: path)
            let model = try Model(file, weightLimit: file.byteCount * 3 / 4)
            let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 8)
            let cache = try model.makeCache(capacity: 64, batchCapacity: 8, precision: .f16)
            #expect(pass.run([1, 2, 3], cache: cache, logits: 2..<3))
            #expect(pass.failure == nil)
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: UInt64(file.byteCount / 8))
            // The first layers may have been read ahead of it.
            var failures = 0
            for _ in 0..<4 where !pass.run([4], cache: cache, logits: 0..<1) { failures += 1 }
            #expect(failures >= 3 && pass.failure?.code == EIO)
            let count = cache.count
            #expect(count <= 4)
            try FileHandle(forWritingTo: URL(fileURLWithPath: path)).write(contentsOf: whole)
            #expect(pass.run([5], cache: cache, logits: 0..<1) && pass.failure == nil && cache.count == count + 1)
        }
    }

    @Test("A batch that is cancelled leaves the next one whole")
    func cancellation() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("streamed-\(UUID()).gguf").path
        try Data(small().encoded()).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try GGUFFile(path: path)
        let expected = try bits(Model(file), threads: 2)
        let model = try Model(file, weightLimit: file.byteCount * 3 / 4)
        let isSame = try await Task {
            let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 8)
            let cache = try model.makeCache(capacity: 64, batchCapacity: 8, precision: .f16)
            withUnsafeCurrentTask { $0?.cancel() }
            for _ in 0..<20 {
                #expect(!pass.run([1, 2, 3], cache: cache, logits: 2..<3, isStoppable: true) && pass.failure == nil)
            }
            return try bits(model, threads: 2) == expected
        }.value
        #expect(isSame)
    }
}
