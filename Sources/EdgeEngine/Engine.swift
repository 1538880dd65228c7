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
            floatKernels: floatKernels)
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
    /// Cancelling the task ends it within one token or one piece of the prompt (about 80 ms), with `CancellationError`.
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
        let limit = min(request.maximumTokens ?? .max, contextSize - request.prompt.count)
        sampler.reserve(request.prompt.count + limit)
        for id in request.prompt { sampler.accept(id) }

        // Only at the very start of a text does the space that the vocabulary puts there not count.
        let continuesText = request.prompt.contains { !tokenizer.isControl($0) }
        var decoder = StreamingDecoder(
            tokenizer, shown: request.shownTokens, continuesText: continuesText)
        var matcher = StopMatcher(request.stopSequences)
        var reason = StopReason.maximumTokens
        var firstToken: UInt64?
        while statistics.generatedTokenCount < limit {
            try Task.checkCancellation()
            let id = try choose(&sampler)
            let now = Clock.nanoseconds
            if firstToken == nil {
                firstToken = now
                statistics.timeToFirstToken = Clock.seconds(from: start, to: now)
            }
            statistics.decodeSeconds = Clock.seconds(from: firstToken ?? now, to: now)
            statistics.generatedTokenCount += 1
            sampler.accept(id)
            if tokenizer.isEndOfGeneration(id), !request.ignoresEnd {
                reason = .endOfTurn
                break
            }
            let (text, isStopped) = matcher.append(decoder.append(id))
            if !text.isEmpty { yield(.text(text)) }
            if isStopped {
                reason = .stopSequence
                break
            }
            guard statistics.generatedTokenCount < limit else { break }
            // The logits belong to the engine: others may pass only between choosing a token and running it.
            await letOthersPass()
            run(CollectionOfOne(id), context)
        }
        if reason != .stopSequence {
            let (text, isStopped) = matcher.append(decoder.finish())
            if isStopped { reason = .stopSequence }
            let rest = isStopped ? text : text + matcher.finish()
            if !rest.isEmpty { yield(.text(rest)) }
        }
        yield(.finished(reason, statistics))
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

    /// Runs the prompt in pieces of about 80 ms, so that a cancelled request ends soon; the cut changes no bit.
    private func prefill(_ prompt: ArraySlice<Int32>, _ context: GenerationContext) async throws {
        var rest = prompt
        var piece = min(32, pass.batchCapacity)
        while !rest.isEmpty {
            try Task.checkCancellation()
            let batch = rest.prefix(piece)
            rest = rest.dropFirst(piece)
            let start = Clock.nanoseconds
            run(batch, context, wantsLogits: rest.isEmpty)
            let seconds = max(1e-6, Clock.seconds(from: start))
            piece = min(pass.batchCapacity, max(1, Int(min(1e6, Double(batch.count) * 0.08 / seconds))))
            if !rest.isEmpty { await letOthersPass() }
        }
    }

    private func run(_ batch: some Collection<Int32>, _ context: GenerationContext, wantsLogits: Bool = true) {
        // A slice of the ledger, so that a token needs no array of its own.
        context.ledger.append(contentsOf: batch)
        let slice = context.ledger.suffix(batch.count)
        pass.run(
            slice, cache: context.cache, logits: wantsLogits ? slice.count - 1..<slice.count : 0..<0,
            adapters: context.adapters)
    }

    private func choose(_ sampler: inout Sampler) throws -> Int32 {
        var chosen: Int32 = -1
        var failure: SamplingError?
        pass.logits.withSpan(row: 0) { logits in
            do throws(SamplingError) {
                chosen = try sampler.sample(logits)
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
