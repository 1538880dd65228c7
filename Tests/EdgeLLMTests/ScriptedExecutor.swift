import EdgeEngine
import EdgeLLM
import EdgeTemplate
import Synchronization

/// A model that says what the test wants, piece by piece, and keeps count.
final class ScriptedExecutor: SessionExecutor {
    struct Failure: Error {}

    struct State {
        /// Pieces yielded of all answers.
        var yielded = 0
        var running = 0
        var overlaps = 0
        var prompts: [[Transcript.Entry]] = []
        var schemas: [GenerationSchema?] = []
        var prewarmed: [String] = []
        /// While set, no piece comes.
        var isHeld = false
    }

    let state = Mutex(State())
    private let pieces: [String]
    private let marks: ReasoningMarks?
    private let fails: Bool
    private let delay: Duration
    private let reason: StopReason

    init(
        _ pieces: [String], marks: ReasoningMarks? = nil, fails: Bool = false, delay: Duration = .zero,
        reason: StopReason = .endOfTurn
    ) {
        self.pieces = pieces
        self.marks = marks
        self.fails = fails
        self.delay = delay
        self.reason = reason
    }

    func reasoning() throws -> ReasoningMarks? { marks }
    func tokenCount(of entries: [Transcript.Entry]) throws -> Int { entries.reduce(0) { $0 + $1.text.count } }
    func prewarm(_ entries: [Transcript.Entry], promptPrefix: String) async {
        state.withLock { $0.prewarmed.append(promptPrefix) }
    }
    func use(_ adapters: [LoRAAdapter]) {}

    func releaseCache() {}

    func respond(
        to entries: [Transcript.Entry], schema: GenerationSchema?, options: GenerationOptions,
        yield: @Sendable (GenerationEvent) -> Void
    ) async throws {
        state.withLock {
            $0.running += 1
            if $0.running > 1 { $0.overlaps += 1 }
            $0.prompts.append(entries)
            $0.schemas.append(schema)
        }
        defer { state.withLock { $0.running -= 1 } }
        for piece in pieces {
            if delay > .zero {
                try await Task.sleep(for: delay)
            } else {
                await Task.yield()
            }
            while state.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(1)) }
            try Task.checkCancellation()
            state.withLock { $0.yielded += 1 }
            yield(.text(piece))
        }
        if fails { throw Failure() }
        var statistics = GenerationStatistics()
        statistics.promptTokenCount = entries.count
        statistics.generatedTokenCount = pieces.count
        yield(.finished(reason, statistics))
    }
}

/// Waits until something holds, for a minute at most: these machines are shared.
func eventually(_ condition: () -> Bool) async throws -> Bool {
    for _ in 0..<60_000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(1))
    }
    return false
}
