internal import EdgePlatform
internal import EdgeTemplate

/// One answer in the making: what has come of it so far, and those who read it.
///
/// Written by the session's worker, read by the one consumer of a stream.
final class Turn: Sendable {
    /// How an answer ended well.
    struct Outcome: Sendable {
        var entries: ArraySlice<Transcript.Entry>
        var usage: Usage
        var finishReason: FinishReason
    }

    private struct State: Sendable {
        /// What the rounds before this one added: thoughts, words, calls and what came of them.
        var entries: [Transcript.Entry] = []
        /// All content, of all rounds.
        var content = ""
        /// This round's.
        var words = ""
        var reasoning = ""
        var calls: [PendingCall] = []
        /// What the model said about this round, and what was counted.
        var usage: Usage?
        var counted = Usage.Output(totalTokenCount: 0, reasoningTokenCount: 0)
        var reason = FinishReason.endOfTurn
        /// Rounds begun, and whether the model may still add to the last.
        var round = 0
        var isListening = false
        /// Whether the model has ended the round.
        var isRoundOver = false
        /// Why the last round ended, and what all took.
        var finished: (reason: FinishReason, usage: Usage)?
        var outcome: Result<Outcome, any Error>?
        var drop: (@Sendable () -> Void)?
    }

    /// A call that the model wrote in this round.
    struct PendingCall: Sendable {
        var call: Transcript.ToolCall
        fileprivate var scan = ValueScan()
        /// Whether readers have been told that there is more of it, and have not looked yet.
        fileprivate var isTold = false
        /// False where its arguments break off.
        var isWhole: Bool { scan.isWhole && scan.isObject }
    }

    private let state = Lock(State())
    /// Says that there is more content; the content itself is read off the turn, so a slow reader skips stages.
    let ticks: AsyncThrowingStream<Void, any Error>
    private let tick: AsyncThrowingStream<Void, any Error>.Continuation
    /// Something for whoever reads events.
    enum Signal: Sendable {
        case event(LanguageModelSession.Event)
        /// There is more of a call, which is read off the turn.
        case progress(id: String)
    }

    /// Everything, in order.
    let events: AsyncThrowingStream<Signal, any Error>
    private let event: AsyncThrowingStream<Signal, any Error>.Continuation

    init() {
        (ticks, tick) = AsyncThrowingStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (events, event) = AsyncThrowingStream.makeStream()
    }

    /// Says what to do when the reader leaves: when its task is cancelled, or it lets go of the stream.
    func onDrop(_ drop: @escaping @Sendable () -> Void) {
        state.withLock { $0.drop = drop }
        tick.onTermination = { [weak self] in if case .cancelled = $0 { self?.drop() } }
        event.onTermination = { [weak self] in if case .cancelled = $0 { self?.drop() } }
    }

    /// The reader has left.
    func drop() { state.withLock { $0.outcome == nil ? $0.drop : nil }?() }

    var content: String { state.withLock { $0.content } }

    /// The content behind so many bytes of it.
    func content(from count: Int) -> String { state.withLock { Self.text($0.content, from: count) } }

    /// The tool of a call that is being written, and its arguments behind so many bytes of them; nil where it is whole, or not there. The
    /// next piece is told of again.
    func progress(of id: String, from count: Int) -> (toolName: String, arguments: String)? {
        state.withLock { state in
            guard let index = state.calls.lastIndex(where: { $0.call.id == id }), !state.calls[index].isWhole else {
                return nil
            }
            state.calls[index].isTold = false
            let call = state.calls[index].call
            return (call.toolName, Self.text(call.arguments, from: count))
        }
    }

    /// A copy of the end alone: one that shared the whole would have it copied when it grows.
    private static func text(_ text: String, from count: Int) -> String {
        String(decoding: text.utf8.dropFirst(count), as: UTF8.self)
    }

    /// How it ended; nil while it has not.
    var outcome: Result<Outcome, any Error>? { state.withLock { $0.outcome } }

    /// The entries that there are of it, and why it ended if the model said so.
    var entries: [Transcript.Entry] { state.withLock { $0.entries + Self.words($0, isLast: $0.isRoundOver) } }

    /// The entries of the rounds that are over.
    var rounds: [Transcript.Entry] { state.withLock { $0.entries } }

    /// Why the model stopped, and what all rounds took.
    var finished: (reason: FinishReason, usage: Usage)? { state.withLock { $0.finished } }

    private static func words(_ state: State, isLast: Bool) -> [Transcript.Entry] {
        var entries: [Transcript.Entry] = []
        if !state.reasoning.isEmpty { entries.append(.reasoning(.init(segments: .text(state.reasoning)))) }
        if !state.words.isEmpty || isLast {
            let reason = isLast ? state.finished?.reason : nil
            entries.append(.response(.init(segments: .text(state.words), finishReason: reason)))
        }
        return entries
    }

    /// Begins a round of the model; returns where its answer goes.
    func begin() -> LanguageModelExecutorGenerationChannel {
        let round = state.withLock { state in
            state.usage = nil
            state.counted = Usage.Output(totalTokenCount: 0, reasoningTokenCount: 0)
            state.reason = .endOfTurn
            state.isRoundOver = false
            state.isListening = true
            state.round += 1
            return state.round
        }
        // What a model keeps of the channel keeps no session, and reaches no later round.
        return LanguageModelExecutorGenerationChannel { [weak self] in self?.feed($0, round) }
    }

    /// The calls of the round that has ended.
    var calls: [PendingCall] { state.withLock { $0.calls } }

    /// Closes a round with what came of its calls.
    func close(with outputs: [Transcript.ToolOutput]) {
        state.withLock { state in
            guard state.outcome == nil else { return }
            state.finished?.reason = .endOfTurn
            state.entries += Self.words(state, isLast: false) + [.toolCalls(.init(calls: state.calls.map(\.call)))]
            state.entries += outputs.map { .toolOutput($0) }
            state.calls = []
            state.isRoundOver = false
            state.words = ""
            state.reasoning = ""
        }
        for output in outputs { event.yield(.event(.toolOutput(output))) }
    }

    /// Ends it here, without words.
    func stop(_ reason: FinishReason) {
        state.withLock { state in
            state.finished?.reason = reason
            state.isRoundOver = true
        }
    }

    /// Takes what the model sends.
    private func feed(_ event: LanguageModelExecutorGenerationChannel.Event, _ round: Int) {
        let told: Signal? = state.withLock { state in
            guard state.outcome == nil, state.isListening, state.round == round else { return nil }
            return Self.take(event, &state)
        }
        guard let told else { return }
        self.event.yield(told)
        if case .event(.text) = told { tick.yield() }
    }

    /// Ends the round: the model has returned. Calls that are not whole are told now.
    func endRound() {
        let broken = state.withLock { state in
            guard state.outcome == nil, state.isListening else { return [Transcript.ToolCall]() }
            state.isListening = false
            var usage = Usage.zero
            usage.add(state.usage ?? Usage(input: usage.input, output: state.counted))
            if let before = state.finished?.usage {
                usage.add(before)
                usage.timeToFirstToken = before.timeToFirstToken
            }
            state.finished = (state.reason, usage)
            state.isRoundOver = true
            return state.calls.filter { !$0.isWhole }.map(\.call)
        }
        for call in broken { event.yield(.event(.toolCall(call))) }
    }

    private static func take(
        _ event: LanguageModelExecutorGenerationChannel.Event, _ state: inout State
    ) -> Signal? {
        func count(_ tokens: Int, _ state: inout State) {
            var sum = Usage(input: Usage.zero.input, output: state.counted)
            var output = Usage.Output(totalTokenCount: tokens, reasoningTokenCount: 0)
            if case .reasoning = event { output.reasoningTokenCount = tokens }
            sum.add(Usage(input: Usage.zero.input, output: output))
            state.counted = sum.output
        }
        switch event {
        case .usage(let usage): state.usage = usage
        case .response(action: .updateUsage(let input, let output)),
            .reasoning(action: .updateUsage(let input, let output)),
            .toolCalls(action: .updateUsage(let input, let output)):
            state.usage = Usage(input: input, output: output)
        case .finished(let reason): state.reason = reason
        case .response(action: .appendText(var text, let tokens)):
            count(tokens, &state)
            guard !text.isEmpty else { return nil }
            state.words += text
            // Words of different rounds are paragraphs of the whole.
            if state.words.utf8.count == text.utf8.count, !state.content.isEmpty { text = "\n\n" + text }
            state.content += text
            return .event(.text(text))
        case .reasoning(action: .appendText(let text, let tokens)):
            count(tokens, &state)
            guard !text.isEmpty else { return nil }
            state.reasoning += text
            return .event(.reasoning(text))
        case .toolCalls(action: .toolCall(let id, let name, action: .appendArguments(let arguments, let tokens))):
            count(tokens, &state)
            var index = state.calls.count
            if let known = state.calls.lastIndex(where: { $0.call.id == id }) {
                index = known
            } else {
                state.calls.append(PendingCall(call: .init(id: id, toolName: name, arguments: "")))
            }
            let wasWhole = state.calls[index].isWhole
            state.calls[index].call.arguments += arguments
            if !wasWhole { _ = state.calls[index].scan.append(arguments.utf8) }
            if state.calls[index].isWhole { return wasWhole ? nil : .event(.toolCall(state.calls[index].call)) }
            guard !state.calls[index].isTold else { return nil }
            state.calls[index].isTold = true
            return .progress(id: id)
        }
        return nil
    }

    /// Ends it, once; whoever reads gets to know after this.
    func finish(_ outcome: Result<Outcome, any Error>) {
        let isFirst = state.withLock { state in
            defer { if state.outcome == nil { state.outcome = outcome } }
            state.drop = nil
            return state.outcome == nil
        }
        guard isFirst else { return }
        switch outcome {
        case .success(let outcome):
            event.yield(.event(.usage(outcome.usage)))
            event.yield(.event(.finished(outcome.finishReason)))
            event.finish()
            tick.finish()
        case .failure(let error):
            event.finish(throwing: error)
            tick.finish(throwing: error)
        }
    }

    /// Called where a stream has nothing more: ends the iteration well, or says why not.
    func checkEnd() throws {
        switch outcome {
        case .success where !Task.isCancelled: return
        case .failure(let error): throw error
        default: throw CancellationError()
        }
    }
}

/// A turn as a stream that was handed out holds it: dropping the last copy unread gives the turn up.
final class TurnSource: Sendable {
    let turn: Turn
    private let isRead = Lock(false)

    init(_ turn: Turn) { self.turn = turn }

    deinit { if !isRead.withLock({ $0 }) { turn.drop() } }

    /// The right to read the turn; leaving the loop lets go of it and so gives the turn up.
    func reading() -> TurnReading {
        isRead.withLock { $0 = true }
        return TurnReading(turn)
    }
}

/// What an iterator holds while it reads.
final class TurnReading: Sendable {
    let turn: Turn
    init(_ turn: Turn) { self.turn = turn }
    deinit { turn.drop() }
}
