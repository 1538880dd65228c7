internal import EdgePlatform
public import Observation

/// A conversation with a model.
///
/// ```swift
/// let session = LanguageModelSession(model: model, instructions: "You answer in one sentence.")
/// print(try await session.respond(to: "What does the engine light mean?").content)
/// ```
///
/// The session keeps what was said (`transcript`) and what the model has computed of it, so that an answer costs only what is new.
/// One answer at a time; sessions of the same model share its weights and take turns token by token. Prompts are written with the
/// model's own chat template, in which nothing that a user, a tool or the model said can become a control token.
public final class LanguageModelSession: Observable, Sendable {
    /// Tokens and time; the name that FoundationModels has for it.
    public typealias Usage = EdgeLLM.Usage

    /// What a mistake in the use of a session throws.
    public enum Error: Swift.Error, Sendable, Equatable, CustomStringConvertible {
        /// A request came while another was being answered.
        case concurrentRequests

        /// What is wrong and what to do, in one line.
        public var description: String {
            switch self {
            case .concurrentRequests:
                "the session is answering already; wait for that answer, or use a session for each conversation"
            }
        }
    }

    /// What becomes of a turn that failed or was cancelled.
    public enum TranscriptErrorHandlingPolicy: Sendable, Equatable {
        /// The prompt and all that came after it are taken back.
        case revertTranscript
        /// The prompt stays, with what there is of the answer.
        case preserveTranscript
    }

    struct State: Sendable {
        var transcript: Transcript
        var usage = Usage.zero
        var policy = TranscriptErrorHandlingPolicy.revertTranscript
        var adapters: [LoRAAdapter] = []
        var approval: (@Sendable (Transcript.ToolCall) async -> ToolExecutionDecision)?
        var failurePolicy = ToolFailurePolicy.throwError
        /// The answer that is being written, and where its entries begin.
        var turn: Turn?
        var turnStart = 0
        /// The latest work on the cache. The next waits for it.
        var worker: Task<Void, Never>?
    }

    private let registrar = ObservationRegistrar()
    let state: Lock<State>
    let model: SessionModel
    let tools: [any Tool]

    /// Begins a conversation.
    ///
    /// - Parameter tools: what the model may call; see `Tool`.
    public convenience init(
        model: some LanguageModel, tools: [any Tool] = [], instructions: Instructions? = nil
    ) {
        let entries = instructions.map { [Transcript.Entry.instructions(.init(segments: .text($0.text)))] } ?? []
        self.init(model: model, tools: tools, transcript: Transcript(entries: entries))
    }

    /// Begins a conversation.
    @_disfavoredOverload
    public convenience init(model: some LanguageModel, tools: [any Tool] = [], instructions: String?) {
        self.init(model: model, tools: tools, instructions: instructions.map { Instructions($0) })
    }

    /// Begins a conversation with instructions put together from parts.
    public convenience init<F: Swift.Error>(
        model: some LanguageModel, tools: [any Tool] = [],
        @InstructionsBuilder instructions: () throws(F) -> Instructions
    ) throws(F) {
        self.init(model: model, tools: tools, instructions: try instructions())
    }

    /// Goes on with a conversation.
    public convenience init(model: some LanguageModel, tools: [any Tool] = [], transcript: Transcript) {
        self.init(SessionModel(model), tools: tools, state: State(transcript: transcript))
    }

    init(_ model: SessionModel, tools: [any Tool], state: State) {
        self.model = model
        self.tools = tools
        self.state = Lock(state)
    }

    /// What was said so far. The prompt is in it while its answer is being written, the answer when it is whole.
    ///
    /// May be set between answers, for example to shorten it; setting it while `isResponding` is a programming error.
    public var transcript: Transcript {
        get { read(\.transcript) { $0.transcript } }
        set {
            let isFree = change { state in
                guard state.turn == nil else { return false }
                state.transcript = newValue
                return true
            }
            precondition(isFree, "the transcript of a session was set while the session was responding")
        }
    }

    /// Whether an answer is being written.
    public var isResponding: Bool { read(\.isResponding) { $0.turn != nil } }

    /// Tokens and seconds of all whole answers together; `timeToFirstToken` is the latest one's.
    public var usage: Usage { read(\.usage) { $0.usage } }

    /// What becomes of a turn that fails or is cancelled; it is taken back unless this is set.
    public var transcriptErrorHandlingPolicy: TranscriptErrorHandlingPolicy {
        get { read(\.transcriptErrorHandlingPolicy) { $0.policy } }
        set {
            registrar.withMutation(of: self, keyPath: \.transcriptErrorHandlingPolicy) {
                state.withLock { $0.policy = newValue }
            }
        }
    }

    /// What is added to the model's weights in this session, in this order; see `GGUFLanguageModel.loadAdapter(contentsOf:)`.
    ///
    /// May be changed between answers: the next one is computed with the new adapters, from its beginning. Other sessions of the
    /// model do not notice. An adapter of another model fails the next answer with `ModelLoadingError`; a model that takes none, with
    /// `LanguageModelError.unsupportedCapability`.
    public var adapters: [LoRAAdapter] {
        get { read(\.adapters) { $0.adapters } }
        set {
            registrar.withMutation(of: self, keyPath: \.adapters) { state.withLock { $0.adapters = newValue } }
        }
    }

    /// What becomes of a turn in which a tool fails; it fails too unless this is set.
    public var toolFailurePolicy: ToolFailurePolicy {
        get { read(\.toolFailurePolicy) { $0.failurePolicy } }
        set {
            registrar.withMutation(of: self, keyPath: \.toolFailurePolicy) {
                state.withLock { $0.failurePolicy = newValue }
            }
        }
    }

    /// Has each call that the model wants made put before the program first, one after the other in the model's order; nil makes them
    /// all. None of a turn's calls is made before all are decided.
    public func setToolApproval(_ decide: (@Sendable (Transcript.ToolCall) async -> ToolExecutionDecision)?) {
        state.withLock { $0.approval = decide }
    }

    /// Computes ahead what the next prompts begin with: instructions, the conversation so far, and a prefix. Returns at once; the
    /// next answer waits for what it does. Only a hint: where it cannot be done, nothing happens.
    public func prewarm(promptPrefix: Prompt? = nil) {
        let model = model
        state.withLock { state in
            guard state.turn == nil else { return }
            let previous = state.worker
            let (entries, adapters, tools) = (state.transcript.entries, state.adapters, tools)
            state.worker = Task {
                await previous?.value
                guard let definitions = try? ToolUse.definitions(tools) else { return }
                let prompt = promptPrefix.map { [Transcript.Entry.prompt(.init(segments: .text($0.text)))] } ?? []
                await model.prewarm(
                    .init(transcript: .init(entries: entries + prompt), enabledTools: definitions, adapters: adapters))
            }
        }
    }

    /// Frees the memory of the cache and keeps the transcript; the next answer computes its whole prompt.
    public func releaseCache() { model.releaseCache() }

    /// Tokens that a request with this prompt would have now: the conversation so far, the tools, the template and all.
    ///
    /// - Throws: `LanguageModelError` where the conversation cannot be written with the model's template, and
    ///   `unsupportedCapability` where the model is none from a file.
    public func tokenCount(for prompt: some PromptRepresentable) throws -> Int {
        let entries = transcript.entries + [.prompt(.init(segments: .text(prompt.promptRepresentation.text)))]
        return try model.tokenCount(
            .init(transcript: .init(entries: entries), enabledTools: ToolUse.definitions(tools)))
    }

    /// Whether the model cannot write anything but what a schema allows.
    package var enforcesSchemas: Bool { model.isEnforcing }

    private func read<Value>(_ keyPath: KeyPath<LanguageModelSession, some Any>, _ body: (State) -> Value) -> Value {
        registrar.access(self, keyPath: keyPath)
        return state.withLock { body($0) }
    }

    /// Changes the state; observers hear of it before and after, never while the lock is held.
    func change<Value: Sendable>(_ body: (inout sending State) -> Value) -> Value {
        registrar.withMutation(of: self, keyPath: \.transcript) {
            registrar.withMutation(of: self, keyPath: \.isResponding) {
                registrar.withMutation(of: self, keyPath: \.usage) { state.withLock { body(&$0) } }
            }
        }
    }
}
