import EdgeSampling

// Spans made inside expression macros and closures crash the 6.3 compiler; these make them in plain functions.
extension Sampler {
    mutating func sample(_ logits: [Float]) throws(SamplingError) -> Int32 {
        let span = logits.span
        return try sample(span)
    }

    mutating func sample(_ logits: [Float], allowed: [UInt64]) throws(SamplingError) -> Int32 {
        let span = logits.span
        let words = allowed.span
        return try sample(span, allowed: words)
    }

    mutating func probabilities(_ logits: [Float]) throws(SamplingError) -> [TokenProbability] {
        let span = logits.span
        return try probabilities(span)
    }
}
