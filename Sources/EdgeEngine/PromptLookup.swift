/// Drafts of what may come next, taken from where the last tokens stood before: answers repeat names, keys and passages of their
/// prompts. A draft is run together with the token that it follows and then compared with what is chosen, so it changes the time
/// that an answer takes and never a token of it.
struct PromptLookup {
    /// Tokens of a draft at most.
    static let limit = 7
    /// Tokens that must have stood there before.
    private static let match = 3

    private var length = 3
    /// Seconds of a step with one token: a running mean.
    private var plainSeconds = 0.0
    /// Seconds that drafts have saved, less those they have cost.
    private var balance = 0.0
    /// Steps until drafts are tried again, and how many it will be the next time they did not pay.
    private var pause = 0
    private var nextPause = 32

    /// Adds what may follow the text that `ledger` holds and one more token; nothing where nothing is known or drafts do not pay.
    mutating func draft(after id: Int32, in ledger: [Int32], into draft: inout [Int32]) {
        let count = ledger.count
        guard count > Self.match, plainSeconds > 0 else { return }
        if pause > 0 {
            pause -= 1
            return
        }
        let (first, second) = (ledger[count - 2], ledger[count - 1])
        var place = count - 2
        while place >= Self.match - 1 {
            if ledger[place] == id, ledger[place - 1] == second, ledger[place - 2] == first {
                draft.append(contentsOf: ledger[(place + 1)...].prefix(length))
                return
            }
            place -= 1
        }
    }

    /// Learns what a step without a draft took.
    mutating func notePlain(seconds: Double) {
        plainSeconds = plainSeconds == 0 ? seconds : plainSeconds + (seconds - plainSeconds) / 8
    }

    /// Learns how a draft did: of `drafted` tokens `accepted` were right, and the step took `seconds`.
    mutating func note(drafted: Int, accepted: Int, seconds: Double) {
        length = accepted == drafted ? min(Self.limit, length + 2) : max(1, accepted + 1)
        balance = min(balance + plainSeconds * Double(accepted + 1) - seconds, 8 * plainSeconds)
        guard balance < -4 * plainSeconds else { return }
        balance = 0
        pause = nextPause
        nextPause = min(1_024, 2 * nextPause)
    }
}

/// The draft of one step: tokens that have run, and how far the choices have gone along with them.
struct DraftRun {
    private var lookup: PromptLookup?
    private var draft: [Int32] = []
    private var seconds = 0.0
    /// The row of the logits to choose from.
    private(set) var row = 0
    private(set) var drafted = 0
    private(set) var accepted = 0

    init(isOn: Bool) { lookup = isOn ? PromptLookup() : nil }

    /// Puts a draft behind the one token that waits to be run; returns whether there is one.
    mutating func begin(after waiting: inout [Int32], in context: GenerationContext, atMost room: Int) -> Bool {
        guard waiting.count == 1, room > 0 else { return false }
        lookup?.draft(after: waiting[0], in: context.ledger, into: &draft)
        if draft.count > room { draft.removeLast(draft.count - room) }
        waiting.append(contentsOf: draft)
        drafted += draft.count
        return !draft.isEmpty
    }

    /// Learns what the step took.
    mutating func note(seconds: Double) {
        if draft.isEmpty { lookup?.notePlain(seconds: seconds) } else { self.seconds = seconds }
    }

    /// Takes what was chosen; returns whether it has run already. What differs from the draft ends it.
    mutating func take(_ id: Int32, in context: GenerationContext) -> Bool {
        if row < draft.count, draft[row] == id {
            row += 1
            return true
        }
        end(in: context)
        return false
    }

    /// Takes back what has run and was not chosen.
    mutating func end(in context: GenerationContext) {
        guard !draft.isEmpty else { return }
        context.takeBack(draft.count - row)
        accepted += row
        lookup?.note(drafted: draft.count, accepted: row, seconds: seconds)
        draft.removeAll(keepingCapacity: true)
        row = 0
    }
}
