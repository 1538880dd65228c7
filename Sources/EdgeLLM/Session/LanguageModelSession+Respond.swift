internal import EdgePlatform

extension LanguageModelSession {
    /// Answers a prompt.
    ///
    /// - Throws: `LanguageModelError` — a prompt that does not fit the context is refused before any time is spent —
    ///   `LanguageModelSession.Error.concurrentRequests`, `CancellationError` when the task is cancelled. When it returns or throws,
    ///   the session is free for the next request.
    @discardableResult
    public nonisolated(nonsending) func respond(
        to prompt: Prompt, options: GenerationOptions = .init()
    ) async throws -> Response<String> {
        try Task.checkCancellation()
        return try await streamResponse(to: prompt, options: options).collect()
    }

    /// Answers a prompt.
    ///
    /// - Throws: as for a `Prompt`.
    @_disfavoredOverload @discardableResult
    public nonisolated(nonsending) func respond(
        to prompt: String, options: GenerationOptions = .init()
    ) async throws -> Response<String> {
        try await respond(to: Prompt(prompt), options: options)
    }

    /// Answers a prompt put together from parts.
    ///
    /// - Throws: as for a `Prompt`, and what the builder throws.
    @discardableResult
    public nonisolated(nonsending) func respond(
        options: GenerationOptions = .init(), @PromptBuilder prompt: () throws -> Prompt
    ) async throws -> Response<String> {
        try await respond(to: prompt(), options: options)
    }

    /// Answers a prompt, in snapshots of what there is so far.
    public func streamResponse(
        to prompt: Prompt, options: GenerationOptions = .init()
    ) -> ResponseStream<String> {
        ResponseStream(begin(prompt, options), form: .text)
    }

    /// Answers a prompt, in snapshots of what there is so far.
    @_disfavoredOverload
    public func streamResponse(
        to prompt: String, options: GenerationOptions = .init()
    ) -> ResponseStream<String> {
        streamResponse(to: Prompt(prompt), options: options)
    }

    /// Answers a prompt put together from parts, in snapshots of what there is so far.
    public func streamResponse(
        options: GenerationOptions = .init(), @PromptBuilder prompt: () throws -> Prompt
    ) rethrows -> ResponseStream<String> {
        streamResponse(to: try prompt(), options: options)
    }

    /// Answers a prompt, piece by piece, reasoning apart from content.
    public func streamEvents(to prompt: Prompt, options: GenerationOptions = .init()) -> EventStream {
        EventStream(source: TurnSource(begin(prompt, options)))
    }

    /// Answers a prompt, piece by piece, reasoning apart from content.
    @_disfavoredOverload
    public func streamEvents(to prompt: String, options: GenerationOptions = .init()) -> EventStream {
        streamEvents(to: Prompt(prompt), options: options)
    }

    /// Starts an answer.
    ///
    /// - Parameter form: what the answer must be.
    func begin(_ prompt: Prompt, _ options: GenerationOptions, form: ResponseForm = .text) -> Turn {
        let turn = Turn()
        turn.onDrop { [weak self, weak turn] in
            if let self, let turn { self.end(turn, with: CancellationError()) }
        }
        let started: Bool = change { state in
            guard state.turn == nil else { return false }
            state.turn = turn
            state.turnStart = state.transcript.entries.count
            state.transcript.entries.append(
                .prompt(.init(segments: .text(prompt.text), responseFormat: form.shown)))
            let entries = state.transcript.entries
            let previous = state.worker
            state.worker = Task {
                // What was cancelled may still be at the cache for a moment.
                await previous?.value
                await self.run(turn, entries, options, form)
            }
            return true
        }
        if !started { turn.finish(.failure(Error.concurrentRequests)) }
        return turn
    }

    private func run(
        _ turn: Turn, _ entries: [Transcript.Entry], _ options: GenerationOptions, _ form: ResponseForm
    ) async {
        do {
            try Task.checkCancellation()
            try await answer(turn, entries, options, form)
            end(turn, with: nil)
        } catch {
            end(turn, with: LanguageModelError.translate(error))
        }
    }

    /// Lets the model speak, makes the calls that it wants, and so on until it is content or a limit is met.
    private func answer(
        _ turn: Turn, _ entries: [Transcript.Entry], _ options: GenerationOptions, _ form: ResponseForm
    ) async throws {
        var options = options
        if options.toolCallingMode == .required, tools.isEmpty {
            throw LanguageModelError.invalidOptions("a tool call is required, but the session has no tools")
        }
        if !tools.isEmpty, options.toolCallingMode != .disallowed {
            try model.require(.toolCalling, for: "the session has tools")
        }
        if form.schema != nil { try model.require(.guidedGeneration, for: "the answer has a schema") }
        var rounds = 0
        while true {
            // Asked anew for each round: a tool may change what it takes.
            let definitions = options.toolCallingMode == .disallowed ? [] : try ToolUse.definitions(tools)
            let adapters = state.withLock { $0.adapters }
            if !adapters.isEmpty { try model.require(.adapters, for: "the session has adapters") }
            let channel = turn.begin()
            let before = turn.finished?.usage.output.totalTokenCount ?? 0
            try await model.respond(
                .init(
                    transcript: .init(entries: entries + turn.rounds), enabledTools: definitions, schema: form.schema,
                    generationOptions: options, adapters: adapters), channel)
            turn.endRound()
            let calls = turn.calls
            guard let finished = turn.finished else { return }
            guard !calls.isEmpty else {
                return try form.check(turn.content, finished.reason, isEnforced: model.isEnforcing)
            }
            if let limit = options.maximumResponseTokens {
                options.maximumResponseTokens = max(
                    0, limit - min(limit, finished.usage.output.totalTokenCount - before))
            }
            if finished.reason == .maximumTokens || options.maximumResponseTokens == 0 {
                leave(calls, of: turn, as: .maximumTokens, because: "the limit of the answer's length was reached")
                return try form.check(turn.content, .maximumTokens)
            }
            guard rounds < options.local.maximumToolRounds else {
                leave(calls, of: turn, as: .toolLimit, because: "the limit of \(rounds) rounds of tools was reached")
                return try form.check(turn.content, .toolLimit)
            }
            guard let outputs = try await outputs(of: calls, for: definitions) else {
                leave(calls, of: turn, as: .toolStop, because: "the program ended the turn")
                return try form.check(turn.content, .toolStop)
            }
            turn.close(with: outputs)
            rounds += 1
            if options.toolCallingMode == .required { options.toolCallingMode = .allowed }
        }
    }

    /// Ends a turn whose last calls are not made. Each has an output that says so: a conversation with open calls could not go on.
    private func leave(
        _ calls: [Turn.PendingCall], of turn: Turn, as reason: FinishReason, because cause: String
    ) {
        turn.close(
            with: calls.map {
                .init(
                    callID: $0.call.id, toolName: $0.call.toolName, segments: .text("Error: not called; \(cause)"))
            })
        turn.stop(reason)
    }

    /// Ends an answer, well or not, unless it has ended already: brings the transcript in order, frees the session, and only then
    /// tells the reader.
    private func end(_ turn: Turn, with error: (any Swift.Error)?) {
        let entries = turn.entries
        let finished = turn.finished
        let result: Result<Turn.Outcome, any Swift.Error>? = change { state in
            guard state.turn === turn else { return nil }
            state.turn = nil
            if let finished, error == nil {
                let start = state.transcript.entries.count
                state.transcript.entries += entries
                state.usage.add(finished.usage)
                return .success(
                    Turn.Outcome(
                        entries: state.transcript.entries[start...], usage: finished.usage,
                        finishReason: finished.reason))
            }
            switch state.policy {
            case .revertTranscript: state.transcript.entries.removeSubrange(state.turnStart...)
            case .preserveTranscript: state.transcript.entries += entries
            }
            state.worker?.cancel()
            return .failure(error ?? CancellationError())
        }
        if let result { turn.finish(result) }
    }
}
