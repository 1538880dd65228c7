internal import EdgePlatform

/// The steps of a question. Each is a function of the checkpoint and of what the world says; what it did stands in the log when it is over.
struct AgentMachine {
    let options: AgentOptions
    let model: AgentModel
    let definitions: [Transcript.ToolDefinition]
    let world: any AgentWorld
    let sink: any AgentSink
    let control: RunControl
    let tell: @Sendable (AgentEvent) -> Void
    private(set) var memory: AgentCheckpoint
    private(set) var usage = Usage.zero
    private(set) var steps: [AgentStep] = []
    private var stepStart = Clock.nanoseconds
    private var content = ""

    /// Thrown where a run ends at a checkpoint.
    struct Interrupted: Error {}

    init(
        options: AgentOptions, model: AgentModel, definitions: [Transcript.ToolDefinition], world: any AgentWorld,
        sink: any AgentSink, control: RunControl, memory: AgentCheckpoint,
        tell: @escaping @Sendable (AgentEvent) -> Void
    ) {
        self.options = options
        self.model = model
        self.definitions = definitions
        self.world = world
        self.sink = sink
        self.control = control
        self.memory = memory
        self.tell = tell
    }

    /// Goes on to the end of the question.
    ///
    /// - Parameter keep: is given each checkpoint.
    /// - Throws: `Interrupted` with the checkpoint as it was before the step; `CancellationError`, `AgentError`, and what the model throws.
    mutating func run(keep: (AgentCheckpoint) -> Void) async throws -> AgentResult {
        tell(.state(memory.state))
        while memory.state != .done {
            if control.isInterrupted { throw Interrupted() }
            try Task.checkCancellation()
            stepStart = Clock.nanoseconds
            let before = memory
            do {
                switch memory.state {
                case .ground: try await ground()
                case .decide: try await decide()
                case .call: try await call(keep: keep)
                case .observe: try observe()
                case .answer: try answer()
                case .refuse: try refuse()
                case .done, .failed: break
                }
            } catch is CancellationError where control.isInterrupted && !Task.isCancelled {
                memory = before
                throw Interrupted()
            }
            let seconds = Clock.seconds(from: stepStart)
            memory.seconds += seconds
            steps.append(AgentStep(state: before.state, seconds: seconds))
            memory.log = sink.head
            keep(memory)
        }
        return AgentResult(
            question: memory.question, refusal: memory.refusal, content: content,
            citations: memory.refusal == nil ? Citations.resolved(in: content, passages: memory.passages) : [],
            passages: memory.passages, searchFailure: memory.searchFailure, outputs: memory.outputs,
            withheld: [nil, .notInDocuments].contains(memory.refusal) || memory.draft.isEmpty ? nil : memory.draft,
            usage: usage, steps: steps)
    }

    private func log(_ record: AgentRecord, _ change: (inout AgentMeasure) -> Void = { _ in }) throws {
        var measure = AgentMeasure(seconds: memory.seconds + Clock.seconds(from: stepStart))
        change(&measure)
        try sink.append(record, measure)
    }

    private mutating func go(to state: AgentState) throws {
        guard state != memory.state else { return }
        try log(.state(.init(from: memory.state, to: state)))
        memory.state = state
        tell(.state(state))
    }

    private mutating func refuse(_ refusal: AgentRefusal) throws {
        memory.refusal = refusal
        try go(to: .refuse)
    }

    // MARK: - Ground

    private mutating func ground() async throws {
        let found = try await world.search(memory.question, control: control)
        memory.passages = found.passages
        memory.searchFailure = found.failure
        // What does not fit goes, the oldest and the least likely first, so that the model's own words have room.
        if let contextSize = model.identity.contextSize {
            let room = contextSize - min(options.limits.tokensPerRound, contextSize / 2)
            while !memory.passages.isEmpty || !memory.history.isEmpty,
                let count = try model.tokenCount(request(maximumTokens: 1, seed: 0)), count > room
            {
                if memory.history.isEmpty { memory.passages.removeLast() } else { memory.history.removeFirst() }
            }
        }
        try log(
            .passages(
                .init(
                    passages: memory.passages, omitted: found.omitted + found.passages.count - memory.passages.count,
                    failure: found.failure)))
        tell(.passages(memory.passages))
        try go(to: .decide)
    }

    private func request(maximumTokens: Int, seed: UInt64) -> LanguageModelExecutorGenerationRequest {
        var generation = options.generation
        generation.maximumResponseTokens = maximumTokens
        generation.local.seed = seed
        // Only the first round can have to be a call: an answer must come some time.
        let isFree = generation.toolCallingMode == .required && !memory.rounds.isEmpty
        if isFree || generation.toolCallingMode == nil { generation.toolCallingMode = .allowed }
        return .init(
            transcript: AgentPrompt.transcript(options, memory),
            enabledTools: generation.toolCallingMode == .disallowed ? [] : definitions, generationOptions: generation)
    }

    // MARK: - Decide

    private mutating func decide() async throws {
        guard !world.isTimeOver(seconds: memory.seconds, draft: memory.draftCount) else {
            try log(.limit(.time))
            return try refuse(.timeLimit(options.limits.seconds))
        }
        let left = options.limits.tokens - memory.tokenCount
        guard left > 0 else { return try refuse(.tokenLimit(options.limits.tokens)) }
        let plan = world.plan(draft: memory.draftCount)
        let seed = options.seed &+ UInt64(memory.draftCount)
        var request = request(maximumTokens: min(left, options.limits.tokensPerRound), seed: seed)
        if let cut = plan.cut { request.generationOptions.maximumResponseTokens = max(1, cut) }
        let trace = TokenTrace(expecting: plan.expected)
        request.trace = trace
        let spoken: (reply: AgentModel.Reply, check: AnswerCheck)?
        do {
            spoken = plan.cut == 0 ? nil : try await speak(request)
        } catch LanguageModelError.contextSizeExceeded {
            try log(.limit(.context))
            return try refuse(.contextFull)
        }
        let isCut = plan.cut != nil || spoken == nil
        try note(request, trace, spoken?.reply, isCut: isCut)
        guard let (reply, checked) = spoken, !isCut else { return try refuse(.timeLimit(options.limits.seconds)) }
        var check = checked
        let rest = check.finish()
        if !rest.isEmpty, reply.calls.isEmpty { tell(.text(rest)) }
        guard reply.calls.isEmpty else { return try begin(calls: reply) }
        memory.draft = reply.text
        if reply.finish == .maximumTokens { return try refuse(.tokenLimit(memory.tokenCount)) }
        try go(to: .answer)
    }

    /// Lets the model speak; nil where the time was over.
    private func speak(
        _ request: LanguageModelExecutorGenerationRequest
    ) async throws -> (reply: AgentModel.Reply, check: AnswerCheck)? {
        let (model, tell) = (model, tell)
        let checked = CheckedText(checker, tell: tell)
        defer { control.register(nil) }
        let reply = try await Deadline.run(
            seconds: options.limits.seconds - memory.seconds, waits: true, cancels: { control.register($0) }
        ) { try await model.reply(to: request) { checked.append($0) } }
        return reply.map { ($0, checked.check) }
    }

    /// Writes down what the model read and wrote.
    private mutating func note(
        _ request: LanguageModelExecutorGenerationRequest, _ trace: TokenTrace, _ reply: AgentModel.Reply?, isCut: Bool
    ) throws {
        let written = trace.output
        // Where the time was over before the first token, how far the model came with its prompt is chance.
        let prompt = isCut && written.isEmpty ? [] : trace.prompt
        let shared = zip(prompt, memory.known).prefix { $0 == $1 }.count
        let texts =
            prompt.isEmpty && !isCut
            ? request.transcript.entries.flatMap(\.spans).map { AgentRecord.Span(origin: $0.origin, text: $0.text) }
            : []
        try log(
            .prompt(
                .init(
                    shared: shared, tokens: Array(prompt[shared...]),
                    origins: prompt.isEmpty ? [] : Self.origins(trace.origins, behind: shared), texts: texts))
        ) { measure in
            measure.prefillSeconds = reply?.usage.prefillSeconds
            measure.cachedTokens = reply?.usage.input.cachedTokenCount
            measure.firstTokenSeconds = reply?.usage.timeToFirstToken
        }
        memory.known = prompt + written
        memory.draftCount += 1
        memory.tokenCount += prompt.isEmpty ? reply?.usage.output.totalTokenCount ?? 0 : written.count
        var calls: [AgentCall] = []
        if !isCut {
            for call in reply?.calls ?? [] {
                memory.callCount += 1
                calls.append(AgentCall(number: memory.callCount, tool: call.name, arguments: call.arguments))
            }
        }
        try log(
            .draft(
                .init(
                    seed: request.generationOptions.seed ?? 0, tokens: written, text: isCut ? "" : reply?.text ?? "",
                    thought: isCut ? "" : reply?.thought ?? "", calls: calls,
                    finish: isCut ? .maximumTokens : reply?.finish ?? .maximumTokens, isCut: isCut))
        ) { $0.decodeSeconds = reply?.usage.decodeSeconds }
        if let reply {
            usage.add(reply.usage)
            if !calls.isEmpty {
                memory.rounds.append(.init(thought: reply.thought, words: reply.text, calls: calls))
            }
        }
    }

    private static func origins(_ runs: [OriginRun], behind shared: Int) -> [AgentRecord.Run] {
        var rest = shared
        return runs.compactMap { run in
            let skipped = min(rest, run.count)
            rest -= skipped
            return run.count > skipped ? .init(origin: run.origin, count: run.count - skipped) : nil
        }
    }

    private mutating func begin(calls reply: AgentModel.Reply) throws {
        // What is not carried out is no round.
        guard reply.finish != .maximumTokens else {
            memory.rounds.removeLast()
            return try refuse(.tokenLimit(memory.tokenCount))
        }
        guard memory.rounds.count <= options.limits.rounds else {
            memory.rounds.removeLast()
            return try refuse(.roundLimit(options.limits.rounds))
        }
        try go(to: .call)
    }

    // MARK: - Call

    private mutating func call(keep: (AgentCheckpoint) -> Void) async throws {
        guard let round = memory.rounds.last, round.outputs.count < round.calls.count else {
            return try go(to: .observe)
        }
        let call = round.calls[round.outputs.count]
        let rule = options.policy.rule(for: call.tool)
        if memory.begun == call.number {
            // The process ended in its midst. It may have been made, and is not made again.
            return try take(
                AgentOutput(
                    call: call, text: rule.failure(of: call, because: "interrupted; whether it was done is not known"),
                    outcome: .failed))
        }
        tell(.call(call))
        if let (judge, outcome, reason) = objection(to: call, at: round.outputs.count, rule) {
            try log(.verdict(.init(call: call.number, judge: judge, isAllowed: false, reason: reason)))
            return try take(
                AgentOutput(call: call, text: rule.failure(of: call, because: reason), outcome: outcome))
        }
        var judge = AgentRecord.Verdict.Judge.policy
        if rule.needsApproval {
            judge = .approval
            let answer = try await world.approval(of: call, rule: rule, control: control)
            guard answer.isApproved else {
                try log(.verdict(.init(call: call.number, judge: judge, isAllowed: false, reason: answer.reason)))
                return try take(
                    AgentOutput(call: call, text: rule.failure(of: call, because: answer.reason), outcome: .denied))
            }
        }
        try log(.verdict(.init(call: call.number, judge: judge, isAllowed: true, reason: "")))
        memory.begun = call.number
        memory.log = sink.head
        keep(memory)
        try take(try await world.output(of: call, rule: rule))
    }

    private mutating func take(_ output: AgentOutput) throws {
        try log(.result(output))
        memory.begun = nil
        memory.rounds[memory.rounds.count - 1].outputs.append(output)
        tell(.output(output))
        let round = memory.rounds[memory.rounds.count - 1]
        if round.outputs.count == round.calls.count { try go(to: .observe) }
    }

    /// Why a call is not made, apart from whoever approves.
    private func objection(
        to call: AgentCall, at place: Int, _ rule: ToolRule
    ) -> (AgentRecord.Verdict.Judge, AgentOutput.Outcome, String)? {
        guard place < options.limits.callsPerRound else {
            return (.limit, .skipped, "not called; there are at most \(options.limits.callsPerRound) calls at a time")
        }
        guard let definition = definitions.first(where: { $0.name == call.tool }) else {
            let names = definitions.map(\.name).joined(separator: ", ")
            return (.schema, .invalid, "there is no tool \(call.tool); the tools are \(names)")
        }
        guard definition.accepts(call.arguments) else {
            return (.schema, .invalid, "the arguments are not what the schema of \(call.tool) describes")
        }
        let provenance = Provenance(
            question: memory.question, earlier: memory.history.map(\.question),
            documents: memory.passages.flatMap { [$0.passage.text] + AgentPrompt.headings($0.passage) },
            outputs: memory.outputs.map(\.text))
        return provenance.violation(of: call, rule: rule).map { (.policy, .refused, $0) }
    }

    private mutating func observe() throws { try go(to: .decide) }

    // MARK: - Answer

    private var checker: AnswerCheck {
        var sources: [String]?
        if options.checksNumbers {
            sources = [memory.question] + memory.outputs.map(\.text)
            for found in memory.passages { sources? += AgentPrompt.headings(found.passage) + [found.passage.text] }
            for turn in memory.history { sources? += [turn.question, turn.answer] }
        }
        return AnswerCheck(sources: sources, passageCount: memory.passages.count)
    }

    private mutating func answer() throws {
        var check = checker
        _ = check.append(memory.draft)
        _ = check.finish()
        var refusal = check.refusal
        let said = AgentText.line(memory.draft)
        if said.isEmpty { refusal = .emptyAnswer }
        if said == AgentText.line(options.refusal) { refusal = .notInDocuments }
        let cites = refusal == nil ? Citations.all(in: Array(memory.draft)).flatMap(\.numbers) : []
        try log(.check(.init(refusal: refusal, cites: cites)))
        if let refusal { return try refuse(refusal) }
        content = memory.draft
        try log(.end(.init(content: content, refusal: nil)))
        try go(to: .done)
    }

    private mutating func refuse() throws {
        guard let refusal = memory.refusal else { return }
        if case .notInDocuments = refusal {
            content = options.refusal
        } else {
            tell(.withheld(refusal))
            content = refusal.description
        }
        // What could be read, and what could not, in the tools' own words.
        let said = memory.outputs.map(\.text)
        if !said.isEmpty, refusal != .notInDocuments || memory.outputs.contains(where: { $0.outcome != .answered }) {
            content += "\n" + said.map { "The tools said: \($0)" }.joined(separator: "\n")
        }
        try log(.end(.init(content: content, refusal: refusal)))
        try go(to: .done)
    }
}

/// Shows an answer while it is written, as far as it has been checked.
private final class CheckedText: Sendable {
    private let state: Lock<AnswerCheck>
    private let tell: @Sendable (AgentEvent) -> Void

    init(_ check: AnswerCheck, tell: @escaping @Sendable (AgentEvent) -> Void) {
        state = Lock(check)
        self.tell = tell
    }

    var check: AnswerCheck { state.withLock { $0 } }

    func append(_ text: String) {
        let shown = state.withLock { $0.append(text) }
        if !shown.isEmpty { tell(.text(shown)) }
    }
}

/// Where the steps of an agent are written down.
protocol AgentSink: Sendable {
    var head: AgentLog.Head { get }

    /// - Throws: `AgentError`.
    func append(_ record: AgentRecord, _ measure: AgentMeasure) throws
}

extension AgentLog: AgentSink {}
