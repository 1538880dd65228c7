internal import EdgeEngine
internal import EdgePlatform
internal import EdgeSampling
internal import EdgeTokenizer

extension GGUFLanguageModel {
    /// A text that continues a prompt.
    public struct Completion: Sendable {
        /// The continuation, without the prompt.
        public var content: String
        /// Why it ended; `maximumTokens` means that it is cut.
        public var finishReason: FinishReason
        /// Tokens and time it took.
        public var usage: Usage
        /// The seed of the random numbers: the same seed gives the same text again.
        public var seed: UInt64
    }

    /// Continues a text.
    ///
    /// The prompt is plain text: what looks like a control token in it is not one.
    /// - Parameter adapters: what is added to the weights for this text alone, in this order; see `loadAdapter(contentsOf:)`.
    /// - Throws: `LanguageModelError`; `CancellationError` when the task is cancelled.
    public nonisolated(nonsending) func completion(
        of prompt: String, options: GenerationOptions = .init(), adapters: [LoRAAdapter] = []
    ) async throws -> Completion {
        try await streamCompletion(of: prompt, options: options, adapters: adapters).collect()
    }

    /// Continues a text, piece by piece. Generation begins at once and ends when the stream is dropped.
    ///
    /// - Throws: as `completion(of:options:)`, from the iteration.
    public func streamCompletion(
        of prompt: String, options: GenerationOptions = .init(), adapters: [LoRAAdapter] = []
    ) -> CompletionStream {
        streamCompletion(ofTokens: tokenizer.encode(prompt), options: options, adapters: adapters)
    }

    /// Continues a text given as ids, such as `tokenizer` makes; otherwise as `streamCompletion(of:options:adapters:)`.
    ///
    /// - Throws: from the iteration also `LanguageModelError.invalidOptions` naming an id that the vocabulary does not have.
    public func streamCompletion(
        ofTokens tokens: [Int], options: GenerationOptions = .init(), adapters: [LoRAAdapter] = []
    ) -> CompletionStream {
        let seed = options.seed ?? UInt64.random(in: 0...(.max))
        let record = CompletionStream.Record()
        let (engine, tokenizer, grammars) = (engine, tokenizer, grammars)
        let (stream, continuation) = AsyncThrowingStream<String, any Error>.makeStream()
        /// In a scope of its own: when the stream ends, the cache it used is free.
        let generate: @Sendable () async throws -> Void = {
            var request = GenerationRequest(
                prompt: try tokenizer.checked(tokens),
                sampling: try options.parameters(seed: seed, tokenizer: engine.tokenizer),
                maximumTokens: options.maximumResponseTokens, stopSequences: options.local.stopSequences,
                ignoresEnd: options.local.ignoresEnd,
                constraint: try options.local.grammar.map {
                    try grammars.constraint(forGrammar: $0, over: engine.tokenizer)
                })
            request.window = options.local.contextOverflow.window
            request.reuse = try options.local.groundingReuse?.request(for: request.prompt, engine.tokenizer)
            let context = try await engine.makeContext(adapters: adapters.map(\.applied))
            try await engine.generate(request, in: context) { event in
                switch event {
                case .text(let text): continuation.yield(text)
                case .mark: break
                case .finished(let reason, let statistics):
                    record.set(FinishReason(reason), Usage(statistics))
                }
            }
        }
        let task = Task {
            do {
                try await generate()
                continuation.finish()
            } catch {
                continuation.finish(throwing: LanguageModelError.translate(error))
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return CompletionStream(stream: stream, record: record, seed: seed)
    }
}

/// The pieces of a continuation, as they are generated: whole characters, nothing lost, nothing twice.
///
/// One consumer. Leaving the loop, or dropping the stream, ends the generation.
public struct CompletionStream: AsyncSequence, Sendable {
    /// A piece of text.
    public typealias Element = String

    let stream: AsyncThrowingStream<String, any Error>
    let record: Record
    /// The seed of the random numbers.
    public let seed: UInt64

    /// The iterator.
    public func makeAsyncIterator() -> AsyncThrowingStream<String, any Error>.Iterator { stream.makeAsyncIterator() }

    /// Why it ended and what it took, once the iteration has ended; nil before, and after an error.
    public var result: (finishReason: FinishReason, usage: Usage)? { record.value }

    /// Waits for the end and returns the whole.
    ///
    /// - Throws: what the iteration throws.
    public nonisolated(nonsending) func collect() async throws -> GGUFLanguageModel.Completion {
        var content = ""
        for try await piece in stream { content += piece }
        guard let (reason, usage) = record.value else { throw CancellationError() }
        return GGUFLanguageModel.Completion(content: content, finishReason: reason, usage: usage, seed: seed)
    }

    /// Where the end of a generation is written down.
    final class Record: Sendable {
        private let state = Lock<(FinishReason, Usage)?>(nil)
        var value: (finishReason: FinishReason, usage: Usage)? { state.withLock { $0 } }
        func set(_ reason: FinishReason, _ usage: Usage) { state.withLock { $0 = (reason, usage) } }
    }
}

extension FinishReason {
    init(_ reason: StopReason) {
        self =
            switch reason {
            case .endOfTurn: .endOfTurn
            case .maximumTokens: .maximumTokens
            case .stopSequence: .stopSequence
            }
    }
}

extension Usage {
    init(_ statistics: GenerationStatistics) {
        self.init(
            input: Input(
                totalTokenCount: statistics.promptTokenCount, cachedTokenCount: statistics.cachedTokenCount,
                droppedTokenCount: statistics.droppedPromptTokenCount),
            output: Output(
                totalTokenCount: statistics.generatedTokenCount, reasoningTokenCount: 0,
                forcedTokenCount: statistics.forcedTokenCount, droppedTokenCount: statistics.droppedTokenCount),
            prefillSeconds: statistics.prefillSeconds, timeToFirstToken: statistics.timeToFirstToken,
            decodeSeconds: statistics.decodeSeconds)
        input.groundingReuse = statistics.reuse.map { GroundingReuse.Report($0) }
    }
}
