package import EdgeCache
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
    /// Whether all products are computed by this library's kernels, whose bits are the same everywhere.
    nonisolated let usesOwnArithmetic: Bool
    /// What tells the model's files from those of others; read once, as it lies all over them.
    private let knownFingerprint = Lock<UInt64?>(nil)
    /// Where the beginnings of prompts are kept beyond the life of the process.
    nonisolated let prefixes: SavedPrefixes?
    /// What a knowledge pack has of them.
    package nonisolated let pack: PackedContexts?
    let pass: ForwardPass
    nonisolated let pool: CachePool
    var reuseState = PassageReuse.State()
    private var constraints = ConstraintMemory()
    /// The contexts being worked on, in the order in which they began.
    private var busy: [ObjectIdentifier] = []
    private var steps: StepQueue

    nonisolated var cacheGeometry: CacheGeometry { pool.geometry }

    package nonisolated var fingerprint: UInt64 {
        knownFingerprint.withLock { known in
            let fingerprint = known ?? model.fingerprint
            known = fingerprint
            return fingerprint
        }
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Starts the threads and allocates the working buffers.
    ///
    /// - Parameter cacheLimit: bytes that the keys and values of all contexts may take together, at least one's; nil for
    ///   what some contexts need.
    /// - Parameter spill: how many of these may be in memory, and where the others lie; nil for all in memory.
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        model: Model, tokenizer: Tokenizer, contextSize: Int, threadCount: Int?, precision: CachePrecision,
        batchCapacity: Int = 512, cacheLimit: Int? = nil, spill: CacheSpill.Options? = nil,
        floatKernels: Kernels = .chosen, usesOwnArithmetic: Bool = true, prefixes: SavedPrefixes? = nil,
        pack: PackedContexts? = nil
    ) throws(ModelError) {
        do throws(PlatformError) {
            executor = try ThreadExecutor()
        } catch {
            throw ModelError(.insufficientMemory, "cannot start: \(error)")
        }
        self.model = model
        self.tokenizer = tokenizer
        self.contextSize = contextSize
        pass = try ForwardPass(
            model, threadCount: threadCount, batchCapacity: Self.batchCapacity(batchCapacity, contextSize: contextSize),
            logitsCapacity: Self.logitsCapacity, floatKernels: floatKernels)
        steps = StepQueue(batchCapacity: pass.batchCapacity)
        self.threadCount = pass.threadCount
        self.usesOwnArithmetic = usesOwnArithmetic
        self.prefixes = prefixes
        self.pack = pack
        pool = try Self.makePool(
            model.cacheGeometry(capacity: contextSize, batchCapacity: pass.batchCapacity, precision: precision),
            limit: cacheLimit, spill: spill)
    }

    /// Contexts that can be computed at the same time, full, where memory allows; there may be more that rest.
    private static let contextLimit = 16

    /// Tokens run together at most.
    static func batchCapacity(_ wanted: Int, contextSize: Int) -> Int { min(max(1, wanted), max(1, contextSize)) }

    /// Rows of logits that a context alone may need: a draft and the token before it.
    private static let draftRows = 1 + PromptLookup.limit
    /// Those, and behind them a row for each context of a common pass, which stand until all of these have chosen.
    static let logitsCapacity = draftRows + StepQueue.limit

    /// Reserves address space for some full contexts. The system provides memory as they fill; unused blocks are kept for one.
    static func makePool(
        _ geometry: CacheGeometry, limit: Int?, spill: CacheSpill.Options? = nil
    ) throws(ModelError) -> CachePool {
        if let spill {
            do throws(CacheError) { return try CachePool(geometry, spill: spill) } catch {
                throw ModelError(cache: error)
            }
        }
        var contexts = contextLimit
        while contexts > 1, let limit, geometry.byteCount(contexts: contexts) ?? .max > limit { contexts -= 1 }
        while true {
            do throws(PlatformError) {
                return try CachePool(geometry, contexts: contexts)
            } catch {
                guard contexts > 1 else {
                    throw ModelError(
                        .insufficientMemory, "no memory for a context of \(geometry.capacity) tokens: \(error)")
                }
                contexts /= 2
            }
        }
    }

    /// An empty context.
    ///
    /// - Parameter adapters: what is added to the weights for this context alone.
    /// - Throws: `ModelError.insufficientMemory`, `adapterMismatch`.
    package func makeContext(adapters: [AppliedAdapter] = []) throws(ModelError) -> GenerationContext {
        let stack = adapters.isEmpty ? nil : try pass.makeStack(adapters)
        let context = GenerationContext(cache: pool.makeCache(lineage: GenerationContext.lineage(of: adapters)))
        context.adapters = stack
        return context
    }

    /// Gives back the memory of keys and values that no context holds; contexts to come compute what they share anew.
    package nonisolated func releaseUnusedCache() { pool.releaseUnused() }

    /// What contradicts itself in the bookkeeping of the cache, nil where every block is accounted for; and the blocks that hold
    /// something, with those of them that a context uses. For tests.
    package nonisolated var cacheState: (contradiction: String?, held: Int, used: Int) {
        let counts = pool.blockCounts
        return (pool.contradiction(), counts.held, counts.used)
    }

    /// Changes what is added to the weights for a context from now on. Other adapters than before empty its cache: keys and values
    /// were computed with them.
    ///
    /// - Throws: `EngineError.contextBusy`; `ModelError` as `makeContext(adapters:)`, with nothing changed.
    package func apply(_ adapters: [AppliedAdapter], to context: GenerationContext) throws {
        guard !context.isBusy else { throw EngineError.contextBusy }
        guard adapters != context.adapters?.adapters ?? [] else { return }
        context.adapters = adapters.isEmpty ? nil : try pass.makeStack(adapters)
        context.begin(GenerationContext.lineage(of: adapters))
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
        if let window = request.window {
            guard window.fits(contextSize: contextSize) else {
                throw EngineError.invalidWindow(contextSize: contextSize, keeping: window.keeping)
            }
        } else if request.prompt.count >= contextSize {
            throw EngineError.contextSizeExceeded(contextSize: contextSize, tokenCount: request.prompt.count)
        }
        if let bad = request.prompt.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            throw EngineError.invalidToken(bad)
        }
        var sampler = try Sampler(request.sampling, vocabularySize: model.vocabularySize)
        begin(context)
        defer { end(context) }

        var statistics = GenerationStatistics()
        statistics.promptTokenCount = request.prompt.count
        let (seen, dropped) = slide(request.prompt, dropped: 0, request.window)
        statistics.droppedPromptTokenCount = dropped
        if request.reuse == nil, context.exactCount != nil {
            context.begin(GenerationContext.lineage(of: context.adapters?.adapters ?? []))
        }
        let beginning = try await beginWithSaved(seen, context)
        var measured: MeasuredPrompt?
        if let reuse = request.reuse {
            measured = try await self.reuse(reuse, of: seen, isWhole: dropped == 0, context, &statistics)
        }
        let savesBeginning = beginning.isWorthSaving && context.exactCount == nil
        if savesBeginning {
            // But for the last token, which a request with the same prompt runs again; and before it runs, as others may pass
            // meanwhile and its logits do not outlast that.
            let start = Array(seen.dropLast())
            try await prefill(start[beginning.held...], of: start, context)
            try? await saveBeginning(start[...], of: context)
        }
        let held = context.reusePrefix(of: seen)
        var prompted = try await prefill(seen[held...], of: seen, context, choosesNext: true)
        if let measured, !isNear(measured, row: prompted.row ?? 0, &statistics) {
            if prompted.row != nil { endChoosing() }
            context.replaceCache(by: measured.cache, exactCount: nil)
            prompted = try await prefill(
                seen[context.reusePrefix(of: seen)...], of: seen, context, choosesNext: true)
        }
        // The row of the logits to choose from, where the last pass was a common one: then the context is counted as choosing already.
        var commonRow = prompted.row
        if commonRow == nil { steps.begin() }
        defer { endChoosing() }
        statistics.cachedTokenCount =
            savesBeginning || statistics.reuse?.reusedTokenCount ?? 0 > 0 ? beginning.held : prompted.spared
        statistics.prefillSeconds = Clock.seconds(from: start)
        let limit = min(
            request.maximumTokens ?? (request.window == nil ? .max : contextSize),
            request.window == nil ? contextSize - request.prompt.count : .max,
            request.script.isEmpty ? .max : request.script.count)
        sampler.reserve(request.prompt.count + min(limit, contextSize))
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
            isOn: request.speculates && pass.batchCapacity > PromptLookup.limit, expecting: request.expected)
        generation: while answer.statistics.generatedTokenCount < limit {
            try Task.checkCancellation()
            if follower?.mustEnd == true {
                reason = .endOfTurn
                break
            }
            let forced = try take(&follower, atMost: limit - answer.statistics.generatedTokenCount, &answer.statistics)
            for id in forced {
                sampler.accept(id)
                request.onToken?(id)
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
                if let window = request.window, !window.recomputes,
                    context.ledger.count + waiting.count >= contextSize, canTurnWindow
                {
                    try await turn(window, in: context, before: &waiting, &answer.statistics)
                }
                let isSliding = request.window != nil && context.ledger.count + waiting.count >= contextSize
                if !isSliding {
                    // A draft of full length may follow.
                    try await makeRoom(
                        for: min(waiting.count + PromptLookup.limit, roomLeft(context)), context, isChoosing: true)
                }
                commonRow = nil
                if isSliding {
                    let (seen, dropped) = slide(
                        context.ledger + waiting,
                        dropped: answer.statistics.droppedPromptTokenCount + answer.statistics.droppedTokenCount,
                        request.window)
                    answer.statistics.droppedTokenCount += dropped
                    commonRow = try await runBetween(seen[context.reusePrefix(of: seen)...], of: seen, context)
                } else if waiting.count > 1 {
                    commonRow = try await runBetween(waiting[...], of: context.ledger + waiting, context)
                } else if !steps.isAlone {
                    commonRow = try await wait([waiting[0]], context)?.row
                } else {
                    // The draft may not reach beyond the limit, where its tokens would run for nothing, nor to where a window slides.
                    let room = min(
                        limit - answer.statistics.generatedTokenCount - 1, contextSize - context.ledger.count - 2)
                    let isDrafted = drafts.begin(after: &waiting, in: context, atMost: room)
                    let start = Clock.nanoseconds
                    try run(waiting[...], context, logits: isDrafted ? 0..<waiting.count : nil)
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
            let chosen = try choose(&sampler, row: commonRow ?? drafts.row, allowed: follower?.bits)
            let id = request.script.isEmpty ? chosen : request.script[answer.statistics.generatedTokenCount]
            sampler.accept(id)
            request.onToken?(id)
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

    /// What stays of a text that has lost `dropped` tokens already, and how many more it loses.
    private func slide(
        _ text: [Int32], dropped: Int, _ window: SlidingWindow?
    ) -> (seen: [Int32], dropped: Int) {
        guard let window else { return (text, 0) }
        let more = window.droppedCount(ofTokens: dropped + text.count, contextSize: contextSize) - dropped
        guard more > 0 else { return (text, 0) }
        return (Array(text[..<window.keeping] + text[(window.keeping + more)...]), more)
    }

    /// Turns a window until there is room for tokens that wait, and one more. Those that fit before are run first, so that which tokens knew
    /// which others does not depend on how many wait.
    private func turn(
        _ window: SlidingWindow, in context: GenerationContext, before waiting: inout [Int32],
        _ statistics: inout GenerationStatistics
    ) async throws {
        while context.ledger.count + waiting.count >= contextSize {
            let fitting = contextSize - 1 - context.ledger.count
            if fitting > 0 {
                let part = Array(waiting.prefix(fitting))
                waiting.removeFirst(part.count)
                // The last of them has its logits computed for nothing.
                _ = try await runBetween(part[...], of: context.ledger + part, context)
            }
            let dropped = statistics.droppedPromptTokenCount + statistics.droppedTokenCount
            let more = window.droppedCount(ofTokens: dropped + contextSize, contextSize: contextSize) - dropped
            try turnWindow(of: context, keeping: window.keeping, dropping: more)
            statistics.droppedTokenCount += more
        }
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
        begin(context)
        defer { end(context) }
        if try await fill(prompt, context) { try? await saveBeginning(prompt[...], of: context) }
    }

    /// Computes what a context lacks of a text; returns whether that is worth a file.
    @discardableResult
    func fill(_ prompt: [Int32], _ context: GenerationContext) async throws -> Bool {
        guard prompt.count < contextSize else {
            throw EngineError.contextSizeExceeded(contextSize: contextSize, tokenCount: prompt.count)
        }
        if let bad = prompt.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            throw EngineError.invalidToken(bad)
        }
        guard !prompt.isEmpty, context.cache.count < prompt.count || !context.ledger.starts(with: prompt) else {
            return false
        }
        let beginning = try await beginWithSaved(prompt, context)
        try await prefill(prompt[beginning.held...], of: prompt, context)
        return beginning.isWorthSaving
    }

    /// Runs tokens of a context that is choosing, as a part of a prompt is; it is choosing again then.
    ///
    /// - Returns: the row of the logits of the last, where that ran in a common pass.
    private func runBetween(
        _ part: ArraySlice<Int32>, of whole: [Int32], _ context: GenerationContext
    ) async throws -> Int? {
        endChoosing()
        do {
            let row = try await prefill(part, of: whole, context, choosesNext: true).row
            if row == nil { steps.begin() }
            return row
        } catch {
            steps.begin()
            throw error
        }
    }

    /// Runs the rest of a text in pieces: while others generate, in their common passes, and else by itself. The cut changes no bit.
    ///
    /// Few tokens cost each of them several times what many do, as all weights are read for a piece. So pieces are short only while
    /// others wait. Whoever comes then waits for one long piece, and a cancelled request for none, or for one common pass.
    ///
    /// - Parameters:
    ///   - whole: the text from the context's beginning on: what another context computes of it meanwhile is taken over.
    ///   - choosesNext: whether a token is chosen from the logits of the last.
    /// - Returns: tokens of the text that had not to be run, and, where the last ones ran in a common pass and a token is chosen next, the
    ///   row of their logits; the context is choosing then.
    @discardableResult
    func prefill(
        _ part: ArraySlice<Int32>, of whole: [Int32], _ context: GenerationContext, choosesNext: Bool = false
    ) async throws -> (spared: Int, row: Int?) {
        var rest = part
        var spared = whole.count - part.count
        var tokensPerSecond = 0.0
        while !rest.isEmpty {
            try Task.checkCancellation()
            let held = context.reusePrefix(of: whole)
            spared = max(0, spared + held - (whole.count - rest.count))
            rest = whole[held...]
            if steps.isShared {
                let piece = Array(rest.prefix(steps.promptBudget))
                let isLast = piece.count == rest.count
                try await makeRoom(for: piece.count, context)
                let outcome = try await wait(
                    piece, of: whole, context, wantsLogits: isLast && choosesNext)
                guard let outcome else { continue }
                rest = rest.dropFirst(piece.count)
                if isLast { return (spared, choosesNext ? outcome.row : nil) }
                continue
            }
            let isAlone = !executor.hasWaitingJobs
            let wanted = tokensPerSecond * (isAlone ? 0.5 : 0.08)
            let least = isAlone ? 128 : tokensPerSecond == 0 ? 32 : 1
            let piece = min(pass.batchCapacity, max(least, Int(min(1e6, wanted))))
            try await makeRoom(for: min(piece, rest.count), context)
            let batch = rest.prefix(piece)
            rest = rest.dropFirst(piece)
            let start = Clock.nanoseconds
            let isWhole = try run(batch, context, logits: rest.isEmpty ? nil : 0..<0, isStoppable: true)
            guard isWhole else { throw CancellationError() }
            tokensPerSecond = Double(batch.count) / max(1e-6, Clock.seconds(from: start))
            if !rest.isEmpty { await letOthersPass() }
        }
        return (spared, nil)
    }

    /// Runs a context's next token, or a piece of a prompt, with those of the others that generate, when all of them have chosen theirs.
    ///
    /// - Returns: the row of the logits that are its own, which stand until the context runs its next token; nil for a piece that has
    ///   not run, as another context has computed some of it meanwhile or there is no room for it any more.
    /// - Throws: `EngineError.storageFailed`.
    private func wait(
        _ tokens: [Int32], of prompt: [Int32]? = nil, _ context: GenerationContext, wantsLogits: Bool = true
    ) async throws -> StepQueue.Outcome? {
        try await withCheckedThrowingContinuation { continuation in
            steps.wait(
                .init(
                    tokens: tokens, context: context, prompt: prompt, wantsLogits: wantsLogits,
                    finish: { continuation.resume(with: $0) }))
            runWaiting()
        }
    }

    /// The context no longer chooses: those that wait may not have to wait for it.
    func endChoosing() {
        steps.end()
        runWaiting()
    }

    /// Runs the steps that wait, when nobody is choosing who could join them or whose logits they would overwrite.
    private func runWaiting() {
        while steps.isReady {
            let taken = steps.take().filter { step in
                let isRunnable = isRunnable(step)
                if !isRunnable { step.finish(.success(nil)) }
                return isRunnable
            }
            guard let first = taken.first else { continue }
            let start = Clock.nanoseconds
            let isWhole = pass.run(
                taken.map { .init($0.tokens[...], of: $0.context.cache, wantsLogits: $0.wantsLogits) },
                firstRow: Self.draftRows, adapters: first.context.adapters)
            guard isWhole else {
                let error = EngineError.storageFailed(pass.failure?.description ?? "stopped")
                for step in taken {
                    // Whose chosen token has not run is still the one who is to end choosing.
                    if step.prompt == nil { steps.ran(step) }
                    step.finish(.failure(error))
                }
                continue
            }
            steps.note(
                promptTokens: taken.reduce(0) { $0 + ($1.prompt == nil ? 0 : $1.tokens.count) },
                seconds: Clock.seconds(from: start))
            var row = Self.draftRows
            for step in taken {
                step.context.ledger.append(contentsOf: step.tokens)
                steps.ran(step)
                step.finish(.success(.init(row: row)))
                row += step.wantsLogits ? 1 : 0
            }
        }
    }

    /// Whether a piece of a prompt is still what its context lacks, with room for it; a chosen token always is.
    private func isRunnable(_ step: StepQueue.Step) -> Bool {
        guard let prompt = step.prompt else { return true }
        let count = step.context.ledger.count
        guard step.context.reusePrefix(of: prompt) == count else { return false }
        do throws(CacheError) {
            try step.context.cache.reserve(step.tokens.count)
            return true
        } catch {
            return false
        }
    }

    /// - Parameters:
    ///   - logits: which tokens of the batch to compute logits for; nil for the last.
    ///   - isStoppable: whether the cancellation of the task ends the batch, as if it had not been begun.
    /// - Returns: whether the batch has run to its end.
    /// - Throws: `EngineError.cacheExhausted`, `storageFailed`.
    @discardableResult
    private func run(
        _ batch: some Collection<Int32>, _ context: GenerationContext, logits: Range<Int>? = nil,
        isStoppable: Bool = false
    ) throws -> Bool {
        do throws(CacheError) {
            try context.cache.reserve(batch.count)
        } catch {
            throw Self.storageFailure(error) ?? exhausted(context, batch.count)
        }
        // A slice of the ledger, so that a token needs no array of its own.
        context.ledger.append(contentsOf: batch)
        let slice = context.ledger.suffix(batch.count)
        let isWhole = pass.run(
            slice, cache: context.cache, logits: logits ?? slice.count - 1..<slice.count,
            adapters: context.adapters, isStoppable: isStoppable)
        guard !isWhole else { return true }
        context.ledger.removeLast(batch.count)
        if let failure = pass.failure { throw EngineError.storageFailed(failure.description) }
        return false
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

    func begin(_ context: GenerationContext) {
        context.isBusy = true
        busy.append(ObjectIdentifier(context))
        if context.isSlid { context.begin(GenerationContext.lineage(of: context.adapters?.adapters ?? [])) }
    }

    func end(_ context: GenerationContext) {
        busy.removeAll { $0 == ObjectIdentifier(context) }
        context.isBusy = false
    }

    /// Positions that a context has left, at most a batch.
    private func roomLeft(_ context: GenerationContext) -> Int {
        min(contextSize - context.ledger.count, pass.batchCapacity)
    }

    /// Waits until the cache has room for the next tokens; after it returns they can be run without waiting.
    ///
    /// While all blocks are in use the context that began first goes on, and the others let it have theirs; what they lost by that they
    /// compute again. The logits of the last run are lost.
    /// - Throws: `EngineError.cacheExhausted` when not even one context alone has room; `CancellationError`.
    private func makeRoom(for count: Int, _ context: GenerationContext, isChoosing: Bool = false) async throws {
        var hasRoom = false
        if context.cache.count == context.ledger.count {
            do throws(CacheError) {
                try context.cache.reserve(count)
                hasRoom = true
            } catch {
                if let failure = Self.storageFailure(error) { throw failure }
                // What a window has moved cannot be computed again.
                guard busy.count > 1, !context.isSlid else { throw exhausted(context, count) }
            }
        }
        guard !hasRoom else { return }
        // Nobody waits meanwhile for what this context will choose.
        if isChoosing { endChoosing() }
        defer { if isChoosing { steps.begin() } }
        while true {
            let isWhole = try await recompute(context)
            do throws(CacheError) {
                if isWhole {
                    try context.cache.reserve(count)
                    return
                }
            } catch {
                if let failure = Self.storageFailure(error) { throw failure }
                guard busy.count > 1 else { throw exhausted(context, count) }
            }
            let isFirst = busy.first == ObjectIdentifier(context)
            if !isFirst { context.cache.setActive(false) }
            await Task.yield()
            if !isFirst { context.cache.setActive(true) }
            try Task.checkCancellation()
        }
    }

    private static func storageFailure(_ error: CacheError) -> EngineError? {
        if case .storage(let reason) = error { .storageFailed(reason) } else { nil }
    }

    private func exhausted(_ context: GenerationContext, _ count: Int) -> EngineError {
        .cacheExhausted(
            tokenCount: context.ledger.count + count, capacity: pool.capacity * KeyValueLayer.blockLength)
    }

    /// Computes again what a context lost while it let others have its blocks; false where there is no room for it now.
    private func recompute(_ context: GenerationContext) async throws -> Bool {
        while context.cache.count < context.ledger.count {
            let held = context.cache.adopt(context.ledger[...])
            let rest = context.ledger[held...].prefix(min(64, pass.batchCapacity))
            guard !rest.isEmpty else { break }
            // Not before all of it has room: else two would take turns at losing it. The first does not wait for that: what others hold
            // while they rest is its own when it needs it.
            let others = pool.blockCounts.used - held / KeyValueLayer.blockLength
            let needed = (context.ledger.count + KeyValueLayer.blockLength) / KeyValueLayer.blockLength + 1
            let isFirst = busy.first == ObjectIdentifier(context)
            guard isFirst || others + needed <= pool.capacity else { return false }
            do throws(CacheError) {
                try context.cache.reserve(rest.count)
            } catch {
                if let failure = Self.storageFailure(error) { throw failure }
                guard busy.count > 1 else { throw exhausted(context, 0) }
                return false
            }
            pass.run(rest, cache: context.cache, logits: 0..<0, adapters: context.adapters)
            if let failure = pass.failure { throw EngineError.storageFailed(failure.description) }
            await letOthersPass()
            try Task.checkCancellation()
        }
        return true
    }

    func letOthersPass() async {
        if executor.hasWaitingJobs { await Task.yield() }
    }
}
