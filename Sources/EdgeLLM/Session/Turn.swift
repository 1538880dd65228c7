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
        var splitter: ReasoningSplitter?
        var content = ""
        var reasoning = ""
        var finished: (FinishReason, Usage)?
        var outcome: Result<Outcome, any Error>?
        var drop: (@Sendable () -> Void)?
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
    var entries: [Transcript.Entry] {
        state.withLock { state in
            var entries: [Transcript.Entry] = []
            if !state.reasoning.isEmpty { entries.append(.reasoning(.init(segments: .text(state.reasoning)))) }
            if !state.content.isEmpty || state.finished != nil {
                entries.append(
                    .response(.init(segments: .text(state.content), finishReason: state.finished?.0)))
            }
            return entries
        }
    }

    /// The usage, once the model has ended.
    var finished: (reason: FinishReason, usage: Usage)? { state.withLock { $0.finished } }

    /// Sets the marks of reasoning, before anything is fed.
    func begin(reasoning marks: ReasoningMarks?) { state.withLock { $0.splitter = ReasoningSplitter(marks) } }

    /// Takes what the model yields.
    func feed(_ event: GenerationEvent) {
        let pieces = state.withLock { state in
            guard state.outcome == nil else { return [ReasoningSplitter.Piece]() }
            var pieces: [ReasoningSplitter.Piece]
            switch event {
            case .text(let text): pieces = state.splitter?.append(text) ?? [.content(text)]
            case .finished(let reason, let statistics):
                pieces = state.splitter?.finish() ?? []
                state.finished = (FinishReason(reason), Usage(statistics))
            }
            for piece in pieces {
                switch piece {
                case .content(let text): state.content += text
                case .reasoning(let text): state.reasoning += text
                }
            }
            return pieces
        }
        for piece in pieces {
            switch piece {
            case .content(let text):
                self.event.yield(.text(text))
                tick.yield()
            case .reasoning(let text): self.event.yield(.reasoning(text))
            }
        }
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
