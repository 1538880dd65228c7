internal import EdgePlatform

/// A model as an agent needs it.
struct AgentModel: Sendable {
    /// What a model said in a round.
    struct Reply: Sendable {
        var text = ""
        var thought = ""
        /// Name and arguments of each call.
        var calls: [(id: String, name: String, arguments: String)] = []
        var usage = Usage.zero
        var finish = FinishReason.endOfTurn
    }

    let identity: AgentRecord.Model
    private let answer:
        @Sendable (LanguageModelExecutorGenerationRequest, LanguageModelExecutorGenerationChannel) async throws -> Void
    /// Tokens of a request; nil where the model cannot count them.
    let tokenCount: @Sendable (LanguageModelExecutorGenerationRequest) throws -> Int?
    let prewarm: @Sendable (LanguageModelExecutorGenerationRequest) async -> Void
    /// The text of some tokens, what marks a turn included.
    let text: @Sendable ([Int32]) -> String

    /// - Parameter moment: what templates write as the date; see `AgentRecord.Begin`.
    init<Model: LanguageModel>(_ model: Model, moment: [Int]) {
        if let model = model as? GGUFLanguageModel {
            let executor = GGUFLanguageModel.Executor(configuration: model.executorConfiguration, moment: moment)
            let tokenizer = model.tokenizer
            identity = .init(
                name: model.metadata.name ?? model.metadata.architecture,
                fingerprint: String(model.fingerprint, radix: 16), contextSize: model.contextSize,
                cache: model.cachePrecision, chatTemplate: model.givenTemplate)
            answer = { try await executor.respond(to: $0, model: model, streamingInto: $1) }
            tokenCount = { try executor.tokenCount(of: $0, model: model) }
            prewarm = { await executor.prewarm($0, model: model) }
            text = { (try? tokenizer.decode($0.map { Int($0) }, skipsSpecialTokens: false)) ?? "" }
        } else {
            let executor = Result { try Model.Executor(configuration: model.executorConfiguration) }
            identity = .init(name: String(describing: Model.self), fingerprint: "", contextSize: nil, cache: nil)
            answer = { try await executor.get().respond(to: $0, model: model, streamingInto: $1) }
            tokenCount = { _ in nil }
            prewarm = { try? executor.get().prewarm(model: model, transcript: $0.transcript) }
            text = { _ in "" }
        }
    }

    /// Lets the model speak.
    ///
    /// - Parameter onText: is given the words as they come.
    /// - Throws: what the model throws.
    func reply(
        to request: LanguageModelExecutorGenerationRequest, onText: @escaping @Sendable (String) -> Void
    ) async throws -> Reply {
        let reply = Lock(Reply())
        try await answer(
            request,
            LanguageModelExecutorGenerationChannel { event in
                if case .response(action: .appendText(let text, tokenCount: _)) = event, !text.isEmpty { onText(text) }
                reply.withLock { Self.take(event, into: &$0) }
            })
        return reply.withLock { $0 }
    }

    private static func take(_ event: LanguageModelExecutorGenerationChannel.Event, into reply: inout Reply) {
        switch event {
        case .response(action: .appendText(let text, tokenCount: _)): reply.text += text
        case .reasoning(action: .appendText(let text, tokenCount: _)): reply.thought += text
        case .toolCalls(action: .toolCall(let id, let name, action: .appendArguments(let text, tokenCount: _))):
            if let known = reply.calls.lastIndex(where: { $0.id == id }) {
                reply.calls[known].arguments += text
            } else {
                reply.calls.append((id, name, text))
            }
        case .usage(let usage): reply.usage = usage
        case .response(action: .updateUsage(let input, let output)),
            .reasoning(action: .updateUsage(let input, let output)),
            .toolCalls(action: .updateUsage(let input, let output)):
            reply.usage = Usage(input: input, output: output)
        case .finished(let reason): reply.finish = reason
        }
    }
}
