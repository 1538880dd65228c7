internal import EdgeSampling
internal import EdgeTokenizer

extension GenerationOptions {
    /// The seed that was given, by either way.
    package var seed: UInt64? { samplingMode?.seed ?? local.seed }

    /// The options as the sampler wants them.
    ///
    /// - Throws: `LanguageModelError.invalidOptions` naming the option and its range.
    func parameters(seed: UInt64, tokenizer: Tokenizer) throws(LanguageModelError) -> SamplingParameters {
        var result = SamplingParameters()
        result.seed = seed
        result.temperature = temperature ?? 0.8
        result.topK = local.topK ?? 40
        result.topP = local.topP ?? 0.95
        result.minP = local.minP ?? 0.05
        switch samplingMode?.kind {
        case .greedy: result.temperature = 0
        case .top(let k):
            guard k >= 1 else { throw .invalidOptions("random(top: \(k)) keeps no token; give 1 or more") }
            result.topK = k
            result.topP = local.topP ?? 1
            result.minP = local.minP ?? 0
        case .nucleus(let threshold):
            result.topK = local.topK ?? 0
            result.topP = threshold
            result.minP = local.minP ?? 0
        case nil: break
        }
        result.typicalP = local.typicalP
        result.repetitionPenalty = local.repetitionPenalty
        result.frequencyPenalty = local.frequencyPenalty
        result.presencePenalty = local.presencePenalty
        result.penaltyWindow = local.penaltyWindow
        result.dry.multiplier = local.dryMultiplier
        result.dry.base = local.dryBase
        result.dry.allowedLength = local.dryAllowedLength
        result.dry.window = local.dryWindow
        if local.dryMultiplier != 0 {
            result.dry.breakers = tokenizer.dryBreakers(local.dryBreakers)
        }
        result.xtc.probability = local.xtcProbability
        result.xtc.threshold = local.xtcThreshold
        if let mirostat = local.mirostat {
            result.mirostat = SamplingParameters.Mirostat(tau: mirostat.tau, eta: mirostat.eta)
        }
        for (id, bias) in local.logitBias {
            guard let id = Int32(exactly: id) else {
                throw .invalidOptions("logitBias names token \(id), which is no token id")
            }
            result.logitBias[id] = Float(bias)
        }
        return result
    }
}

extension Tokenizer {
    /// The token sequences that spell each of the texts.
    fileprivate func dryBreakers(_ texts: [String]) -> [[Int32]] {
        var spelled: [UInt8] = []
        var ends: [Int] = []
        for id in 0..<count {
            spelled += bytes(of: Int32(id))
            ends.append(spelled.count)
        }
        return texts.flatMap { text in
            DryBreakers.sequences(for: Array(text.utf8), bytes: spelled, ends: ends) { rest in
                encode(bytes: rest, addSpecial: false, parseSpecial: false)
            }
        }
    }
}
