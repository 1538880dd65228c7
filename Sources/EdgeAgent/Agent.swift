internal import EdgePlatform
internal import Foundation

/// A model that finds passages, calls tools and answers, in steps that are limited, checked, written down and can be repeated bit for bit.
///
/// ```swift
/// var options = AgentOptions()
/// options.policy = AgentPolicy(["read_signal": .reads()])
/// let agent = try Agent(model: model, tools: [ReadSignal()], retriever: store, options: options)
/// for try await event in agent.ask("Is the engine too hot?") {
///     if case .text(let text) = event { print(text, terminator: "") }
/// }
/// ```
///
/// A question is grounded in passages, then the model decides: for calls of tools, which are checked, approved and made, and whose outputs it is told;
/// or for an answer, which is checked. A tool that fails, hangs or says nonsense ends no question: the model is told, and so is the reader of
/// the result. One question at a time.
public final class Agent: Sendable {
    private struct State {
        var model: AgentModel
        var begin: AgentRecord.Begin
        var configuration: String
        var history: [AgentCheckpoint.Turn] = []
        var questionCount = 0
        var callCount = 0
        var isBusy = false
    }

    /// How it works.
    public let options: AgentOptions
    /// Where it writes down what it does; nil for nowhere.
    public let log: AgentLog?
    private let definitions: [Transcript.ToolDefinition]
    private let world: LiveWorld
    private let makeModel: @Sendable ([Int]) -> AgentModel
    private let state: Lock<State>

    /// An agent.
    ///
    /// - Parameters:
    ///   - tools: what the model may call; `AgentOptions.policy` says under what conditions.
    ///   - retriever: finds passages for a question; nil for none.
    ///   - log: where the steps are written down. A log that has lines already must be one of the same model, tools and options.
    ///   - approval: is asked for each call whose rule needs approval; nil for making none of them.
    /// - Throws: `AgentError`, and `LanguageModelError` for tools that a model cannot be told of.
    public init(
        model: some LanguageModel, tools: [any Tool] = [], retriever: (any Retriever)? = nil,
        options: AgentOptions = .init(), log: AgentLog? = nil,
        approval: (@Sendable (AgentCall) async -> AgentApproval)? = nil
    ) throws {
        try options.limits.check()
        self.options = options
        self.log = log
        definitions = try Transcript.ToolDefinition.all(of: tools)
        world = LiveWorld(
            tools: Dictionary(tools.map { ($0.name, $0) }) { first, _ in first }, retriever: retriever,
            options: options,
            approve: approval, hanging: HangingCalls())
        makeModel = { AgentModel(model, moment: $0) }
        var moment = Self.now
        if case .begin(let known)? = log?.earlier.first { moment = known.moment }
        let made = makeModel(moment)
        let begin = try Self.begin(options, made, definitions, moment)
        var state = State(model: made, begin: begin, configuration: try Self.configuration(begin))
        if let log {
            switch log.earlier.first {
            case nil where log.head.count == 0: try log.append(.begin(begin), AgentMeasure())
            case .begin(let known)? where known == begin:
                for record in log.earlier {
                    if case .question(let question) = record { state.questionCount = question.number }
                    if case .draft(let draft) = record, let last = draft.calls.last { state.callCount = last.number }
                }
            default:
                throw AgentError(
                    .logMismatch, "the log is of another model, other tools or other options; give a new file")
            }
        }
        self.state = Lock(state)
    }

    /// Year, month, day, hour, minute and second, here.
    private static var now: [Int] {
        let parts = Calendar(identifier: .gregorian).dateComponents(
            [.year, .month, .day, .hour, .minute, .second], from: Date())
        return [parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second].map { $0 ?? 1 }
    }

    static func begin(
        _ options: AgentOptions, _ model: AgentModel, _ definitions: [Transcript.ToolDefinition], _ moment: [Int]
    ) throws -> AgentRecord.Begin {
        AgentRecord.Begin(
            model: model.identity, options: options,
            tools: try definitions.map {
                .init(
                    name: $0.name, description: $0.description, schema: try $0.parameters.jsonSchema(),
                    showsSchema: $0.includesSchemaInInstructions)
            }, moment: moment)
    }

    static func configuration(_ begin: AgentRecord.Begin) throws -> String { SHA256.hex(try AgentLine.json(begin)) }

    /// Computes ahead what the model reads before each question: instructions and tools. Only a hint.
    public func prewarm() async {
        let model = state.withLock { $0.model }
        await model.prewarm(
            LanguageModelExecutorGenerationRequest(
                transcript: Transcript(entries: [.instructions(.init(id: "", segments: .text(options.instructions)))]),
                enabledTools: definitions))
    }

    /// Forgets earlier questions.
    public func forget() { state.withLock { $0.history = [] } }

    /// Begins to answer a question.
    public func ask(_ question: String) -> AgentRun { ask(question, observing: { _, _ in }) }

    /// - Parameter observe: is called with each event before the run goes on.
    func ask(_ question: String, observing observe: @escaping @Sendable (AgentEvent, RunControl) -> Void) -> AgentRun {
        start(observing: observe) { state in
            state.questionCount += 1
            var memory = AgentCheckpoint(
                configuration: state.configuration, moment: state.begin.moment, number: state.questionCount,
                question: question, callCount: state.callCount, log: self.log?.head ?? .init())
            memory.history = state.history
            try self.log?.append(
                .question(.init(number: memory.number, text: question, earlier: memory.history.count)), AgentMeasure())
            memory.log = self.log?.head ?? .init()
            return memory
        }
    }

    /// Answers a question.
    ///
    /// - Throws: as the iteration of `AgentRun`.
    public nonisolated(nonsending) func answer(_ question: String) async throws -> AgentResult {
        try await ask(question).result()
    }

    /// Goes on with a question that was interrupted.
    ///
    /// - Throws: from the iteration also `AgentError` with code `checkpointMismatch`, `invalidCheckpoint`, or `logMismatch` where the log has
    ///   other lines than when the checkpoint was made.
    public func resume(_ checkpoint: AgentCheckpoint) -> AgentRun {
        start { state in
            var begin = state.begin
            if checkpoint.moment.count == 6 { begin.moment = checkpoint.moment }
            let configuration = try Self.configuration(begin)
            try checkpoint.check(configuration: configuration, moment: begin.moment, limits: self.options.limits)
            if let log = self.log, log.head != checkpoint.log {
                throw AgentError(
                    .logMismatch,
                    "the log has \(log.head.count) lines, and the checkpoint was made behind line \(checkpoint.log.count)"
                )
            }
            if begin.moment != state.begin.moment { state.model = self.makeModel(begin.moment) }
            (state.begin, state.configuration) = (begin, configuration)
            state.history = checkpoint.history
            state.questionCount = max(state.questionCount, checkpoint.number)
            state.callCount = max(state.callCount, checkpoint.callCount)
            return checkpoint
        }
    }

    private func start(
        observing observe: @escaping @Sendable (AgentEvent, RunControl) -> Void = { _, _ in },
        _ make: @escaping @Sendable (inout State) throws -> AgentCheckpoint
    ) -> AgentRun {
        let (events, continuation) = AsyncThrowingStream<AgentEvent, any Error>.makeStream()
        let run = RunCore(continuation)
        let begun: Result<(AgentCheckpoint, AgentModel), any Error> = state.withLock { state in
            guard !state.isBusy else {
                return .failure(
                    AgentError(.busy, "the agent is answering already; wait, or use an agent for each conversation"))
            }
            do {
                let memory = try make(&state)
                state.isBusy = true
                return .success((memory, state.model))
            } catch {
                return .failure(error)
            }
        }
        switch begun {
        case .failure(let error): run.finish(throwing: error)
        case .success(let (memory, model)): run.start { await self.run(run, memory, model, observe) }
        }
        return AgentRun(core: run, events: events)
    }

    private func run(
        _ run: RunCore, _ memory: AgentCheckpoint, _ model: AgentModel,
        _ observe: @escaping @Sendable (AgentEvent, RunControl) -> Void
    ) async {
        var machine = AgentMachine(
            options: options, model: model, definitions: definitions, world: world, sink: log ?? NoSink(),
            control: run.control, memory: memory,
            tell: {
                observe($0, run.control)
                run.tell($0)
            })
        do {
            run.keep(memory)
            let result = try await machine.run(keep: run.keep)
            free(machine.memory, result)
            run.tell(.finished(result))
            run.finish(throwing: nil)
        } catch is AgentMachine.Interrupted {
            free(machine.memory, nil)
            run.keep(machine.memory)
            run.finish(throwing: nil)
        } catch {
            let reason = error is CancellationError ? "cancelled" : "\(error)"
            try? log?.append(.stopped(reason), AgentMeasure(seconds: machine.memory.seconds))
            free(machine.memory, nil)
            run.tell(.state(.failed))
            run.finish(throwing: error)
        }
    }

    /// The next question may come.
    private func free(_ memory: AgentCheckpoint, _ result: AgentResult?) {
        state.withLock { state in
            state.isBusy = false
            state.callCount = max(state.callCount, memory.callCount)
            state.history = Self.history(state.history, result, options.limits)
        }
    }

    /// The earlier questions that the next one is given.
    static func history(
        _ history: [AgentCheckpoint.Turn], _ result: AgentResult?, _ limits: AgentLimits
    ) -> [AgentCheckpoint.Turn] {
        guard let result, result.refusal == nil else { return history }
        return (history + [.init(question: result.question, answer: result.content)]).suffix(limits.history)
    }
}

/// Writes nothing down.
struct NoSink: AgentSink {
    var head: AgentLog.Head { .init() }
    func append(_ record: AgentRecord, _ measure: AgentMeasure) {}
}

/// What goes on in a run. It does not hold the stream of events: when nobody does any more, the run ends.
final class RunCore: Sendable {
    private struct State {
        var checkpoint: AgentCheckpoint?
        var result: AgentResult?
        var task: Task<Void, Never>?
    }

    let control = RunControl()
    private let state = Lock(State())
    private let continuation: AsyncThrowingStream<AgentEvent, any Error>.Continuation

    init(_ continuation: AsyncThrowingStream<AgentEvent, any Error>.Continuation) { self.continuation = continuation }

    var checkpoint: AgentCheckpoint? { state.withLock { $0.checkpoint } }
    var result: AgentResult? { state.withLock { $0.result } }

    func start(_ body: @escaping @Sendable () async -> Void) {
        let task = Task { await body() }
        state.withLock { $0.task = task }
        continuation.onTermination = { if case .cancelled = $0 { task.cancel() } }
    }

    func wait() async { await state.withLock { $0.task }?.value }

    func cancel() { state.withLock { $0.task }?.cancel() }

    func tell(_ event: AgentEvent) {
        if case .finished(let result) = event { state.withLock { $0.result = result } }
        continuation.yield(event)
    }

    func keep(_ checkpoint: AgentCheckpoint) { state.withLock { $0.checkpoint = checkpoint } }

    func finish(throwing error: (any Error)?) { continuation.finish(throwing: error) }
}

/// A question that is being answered: its events, in order, and what stops it.
///
/// One consumer. Work begins at once; leaving the loop, or letting go of the run unread, gives the question up.
public struct AgentRun: AsyncSequence, Sendable {
    /// What happens.
    public typealias Element = AgentEvent

    let core: RunCore
    let events: AsyncThrowingStream<AgentEvent, any Error>

    /// The iterator.
    ///
    /// Throws `AgentError`, `CancellationError`, and what the model throws. An interrupted run ends without `AgentEvent.finished`.
    public func makeAsyncIterator() -> AsyncThrowingStream<AgentEvent, any Error>.Iterator {
        events.makeAsyncIterator()
    }

    /// Where the question stands: the latest step that is over. Keep it to go on in another process with `Agent.resume(_:)`, if this one ends.
    public var checkpoint: AgentCheckpoint? { core.checkpoint }

    /// Waits for the end, and returns what came of the question.
    ///
    /// - Throws: what the iteration throws; `CancellationError` where the run was interrupted.
    public nonisolated(nonsending) func result() async throws -> AgentResult {
        for try await _ in events {}
        guard let result = core.result else { throw CancellationError() }
        return result
    }

    /// Stops at the next step, and waits for that: what the model was writing is dropped, a call that was begun is waited for, as long as it
    /// may take.
    ///
    /// - Returns: where to go on with `Agent.resume(_:)`; nil where the question was finished already.
    public nonisolated(nonsending) func interrupt() async -> AgentCheckpoint? {
        core.control.interrupt()
        await core.wait()
        return core.result == nil ? core.checkpoint : nil
    }

    /// Gives the question up.
    public func cancel() { core.cancel() }
}
