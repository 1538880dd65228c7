internal import EdgeEngine
internal import EdgeTemplate
internal import Synchronization

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
        var splitter: AnswerSplitter?
        /// All content, of all rounds.
        var content = ""
        /// This round's.
        var words = ""
        var reasoning = ""
        var calls: [PendingCall] = []
        /// Whether the model has ended the round.
        var isRoundOver = false
        var finished: (reason: FinishReason, usage: Usage)?
        var outcome: Result<Outcome, any Error>?
        var drop: (@Sendable () -> Void)?
    }

    /// A call that the model wrote in this round.
    struct PendingCall: Sendable {
        var call: Transcript.ToolCall
        /// False where its arguments break off.
        var isWhole: Bool
    }

    private let state = Mutex(State())
    /// Says that there is more content; the content itself is read off the turn, so a slow reader skips stages.
    let ticks: AsyncThrowingStream<Void, any Error>
    private let tick: AsyncThrowingStream<Void, any Error>.Continuation
    /// Everything, in order.
    let events: AsyncThrowingStream<LanguageModelSession.Event, any Error>
    private let event: AsyncThrowingStream<LanguageModelSession.Event, any Error>.Continuation

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

    /// Says how the next round's answer is to be read, before anything of it is fed.
    func begin(_ form: AnswerForm) { state.withLock { $0.splitter = AnswerSplitter(form) } }

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
        for output in outputs { event.yield(.toolOutput(output)) }
    }

    /// Ends it here, without words.
    func stop(_ reason: FinishReason) {
        state.withLock { state in
            state.finished?.reason = reason
            state.isRoundOver = true
        }
    }

    /// Takes what the model yields.
    func feed(_ event: GenerationEvent) {
        let events = state.withLock { state in
            guard state.outcome == nil else { return [LanguageModelSession.Event]() }
            var pieces: [AnswerSplitter.Piece]
            switch event {
            case .text(let text): pieces = state.splitter?.append(text) ?? [.content(text)]
            case .mark(let token): pieces = state.splitter?.append(mark: token) ?? []
            case .finished(let reason, let statistics):
                pieces = state.splitter?.finish() ?? []
                var usage = Usage(statistics)
                if let before = state.finished?.usage {
                    usage.add(before)
                    usage.timeToFirstToken = before.timeToFirstToken
                }
                state.finished = (FinishReason(reason), usage)
                state.isRoundOver = true
            }
            return pieces.map { Self.take($0, &state) }
        }
        for event in events {
            self.event.yield(event)
            if case .text = event { tick.yield() }
        }
    }

    private static func take(_ piece: AnswerSplitter.Piece, _ state: inout State) -> LanguageModelSession.Event {
        switch piece {
        case .content(var text):
            state.words += text
            // Words of different rounds are paragraphs of the whole.
            if state.words.utf8.count == text.utf8.count, !state.content.isEmpty { text = "\n\n" + text }
            state.content += text
            return .text(text)
        case .reasoning(let text):
            state.reasoning += text
            return .reasoning(text)
        case .call(let call):
            let made = Transcript.ToolCall(id: newCallID(), toolName: call.name, arguments: call.arguments)
            state.calls.append(PendingCall(call: made, isWhole: call.isWhole))
            return .toolCall(made)
        }
    }

    /// A name for a call. Some templates insist on nine letters and digits.
    private static func newCallID() -> String {
        let signs = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return String((0..<9).map { _ in signs.randomElement() ?? "0" })
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
            event.yield(.usage(outcome.usage))
            event.yield(.finished(outcome.finishReason))
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
    private let isRead = Mutex(false)

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
