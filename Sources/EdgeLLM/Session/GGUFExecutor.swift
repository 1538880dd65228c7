internal import EdgeEngine
internal import EdgePlatform
internal import EdgeTemplate
internal import EdgeTokenizer
internal import Foundation

extension GGUFLanguageModel: LanguageModel {
    /// Calls of tools and typed answers, enforced by grammars; adapters; thoughts where the chat template knows any.
    public var capabilities: LanguageModelCapabilities {
        let thinks = (try? chat.format())?.reasoning != nil
        return .init([.toolCalling, .guidedGeneration, .adapters] + (thinks ? [.reasoning] : []))
    }

    /// What an executor of this model is made from.
    public var executorConfiguration: Executor.Configuration { .init(engine: ObjectIdentifier(engine)) }

    /// Tokens of a conversation as the chat template writes it, up to where the answer begins: instructions, what was said, the form that
    /// a prompt asks for, and the tools. A request with this conversation has as many.
    ///
    /// - Parameter tools: the tools that a session would have.
    /// - Throws: `LanguageModelError` where the conversation cannot be written with the template, or the tools cannot be told.
    public func tokenCount(
        for entries: some Collection<Transcript.Entry>, tools: [any Tool] = []
    ) throws -> Int {
        try Executor(configuration: executorConfiguration).tokenCount(
            of: LanguageModelExecutorGenerationRequest(
                transcript: Transcript(entries: entries), enabledTools: ToolUse.definitions(tools)), model: self)
    }

    /// What a session needs of a model from a GGUF file: its cache.
    public final class Executor: LanguageModelExecutor {
        /// The model whose context an executor has.
        public struct Configuration: Hashable, Sendable {
            let engine: ObjectIdentifier
        }

        private let configuration: Configuration
        /// The date that templates write, fixed so that a prompt's beginning stays the same while the session lasts.
        let now: TemplateTime
        private let context: Lock<GenerationContext?>
        private typealias Known = (
            tools: [ToolUse.Description], content: GenerationConstraint?, constraint: GenerationConstraint
        )
        /// The grammar used last: rounds of a turn mostly have the same.
        private let known = Lock<Known?>(nil)

        /// Work on the cache that was begun by `prewarm(model:transcript:)`.
        private let pending = Lock<Task<Void, Never>?>(nil)

        /// An executor with nothing in its cache.
        public convenience init(configuration: Configuration) {
            self.init(configuration: configuration, now: .local(Date()), context: nil)
        }

        /// - Parameter context: what the model remembers already.
        init(configuration: Configuration, now: TemplateTime, context: GenerationContext?) {
            self.configuration = configuration
            self.now = now
            self.context = Lock(context)
        }

        /// The tokens of a request as the model gets it.
        package func tokenCount(of request: LanguageModelExecutorGenerationRequest, model: GGUFLanguageModel) throws
            -> Int
        {
            try model.chat.format().tokens(
                of: request.transcript, tools: ToolUse(request), answers: true, now: now
            ).count
        }

        /// Computes ahead what a conversation begins with.
        public func prewarm(model: GGUFLanguageModel, transcript: Transcript) {
            pending.withLock { pending in
                let before = pending
                pending = Task {
                    await before?.value
                    await self.prewarm(LanguageModelExecutorGenerationRequest(transcript: transcript), model: model)
                }
            }
        }

        /// Fills the cache with what every prompt that begins like this one shares; a prompt at the end is the beginning of one.
        package func prewarm(_ request: LanguageModelExecutorGenerationRequest, model: GGUFLanguageModel) async {
            guard configuration == model.executorConfiguration,
                let shared = try? sharedTokens(of: request, model: model), !shared.isEmpty,
                let context = try? await context(of: model, request.adapters)
            else { return }
            try? await model.engine.prefill(shared, in: context)
        }

        /// Saves what every prompt that begins like this one shares.
        ///
        /// - Throws: `SavedStateError`, `LanguageModelError`.
        func savePrefix(_ request: LanguageModelExecutorGenerationRequest, of model: GGUFLanguageModel) async throws {
            let shared = try sharedTokens(of: request, model: model).map { Int($0) }
            try await model.savePrefix(ofTokens: shared, adapters: request.adapters)
        }

        private func sharedTokens(
            of request: LanguageModelExecutorGenerationRequest, model: GGUFLanguageModel
        ) throws -> [Int32] {
            let (format, tools) = (try model.chat.format(), try ToolUse(request))
            var entries = request.transcript.entries
            var prefix = ""
            if case .prompt(let prompt)? = entries.last {
                prefix = prompt.segments.text
                entries.removeLast()
            }
            // What two prompts that go on differently have in common, every prompt with this beginning has.
            let renderings = try ["a", "1"].map { rest in
                try format.tokens(
                    of: entries + [.prompt(.init(segments: .text(prefix + rest)))], tools: tools, answers: true,
                    now: now)
            }
            return zip(renderings[0], renderings[1]).prefix { $0 == $1 }.map(\.0)
        }

        /// Answers a request.
        ///
        /// - Throws: `LanguageModelError`, `ModelLoadingError` for an adapter of another model, `CancellationError`,
        ///   `LanguageModelSession.Error.concurrentRequests` while it answers another.
        public nonisolated(nonsending) func respond(
            to request: LanguageModelExecutorGenerationRequest, model: GGUFLanguageModel,
            streamingInto channel: LanguageModelExecutorGenerationChannel
        ) async throws {
            guard configuration == model.executorConfiguration else {
                throw LanguageModelError.invalidOptions("the executor was made for another model")
            }
            await pending.withLock { $0 }?.value
            let format = try model.chat.format()
            let tools = try ToolUse(request)
            let options = request.generationOptions
            let content = try content(of: request, model)
            let constraint = try constraint(content, tools, format)
            let tokens: [Int32]
            if let trace = request.trace {
                let traced = try format.tracedTokens(of: request.transcript, tools: tools, answers: true, now: now)
                tokens = traced.ids
                trace.begin(traced.ids, traced.origins)
            } else {
                tokens = try format.tokens(of: request.transcript, tools: tools, answers: true, now: now)
            }
            let window = options.local.contextOverflow.window
            guard window != nil || tokens.count < model.contextSize else {
                throw LanguageModelError.contextSizeExceeded(
                    .init(contextSize: model.contextSize, tokenCount: tokens.count))
            }
            let seed = options.seed ?? UInt64.random(in: 0...(.max))
            var form = format.form(of: tools)
            var generation = GenerationRequest(
                prompt: tokens, sampling: try options.parameters(seed: seed, tokenizer: model.engine.tokenizer),
                maximumTokens: options.maximumResponseTokens, stopSequences: options.local.stopSequences,
                ignoresEnd: options.local.ignoresEnd, shownTokens: format.shownTokens, constraint: constraint)
            generation.window = window
            generation.reuse = try options.local.groundingReuse?.request(for: tokens, model.engine.tokenizer)
            if let trace = request.trace {
                generation.expected = trace.expected
                generation.onToken = { trace.append($0) }
            }
            if let tools {
                generation.markTokens = Set(form.marks.keys)
                // A call that has to be made is open already, and one that may stand for other content is in its grammar.
                if !tools.isRequired, content == nil { generation.trigger = ToolTrigger(form) }
            }
            // What a schema constrains is content from its first byte, or a call.
            if request.schema != nil { form.reasoning = nil }
            let tokenizer = model.engine.tokenizer
            let feed = AnswerFeed(form, into: channel) {
                tokenizer.encode($0, addSpecial: false, parseSpecial: false).count
            }
            do {
                try await model.engine.generate(generation, in: context(of: model, request.adapters)) { feed.feed($0) }
            } catch {
                throw LanguageModelError.translate(error)
            }
        }

        /// The grammar of an answer that is no call: a schema's, or one that was given.
        ///
        /// - Throws: `LanguageModelError.unsupportedGenerationGuide`, `invalidOptions`.
        private func content(
            of request: LanguageModelExecutorGenerationRequest, _ model: GGUFLanguageModel
        ) throws(LanguageModelError) -> GenerationConstraint? {
            guard let grammar = request.generationOptions.local.grammar else {
                guard let schema = request.schema else { return nil }
                return try model.grammars.constraint(for: schema)
            }
            guard request.schema == nil else {
                throw .invalidOptions("an answer can have a schema or a grammar, and both were given")
            }
            return try model.grammars.constraint(forGrammar: grammar, over: model.engine.tokenizer)
        }

        /// The grammar of an answer: of its content, of calls of the tools, or of either.
        ///
        /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
        private func constraint(
            _ content: GenerationConstraint?, _ tools: ToolUse?, _ format: ChatFormat
        ) throws -> GenerationConstraint? {
            guard let tools else { return content }
            let content = tools.isRequired ? nil : content
            if let known = known.withLock({ $0 }), known.tools == tools.tools, known.content === content {
                return known.constraint
            }
            let grammar = ToolGrammar(syntax: format.calls, tokenizer: format.tokenizer)
            let made = GenerationConstraint(
                try content.map { try grammar.grammar(for: tools, or: $0.grammar) } ?? grammar.grammar(for: tools),
                marks: Set(grammar.marks.keys))
            known.withLock { $0 = (tools.tools, content, made) }
            return made
        }

        /// Frees the cache; the next answer computes all of its prompt.
        func releaseCache(of model: GGUFLanguageModel) {
            context.withLock { $0 = nil }
            model.engine.releaseUnusedCache()
        }

        /// The context, made when it is first needed, with these adapters.
        func context(of model: GGUFLanguageModel, _ adapters: [LoRAAdapter]) async throws -> GenerationContext {
            let applied = adapters.map(\.applied)
            if let context = context.withLock({ $0 }) {
                try await model.engine.apply(applied, to: context)
                return context
            }
            let made = try await model.engine.makeContext(adapters: applied)
            context.withLock { $0 = made }
            return made
        }
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
