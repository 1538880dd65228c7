/// A model and its executor, as a session holds them.
struct SessionModel: Sendable {
    /// What the model can do; asked when it matters, as a model may have to read something for it.
    let capabilities: @Sendable () -> LanguageModelCapabilities
    let respond:
        @Sendable (LanguageModelExecutorGenerationRequest, LanguageModelExecutorGenerationChannel) async throws -> Void
    /// Fills a cache with what requests that begin like this one share.
    let prewarm: @Sendable (LanguageModelExecutorGenerationRequest) async -> Void
    let tokenCount: @Sendable (LanguageModelExecutorGenerationRequest) throws -> Int
    let releaseCache: @Sendable () -> Void
    /// Saves a conversation and what was computed of it; nil where the model keeps nothing that could be.
    let save: (@Sendable (LanguageModelSession.Conversation, _ path: String) async throws -> Void)?
    /// Saves what requests that begin like this one share; nil where the model keeps nothing that could be.
    let savePrefix: (@Sendable (LanguageModelExecutorGenerationRequest) async throws -> Void)?
    /// Whether a schema needs no second look at the answer.
    let isEnforcing: Bool

    init<Model: LanguageModel>(_ model: Model) {
        // A session has no way to fail when it begins: the first request says what is wrong.
        self.init(model, Result { try Model.Executor(configuration: model.executorConfiguration) })
    }

    init<Model: LanguageModel>(_ model: Model, _ executor: Result<Model.Executor, any Error>) {
        capabilities = { model.capabilities }
        respond = { request, channel in
            try await executor.get().respond(to: request, model: model, streamingInto: channel)
        }
        if let model = model as? GGUFLanguageModel, let executor = try? executor.get() as? GGUFLanguageModel.Executor {
            prewarm = { await executor.prewarm($0, model: model) }
            tokenCount = { try executor.tokenCount(of: $0, model: model) }
            releaseCache = { executor.releaseCache(of: model) }
            save = { try await executor.save($0, of: model, to: $1) }
            savePrefix = { try await executor.savePrefix($0, of: model) }
            isEnforcing = true
        } else {
            prewarm = { try? executor.get().prewarm(model: model, transcript: $0.transcript) }
            tokenCount = { _ in
                throw LanguageModelError.unsupportedCapability(
                    .init(capability: nil, message: "this model cannot count the tokens of a conversation"))
            }
            releaseCache = {}
            save = nil
            savePrefix = nil
            isEnforcing = false
        }
    }

    /// Makes sure that the model can do what a request needs.
    ///
    /// - Throws: `LanguageModelError.unsupportedCapability`.
    func require(_ capability: LanguageModelCapabilities.Capability, for need: String) throws(LanguageModelError) {
        guard !capabilities().contains(capability) else { return }
        throw .unsupportedCapability(
            .init(capability: capability, message: "\(need), but the model has no \(capability.rawValue)"))
    }
}
