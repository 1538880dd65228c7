internal import EdgeCache
package import EdgeKernels
package import EdgeModel
internal import EdgePlatform
internal import EdgeSampling
package import EdgeTokenizer

/// Runs generations for one loaded model, one step at a time, on a thread of its own.
///
/// Requests of different contexts interleave token by token; a step never suspends, so a cache cannot be entered twice. Working
/// buffers belong to the engine, caches to the contexts.
package actor Engine {
    private nonisolated let executor: ThreadExecutor
    package nonisolated let model: Model
    package nonisolated let tokenizer: Tokenizer
    /// Positions that each context has room for.
    package nonisolated let contextSize: Int
    package nonisolated let threadCount: Int
    private let precision: CachePrecision
    private let pass: ForwardPass
    private var constraints = ConstraintMemory()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Starts the threads and allocates the working buffers.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        model: Model, tokenizer: Tokenizer, contextSize: Int, threadCount: Int?, precision: CachePrecision,
        batchCapacity: Int = 512, floatKernels: Kernels = .chosen
    ) throws(ModelError) {
        do throws(PlatformError) {
            executor = try ThreadExecutor()
        } catch {
            throw ModelError(.insufficientMemory, "cannot start: \(error)")
        }
        self.model = model
        self.tokenizer = tokenizer
        self.contextSize = contextSize
        self.precision = precision
        pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: min(batchCapacity, max(1, contextSize)),
            logitsCapacity: 1 + PromptLookup.limit, floatKernels: floatKernels)
        self.threadCount = pass.threadCount
    }

    /// An empty context.
    ///
    /// - Parameter adapters: what is added to the weights for this context alone.
    /// - Throws: `ModelError.insufficientMemory`, `adapterMismatch`.
    package func makeContext(adapters: [AppliedAdapter] = []) throws(ModelError) -> GenerationContext {
        let context = GenerationContext(
            cache: try model.makeCache(
                capacity: contextSize, batchCapacity: pass.batchCapacity, precision: precision))
        if !adapters.isEmpty { context.adapters = try pass.makeStack(adapters) }
        return context
    }

    /// Changes what is added to the weights for a context from now on. Other adapters than before empty its cache: keys and values
    /// were computed with them.
    ///
    /// - Throws: `EngineError.contextBusy`; `ModelError` as `makeContext(adapters:)`, with nothing changed.
    package func apply(_ adapters: [AppliedAdapter], to context: GenerationContext) throws {
        guard !context.isBusy else { throw EngineError.contextBusy }
        guard adapters != context.adapters?.adapters ?? [] else { return }
        context.adapters = adapters.isEmpty ? nil : try pass.makeStack(adapters)
        context.removeAll()
    }

    /// Generates, handing each event to `yield` as it comes.
    ///
    /// Cancelling the task ends it with `CancellationError`: within one token, or, in a prompt, within one piece of one matrix.
    /// - Throws: `EngineError`, `SamplingError`, `CancellationError`.
    package func generate(
        _ request: GenerationRequest, in context: GenerationContext, yield: @Sendable (GenerationEvent) -> Void
    ) async throws {
        let start = Clock.nanoseconds
        guard !context.isBusy else { throw EngineError.contextBusy }
        guard !request.prompt.isEmpty else { throw EngineError.emptyPrompt }
        guard request.prompt.count < contextSize else {
            throw EngineError.contextSizeExceeded(contextSize: contextSize, tokenCount: request.prompt.count)
        }
        if let bad = request.prompt.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            throw EngineError.invalidToken(bad)
        }
        var sampler = try Sampler(request.sampling, vocabularySize: model.vocabularySize)
        context.isBusy = true
        defer { context.isBusy = false }

        var statistics = GenerationStatistics()
        statistics.promptTokenCount = request.prompt.count
        statistics.cachedTokenCount = context.reusePrefix(of: request.prompt)
        try await prefill(request.prompt[statistics.cachedTokenCount...], context)
        statistics.prefillSeconds = Clock.seconds(from: start)
        let limit = min(
            request.maximumTokens ?? .max, contextSize - request.prompt.count,
            request.script.isEmpty ? .max : request.script.count)
        sampler.reserve(request.prompt.count + limit)
        for id in request.prompt { sampler.accept(id) }

        var trigger = request.trigger
        var follower = trigger == nil ? follower(of: request.constraint) : nil
        // Only at the very start of a text does the space that the vocabulary puts there not count.
        let continuesText = request.prompt.contains { !tokenizer.isControl($0) }
        var answer = AnswerText(
            StreamingDecoder(tokenizer, shown: request.shownTokens, continuesText: continuesText),
            StopMatcher(request.stopSequences), marks: request.markTokens, statistics, since: start)
        var reason = StopReason.maximumTokens
        // What was chosen and has not run: the logits are those before it.
        var waiting: [Int32] = []
        var drafts = DraftRun(
            isOn: request.speculates && pass.batchCapacity > PromptLookup.limit
                && context.cache.canTakeBack(PromptLookup.limit))
        generation: while answer.statistics.generatedTokenCount < limit {
            try Task.checkCancellation()
            if follower?.mustEnd == true {
                reason = .endOfTurn
                break
            }
            let forced = try take(&follower, atMost: limit - answer.statistics.generatedTokenCount, &answer.statistics)
            for id in forced {
                sampler.accept(id)
                if !drafts.take(id, in: context) { waiting.append(id) }
                if answer.append(id, isForced: true, yield: yield) {
                    reason = .stopSequence
                    break generation
                }
            }
            guard answer.statistics.generatedTokenCount < limit, follower?.mustEnd != true else { continue }
            if !waiting.isEmpty {
                // The logits belong to the engine: others may pass only between choosing a token and running it.
                await letOthersPass()
                if waiting.count > 1 {
                    try await prefill(waiting[...], context)
                } else {
                    // The draft may not reach beyond the limit: its tokens would run for nothing.
                    let room = limit - answer.statistics.generatedTokenCount - 1
                    let isDrafted = drafts.begin(after: &waiting, in: context, atMost: room)
                    let start = Clock.nanoseconds
                    run(waiting, context, logits: isDrafted ? 0..<waiting.count : nil)
                    drafts.note(seconds: Clock.seconds(from: start))
                }
                waiting.removeAll(keepingCapacity: true)
            }
            if follower != nil {
                let start = Clock.nanoseconds
                do throws(EngineError) {
                    try follower?.update()
                } catch {
                    constraints.forget(request.constraint)
                    throw error
                }
                answer.statistics.constraintSeconds += Clock.seconds(from: start)
            }
            let chosen = try choose(&sampler, row: drafts.row, allowed: follower?.bits)
            let id = request.script.isEmpty ? chosen : request.script[answer.statistics.generatedTokenCount]
            sampler.accept(id)
            if tokenizer.isEndOfGeneration(id), !request.ignoresEnd || follower != nil {
                answer.count()
                reason = .endOfTurn
                break
            }
            try follower?.accept(id)
            if !drafts.take(id, in: context) { waiting.append(id) }
            if answer.append(id, isForced: false, yield: yield) {
                reason = .stopSequence
                break
            }
            if let begun = trigger?.append(id, answer.latest) {
                trigger = nil
                follower = self.follower(of: request.constraint)
                // Text that cannot begin what the grammar allows is left as it is.
                if follower?.accept(bytes: begun) == false { follower = nil }
            }
        }
        if reason == .maximumTokens, follower?.mustEnd == true { reason = .endOfTurn }
        if answer.finish(isStopped: reason == .stopSequence, yield: yield) { reason = .stopSequence }
        drafts.end(in: context)
        answer.statistics.draftedTokenCount = drafts.drafted
        answer.statistics.acceptedTokenCount = drafts.accepted
        yield(.finished(reason, answer.statistics))
    }

    private func follower(of constraint: GenerationConstraint?) -> ConstraintFollower? {
        constraint.map { constraints.follower(of: $0, tokenizer, vocabularySize: model.vocabularySize) }
    }

    /// The tokens that must come next, followed already.
    private func take(
        _ follower: inout ConstraintFollower?, atMost limit: Int, _ statistics: inout GenerationStatistics
    ) throws(EngineError) -> [Int32] {
        guard follower != nil else { return [] }
        let start = Clock.nanoseconds
        defer { statistics.constraintSeconds += Clock.seconds(from: start) }
        guard let forced = follower?.forced().prefix(limit), !forced.isEmpty else { return [] }
        for id in forced { try follower?.accept(id) }
        return Array(forced)
    }

    /// Fills a context with the keys and values of a prompt's start, so that a request with this prompt finds them there.
    ///
    /// - Throws: `EngineError`, `CancellationError`.
    package func prefill(_ prompt: [Int32], in context: GenerationContext) async throws {
        guard !context.isBusy else { throw EngineError.contextBusy }
        guard prompt.count < contextSize else {
            throw EngineError.contextSizeExceeded(contextSize: contextSize, tokenCount: prompt.count)
        }
        if let bad = prompt.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            throw EngineError.invalidToken(bad)
        }
        guard !prompt.isEmpty, !context.ledger.starts(with: prompt) else { return }
        context.isBusy = true
        defer { context.isBusy = false }
        let kept = context.reusePrefix(of: prompt)
        try await prefill(prompt[kept...], context)
    }

    /// Runs the prompt in pieces, between which requests of other contexts may pass; the cut changes no bit.
    ///
    /// Few tokens cost each of them several times what many do, as all weights are read for a piece. So pieces are short only while
    /// others wait. Whoever comes then waits for one long piece, and a cancelled request for none.
    private func prefill(_ prompt: ArraySlice<Int32>, _ context: GenerationContext) async throws {
        var rest = prompt
        var tokensPerSecond = 0.0
        while !rest.isEmpty {
            try Task.checkCancellation()
            let isAlone = !executor.hasWaitingJobs
            let wanted = tokensPerSecond * (isAlone ? 0.5 : 0.08)
            let least = isAlone ? 128 : tokensPerSecond == 0 ? 32 : 1
            let batch = rest.prefix(min(pass.batchCapacity, max(least, Int(min(1e6, wanted)))))
            rest = rest.dropFirst(batch.count)
            let start = Clock.nanoseconds
            let isWhole = run(batch, context, logits: rest.isEmpty ? nil : 0..<0, isStoppable: true)
            guard isWhole else { throw CancellationError() }
            tokensPerSecond = Double(batch.count) / max(1e-6, Clock.seconds(from: start))
            if !rest.isEmpty { await letOthersPass() }
        }
    }

    /// - Parameters:
    ///   - logits: which tokens of the batch to compute logits for; nil for the last.
    ///   - isStoppable: whether the cancellation of the task ends the batch, as if it had not been begun.
    /// - Returns: whether the batch has run to its end.
    @discardableResult
    private func run(
        _ batch: some Collection<Int32>, _ context: GenerationContext, logits: Range<Int>? = nil,
        isStoppable: Bool = false
    ) -> Bool {
        // A slice of the ledger, so that a token needs no array of its own.
        context.ledger.append(contentsOf: batch)
        let slice = context.ledger.suffix(batch.count)
        let isWhole = pass.run(
            slice, cache: context.cache, logits: logits ?? slice.count - 1..<slice.count,
            adapters: context.adapters, isStoppable: isStoppable)
        if !isWhole { context.ledger.removeLast(batch.count) }
        return isWhole
    }

    /// - Parameters:
    ///   - row: of the logits of the last run.
    ///   - allowed: a bit for each token that may be chosen; nil for all.
    private func choose(_ sampler: inout Sampler, row: Int, allowed: [UInt64]?) throws -> Int32 {
        var chosen: Int32 = -1
        var failure: SamplingError?
        pass.logits.withSpan(row: row) { logits in
            do throws(SamplingError) {
                if let allowed {
                    chosen = try sampler.sample(logits, allowed: allowed.span)
                } else {
                    chosen = try sampler.sample(logits)
                }
            } catch {
                failure = error
            }
        }
        guard let failure else { return chosen }
        if failure.code == .brokenLogit { throw EngineError.nonFiniteLogits }
        throw failure
    }

    private func letOthersPass() async {
        if executor.hasWaitingJobs { await Task.yield() }
    }
}
