internal import EdgeMath

/// What discourages repetition: the penalties on recent tokens, and DRY. Works on a dense array of logits, in time
/// linear in the window, with scratch that is kept.
struct Repetition {
    private let parameters: SamplingParameters
    /// Breaker tails by the token they begin with.
    private var breakers: [Int32: [[Int32]]] = [:]
    /// One number for each token of the vocabulary; all zero between uses.
    private var marks: [Int32]
    private var matches: [Int32] = []
    /// A tail longer than this is cut, so that looking for breakers stays linear.
    private static let longestTail = 20

    init(_ parameters: SamplingParameters, vocabularySize: Int) {
        self.parameters = parameters
        marks = Array(repeating: 0, count: vocabularySize)
        for breaker in parameters.dry.breakers {
            guard let head = breaker.first else { continue }
            breakers[head, default: []].append(Array(breaker.dropFirst().prefix(Self.longestTail)))
        }
    }

    /// Tokens of history that can matter, or nil for all.
    static func reach(_ parameters: SamplingParameters) -> Int? {
        let dry = parameters.dry.multiplier == 0 ? 0 : parameters.dry.window
        let penalises =
            parameters.repetitionPenalty != 1 || parameters.frequencyPenalty != 0 || parameters.presencePenalty != 0
        let window = penalises ? parameters.penaltyWindow : 0
        return window < 0 || dry < 0 ? nil : max(window, dry)
    }

    /// Makes room for that many tokens of history.
    mutating func reserve(_ count: Int) {
        if parameters.dry.multiplier != 0, matches.count < count { matches = Array(repeating: 0, count: count) }
    }

    /// logit: times or over the repetition penalty by its sign; minus count times frequency; minus presence.
    mutating func penalise(_ logits: inout [Float], history: [Int32]) {
        let (repetition, frequency, presence) = (
            parameters.repetitionPenalty, parameters.frequencyPenalty, parameters.presencePenalty
        )
        guard repetition != 1 || frequency != 0 || presence != 0 else { return }
        let window = parameters.penaltyWindow < 0 ? history.count : min(parameters.penaltyWindow, history.count)
        let start = history.count - window
        for index in start..<history.count { marks[Int(history[index])] &+= 1 }
        for index in start..<history.count {
            let id = Int(history[index])
            let times = marks[id]
            guard times != 0 else { continue }
            marks[id] = 0
            guard logits[id] > -.infinity else { continue }
            let logit = Double(logits[id])
            let repeated = logit <= 0 ? logit * repetition : logit / repetition
            logits[id] = bounded(repeated - Double(times) * frequency - presence)
        }
    }

    /// DRY: takes multiplier times base^(length - allowed) from each token that would continue a repetition.
    mutating func dry(_ logits: inout [Float], history: [Int32]) {
        let dry = parameters.dry
        let n = dry.window < 0 ? history.count : min(dry.window, history.count)
        guard dry.multiplier != 0, n > dry.allowedLength else { return }
        let limit = distanceToBreaker(history, n)
        guard limit >= dry.allowedLength else { return }
        matchSuffix(history, n)
        let last = history.count - 1
        // matches[k]: how many tokens before position last - k, itself included, equal the end of the history.
        for k in 1..<n {
            let length = min(Int(matches[k]), limit)
            guard length >= dry.allowedLength else { continue }
            let next = Int(history[last - k + 1])
            marks[next] = max(marks[next], Int32(truncatingIfNeeded: length))
        }
        let longest = dry.base > 1.000001 ? Int(min(88.7228391 / Deterministic.logarithm(dry.base), 1e9)) : Int.max
        for k in 1..<n {
            let id = history[last - k + 1]
            let length = Int(marks[Int(id)])
            guard length != 0 else { continue }
            marks[Int(id)] = 0
            guard breakers[id]?.contains(where: \.isEmpty) != true, logits[Int(id)] > -.infinity else { continue }
            let power = Self.power(dry.base, min(length - dry.allowedLength, longest))
            logits[Int(id)] = bounded(Double(logits[Int(id)]) - dry.multiplier * power)
        }
    }

    /// `base` to a whole power, by squaring.
    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, left) = (1.0, base, max(0, exponent))
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }

    /// Tokens after the latest breaker, `n` where the window holds none.
    private func distanceToBreaker(_ history: [Int32], _ n: Int) -> Int {
        guard !breakers.isEmpty else { return n }
        let last = history.count - 1
        for back in 0..<n {
            guard let tails = breakers[history[last - back]] else { continue }
            var longest = -1
            for tail in tails where tail.count > longest && tail.count <= back {
                var equal = true
                for offset in 0..<tail.count where tail[offset] != history[last - back + 1 + offset] { equal = false }
                if equal { longest = tail.count }
            }
            if longest >= 0 { return back - longest }
        }
        return n
    }

    /// The Z-algorithm (Gusfield 1997) on the reversed window: linear, each token is compared a bounded number of times.
    private mutating func matchSuffix(_ history: [Int32], _ n: Int) {
        if matches.count < n { matches = Array(repeating: 0, count: max(n, 2 * matches.count)) }
        let last = history.count - 1
        var (left, right) = (0, 0)
        for k in 1..<n {
            var length = k < right ? min(right - k, Int(matches[k - left])) : 0
            while k + length < n, history[last - length] == history[last - k - length] { length += 1 }
            matches[k] = Int32(truncatingIfNeeded: length)
            if k + length > right { (left, right) = (k, k + length) }
        }
    }
}

/// To `Float`, and finite at the upper end: a finite logit never becomes plus infinity.
func bounded(_ logit: Double) -> Float { Float(min(logit, Double(Float.greatestFiniteMagnitude))) }
