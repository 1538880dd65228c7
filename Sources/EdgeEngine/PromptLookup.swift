/// Drafts of what may come next, taken from where the last tokens stood before: answers repeat names, keys and passages of their
/// prompts. A draft is run together with the token that it follows and then compared with what is chosen, so it changes the time
/// that an answer takes and never a token of it.
///
/// What drafts may cost is bounded for each answer: never more than one step and a hundredth of the steps that the answer would have
/// taken without them, where a token of a draft costs what it mostly did lately. So a draft is as long as may be lost. Where none helps, one token
/// is tried now and then; a right one pays for longer ones at once.
struct PromptLookup {
    /// Tokens of a draft at most.
    static let limit = 7
    /// Tokens that must have stood there before.
    private static let match = 3

    /// What drafts may have cost on the whole, in steps with one token: this from the beginning, and a share of the steps that the answer
    /// would have taken so far.
    private static let (allowance, share) = (1.0, 0.01)
    /// What drafts have saved is remembered up to so many steps.
    private static let reserve = 8.0

    private var length = 3
    /// Seconds of a step with one token.
    private var plainSeconds = RecentMedian(of: 8)
    /// What a token of a draft costs, in steps. None ever costs more than a step of its own, which is assumed before one was seen.
    private var tokenCost = RecentMedian(of: 5)
    /// Steps that the answer would have taken without drafts.
    private var steps = 0
    /// Steps that drafts have cost, less those they have saved.
    private var lost = 0.0

    /// Tokens of a draft that may all be wrong without the answer taking longer than it may.
    private var affordable: Int {
        let room = Self.allowance + Self.share * Double(steps) - lost
        return Int(min(Double(Self.limit), max(0, room / (tokenCost.value ?? 1))))
    }

    /// Adds what may follow the text that `ledger` holds and one more token; nothing where nothing is known or drafts do not pay.
    func draft(after id: Int32, in ledger: [Int32], into draft: inout [Int32]) {
        let count = ledger.count
        let length = min(length, affordable)
        guard count > Self.match, plainSeconds.value != nil, length > 0 else { return }
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
        plainSeconds.add(seconds)
        steps += 1
    }

    /// Learns how a draft did: of `drafted` tokens `accepted` were right, and the step took `seconds`.
    mutating func note(drafted: Int, accepted: Int, seconds: Double) {
        length = accepted == drafted ? min(Self.limit, length + 2) : max(1, accepted + 1)
        guard drafted > 0, let plain = plainSeconds.value, plain > 0 else { return }
        // Tokens in one step never take longer than each in its own: whatever else was measured, something else was at work.
        tokenCost.add(min(1, max(1 / 64, (seconds / plain - 1) / Double(drafted))))
        steps += accepted + 1
        lost = max(-Self.reserve, lost + (tokenCost.value ?? 1) * Double(drafted) - Double(accepted))
    }
}

/// The median of the latest figures, the lower one of two: what other work on the machine does to a few of them is passed over.
struct RecentMedian {
    private let limit: Int
    /// By age, and by size.
    private var latest: [Double] = []
    private var ordered: [Double] = []
    private var oldest = 0

    init(of limit: Int) {
        self.limit = limit
        latest.reserveCapacity(limit)
        ordered.reserveCapacity(limit + 1)
    }

    /// Nil before the first.
    var value: Double? { ordered.isEmpty ? nil : ordered[(ordered.count - 1) / 2] }

    mutating func add(_ figure: Double) {
        if latest.count < limit {
            latest.append(figure)
        } else {
            if let place = ordered.firstIndex(of: latest[oldest]) { ordered.remove(at: place) }
            latest[oldest] = figure
            oldest = (oldest + 1) % limit
        }
        ordered.insert(figure, at: ordered.firstIndex { $0 >= figure } ?? ordered.count)
    }
}

/// The draft of one step: tokens that have run, and how far the choices have gone along with them.
struct DraftRun {
    private var lookup: PromptLookup?
    /// What the answer is still expected to be; nothing once it was something else.
    private var expected: ArraySlice<Int32>
    private var draft: [Int32] = []
    private var seconds = 0.0
    /// The row of the logits to choose from.
    private(set) var row = 0
    private(set) var drafted = 0
    private(set) var accepted = 0

    /// - Parameter expected: what the answer may turn out to be, from its first token on.
    init(isOn: Bool, expecting expected: [Int32] = []) {
        lookup = isOn ? PromptLookup() : nil
        self.expected = isOn ? expected[...] : []
    }

    /// Puts a draft behind the one token that waits to be run; returns whether there is one.
    mutating func begin(after waiting: inout [Int32], in context: GenerationContext, atMost room: Int) -> Bool {
        guard waiting.count == 1, room > 0 else { return false }
        if expected.isEmpty {
            lookup?.draft(after: waiting[0], in: context.ledger, into: &draft)
        } else {
            draft.append(contentsOf: expected.prefix(PromptLookup.limit))
        }
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
        if !expected.isEmpty { expected = expected.first == id ? expected.dropFirst() : [] }
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
