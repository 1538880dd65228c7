internal import EdgeMath

/// Rotary embedding as config.json states it, by the names of any version of transformers: `rope_theta` and `rope_scaling`, or
/// `rope_parameters`, which may be one for each kind of layer.
struct Rotary {
    var base: Float
    /// Of layers with a window, where it differs.
    var windowedBase: Float?
    /// `rope_type`: nil for none.
    var method: String?
    /// The settings of the method.
    var scaling: Settings
    /// The part of a head that turns.
    var partial: Double

    init(_ config: Settings) throws(ConversionError) {
        let parameters = try config.optionalObject("rope_parameters")
        let full = try parameters?.optionalObject("full_attention")
        let windowed = try parameters?.optionalObject("sliding_attention")
        let stated: Settings?
        if let full {
            stated = full
        } else if let parameters {
            stated = parameters
        } else {
            stated = try config.optionalObject("rope_scaling")
        }
        scaling = stated ?? config
        var base = try stated?.optionalFloat("rope_theta")
        if base == nil { base = try config.optionalFloat("rope_theta") }
        self.base = base ?? 10_000
        windowedBase = try windowed?.optionalFloat("rope_theta")
        if windowedBase == nil { windowedBase = try config.optionalFloat("rope_local_base_freq") }
        if let other = try windowed?.optionalString("rope_type"), other != "default" {
            throw ConversionError(
                .unsupportedArchitecture, "scaling '\(other)' of layers with a window is not supported",
                path: config.path, key: "rope_parameters.sliding_attention.rope_type")
        }
        var method = try stated?.optionalString("rope_type")
        if method == nil { method = try stated?.optionalString("type") }
        self.method = method == "default" ? nil : method
        var partial = try stated?.optionalDouble("partial_rotary_factor")
        if partial == nil { partial = try config.optionalDouble("partial_rotary_factor") }
        // StableLM's first name for it.
        if partial == nil { partial = try config.optionalDouble("rope_pct") }
        self.partial = partial ?? 1
        guard self.base > 0, windowedBase ?? 1 > 0, self.partial > 0, self.partial <= 1 else {
            throw ConversionError(
                .invalidMetadata, "base and part of rotary embedding must be positive, the part at most 1",
                path: config.path)
        }
    }

    /// Components of a head that turn.
    func dimensionCount(headSize: Int) -> Int { Int(Double(headSize) * partial) }

    /// Writes base and scaling, and the tensors of factors.
    ///
    /// - Throws: `unsupportedArchitecture` for a method that cannot be run.
    func write(to plan: inout ModelPlan, _ config: Settings, headSize: Int, contextLength: Int) throws(ConversionError)
    {
        let count = dimensionCount(headSize: headSize)
        plan.set("rope.dimension_count", count)
        plan.set("rope.freq_base", base)
        switch method {
        case nil: break
        case "linear":
            plan.set("rope.scaling.type", "linear")
            plan.set("rope.scaling.factor", try scaling.float("factor"))
        case "yarn": try writeYarn(to: &plan, contextLength: contextLength)
        case "llama3":
            let factors = try llama3Factors(count: count)
            try plan.collector.values("rope_freqs.weight", factors)
        case "longrope", "su": try writeLong(to: &plan, config, count: count, contextLength: contextLength)
        case let other?:
            throw ConversionError(
                .unsupportedArchitecture,
                "rotary scaling '\(other)' is not supported; linear, yarn, llama3 and longrope are", path: scaling.path,
                key: "rope_scaling")
        }
    }

    private func writeYarn(to plan: inout ModelPlan, contextLength: Int) throws(ConversionError) {
        let factor = try scaling.float("factor")
        let original =
            try scaling.optionalInt("original_max_position_embeddings", in: 1...Int(UInt32.max)) ?? contextLength
        let fast = try scaling.optionalDouble("beta_fast") ?? 32
        let slow = try scaling.optionalDouble("beta_slow") ?? 1
        guard fast == 32, slow == 1, try scaling.optionalBool("truncate") ?? true else {
            throw ConversionError(
                .unsupportedArchitecture, "YaRN's ramp can only be its standard one", path: scaling.path,
                key: "rope_scaling")
        }
        plan.set("rope.scaling.type", "yarn")
        plan.set("rope.scaling.factor", factor)
        plan.set("rope.scaling.original_context_length", original)
        func magnitude(_ scale: Double) -> Double {
            factor <= 1 ? 1 : 0.1 * scale * Deterministic.logarithm(Double(factor)) + 1
        }
        var stated = try scaling.optionalDouble("attention_factor")
        if stated == nil, let scale = try scaling.optionalDouble("mscale"),
            let all = try scaling.optionalDouble("mscale_all_dim"), scale != 0, all != 0
        {
            stated = magnitude(scale) / magnitude(all)
        }
        // Readers of the file multiply by YaRN's own magnitude.
        if let stated { plan.set("rope.scaling.attn_factor", Float(stated / magnitude(1))) }
    }

    /// The divisors of the frequencies of Llama 3.1: none for fast turns, `factor` for slow ones, between them a blend.
    private func llama3Factors(count: Int) throws(ConversionError) -> [Float] {
        let factor = Double(try scaling.float("factor"))
        let low = Double(try scaling.float("low_freq_factor"))
        let high = Double(try scaling.float("high_freq_factor"))
        let original = Double(try scaling.int("original_max_position_embeddings", in: 1...Int(UInt32.max)))
        guard factor > 0, low > 0, high > low else {
            throw scaling.invalid("factor", "and those of low and high frequencies contradict each other")
        }
        let logBase = Deterministic.logarithm(Double(base))
        return (0..<count / 2).map { pair in
            let frequency = Deterministic.exponential(-2 * Double(pair) / Double(count) * logBase)
            let length = 2 * Double.pi / frequency
            if length < original / high { return 1 }
            if length > original / low { return Float(factor) }
            let smooth = (original / length - low) / (high - low)
            return Float(1 / ((1 - smooth) / factor + smooth))
        }
    }

    private func writeLong(
        to plan: inout ModelPlan, _ config: Settings, count: Int, contextLength: Int
    ) throws(ConversionError) {
        var original = try scaling.optionalInt("original_max_position_embeddings", in: 1...Int(UInt32.max))
        if original == nil {
            original = try config.optionalInt("original_max_position_embeddings", in: 1...Int(UInt32.max))
        }
        guard let original else { throw config.missing("original_max_position_embeddings") }
        for (name, key) in [("long", "long_factor"), ("short", "short_factor")] {
            guard let factors = try scaling.optionalFloats(key) else { throw scaling.missing(key) }
            guard factors.count == count / 2, factors.allSatisfy({ $0 > 0 }) else {
                throw scaling.invalid(key, "is no \(count / 2) positive numbers, but \(factors.count)")
            }
            try plan.collector.values("rope_factors_\(name).weight", factors)
        }
        plan.set("rope.scaling.original_context_length", original)
        let ratio = Double(contextLength) / Double(original)
        var magnitude = try scaling.optionalDouble("attention_factor")
        if magnitude == nil, ratio > 1, original > 1 {
            magnitude = (1 + Deterministic.logarithm(ratio) / Deterministic.logarithm(Double(original))).squareRoot()
        }
        plan.set("rope.scaling.attn_factor", Float(magnitude ?? 1))
    }
}
