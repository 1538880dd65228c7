import EdgeEngine
import EdgeLLM
import EdgeTemplate
import Synchronization

/// A model that says what the test wants, piece by piece, and keeps count.
final class ScriptedModel: LanguageModel {
    struct Executor: LanguageModelExecutor {
        struct Configuration: Hashable, Sendable {}

        init(configuration: Configuration) {}

        func prewarm(model: ScriptedModel, transcript: Transcript) {
            model.state.withLock { $0.prewarmed.append(transcript.last?.text ?? "") }
        }

        func respond(
            to request: LanguageModelExecutorGenerationRequest, model: ScriptedModel,
            streamingInto channel: LanguageModelExecutorGenerationChannel
        ) async throws {
            try await model.respond(to: request, channel)
        }
    }

    struct Failure: Error {}

    struct State {
        /// Pieces yielded of all answers.
        var yielded = 0
        var running = 0
        var overlaps = 0
        var prompts: [[Transcript.Entry]] = []
        var schemas: [GenerationSchema?] = []
        var prewarmed: [String] = []
        var tools: [[Transcript.ToolDefinition]] = []
        var modes: [GenerationOptions.ToolCallingMode?] = []
        /// While set, no piece comes.
        var isHeld = false
    }

    let state = Mutex(State())
    /// Pieces of each answer; the last one is given again and again.
    private let answers: [[String]]
    private let answerForm: AnswerForm
    private let fails: Bool
    private let delay: Duration
    private let reason: StopReason
    /// Waited for after each piece of the first answer.
    private let gate: (@Sendable (Int) async throws -> Void)?

    init(
        _ pieces: [String], marks: ReasoningMarks? = nil, fails: Bool = false, delay: Duration = .zero,
        reason: StopReason = .endOfTurn
    ) {
        answers = [pieces]
        answerForm = AnswerForm(reasoning: marks)
        self.fails = fails
        self.delay = delay
        self.reason = reason
        gate = nil
    }

    /// A model that calls tools. A piece `#7` is the token 7.
    init(answers: [[String]], form: AnswerForm, gate: (@Sendable (Int) async throws -> Void)? = nil) {
        self.gate = gate
        self.answers = answers
        answerForm = form
        fails = false
        delay = .zero
        reason = .endOfTurn
    }

    let capabilities = LanguageModelCapabilities([.toolCalling, .guidedGeneration, .reasoning])
    var executorConfiguration: Executor.Configuration { .init() }

    private func respond(
        to request: LanguageModelExecutorGenerationRequest, _ channel: LanguageModelExecutorGenerationChannel
    ) async throws {
        let (tools, options) = (request.enabledToolDefinitions, request.generationOptions)
        var form = answerForm
        if tools.isEmpty { form.calls = nil }
        if request.schema != nil { form.reasoning = nil }
        form.isOpened = !tools.isEmpty && options.toolCallingMode == .required
        let feed = AnswerFeed(form, into: channel) { $0.count }
        let round = state.withLock {
            $0.running += 1
            if $0.running > 1 { $0.overlaps += 1 }
            $0.prompts.append(request.transcript.entries)
            $0.tools.append(tools)
            $0.modes.append(options.toolCallingMode)
            $0.schemas.append(request.schema)
            return $0.prompts.count - 1
        }
        defer { state.withLock { $0.running -= 1 } }
        let pieces = answers[min(round, answers.count - 1)]
        var generated = 0
        for piece in pieces.prefix(options.maximumResponseTokens ?? .max) {
            if delay > .zero {
                try await Task.sleep(for: delay)
            } else {
                await Task.yield()
            }
            while state.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(1)) }
            try Task.checkCancellation()
            state.withLock { $0.yielded += 1 }
            generated += 1
            if piece.hasPrefix("#"), let token = Int32(piece.dropFirst()) {
                feed.feed(.mark(token))
            } else {
                feed.feed(.text(piece))
            }
            if round == 0 { try await gate?(generated) }
        }
        if fails { throw Failure() }
        var statistics = GenerationStatistics()
        statistics.promptTokenCount = request.transcript.count
        statistics.generatedTokenCount = generated
        feed.feed(.finished(generated < pieces.count ? .maximumTokens : reason, statistics))
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
