internal import EdgeCache
internal import EdgeModel

/// Tokens of several contexts that wait to be run together, in one pass over the weights.
///
/// Belongs to an engine and is only touched on its executor. A context that generates is either choosing its next token, or waiting for
/// its last one to be run; when none is choosing, the waiting ones run. A prompt that begins meanwhile waits in pieces, which run in the
/// same passes. Who came first is first: a pass takes the piece that has waited longest, others that are short enough besides, and a
/// prompt's next piece stands behind those of the others. So the newcomer among `n` other prompts has a piece in at least every
/// `n + 1`-th pass, from the one that is next when it comes; and those who generate have a token in every pass, up to `limit` of them.
struct StepQueue {
    /// Contexts whose logits one pass computes at most.
    static let limit = 8

    struct Step {
        /// One chosen token, or a piece of a prompt.
        let tokens: [Int32]
        let context: GenerationContext
        /// The prompt that the tokens are a piece of; nil for a chosen token.
        let prompt: [Int32]?
        /// Whether a token is chosen after these.
        let wantsLogits: Bool
        /// Gets the row of the logits, where they are wanted, once the tokens have run; nil when they are to be waited with again; the
        /// error of a pass that has failed.
        let finish: (Result<Outcome?, any Error>) -> Void
    }

    /// What became of a step that has run.
    struct Outcome {
        let row: Int
    }

    /// Tokens of one pass at most.
    private let batchCapacity: Int
    /// Contexts that are choosing.
    private(set) var choosing = 0
    private(set) var waiting: [Step] = []
    /// Tokens of prompts that a pass takes about the time for that those who generate may be kept waiting.
    private(set) var promptBudget: Int

    /// Seconds that a pass with pieces of prompts may take about.
    private static let passSeconds = 0.08

    init(batchCapacity: Int) {
        self.batchCapacity = max(1, batchCapacity)
        promptBudget = max(1, min(32, batchCapacity - Self.limit))
    }

    /// Whether steps are ready to be run.
    var isReady: Bool { choosing == 0 && !waiting.isEmpty }
    /// Whether the one context that is choosing has nobody to wait for.
    var isAlone: Bool { choosing == 1 && waiting.isEmpty }
    /// Whether others generate, or wait to.
    var isShared: Bool { choosing > 0 || !waiting.isEmpty }

    mutating func begin() { choosing += 1 }
    mutating func end() { choosing -= 1 }

    mutating func wait(_ step: Step) {
        if step.prompt == nil { choosing -= 1 }
        waiting.append(step)
    }

    /// Takes the steps to run next: of those with the adapters of the first that waits as many as there is room for, chosen tokens before
    /// pieces of prompts, but for the room that the first piece needs.
    mutating func take() -> [Step] {
        guard let first = waiting.first else { return [] }
        // Where only one token fits, they take turns.
        guard batchCapacity > 1 else { return [waiting.removeFirst()] }
        let adapters = first.context.adapters?.adapters ?? []
        func isAlike(_ step: Step) -> Bool { step.context.adapters?.adapters ?? [] == adapters }
        let piece = waiting.first { $0.prompt != nil && isAlike($0) }
        var taken: [Step] = []
        var tokens = piece?.tokens.count ?? 0
        var rows = piece?.wantsLogits == true ? 1 : 0
        func fits(_ step: Step) -> Bool {
            isAlike(step) && tokens + step.tokens.count <= batchCapacity
                && rows + (step.wantsLogits ? 1 : 0) <= Self.limit
        }
        func add(_ step: Step) {
            tokens += step.tokens.count
            rows += step.wantsLogits ? 1 : 0
            taken.append(step)
        }
        waiting.removeAll { step in
            guard step.prompt == nil, fits(step) else { return false }
            add(step)
            return true
        }
        guard let piece else { return taken }
        var promptTokens = 0
        waiting.removeAll { step in
            guard step.prompt != nil else { return false }
            if promptTokens == 0, step.context === piece.context {
                taken.append(step)
            } else {
                guard promptTokens > 0, promptTokens + step.tokens.count <= promptBudget, fits(step) else {
                    return false
                }
                add(step)
            }
            promptTokens += step.tokens.count
            return true
        }
        return taken
    }

    /// Whoever gets logits is choosing.
    mutating func ran(_ step: Step) { choosing += step.wantsLogits ? 1 : 0 }

    /// Learns from a pass how many tokens of prompts the next may have.
    mutating func note(promptTokens: Int, seconds: Double) {
        // A few tokens say little of what many take.
        guard promptTokens >= min(16, promptBudget) else { return }
        let wanted = Double(promptTokens) * Self.passSeconds / max(1e-6, seconds)
        promptBudget = max(1, min(batchCapacity - Self.limit, max(16, Int(min(1e6, wanted)))))
    }
}
