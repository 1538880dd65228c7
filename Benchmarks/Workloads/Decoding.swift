import EdgeQuant

extension Workload {
    /// Decoding a million weights of each block format to f32, on one thread.
    static func decoding() -> [Workload] {
        let types: [GGMLType] = [
            .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS, .tq1_0,
            .tq2_0, .mxfp4,
        ]
        let count = 1 << 20
        return types.map { type in
            Workload(
                "decode 1 Mi weights \(type.name)", amount: .bytes(count / type.blockLength * type.blockByteCount),
                hasYardstick: false
            ) {
                let bytes = try type.encode((0..<count).map { Float(($0 &* 7919) % 2001 - 1000) / 1000 })
                return Prepared { (try? type.decode(bytes))?.count ?? 0 }
            }
        }
    }
}
