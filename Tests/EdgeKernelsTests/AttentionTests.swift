import EdgeKernels
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@Suite("Attention")
struct AttentionTests {
    @Test(
        "Every instruction set gives the same bits, near a plain softmax, for any head size and cut",
        arguments: [1, 16, 24, 40, 64, 128], CachePrecision.allCases)
    func sets(headSize: Int, precision: CachePrecision) throws {
        let positions = 75
        let group = 2
        var random = SplitMix(seed: UInt64(headSize))
        let layer = try KeyValueLayer(kvHeadCount: 1, headSize: headSize, capacity: positions, precision: precision)
        let queries = try Rows(rowCount: positions, columnCount: group * headSize)
        let keys = try Rows(rowCount: positions, columnCount: headSize)
        let values = try Rows(rowCount: positions, columnCount: headSize)
        for t in 0..<positions {
            for c in 0..<headSize {
                // Halves hold eleven bits; so these are stored exactly whatever the precision.
                keys[t, c] = Float(Int.random(in: -1024...1024, using: &random)) / 512
                values[t, c] = Float(Int.random(in: -1024...1024, using: &random)) / 512
            }
            for c in 0..<group * headSize { queries[t, c] = Float.random(in: -1...1, using: &random) }
            layer.store(position: t, head: 0, key: keys, value: values, row: t, keyColumn: 0, valueColumn: 0)
        }
        let shape = AttentionShape(
            groupSize: group, headSize: headSize, scale: 1 / Float(headSize).squareRoot())
        let scratch = try Rows(rowCount: 1, columnCount: shape.scratchCount(tokenCount: positions))
        var first: [[Float]] = []
        for kernels in Kernels.available {
            for cuts in [[0, 75], [0, 1, 33, 64, 75]] {
                let output = try Rows(rowCount: positions, columnCount: group * headSize)
                for (from, to) in zip(cuts, cuts.dropFirst()) {
                    layer.attend(
                        head: 0, queries: queries, output: output, tokens: from..<to, firstPosition: 0, shape: shape,
                        scratch: scratch, worker: 0, kernels: kernels)
                }
                let rows = (0..<positions).map { output.copy(row: $0) }
                if first.isEmpty { first = rows }
                #expect(rows == first, "\(kernels.name) \(cuts)")
            }
        }
        for t in [0, 31, 32, 74] {
            for member in 0..<group {
                var total = 0.0
                var exact = [Double](repeating: 0, count: headSize)
                for j in 0...t {
                    var score = 0.0
                    for c in 0..<headSize { score += Double(queries[t, member * headSize + c]) * Double(keys[j, c]) }
                    let weight = exp(score * Double(shape.scale))
                    total += weight
                    for c in 0..<headSize { exact[c] += weight * Double(values[j, c]) }
                }
                for c in 0..<headSize {
                    // Scores are a few units of rounding off (headSize / 16 + 5 sums of at most 2 * headSize in size), so
                    // are the weights; values reach 2.
                    let bound = 2 * Double(headSize) * Double(headSize / 16 + 20) * 0x1p-23
                    #expect(abs(Double(first[t][member * headSize + c]) - exact[c] / total) <= bound)
                }
            }
        }
    }
}
