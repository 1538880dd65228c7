internal import EdgeGGUF
package import EdgeKernels
internal import EdgeMath

/// Rotary position embedding as a file describes it: base, scaling beyond the trained context, and how wide it acts.
package struct RotaryScaling: Sendable {
    package enum Method: Sendable, Equatable {
        case none
        /// Positions divided by the factor (Chen et al. 2023).
        case linear
        /// Low frequencies divided, high ones kept, a ramp between them (Peng et al. 2023, "YaRN").
        case yarn(betaFast: Double, betaSlow: Double)
    }

    /// Components of a head that turn: `rope.dimension_count`. Even; 0 for none.
    package var dimensionCount: Int
    /// `rope.freq_base`.
    package var base: Float
    package var method: Method
    /// `rope.scaling.factor`; 1 for none.
    package var factor: Float
    /// Factor of sine and cosine.
    package var magnitude: Float
    /// Positions of the training before any scaling: `rope.scaling.original_context_length`.
    package var originalContext: Int

    /// - Parameter readsDetails: whether the ramp's borders and the logarithm's factor are read; else they are YaRN's own.
    init(
        _ metadata: MetadataReader, prefix: String, headSize: Int, contextLength: Int, readsDetails: Bool
    ) throws(ModelError) {
        let dimensionKey = prefix + "rope.dimension_count"
        dimensionCount = try metadata.optionalInt(dimensionKey, in: 0...headSize) ?? headSize
        guard dimensionCount % 2 == 0 else {
            throw ModelError(.invalidMetadata, "\(dimensionCount) components cannot turn in pairs", key: dimensionKey)
        }
        base = try metadata.optionalFloat(prefix + "rope.freq_base") ?? 10_000
        guard base > 0 else {
            throw ModelError(.invalidMetadata, "frequency base \(base) is not positive", key: prefix + "rope.freq_base")
        }
        let scaling = prefix + "rope.scaling."
        var stated = try metadata.optionalFloat(scaling + "factor")
        if stated == nil { stated = try metadata.optionalFloat(prefix + "rope.scale_linear") }
        // A factor of 0 stands for none in files.
        factor = stated == 0 ? 1 : stated ?? 1
        guard factor > 0 else {
            throw ModelError(.invalidMetadata, "scaling factor \(factor) is not positive", key: scaling + "factor")
        }
        magnitude = try metadata.optionalFloat(scaling + "attn_factor") ?? 1
        originalContext =
            try metadata.optionalInt(scaling + "original_context_length", in: 1...Int(UInt32.max))
            ?? max(1, contextLength)
        let type = try metadata.optionalString(scaling + "type") ?? "linear"
        switch type {
        case "none":
            method = .none
            factor = 1
        // The factors of "longrope" are tensors (Ding et al. 2024).
        case "linear", "longrope":
            method = factor == 1 ? .none : .linear
        case "yarn":
            let fast = readsDetails ? try metadata.optionalFloat(scaling + "yarn_beta_fast") : nil
            let slow = readsDetails ? try metadata.optionalFloat(scaling + "yarn_beta_slow") : nil
            guard fast ?? 1 > 0, slow ?? 1 > 0 else {
                throw ModelError(.invalidMetadata, "turns must be positive", key: scaling + "yarn_beta_fast")
            }
            method = .yarn(betaFast: Double(fast ?? 32), betaSlow: Double(slow ?? 1))
            let multiplier = readsDetails ? try metadata.optionalFloat(scaling + "yarn_log_multiplier") ?? 0 : 0
            if factor > 1 {
                let logarithm = 0.1 * Deterministic.logarithm(Double(factor))
                magnitude *= Float((logarithm + 1) / (Double(multiplier) * logarithm + 1))
            }
        default:
            throw ModelError(
                .invalidMetadata, "rotary scaling '\(type)' is not supported; none, linear, longrope and yarn are",
                key: scaling + "type")
        }
    }

    /// The same without scaling, and with another base where one is given.
    func unscaled(base other: Float?) -> RotaryScaling {
        var result = self
        result.base = other ?? base
        result.method = .none
        result.factor = 1
        result.magnitude = 1
        return result
    }

    /// Radians that each of the `dimensionCount / 2` pairs turns from one position to the next.
    ///
    /// - Parameter factors: divisors of the frequencies, if the file has any.
    package func frequencies(dividedBy factors: Vector?) -> [Double] {
        let pairs = dimensionCount / 2
        let logBase = Deterministic.logarithm(Double(base))
        return (0..<pairs).map { i in
            var frequency = Deterministic.exponential(-2 * Double(i) / Double(dimensionCount) * logBase)
            if let factors { frequency /= Double(factors[i]) }
            let divided = frequency / Double(factor)
            switch method {
            case .none: return frequency
            case .linear: return divided
            case .yarn(let betaFast, let betaSlow):
                // The pair that makes beta turns within the original context, as a fraction of the pairs.
                func pair(turns beta: Double) -> Double {
                    let ratio = Double(originalContext) / (beta * 2 * Double.pi)
                    return Double(dimensionCount) * Deterministic.logarithm(ratio) / (2 * logBase)
                }
                let low = max(0, pair(turns: betaFast).rounded(.down))
                let high = min(Double(dimensionCount - 1), pair(turns: betaSlow).rounded(.up))
                let ramp = min(1, max(0, (Double(i) - low) / max(0.001, high - low)))
                return divided * ramp + frequency * (1 - ramp)
            }
        }
    }
}
