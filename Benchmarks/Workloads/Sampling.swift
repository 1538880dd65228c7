import EdgeSampling
import Synchronization

extension Workload {
    /// Choosing a token of 131,072, by chain.
    static func sampling() -> [Workload] {
        let count = 131_072
        // Logits of a peaked shape like a model's: fixed, no generator needed.
        let logits: [Float] = (0..<count).map { (id: Int) -> Float in
            let mixed = (id &* 7919) % 1000
            return Float(mixed) / 80 - Float(id % 17)
        }
        let chains: [(String, @Sendable (inout SamplingParameters) -> Void)] = [
            ("greedy", { $0 = .greedy }), ("default chain", { _ in }),
            (
                "top-p alone",
                {
                    $0.topK = 0
                    $0.minP = 0
                }
            ), ("mirostat", { $0.mirostat = .init() }),
        ]
        return chains.compactMap { (name, change) -> Workload? in
            var parameters = SamplingParameters()
            change(&parameters)
            guard let sampler = try? Sampler(parameters, vocabularySize: count) else { return nil }
            let box = Mutex(sampler)
            return Workload("sampling of 131072: \(name)") {
                box.withLock { Int((try? $0.sample(logits.span)) ?? 0) }
            }
        }
    }
}
