internal import EdgePlatform

/// What a question may cost. What is met ends the question with a refusal that says so; nothing is cut silently.
public struct AgentLimits: Sendable, Hashable, Codable {
    /// Rounds of calls at most: the model speaks once more than that.
    public var rounds = 6
    /// Calls that are made of one round at most; the model is told of the others that they were not made.
    public var callsPerRound = 4
    /// Tokens that the model writes for one question at most.
    public var tokens = 1024
    /// Tokens that it writes in one round at most.
    public var tokensPerRound = 384
    /// Seconds of a question at most.
    public var seconds = 300.0
    /// Seconds of one call at most. A tool that goes on longer is cancelled, not waited for, and what it returns later is dropped.
    public var callSeconds = 10.0
    /// Seconds of the search for passages at most.
    public var searchSeconds = 10.0
    /// Seconds that the one who approves calls may take for one.
    public var approvalSeconds = 120.0
    /// Passages that the model is given at most; fewer where the context has no room for them.
    public var passages = 4
    /// Bytes of what a tool says at most; what is longer is cut, and says so.
    public var outputBytes = 4096
    /// Earlier questions, with their answers, that the model is given at most.
    public var history = 0

    /// Limits.
    public init() {}

    /// - Throws: `AgentError` with code `invalidOptions`.
    func check() throws(AgentError) {
        let counts = [
            ("rounds", rounds, 0), ("callsPerRound", callsPerRound, 1), ("tokens", tokens, 1),
            ("tokensPerRound", tokensPerRound, 1), ("passages", passages, 0), ("outputBytes", outputBytes, 64),
            ("history", history, 0),
        ]
        for (name, value, least) in counts where !(least...1 << 20).contains(value) {
            throw AgentError(.invalidOptions, "\(name) is \(value); give \(least) to \(1 << 20)")
        }
        let times = [
            ("seconds", seconds), ("callSeconds", callSeconds), ("searchSeconds", searchSeconds),
            ("approvalSeconds", approvalSeconds),
        ]
        for (name, value) in times where !(0.001...1e6).contains(value) {
            throw AgentError(.invalidOptions, "\(name) is \(value); give 0.001 to 1000000 seconds")
        }
    }
}

/// How an agent works. All of it is data, and stands in the log.
public struct AgentOptions: Sendable, Equatable, Codable {
    /// What the model is told about its part, before the tools.
    public var instructions: String
    /// What a question may cost.
    public var limits = AgentLimits()
    /// What calls may do, and what may flow into their arguments.
    public var policy = AgentPolicy()
    /// How the model's tokens are chosen: the likeliest, unless it is said otherwise. Seed and limit of tokens are the agent's;
    /// `toolCallingMode` `.required` is for the first round.
    public var generation = GenerationOptions(samplingMode: .greedy)
    /// The seed, where tokens are chosen at random: the same gives the same answers again.
    public var seed: UInt64 = 0
    /// Whether an answer is withheld that has a number which stands neither in the passages, nor in what the tools said, nor in the question.
    public var checksNumbers = true
    /// What the model says when neither passages nor tools answer a question.
    public var refusal = "The documents do not say."
    /// Words by which what a tool said is known to be a failure.
    public var failureMarks = ["Error:"]

    /// Options.
    public init(instructions: String = "Answer from the passages and the tools only.") {
        self.instructions = instructions
    }
}
