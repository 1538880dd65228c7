package import EdgeEngine
package import EdgeTemplate
internal import Foundation
internal import Synchronization

/// What a session needs of a model: the place where `LanguageModelExecutor` of FoundationModels will stand.
///
/// One for each session; it owns what the model remembers of the conversation.
package protocol SessionExecutor: Sendable {
    /// The marks around a thought, if the model's template has any.
    func reasoning() throws -> ReasoningMarks?

    /// Tokens of a conversation as the model gets it.
    func tokenCount(of entries: [Transcript.Entry]) throws -> Int

    /// Fills the cache with what every prompt that begins like this one shares. A hint: failures are no concern of the caller.
    func prewarm(_ entries: [Transcript.Entry], promptPrefix: String) async

    /// Answers a conversation.
    ///
    /// - Parameter schema: what the answer must be, as JSON; nil for any text. One that cannot be enforced throws before anything
    ///   is yielded.
    func respond(
        to entries: [Transcript.Entry], schema: GenerationSchema?, options: GenerationOptions,
        yield: @Sendable (GenerationEvent) -> Void
    ) async throws

    /// What is added to the model's weights from the next answer on.
    func use(_ adapters: [LoRAAdapter])

    /// Lets go of the cache; the next answer computes all of its prompt.
    func releaseCache()
}

/// A session's part of a model from a GGUF file.
final class GGUFExecutor: SessionExecutor {
    private let model: GGUFLanguageModel
    /// The date that templates write, fixed so that a prompt's beginning stays the same while the session lasts.
    private let now: TemplateTime
    private let context = Mutex<GenerationContext?>(nil)
    private let adapters = Mutex<[LoRAAdapter]>([])

    init(_ model: GGUFLanguageModel) {
        self.model = model
        now = .local(Date())
    }

    func reasoning() throws -> ReasoningMarks? { try model.chat.format().reasoning }

    func tokenCount(of entries: [Transcript.Entry]) throws -> Int {
        try model.chat.format().tokens(of: entries, answers: true, now: now).count
    }

    func prewarm(_ entries: [Transcript.Entry], promptPrefix: String) async {
        guard let format = try? model.chat.format() else { return }
        // What two prompts that go on differently have in common, every prompt with this beginning has.
        let renderings = ["a", "1"].compactMap { rest in
            try? format.tokens(
                of: entries + [.prompt(.init(segments: .text(promptPrefix + rest)))], answers: true, now: now)
        }
        guard renderings.count == 2 else { return }
        let shared = zip(renderings[0], renderings[1]).prefix { $0 == $1 }.map(\.0)
        guard !shared.isEmpty, let context = try? await currentContext() else { return }
        try? await model.engine.prefill(shared, in: context)
    }

    func respond(
        to entries: [Transcript.Entry], schema: GenerationSchema?, options: GenerationOptions,
        yield: @Sendable (GenerationEvent) -> Void
    ) async throws {
        let constraint = try schema.map { try model.grammars.constraint(for: $0) }
        let format = try model.chat.format()
        let tokens = try format.tokens(of: entries, answers: true, now: now)
        guard tokens.count < model.contextSize else {
            throw LanguageModelError.contextSizeExceeded(
                .init(contextSize: model.contextSize, tokenCount: tokens.count))
        }
        let seed = options.seed ?? UInt64.random(in: 0...(.max))
        let request = GenerationRequest(
            prompt: tokens, sampling: try options.parameters(seed: seed, tokenizer: model.engine.tokenizer),
            maximumTokens: options.maximumResponseTokens, stopSequences: options.local.stopSequences,
            ignoresEnd: options.local.ignoresEnd, shownTokens: format.shownTokens,
            constraint: constraint)
        try await model.engine.generate(request, in: currentContext(), yield: yield)
    }

    func use(_ adapters: [LoRAAdapter]) { self.adapters.withLock { $0 = adapters } }

    func releaseCache() { context.withLock { $0 = nil } }

    /// The context, made when it is first needed, with the adapters of now.
    private func currentContext() async throws -> GenerationContext {
        let applied = adapters.withLock { $0 }.map(\.applied)
        if let context = context.withLock({ $0 }) {
            try await model.engine.apply(applied, to: context)
            return context
        }
        let made = try await model.engine.makeContext(adapters: applied)
        context.withLock { $0 = made }
        return made
    }
}

extension TemplateTime {
    /// A moment in the calendar and time zone of this machine.
    static func local(_ date: Date) -> TemplateTime {
        let parts = Calendar(identifier: .gregorian).dateComponents(
            [.year, .month, .day, .hour, .minute, .second], from: date)
        return TemplateTime(
            year: parts.year ?? 1970, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0,
            minute: parts.minute ?? 0, second: parts.second ?? 0)
    }
}
