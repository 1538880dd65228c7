internal import EdgeCache
internal import EdgeModel

/// Tokens of several contexts that wait to be run together, in one pass over the weights.
///
/// Belongs to an engine and is only touched on its executor. A context that generates is either choosing its next token, or waiting for
/// its last one to be run; when none is choosing, the waiting ones run.
struct StepQueue {
    /// Contexts run together at most.
    static let limit = 8

    struct Step {
        let token: Int32
        let context: GenerationContext
        let continuation: CheckedContinuation<Int, any Error>
    }

    /// Contexts that are choosing.
    private(set) var choosing = 0
    private(set) var waiting: [Step] = []

    /// Whether steps are ready to be run.
    var isReady: Bool { choosing == 0 && !waiting.isEmpty }
    /// Whether the one context that is choosing has nobody to wait for.
    var isAlone: Bool { choosing == 1 && waiting.isEmpty }

    mutating func begin() { choosing += 1 }
    mutating func end() { choosing -= 1 }

    mutating func wait(_ step: Step) {
        choosing -= 1
        waiting.append(step)
    }

    /// Takes the steps to run next: the first that waits, and all those with the same adapters, as many as there is room for.
    mutating func take() -> [Step] {
        guard let first = waiting.first else { return [] }
        let adapters = first.context.adapters?.adapters ?? []
        var taken: [Step] = []
        waiting.removeAll { step in
            let fits = taken.count < Self.limit && step.context.adapters?.adapters ?? [] == adapters
            if fits { taken.append(step) }
            return fits
        }
        choosing += taken.count
        return taken
    }
}
