package import EdgeEngine
internal import EdgePlatform
internal import EdgeTemplate
internal import EdgeTokenizer

/// Turns what an engine writes into what a session is told: thought, words and calls apart.
package final class AnswerFeed: Sendable {
    private struct State {
        var splitter: AnswerSplitter
        var reasoning = ""
        /// The call that is being written.
        var call = (id: "", name: "")
    }

    private let state: Lock<State>
    private let channel: LanguageModelExecutorGenerationChannel
    private let countTokens: @Sendable (String) -> Int

    /// - Parameter countTokens: the tokens of a thought.
    package init(
        _ form: AnswerForm, into channel: LanguageModelExecutorGenerationChannel,
        countTokens: @escaping @Sendable (String) -> Int
    ) {
        state = Lock(State(splitter: AnswerSplitter(form)))
        self.channel = channel
        self.countTokens = countTokens
    }

    /// Takes what the engine yields. It says itself what it took, so pieces count no tokens.
    package func feed(_ event: GenerationEvent) {
        switch event {
        case .text(let text): send(state.withLock { $0.splitter.append(text) })
        case .mark(let token): send(state.withLock { $0.splitter.append(mark: token) })
        case .finished(let reason, let statistics):
            send(state.withLock { $0.splitter.finish() })
            var usage = Usage(statistics)
            let reasoning = state.withLock { $0.reasoning }
            if !reasoning.isEmpty { usage.output.reasoningTokenCount = countTokens(reasoning) }
            channel.yield(.usage(usage))
            channel.yield(.finished(FinishReason(reason)))
        }
    }

    private func send(_ pieces: [AnswerSplitter.Piece]) {
        for piece in pieces {
            switch piece {
            case .content(let text): channel.yield(.response(action: .appendText(text, tokenCount: 0)))
            case .reasoning(let text):
                state.withLock { $0.reasoning += text }
                channel.yield(.reasoning(action: .appendText(text, tokenCount: 0)))
            case .call(.begin(let name)):
                state.withLock { $0.call = (Self.newCallID(), name) }
                sendArguments("")
            case .call(.arguments(let text)): sendArguments(text)
            // Whether it is whole, its arguments say.
            case .call(.end): break
            }
        }
    }

    private func sendArguments(_ text: String) {
        let (id, name) = state.withLock { $0.call }
        channel.yield(
            .toolCalls(action: .toolCall(id: id, name: name, action: .appendArguments(text, tokenCount: 0))))
    }

    /// A name for a call. Some templates insist on nine letters and digits.
    private static func newCallID() -> String {
        let signs = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return String((0..<9).map { _ in signs.randomElement() ?? "0" })
    }
}
