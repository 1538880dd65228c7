/// Where a question stands: all that an agent needs to go on with it, in another process or on another machine.
///
/// Data and nothing else: `Codable`, and looked at before it is used. A question that goes on from here has the same log, byte by byte, as one
/// that was never interrupted. Taken between two steps; what was begun of a step is done again, but for a call, which is waited for and never
/// made twice.
public struct AgentCheckpoint: Sendable, Equatable, Codable {
    /// An earlier question with its answer.
    struct Turn: Sendable, Hashable, Codable {
        var question: String
        var answer: String
    }

    /// What the model wanted called, and what came of it.
    struct Round: Sendable, Hashable, Codable {
        var thought: String
        var words: String
        var calls: [AgentCall]
        var outputs: [AgentOutput] = []
    }

    static let currentVersion = 1

    var version = Self.currentVersion
    /// A hash of what the agent is made of.
    var configuration: String
    /// What templates write as the date.
    var moment: [Int]
    /// The question's number, from 1.
    var number: Int
    /// The question.
    public internal(set) var question: String
    /// The step that comes next.
    public internal(set) var state = AgentState.ground
    var history: [Turn] = []
    var passages: [ScoredPassage] = []
    var searchFailure: String?
    var rounds: [Round] = []
    /// Calls before this question's, and with it.
    var callCount: Int
    /// The answer that is to be checked.
    var draft = ""
    var refusal: AgentRefusal?
    var tokenCount = 0
    /// Rounds of the model so far.
    var draftCount = 0
    var seconds = 0.0
    /// The tokens of the latest prompt and of what was written behind it.
    var known: [Int32] = []
    /// The end of the log.
    var log = AgentLog.Head()
    /// The number of a call that was begun and has no output, which happens only where a process ends in the midst of one.
    var begun: Int?

    init(configuration: String, moment: [Int], number: Int, question: String, callCount: Int, log: AgentLog.Head) {
        self.configuration = configuration
        self.moment = moment
        self.number = number
        self.question = question
        self.callCount = callCount
        self.log = log
    }

    var outputs: [AgentOutput] { rounds.flatMap(\.outputs) }

    /// - Throws: `AgentError` with code `checkpointMismatch` or `invalidCheckpoint`.
    func check(configuration expected: String, moment now: [Int], limits: AgentLimits) throws(AgentError) {
        guard version == Self.currentVersion else {
            throw AgentError(
                .checkpointMismatch, "a checkpoint of version \(version); this library reads \(Self.currentVersion)")
        }
        guard configuration == expected, moment == now else {
            throw AgentError(
                .checkpointMismatch, "the checkpoint was made with another model, other tools or other options")
        }
        func invalid(_ reason: String) -> AgentError { AgentError(.invalidCheckpoint, reason) }
        let counts = [number, callCount, tokenCount, draftCount, log.count]
        guard counts.allSatisfy({ (0...1 << 40).contains($0) }), seconds.isFinite, seconds >= 0, number > 0 else {
            throw invalid("a count of the checkpoint makes no sense")
        }
        guard passages.count <= limits.passages, history.count <= limits.history, rounds.count <= limits.rounds + 1,
            log.hash.utf8.count == 64
        else { throw invalid("the checkpoint holds more than the limits allow") }
        for (index, round) in rounds.enumerated() {
            let isOpen = index == rounds.count - 1 && state == .call
            guard !round.calls.isEmpty, round.outputs.map(\.call) == Array(round.calls.prefix(round.outputs.count)),
                isOpen ? round.outputs.count < round.calls.count : round.outputs.count == round.calls.count
            else { throw invalid("the outputs of round \(index + 1) are not those of its calls") }
        }
        let isWhole =
            switch state {
            case .call: !rounds.isEmpty
            case .refuse: refusal != nil
            case .ground, .decide, .observe, .answer: refusal == nil
            case .done, .failed: false
            }
        guard isWhole else { throw invalid("there is nothing to go on with in the state \"\(state.rawValue)\"") }
    }
}
