package import EdgeEngine
internal import EdgeTemplate
internal import Foundation
internal import Synchronization

/// What a session needs of a model: the place where `LanguageModelExecutor` of FoundationModels will stand.
///
/// One for each session; it owns what the model remembers of the conversation.
package protocol SessionExecutor: Sendable {
    /// How an answer with these tools is to be read; nil for none.
    func form(of tools: ToolUse?) throws -> AnswerForm

    /// Tokens of a conversation as the model gets it.
    func tokenCount(of entries: [Transcript.Entry], tools: ToolUse?) throws -> Int

    /// Fills the cache with what every prompt that begins like this one shares. A hint: failures are no concern of the caller.
    func prewarm(_ entries: [Transcript.Entry], tools: ToolUse?, promptPrefix: String) async

    /// Answers a conversation.
    ///
    /// - Parameter schema: what the answer must be, as JSON; nil for any text. One that cannot be enforced throws before anything
    ///   is yielded.
    func respond(
        to entries: [Transcript.Entry], tools: ToolUse?, schema: GenerationSchema?, options: GenerationOptions,
        yield: @Sendable (GenerationEvent) -> Void
    ) async throws

    /// What is added to the model's weights from the next answer on.
    func use(_ adapters: [LoRAAdapter])

    /// Lets go of the cache; the next answer computes all of its prompt.
    func releaseCache()
}

/// A session's part of a model from a GGUF file.
final class GGUFExecutor: SessionExecutor {
    let model: GGUFLanguageModel
    /// The date that templates write, fixed so that a prompt's beginning stays the same while the session lasts.
    let now: TemplateTime
    private let context: Mutex<GenerationContext?>
    private let adapters: Mutex<[LoRAAdapter]>
    private typealias Known = (
        tools: [ToolUse.Description], schema: GenerationSchema?, constraint: GenerationConstraint
    )
    /// The grammar used last: rounds of a turn mostly have the same.
    private let known = Mutex<Known?>(nil)

    /// - Parameters:
    ///   - now: the date that templates write, by default today's.
    ///   - context: what the model remembers already, made with the adapters.
    init(
        _ model: GGUFLanguageModel, now: TemplateTime? = nil, context: GenerationContext? = nil,
        adapters: [LoRAAdapter] = []
    ) {
        self.model = model
        self.now = now ?? .local(Date())
        self.context = Mutex(context)
        self.adapters = Mutex(adapters)
    }

    func form(of tools: ToolUse?) throws -> AnswerForm { try model.chat.format().form(of: tools) }

    func tokenCount(of entries: [Transcript.Entry], tools: ToolUse?) throws -> Int {
        try model.chat.format().tokens(of: entries, tools: tools, answers: true, now: now).count
    }

    func prewarm(_ entries: [Transcript.Entry], tools: ToolUse?, promptPrefix: String) async {
        guard let format = try? model.chat.format() else { return }
        // What two prompts that go on differently have in common, every prompt with this beginning has.
        let renderings = ["a", "1"].compactMap { rest in
            try? format.tokens(
                of: entries + [.prompt(.init(segments: .text(promptPrefix + rest)))], tools: tools, answers: true,
                now: now)
        }
        guard renderings.count == 2 else { return }
        let shared = zip(renderings[0], renderings[1]).prefix { $0 == $1 }.map(\.0)
        guard !shared.isEmpty, let context = try? await currentContext() else { return }
        try? await model.engine.prefill(shared, in: context)
    }

    func respond(
        to entries: [Transcript.Entry], tools: ToolUse?, schema: GenerationSchema?, options: GenerationOptions,
        yield: @Sendable (GenerationEvent) -> Void
    ) async throws {
        let format = try model.chat.format()
        let constraint = try constraint(schema, tools, format)
        let tokens = try format.tokens(of: entries, tools: tools, answers: true, now: now)
        guard tokens.count < model.contextSize else {
            throw LanguageModelError.contextSizeExceeded(
                .init(contextSize: model.contextSize, tokenCount: tokens.count))
        }
        let seed = options.seed ?? UInt64.random(in: 0...(.max))
        var request = GenerationRequest(
            prompt: tokens, sampling: try options.parameters(seed: seed, tokenizer: model.engine.tokenizer),
            maximumTokens: options.maximumResponseTokens, stopSequences: options.local.stopSequences,
            ignoresEnd: options.local.ignoresEnd, shownTokens: format.shownTokens, constraint: constraint)
        if let tools {
            let form = format.form(of: tools)
            request.markTokens = Set(form.marks.keys)
            // A call that has to be made is open already, and one that stands beside a schema is in its grammar.
            if !tools.isRequired, schema == nil { request.trigger = ToolTrigger(form) }
        }
        try await model.engine.generate(request, in: currentContext(), yield: yield)
    }

    /// The grammar of an answer: what the schema says, calls of the tools, or either.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    private func constraint(
        _ schema: GenerationSchema?, _ tools: ToolUse?, _ format: ChatFormat
    ) throws -> GenerationConstraint? {
        guard let tools else { return try schema.map { try model.grammars.constraint(for: $0) } }
        let content = tools.isRequired ? nil : schema
        if let known = known.withLock({ $0 }), known.tools == tools.tools, known.schema == content {
            return known.constraint
        }
        let grammar = ToolGrammar(syntax: format.calls, tokenizer: format.tokenizer)
        let made = GenerationConstraint(
            try content.map { try grammar.grammar(for: tools, or: model.grammars.constraint(for: $0).grammar) }
                ?? grammar.grammar(for: tools), marks: Set(grammar.marks.keys))
        known.withLock { $0 = (tools.tools, content, made) }
        return made
    }

    func use(_ adapters: [LoRAAdapter]) { self.adapters.withLock { $0 = adapters } }

    func releaseCache() {
        context.withLock { $0 = nil }
        model.engine.releaseUnusedCache()
    }

    /// The context, made when it is first needed, with the adapters of now.
    func currentContext() async throws -> GenerationContext {
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
