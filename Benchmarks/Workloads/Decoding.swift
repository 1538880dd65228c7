import EdgeQuant

extension Workload {
    /// Decoding a million weights of each block format to f32, on one thread.
    static func decoding() -> [Workload] {
        let types: [GGMLType] = [
            .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS, .tq1_0,
            .tq2_0, .mxfp4,
        ]
        let count = 1 << 20
        let values: [Float] = (0..<count).map { Float(($0 &* 7919) % 2001 - 1000) / 1000 }
        return types.compactMap { type -> Workload? in
            guard let bytes = try? type.encode(values) else { return nil }
            return Workload("decode 1 Mi weights \(type.name)") { (try? type.decode(bytes))?.count ?? 0 }
        }
    }
}
