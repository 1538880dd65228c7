/// How a token is chosen. The defaults are llama.cpp's.
package struct SamplingParameters: Sendable, Equatable {
    /// One step of the chain.
    package enum Stage: String, Sendable, CaseIterable, Codable {
        case logitBias, penalties, dry, topNSigma, topK, typical, topP, minP, xtc, temperature
    }

    /// "Don't repeat yourself": a penalty that grows with the length of the repetition a token would continue.
    package struct Dry: Sendable, Equatable {
        /// The strength; 0 is off.
        package var multiplier: Double = 0
        /// The growth for each token beyond the allowed length.
        package var base: Double = 1.75
        /// Repetitions shorter than this are free.
        package var allowedLength: Int = 2
        /// Tokens looked back upon; -1 is all of them, 0 is off.
        package var window: Int = -1
        /// Token sequences that no repetition reaches across. See `DryBreakers`.
        package var breakers: [[Int32]] = []

        /// Off.
        package init() {}
    }

    /// "Exclude top choices": now and then drops every likely token but the least likely of them.
    package struct XTC: Sendable, Equatable {
        /// How often; 0 is off.
        package var probability: Double = 0
        /// What counts as likely; above 0.5 is off.
        package var threshold: Double = 0.1

        /// Off.
        package init() {}
    }

    /// Mirostat 2.0 (Basu et al. 2021): truncates so that the surprise of the text stays near a target.
    package struct Mirostat: Sendable, Equatable {
        /// The target surprise in bits.
        package var tau: Double
        /// The learning rate.
        package var eta: Double

        /// The paper's defaults.
        package init(tau: Double = 5, eta: Double = 0.1) {
            self.tau = tau
            self.eta = eta
        }
    }

    /// Divides the logits; 0 chooses the likeliest token.
    package var temperature: Double = 0.8
    /// Keeps this many tokens; 0 keeps all.
    package var topK: Int = 40
    /// Keeps the likeliest tokens that together reach this probability; 1 is off.
    package var topP: Double = 0.95
    /// Keeps tokens at least this likely compared with the likeliest; 0 is off.
    package var minP: Double = 0.05
    /// Keeps the tokens of most typical surprise that together exceed this probability; 1 is off.
    package var typicalP: Double = 1
    /// Keeps logits within this many standard deviations of the highest; 0 or less is off.
    package var topNSigma: Double = -1
    /// Divides (negative: multiplies) the logits of recent tokens; 1 is off.
    package var repetitionPenalty: Double = 1
    /// Taken from the logit for each recent occurrence.
    package var frequencyPenalty: Double = 0
    /// Taken from the logit of each token that occurred recently.
    package var presencePenalty: Double = 0
    /// Tokens that count as recent; -1 is all of them, 0 is off.
    package var penaltyWindow: Int = 64
    /// See `Dry`.
    package var dry = Dry()
    /// See `XTC`.
    package var xtc = XTC()
    /// Replaces the truncating stages where set.
    package var mirostat: Mirostat?
    /// Added to the logits of these tokens; minus infinity bans one. Distinct ids, so their order cannot matter.
    package var logitBias: [Int32: Float] = [:]
    /// Truncating stages leave at least this many tokens where there are as many.
    package var minKeep: Int = 1
    /// The seed of the draws.
    package var seed: UInt64 = 0
    /// The chain. A stage that is missing does not run; the first three come before all others.
    package var order: [Stage] = defaultOrder

    /// llama.cpp's order.
    package static let defaultOrder: [Stage] = [
        .logitBias, .penalties, .dry, .topNSigma, .topK, .typical, .topP, .minP, .xtc, .temperature,
    ]

    /// The defaults.
    package init() {}

    /// Always the likeliest token.
    package static var greedy: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        return parameters
    }

    /// Checks every parameter against its range.
    ///
    /// - Throws: `SamplingError` with code `parameter`, naming the parameter, its value and its range.
    package func validate() throws(SamplingError) {
        try check("temperature", temperature, 0, .greatestFiniteMagnitude)
        try check("topK", topK, 0, Int(Int32.max))
        try check("topP", topP, 0, 1)
        try check("minP", minP, 0, 1)
        try check("typicalP", typicalP, 0, 1)
        try check("topNSigma", topNSigma, -1e6, 1e6)
        guard repetitionPenalty > 0 else {
            throw outside("repetitionPenalty", "\(repetitionPenalty)", "above 0 to 1e6")
        }
        try check("repetitionPenalty", repetitionPenalty, 0, 1e6)
        try check("frequencyPenalty", frequencyPenalty, -1e6, 1e6)
        try check("presencePenalty", presencePenalty, -1e6, 1e6)
        try check("penaltyWindow", penaltyWindow, -1, Int(Int32.max))
        try check("dry.multiplier", dry.multiplier, 0, 1e6)
        try check("dry.base", dry.base, 1, 1e6)
        try check("dry.allowedLength", dry.allowedLength, 1, Int(Int32.max))
        try check("dry.window", dry.window, -1, Int(Int32.max))
        try check("xtc.probability", xtc.probability, 0, 1)
        try check("xtc.threshold", xtc.threshold, 0, 1)
        if let mirostat {
            try check("mirostat.tau", mirostat.tau, 0, 1e6)
            try check("mirostat.eta", mirostat.eta, 0, 1e6)
        }
        try check("minKeep", minKeep, 1, Int(Int32.max))
        for (id, bias) in logitBias.sorted(by: { $0.key < $1.key }) where !(bias < .infinity) {
            throw outside("logitBias[\(id)]", "\(bias)", "any number below infinity")
        }
        if Set(order).count != order.count {
            throw outside("order", "\(order.map(\.rawValue))", "each stage at most once")
        }
        let editing: Set<Stage> = [.logitBias, .penalties, .dry]
        if let first = order.firstIndex(where: { !editing.contains($0) }),
            order[first...].contains(where: editing.contains)
        {
            throw outside("order", "\(order.map(\.rawValue))", "logitBias, penalties and dry before all others")
        }
    }

    private func check<T: Comparable>(_ name: String, _ value: T, _ low: T, _ high: T) throws(SamplingError) {
        // Written so that NaN fails.
        guard value >= low, value <= high else { throw outside(name, "\(value)", "\(low) to \(high)") }
    }

    private func outside(_ name: String, _ value: String, _ range: String) -> SamplingError {
        SamplingError(.parameter, "sampling parameter \(name) is \(value); its range is \(range)")
    }
}
