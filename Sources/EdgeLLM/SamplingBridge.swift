internal import EdgeSampling
internal import EdgeTokenizer

extension GenerationOptions {
    /// The seed that was given, by either way.
    var seed: UInt64? { samplingMode?.seed ?? local.seed }

    /// The options as the sampler wants them.
    ///
    /// - Throws: `SamplingError` naming the option and its range.
    func parameters(seed: UInt64, tokenizer: Tokenizer) throws(SamplingError) -> SamplingParameters {
        var result = SamplingParameters()
        result.seed = seed
        result.temperature = Float(temperature ?? 0.8)
        result.topK = local.topK ?? 40
        result.topP = Float(local.topP ?? 0.95)
        result.minP = Float(local.minP ?? 0.05)
        switch samplingMode?.kind {
        case .greedy: result.temperature = 0
        case .top(let k):
            guard k >= 1 else { throw SamplingError(parameter: "top", value: "\(k)", range: "1 or more") }
            result.topK = k
            result.topP = Float(local.topP ?? 1)
            result.minP = Float(local.minP ?? 0)
        case .nucleus(let threshold):
            result.topK = local.topK ?? 0
            result.topP = Float(threshold)
            result.minP = Float(local.minP ?? 0)
        case nil: break
        }
        result.typicalP = Float(local.typicalP)
        result.repetitionPenalty = Float(local.repetitionPenalty)
        result.frequencyPenalty = Float(local.frequencyPenalty)
        result.presencePenalty = Float(local.presencePenalty)
        result.penaltyWindow = local.penaltyWindow
        result.dry.multiplier = Float(local.dryMultiplier)
        result.dry.base = Float(local.dryBase)
        result.dry.allowedLength = local.dryAllowedLength
        result.dry.window = local.dryWindow
        if local.dryMultiplier != 0 {
            result.dry.breakers = local.dryBreakers.filter { !$0.isEmpty }.map {
                tokenizer.encode($0, addSpecial: false, parseSpecial: false)
            }
        }
        result.xtc.probability = Float(local.xtcProbability)
        result.xtc.threshold = Float(local.xtcThreshold)
        if let mirostat = local.mirostat {
            result.mirostat = MirostatParameters(tau: Float(mirostat.tau), eta: Float(mirostat.eta))
        }
        for (id, bias) in local.logitBias {
            guard let id = Int32(exactly: id) else {
                throw SamplingError(parameter: "logitBias", value: "\(id)", range: "a token id")
            }
            result.logitBias[id] = Float(bias)
        }
        return result
    }
}
