internal import EdgeMath

/// Everything a sampler remembers. Restoring it gives the same continuation.
package struct SamplerState: Codable, Sendable, Equatable {
    /// The key of the generator.
    package var seed: UInt64
    /// Tokens sampled so far: the position of the next draw.
    package var step: UInt64
    /// Mirostat's running bound, in bits.
    package var mu: Double
    /// The latest tokens, as far back as a penalty looks.
    package var history: [Int32]
}

/// A token and its probability at the end of the chain.
package struct TokenProbability: Sendable, Equatable {
    /// The token.
    package var id: Int32
    /// From 0 to 1.
    package var probability: Double
}

/// Chooses tokens from logits. Holds its scratch: about 24 bytes for each token of the vocabulary.
///
/// The same parameters, logits and accepted tokens give the same ids on every platform: only plain arithmetic in a
/// fixed order is used, ties go to the lowest id, and the draws come from `Philox` at the position `state.step`.
package struct Sampler {
    /// What the sampler was made with.
    package let parameters: SamplingParameters
    /// The number of logits it expects.
    package let vocabularySize: Int
    private let reach: Int?
    private var generator: Philox
    private var step: UInt64 = 0
    private var mu: Double
    private var history: [Int32] = []
    private var logits: [Float]
    private var candidates: Candidates
    private var repetition: Repetition
    private let biases: [(id: Int, bias: Float)]

    /// A sampler for a vocabulary.
    ///
    /// - Throws: `SamplingError` for a parameter outside its range, a bias on a token that is not there, or an empty
    ///   vocabulary.
    package init(_ parameters: SamplingParameters, vocabularySize: Int) throws(SamplingError) {
        try parameters.validate()
        guard vocabularySize > 0, vocabularySize <= Int(Int32.max) else {
            throw SamplingError(.vocabulary, "a vocabulary of \(vocabularySize) tokens cannot be sampled from")
        }
        let biases = parameters.logitBias.sorted { $0.key < $1.key }.map { (id: Int($0.key), bias: $0.value) }
        for (id, _) in biases where id < 0 || id >= vocabularySize {
            throw SamplingError(
                .parameter,
                "sampling parameter logitBias names token \(id); the vocabulary has 0 to \(vocabularySize - 1)",
                position: id)
        }
        self.parameters = parameters
        self.vocabularySize = vocabularySize
        self.biases = biases
        reach = Repetition.reach(parameters)
        generator = Philox(seed: parameters.seed)
        mu = 2 * (parameters.mirostat?.tau ?? 0)
        logits = Array(repeating: 0, count: vocabularySize)
        candidates = Candidates(capacity: parameters.temperature == 0 ? 0 : vocabularySize)
        repetition = Repetition(parameters, vocabularySize: vocabularySize)
    }

    /// What to save, and to restore. Tokens outside the vocabulary are left out.
    package var state: SamplerState {
        get { SamplerState(seed: generator.seed, step: step, mu: mu, history: history) }
        set {
            generator = Philox(seed: newValue.seed)
            step = newValue.step
            mu = newValue.mu.isFinite ? newValue.mu : 2 * (parameters.mirostat?.tau ?? 0)
            history.removeAll(keepingCapacity: true)
            for id in newValue.history { accept(id) }
        }
    }

    /// Makes room for a text of that many tokens, up to a million, so that no token of it has to.
    package mutating func reserve(_ tokenCount: Int) {
        guard reach != 0 else { return }
        let kept = min(max(0, tokenCount), 1 << 20, reach.map { 2 * $0 + 64 } ?? .max)
        history.reserveCapacity(kept)
        repetition.reserve(kept)
    }

    /// Tells of a token of the text: of the prompt, or chosen. `sample` does not do this by itself.
    package mutating func accept(_ id: Int32) {
        guard id >= 0, Int(id) < vocabularySize, reach != 0 else { return }
        history.append(id)
        if let reach, history.count >= 2 * reach + 64 { history.removeFirst(history.count - reach) }
    }

    /// Chooses a token.
    ///
    /// - Throws: `SamplingError` for a wrong number of logits, NaN or plus infinity, or when no token is left.
    package mutating func sample(_ logits: Span<Float>) throws(SamplingError) -> Int32 {
        try load(logits)
        return try choose()
    }

    /// Chooses a token among those whose bit is set: token `i` is bit `i % 64` of word `i / 64`.
    ///
    /// - Throws: as `sample`; also when the mask is too short or allows no token.
    package mutating func sample(_ logits: Span<Float>, allowed: Span<UInt64>) throws(SamplingError) -> Int32 {
        try load(logits, allowed)
        return try choose()
    }

    /// The probabilities `sample` would draw from, likeliest first. Changes no state.
    package mutating func probabilities(_ logits: Span<Float>) throws(SamplingError) -> [TokenProbability] {
        try load(logits)
        if parameters.temperature == 0 { return [TokenProbability(id: try greedy(), probability: 1)] }
        try runChain()
        candidates.sort()
        let sum = candidates.weigh()
        return (0..<candidates.count).map {
            TokenProbability(id: candidates.items[$0].id, probability: candidates.items[$0].weight / sum)
        }
    }

    // MARK: - Loading

    private mutating func load(_ source: Span<Float>) throws(SamplingError) {
        try checkLength(source.count)
        if copy(0..<vocabularySize, of: source) { return }
        for id in 0..<vocabularySize where !(source[id] < .infinity) { throw Self.broken(id, source[id]) }
    }

    /// Takes the allowed logits, and minus infinity for the others: by words of the mask, as most are all of a kind or nearly so.
    private mutating func load(_ source: Span<Float>, _ allowed: Span<UInt64>) throws(SamplingError) {
        try checkLength(source.count)
        guard allowed.count >= (vocabularySize + 63) / 64 else {
            throw SamplingError(.length, "a mask of \(allowed.count) words is too short for \(vocabularySize) tokens")
        }
        for word in 0..<(vocabularySize + 63) / 64 {
            let first = 64 * word
            let ids = first..<min(first + 64, vocabularySize)
            // Bits beyond the vocabulary name no token.
            let present = UInt64.max &>> UInt64(64 - ids.count)
            let bits = allowed[word] & present
            // Copying what is not allowed too is worth it where little has to be taken back.
            if bits.nonzeroBitCount > ids.count / 2, copy(ids, of: source) {
                var others = ~bits & present
                while others != 0 {
                    logits[first + others.trailingZeroBitCount] = -.infinity
                    others &= others &- 1
                }
                continue
            }
            for id in ids { logits[id] = -.infinity }
            var rest = bits
            while rest != 0 {
                let id = first + rest.trailingZeroBitCount
                let logit = source[id]
                guard logit < .infinity else { throw Self.broken(id, logit) }
                logits[id] = logit
                rest &= rest &- 1
            }
        }
    }

    /// Copies some logits; says whether none of them is NaN or plus infinity.
    @inline(__always)
    private mutating func copy(_ ids: Range<Int>, of source: Span<Float>) -> Bool {
        var brokenCount = 0
        for id in ids {
            let logit = source[id]
            brokenCount &+= logit < .infinity ? 0 : 1
            logits[id] = logit
        }
        return brokenCount == 0
    }

    private func checkLength(_ count: Int) throws(SamplingError) {
        guard count == vocabularySize else {
            throw SamplingError(.length, "\(count) logits were given for a vocabulary of \(vocabularySize) tokens")
        }
    }

    private static func broken(_ id: Int, _ logit: Float) -> SamplingError {
        SamplingError(.brokenLogit, "the logit of token \(id) is \(logit)", position: id)
    }

    // MARK: - The chain

    private mutating func choose() throws(SamplingError) -> Int32 {
        let id: Int32
        if parameters.temperature == 0 {
            id = try greedy()
        } else {
            try runChain()
            id = draw()
        }
        step &+= 1
        return id
    }

    /// The stages that change single logits. They come first in every valid order.
    private mutating func edit() {
        for stage in parameters.order {
            switch stage {
            case .logitBias:
                for (id, bias) in biases { logits[id] = bounded(Double(logits[id]) + Double(bias)) }
            case .penalties: repetition.penalise(&logits, history: history)
            case .dry: repetition.dry(&logits, history: history)
            default: return
            }
        }
    }

    private mutating func greedy() throws(SamplingError) -> Int32 {
        edit()
        var (best, winner) = (-Float.infinity, -1)
        for id in 0..<vocabularySize where logits[id] > best { (best, winner) = (logits[id], id) }
        guard winner >= 0 else { throw Self.nothingLeft }
        return Int32(truncatingIfNeeded: winner)
    }

    private mutating func runChain() throws(SamplingError) {
        edit()
        let stages = parameters.order
        if parameters.mirostat != nil {
            candidates.fill(from: logits)
            guard candidates.count > 0 else { throw Self.nothingLeft }
            if stages.contains(.temperature) { candidates.temperature = parameters.temperature }
            // p >= 2^-mu, written for logits.
            let bar = Deterministic.logarithm(candidates.weigh()) - mu * Deterministic.ln2
            return candidates.keep(scaledAtLeast: bar, minKeep: 1)
        }
        let first = stages.first { isActive($0) && ![.logitBias, .penalties, .dry].contains($0) }
        if first == .topK {
            candidates.fillTop(max(parameters.topK, parameters.minKeep), from: logits)
        } else {
            candidates.fill(from: logits)
        }
        guard candidates.count > 0 else { throw Self.nothingLeft }
        for stage in stages where isActive(stage) { run(stage) }
    }

    private func isActive(_ stage: SamplingParameters.Stage) -> Bool {
        switch stage {
        case .logitBias, .penalties, .dry, .temperature: true
        case .topNSigma: parameters.topNSigma > 0
        case .topK: parameters.topK > 0
        case .typical: parameters.typicalP < 1
        case .topP: parameters.topP < 1
        case .minP: parameters.minP > 0
        case .xtc: parameters.xtc.probability > 0 && parameters.xtc.threshold <= 0.5
        }
    }

    private mutating func run(_ stage: SamplingParameters.Stage) {
        let minKeep = parameters.minKeep
        switch stage {
        case .logitBias, .penalties, .dry: return
        case .topNSigma: keepWithinDeviations()
        case .topK:
            candidates.sort()
            candidates.keepFirst(max(parameters.topK, minKeep))
        case .typical: keepTypical()
        case .topP: candidates.keepShare(parameters.topP, minKeep: minKeep)
        case .minP: candidates.keep(scaledAtLeast: Deterministic.logarithm(parameters.minP), minKeep: minKeep)
        case .xtc: excludeTopChoices()
        case .temperature: candidates.temperature = parameters.temperature
        }
    }

    /// Keeps logits of at least the highest less n standard deviations (Tang et al. 2024).
    private mutating func keepWithinDeviations() {
        let count = Double(candidates.count)
        var sum = 0.0
        for index in 0..<candidates.count { sum += Double(candidates.items[index].logit) }
        let mean = sum / count
        var squares = 0.0
        for index in 0..<candidates.count {
            let distance = Double(candidates.items[index].logit) - mean
            squares += distance * distance
        }
        let deviation = (squares / count).squareRoot()
        candidates.keep(
            scaledAtLeast: -parameters.topNSigma * deviation / candidates.temperature, minKeep: parameters.minKeep)
    }

    /// Locally typical sampling (Meister et al. 2022).
    private mutating func keepTypical() {
        candidates.sort()
        let sum = candidates.weigh()
        guard let top = candidates.best else { return }
        let logSum = Deterministic.logarithm(sum)
        var entropy = 0.0
        for index in 0..<candidates.count {
            let weight = candidates.items[index].weight
            guard weight > 0 else { continue }
            entropy -= weight / sum * (candidates.scaled(candidates.items[index].logit, below: top) - logSum)
        }
        for index in 0..<candidates.count {
            let surprise = logSum - candidates.scaled(candidates.items[index].logit, below: top)
            candidates.setWeight(index, abs(surprise - entropy))
        }
        candidates.sort(.weight)
        var share = 0.0
        var kept = 0
        while kept < candidates.count {
            share += Deterministic.exponential(candidates.scaled(candidates.items[kept].logit, below: top)) / sum
            kept += 1
            if share > parameters.typicalP, kept >= parameters.minKeep { break }
        }
        candidates.keepFirst(kept)
        candidates.sort()
    }

    private mutating func excludeTopChoices() {
        guard candidates.count > 1 else { return }
        // Its own stream: the numbers of the final draw do not depend on whether this stage runs.
        guard generator.uniform(at: step, stream: 1) < parameters.xtc.probability else { return }
        candidates.sort()
        let sum = candidates.weigh()
        var likely = 0
        while likely < candidates.count, candidates.items[likely].weight / sum >= parameters.xtc.threshold {
            likely += 1
        }
        guard likely > 1, candidates.count - (likely - 1) >= parameters.minKeep else { return }
        candidates.dropFirst(likely - 1)
    }

    private mutating func draw() -> Int32 {
        let sum = candidates.weigh()
        let goal = generator.uniform(at: step) * sum
        var (reached, chosen) = (0.0, 0)
        for index in 0..<candidates.count where candidates.items[index].weight > 0 {
            chosen = index
            reached += candidates.items[index].weight
            if reached > goal { break }
        }
        if let mirostat = parameters.mirostat {
            let surprise = -Deterministic.logarithm(candidates.items[chosen].weight / sum) / Deterministic.ln2
            mu -= mirostat.eta * (surprise - mirostat.tau)
        }
        return candidates.items[chosen].id
    }

    private static let nothingLeft = SamplingError(.noCandidate, "no token is left to choose from")
}
