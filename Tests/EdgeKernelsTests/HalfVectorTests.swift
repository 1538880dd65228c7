import EdgeKernels
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Testing

@Suite("Keys and values as halves")
struct HalfVectorTests {
    @Test("What is stored is the nearest half, on every instruction set", arguments: [1, 7, 8, 40, 64])
    func stored(headSize: Int) throws {
        let positions = 70
        var random = SplitMix(seed: UInt64(headSize))
        let input = try Rows(rowCount: positions, columnCount: headSize)
        let special: [Float] = [
            0, -0, 65504, 65519.99, 65520, -65520, .infinity, 6e-8, 2.9e-8, 3e-8, 6.1e-5, -6.097e-5, 1e-30, 1.00049,
            1.000489,
        ]
        for t in 0..<positions {
            for c in 0..<headSize {
                let magnitude = Float.random(in: -30...20, using: &random)
                input[t, c] = special.randomElement(using: &random) ?? 0
                if c % 3 > 0 {
                    input[t, c] = Float(
                        sign: c % 2 == 0 ? .plus : .minus, exponent: Int(magnitude),
                        significand: Float.random(in: 1...2, using: &random))
                }
            }
        }
        for kernels in Kernels.available {
            let layer = try KeyValueLayer(kvHeadCount: 1, headSize: headSize, capacity: positions, precision: .f16)
            let exact = try KeyValueLayer(kvHeadCount: 1, headSize: headSize, capacity: positions, precision: .f32)
            let rounded = try Rows(rowCount: positions, columnCount: headSize)
            for t in 0..<positions {
                for c in 0..<headSize { rounded[t, c] = Half.decode(Half.encode(input[t, c])) }
                layer.store(
                    position: t, head: 0, key: input, value: input, row: t, keyColumn: 0, valueColumn: 0,
                    kernels: kernels)
                exact.store(position: t, head: 0, key: rounded, value: rounded, row: t, keyColumn: 0, valueColumn: 0)
            }
            #expect(layer.copy(.keys) == exact.copy(.keys), "\(kernels.name)")
            #expect(layer.copy(.values) == exact.copy(.values), "\(kernels.name)")
        }
    }
}
