import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Batches that are cancelled") struct StoppingTests {
    /// Random weights in memory, dense or with experts, large enough that a batch takes milliseconds.
    private static func model(experts: Int) throws -> Model {
        var small = SmallModel(type: .q8_0, experts: experts)
        small.width = 256
        small.layers = 3
        return try Model(GGUFFile(bytes: ByteView(small.encoded()), path: "small"))
    }

    private struct Outcome: Sendable {
        var wasWhole = true
        var countAfter = 0
        var logits: [UInt32] = []
    }

    /// Runs a first batch, then another as a task that the caller may cancel, and once more where it was stopped.
    private static func outcome(_ model: Model, threads: Int, has begun: Begun, startsCancelled: Bool) throws -> Outcome
    {
        let pass = try ForwardPass(model, threadCount: threads, batchCapacity: 200)
        let cache = try model.makeCache(capacity: 256, batchCapacity: 200, precision: .f16)
        let ids = (0..<220).map { Int32($0 * 31 % model.vocabularySize) }
        #expect(pass.run(ids[..<20], cache: cache, logits: 0..<0))
        if startsCancelled { withUnsafeCurrentTask { $0?.cancel() } }
        begun.flag.store(true, ordering: .sequentiallyConsistent)
        var outcome = Outcome()
        outcome.wasWhole = pass.run(ids[20...], cache: cache, logits: 199..<200, isStoppable: true)
        outcome.countAfter = cache.count
        if !outcome.wasWhole { #expect(pass.run(ids[20...], cache: cache, logits: 199..<200)) }
        outcome.logits = pass.logits.copy(row: 0).map(\.bitPattern)
        return outcome
    }

    private final class Begun: Sendable { let flag = Atomic<Bool>(false) }

    @Test(
        "At whatever moment, the cache is as before, and the batch then gives the same bits", arguments: [0, 4],
        [1, 2, 3])
    func moments(experts: Int, threads: Int) async throws {
        let model = try Self.model(experts: experts)
        let plain = try Self.outcome(model, threads: threads, has: Begun(), startsCancelled: false)
        #expect(plain.wasWhole && plain.countAfter == 220)
        for round in 0..<24 {
            let begun = Begun()
            let task = Task.detached {
                try Self.outcome(model, threads: threads, has: begun, startsCancelled: round == 0)
            }
            while !begun.flag.load(ordering: .sequentiallyConsistent) { await Task.yield() }
            // From at once to some milliseconds later.
            for _ in 0..<round * round { await Task.yield() }
            task.cancel()
            let outcome = try await task.value
            #expect(outcome.countAfter == (outcome.wasWhole ? 220 : 20))
            #expect(outcome.logits == plain.logits, "round \(round)")
            if round == 0 { #expect(!outcome.wasWhole) }
        }
    }
}
