import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeLLM

/// Sessions opened, stopped in every way there is and dropped; `EDGE_SESSIONS` sets how many.
@Suite("Leaks", .serialized) struct LeakTests {
    private static let count = ProcessInfo.processInfo.environment["EDGE_SESSIONS"].flatMap { Int($0) } ?? 400
    private static let template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"

    /// One session: the way it ends depends on the index. Returns a look at it that does not keep it.
    private func visit(_ index: Int, _ model: GGUFLanguageModel) async throws -> () -> Bool {
        let session = LanguageModelSession(model: model, instructions: "You know cars.")
        var options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 400)
        options.local.ignoresEnd = true
        switch index % 4 {
        case 0:
            for try await _ in session.streamEvents(to: "The engine light is", options: options) { break }
        case 1:
            let stream = session.streamResponse(to: "The engine light is", options: options)
            _ = stream
        case 2:
            let options = options
            let task = Task { try await session.respond(to: "The engine light is", options: options) }
            await Task.yield()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        default:
            options.maximumResponseTokens = 2
            _ = try await session.respond(to: "The engine light is", options: options)
        }
        return { [weak session] in session == nil }
    }

    @Test("Sessions that were opened, cancelled and dropped are gone, and so is their memory")
    func sessions() async throws {
        let model = try await GGUFLanguageModel(
            contentsOf: bundled, options: .init(contextSize: 512, threadCount: 1, chatTemplate: Self.template))
        var kept = 0
        var before = 0
        for index in 0..<Self.count {
            // What is allocated once, such as the vocabulary's tree and the allocator's own pools, is there after a quarter.
            if index == Self.count / 4 { before = ProcessMemory.residentByteCount ?? 0 }
            let isGone = try await visit(index, model)
            // The worker of a dropped answer lets go of the session at its next token.
            for _ in 0..<2_000 where !isGone() { try await Task.sleep(for: .milliseconds(1)) }
            if !isGone() { kept += 1 }
        }
        #expect(kept == 0)
        // A cache of the bundled model for 512 positions takes more than half a megabyte: leaking one session in a hundred shows. The rest
        // is for the tests beside this one.
        let growth = (ProcessMemory.residentByteCount ?? 0) - before
        print("sessions: \(Self.count), grown by \(growth / 1024) KiB since the first quarter")
        if Self.count >= 10_000 { #expect(growth < 32 << 20, "\(growth)") }
    }
}
