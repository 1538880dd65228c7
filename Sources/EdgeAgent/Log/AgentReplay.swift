internal import EdgePlatform

/// Does again what a log says, with the model and without the world: passages, what tools said and what was approved are taken from the log,
/// everything else is computed anew and must be the same, byte by byte.
///
/// The tokens that the log says are drafts for the model, checked several at a time, so a replay takes less time than the run did.
public struct AgentReplay: Sendable {
    /// The log.
    public let log: AgentLogReader
    /// What the agent is made of.
    public let begin: AgentRecord.Begin

    /// A replay of a log that was read.
    ///
    /// - Throws: `AgentError` with code `logDamaged`.
    public init(_ log: AgentLogReader) throws {
        guard case .begin(let begin)? = log.records.first else {
            throw AgentError(.logDamaged, "a log begins with what the agent is made of", line: 1)
        }
        self.log = log
        self.begin = begin
    }

    /// The numbers of the calls that have a result, with what the log says of each: what can be changed.
    public var results: [AgentOutput] {
        log.records.compactMap { if case .result(let output) = $0 { output } else { nil } }
    }

    /// How a model must be loaded to give the bits of the log.
    public func loadOptions(_ options: GGUFLanguageModel.LoadOptions = .init()) -> GGUFLanguageModel.LoadOptions {
        var options = options
        if let contextSize = begin.model.contextSize { options.contextSize = contextSize }
        if let cache = begin.model.cache { options.cachePrecision = cache }
        if let template = begin.model.chatTemplate { options.chatTemplate = template }
        return options
    }

    /// Does it again.
    ///
    /// - Parameter changes: what tools are to have said instead, by the numbers of the calls.
    /// - Returns: whether it came out the same, and where it did not.
    /// - Throws: `AgentError` with code `logMismatch` where the log was made with another model, or has no result with a number of `changes`;
    ///   `CancellationError`, and what the model throws.
    public nonisolated(nonsending) func run(
        model: some LanguageModel, changes: [Int: String] = [:]
    ) async throws -> AgentReplayReport {
        let start = Clock.nanoseconds
        let numbers = Set(results.map(\.call.number))
        if let unknown = changes.keys.sorted().first(where: { !numbers.contains($0) }) {
            throw AgentError(
                .logMismatch,
                numbers.isEmpty
                    ? "the log has no results of calls" : "the log has no result \(unknown); it has \(numbers.sorted())"
            )
        }
        let agentModel = AgentModel(model, moment: begin.moment)
        guard agentModel.identity == begin.model else { throw mismatch(agentModel.identity) }
        let definitions = try begin.tools.map {
            Transcript.ToolDefinition(
                name: $0.name, description: $0.description, parameters: try GenerationSchema(jsonSchema: $0.schema),
                includesSchemaInInstructions: $0.showsSchema)
        }
        let sink = ReplaySink(log, isChanged: !changes.isEmpty, changed: Set(changes.keys), text: agentModel.text)
        let configuration = try Agent.configuration(begin)
        try sink.append(.begin(try Agent.begin(begin.options, agentModel, definitions, begin.moment)), AgentMeasure())
        var report = AgentReplayReport(lineCount: log.records.count)
        var history: [AgentCheckpoint.Turn] = []
        for tape in Tape.tapes(of: log.records, changes: changes) {
            try Task.checkCancellation()
            history = Array(history.suffix(max(0, tape.question.earlier)))
            var memory = AgentCheckpoint(
                configuration: configuration, moment: begin.moment, number: tape.question.number,
                question: tape.question.text, callCount: tape.callsBefore, log: sink.head)
            memory.history = history
            sink.place(at: tape.lines)
            var answer = AgentReplayReport.Answer(question: tape.question.text, recorded: tape.end)
            do {
                try sink.append(
                    .question(.init(number: memory.number, text: memory.question, earlier: history.count)),
                    AgentMeasure())
                var machine = AgentMachine(
                    options: begin.options, model: agentModel, definitions: definitions, world: tape, sink: sink,
                    control: RunControl(), memory: memory, tell: { _ in })
                let result = try await machine.run { _ in }
                answer.replayed = .init(content: result.content, refusal: result.refusal)
                history = Agent.history(history, result, begin.options.limits)
            } catch is ReplaySink.Stop {
                if let reason = tape.stopped { try sink.append(.stopped(reason), AgentMeasure()) }
            }
            report.answers.append(answer)
        }
        report.comparedCount = sink.comparedCount
        report.divergence = sink.divergence
        report.isIdentical = sink.divergence == nil && sink.head == log.head
        report.seconds = Clock.seconds(from: start)
        return report
    }

    private func mismatch(_ model: AgentRecord.Model) -> AgentError {
        let known = begin.model
        if model.fingerprint != known.fingerprint {
            return AgentError(
                .logMismatch,
                "the log was made with another model: \(known.name), not \(model.name), or another file of it")
        }
        return AgentError(
            .logMismatch,
            "the model was loaded with another context, cache or template than the log's: "
                + "\(known.contextSize ?? 0) tokens, \(known.cache?.rawValue ?? "none")")
    }
}

/// What came of a replay.
public struct AgentReplayReport: Sendable, Equatable {
    /// A question.
    public struct Answer: Sendable, Equatable {
        /// The question.
        public var question: String
        /// What the log says came of it; nil where it was not finished.
        public var recorded: AgentRecord.End?
        /// What comes of it now.
        public var replayed: AgentRecord.End?
    }

    /// The first difference.
    public struct Divergence: Sendable, Equatable {
        /// The line of the log, from 1.
        public var line: Int
        /// What the log has there: the kind of record, or nothing behind its end.
        public var recordedKind: String?
        /// What there is now.
        public var replayedKind: String
        /// The first token that differs, from 0, where both are drafts or both are prompts.
        public var token: Int?
        /// The text of the log.
        public var recorded: String
        /// The text now.
        public var replayed: String
    }

    /// Lines of the log.
    public var lineCount: Int
    /// Records that were compared.
    public var comparedCount = 0
    /// Whether every byte of every record is the same, and with them all hashes.
    public var isIdentical = false
    /// Where it is not; of a changed run, where the model or what follows from it goes another way.
    public var divergence: Divergence?
    /// The questions.
    public var answers: [Answer] = []
    /// Seconds that it took.
    public var seconds = 0.0
}

/// The world as a log remembers it, for one question.
struct Tape: AgentWorld {
    let question: AgentRecord.Question
    /// The lines of the log, from 0, that are the question's.
    let lines: Range<Int>
    let callsBefore: Int
    private let search: AgentRecord.Search?
    private let drafts: [AgentRecord.Draft]
    private let verdicts: [Int: AgentRecord.Verdict]
    private let outputs: [AgentOutput]
    private let isTimeOver: Bool
    let end: AgentRecord.End?
    let stopped: String?

    /// The questions of a log.
    static func tapes(of records: [AgentRecord], changes: [Int: String]) -> [Tape] {
        var (tapes, calls): ([Tape], Int) = ([], 0)
        let starts = records.indices.filter { if case .question = records[$0] { true } else { false } }
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : records.count
            guard case .question(let question) = records[start] else { continue }
            let tape = Tape(question, records[start..<end], callsBefore: calls, changes)
            calls = tape.drafts.last { !$0.calls.isEmpty }?.calls.last?.number ?? calls
            tapes.append(tape)
        }
        return tapes
    }

    private init(
        _ question: AgentRecord.Question, _ records: ArraySlice<AgentRecord>, callsBefore: Int, _ changes: [Int: String]
    ) {
        self.question = question
        lines = records.startIndex..<records.endIndex
        self.callsBefore = callsBefore
        var search: AgentRecord.Search?
        var drafts: [AgentRecord.Draft] = []
        var verdicts: [Int: AgentRecord.Verdict] = [:]
        var outputs: [AgentOutput] = []
        var isTimeOver = false
        var end: AgentRecord.End?
        var stopped: String?
        for record in records {
            switch record {
            case .passages(let found): search = found
            case .draft(let draft): drafts.append(draft)
            case .verdict(let verdict): verdicts[verdict.call] = verdict
            case .result(var output):
                if let text = changes[output.call.number] { output.text = text }
                outputs.append(output)
            case .limit(let limit): isTimeOver = limit == .time
            case .end(let whole): end = whole
            case .stopped(let reason): stopped = reason
            default: break
            }
        }
        self.search = search
        self.drafts = drafts
        self.verdicts = verdicts
        self.outputs = outputs
        self.isTimeOver = isTimeOver
        self.end = end
        self.stopped = stopped
    }

    func search(_ question: String, control: RunControl) async throws -> AgentRecord.Search {
        search ?? .init(passages: [], omitted: 0, failure: nil)
    }

    func isTimeOver(seconds: Double, draft: Int) -> Bool { isTimeOver && draft == drafts.count }

    func plan(draft: Int) -> AgentPlan {
        guard drafts.indices.contains(draft) else { return AgentPlan() }
        return AgentPlan(expected: drafts[draft].tokens, cut: drafts[draft].isCut ? drafts[draft].tokens.count : nil)
    }

    private func recorded(_ call: AgentCall) -> AgentOutput? {
        let alike = outputs.filter { $0.call.tool == call.tool && $0.call.arguments == call.arguments }
        return alike.first { $0.call.number == call.number } ?? alike.first
    }

    func approval(
        of call: AgentCall, rule: ToolRule, control: RunControl
    ) async throws -> (isApproved: Bool, reason: String) {
        guard let known = recorded(call), let verdict = verdicts[known.call.number], verdict.judge == .approval else {
            return (false, "the log has no decision on this call")
        }
        return (verdict.isAllowed, verdict.reason)
    }

    func output(of call: AgentCall, rule: ToolRule) async throws -> AgentOutput {
        guard let known = recorded(call) else {
            return AgentOutput(
                call: call, text: rule.failure(of: call, because: "the log has no result of this call"),
                outcome: .failed)
        }
        return AgentOutput(call: call, text: known.text, outcome: known.outcome)
    }
}

/// Compares what is written down with what a log has.
final class ReplaySink: AgentSink {
    /// Thrown where the log goes no further: the question was given up there.
    struct Stop: Error {}

    private struct State {
        var head = AgentLog.Head()
        var place = 0
        var end: Int
        var comparedCount = 0
        var divergence: AgentReplayReport.Divergence?
    }

    private let log: AgentLogReader
    private let isChanged: Bool
    private let changed: Set<Int>
    private let text: @Sendable ([Int32]) -> String
    private let state: Lock<State>

    init(_ log: AgentLogReader, isChanged: Bool, changed: Set<Int>, text: @escaping @Sendable ([Int32]) -> String) {
        self.log = log
        self.isChanged = isChanged
        self.changed = changed
        self.text = text
        state = Lock(State(end: log.records.count))
    }

    var head: AgentLog.Head { state.withLock { $0.head } }
    var comparedCount: Int { state.withLock { $0.comparedCount } }
    var divergence: AgentReplayReport.Divergence? { state.withLock { $0.divergence } }

    /// Says which lines come next.
    func place(at lines: Range<Int>) {
        state.withLock { state in
            if state.place != lines.lowerBound, state.divergence == nil, lines.lowerBound > 0 {
                // Lines of the log that nothing was written for.
                let index = min(state.place, lines.lowerBound)
                state.divergence = .init(
                    line: index + 1, recordedKind: self.log.records[index].kind, replayedKind: "nothing",
                    recorded: self.shown(self.log.records[index], index), replayed: "")
            }
            state.place = lines.lowerBound
            state.end = lines.upperBound
        }
    }

    func append(_ record: AgentRecord, _ measure: AgentMeasure) throws {
        try state.withLock { state in
            let line = try AgentLine(record, measure, after: state.head.hash)
            state.head = .init(count: state.head.count + 1, hash: line.hash)
            let index = state.place
            state.place += 1
            let isKnown = index < state.end
            let isSame = isKnown && self.log.bytes[index] == line.record
            if isKnown { state.comparedCount += 1 }
            if !isSame, state.divergence == nil, !self.follows(record) {
                state.divergence = self.divergence(record, isKnown ? self.log.records[index] : nil, index)
            }
            // Where the log ends before the question does.
            if state.divergence == nil, isKnown, !Self.isLast(record), !self.isChanged {
                let next = index + 1 < state.end ? self.log.records[index + 1] : nil
                if case .stopped? = next { throw Stop() }
                if next == nil { throw Stop() }
            }
        }
    }

    private static func isLast(_ record: AgentRecord) -> Bool {
        switch record {
        case .begin, .stopped: true
        case .state(let transition): transition.to == .done
        default: false
        }
    }

    /// Whether a difference is one that a change makes by itself.
    private func follows(_ record: AgentRecord) -> Bool {
        guard isChanged else { return false }
        switch record {
        case .prompt: return true
        case .result(let output): return changed.contains(output.call.number)
        default: return false
        }
    }

    private func divergence(
        _ record: AgentRecord, _ known: AgentRecord?, _ index: Int
    ) -> AgentReplayReport.Divergence {
        var token: Int?
        if let (here, there) = tokens(record, known) {
            token = zip(here, there).prefix { $0 == $1 }.count
        }
        return .init(
            line: index + 1, recordedKind: known?.kind, replayedKind: record.kind, token: token,
            recorded: known.map { shown($0, index) } ?? "", replayed: shown(record, nil))
    }

    private func tokens(_ record: AgentRecord, _ known: AgentRecord?) -> ([Int32], [Int32])? {
        switch (record, known) {
        case (.draft(let here), .draft(let there)?): here.tokens.isEmpty ? nil : (here.tokens, there.tokens)
        case (.prompt(let here), .prompt(let there)?): here.tokens.isEmpty ? nil : (here.tokens, there.tokens)
        default: nil
        }
    }

    /// A record as a reader wants it: the model's words, else the JSON.
    private func shown(_ record: AgentRecord, _ index: Int?) -> String {
        switch record {
        case .draft(let draft) where !draft.tokens.isEmpty: text(draft.tokens)
        case .draft(let draft): draft.text + draft.calls.map { "\($0.tool) \($0.arguments)" }.joined(separator: "\n")
        case .prompt(let prompt) where !prompt.tokens.isEmpty: text(prompt.tokens)
        default:
            String(decoding: index.map { log.bytes[$0] } ?? (try? AgentLine.json(record)) ?? [], as: UTF8.self)
        }
    }
}
