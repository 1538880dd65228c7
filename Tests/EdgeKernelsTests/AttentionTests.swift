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
        // What is stored, as floats, is what attention is to.
        let storedKeys = layer.copy(.keys).map { Double(Float(bitPattern: $0)) }
        let storedValues = layer.copy(.values).map { Double(Float(bitPattern: $0)) }
        func key(_ t: Int, _ c: Int) -> Double { storedKeys[(t / 32 * headSize + c) * 32 + t % 32] }
        func value(_ t: Int, _ c: Int) -> Double { storedValues[t * headSize + c] }
        let isCoded = precision == .q8_0 || precision == .q4_0
        for t in 0..<positions {
            for c in 0..<headSize {
                // Half a step of the codes; values reach 2, and a block's largest is no larger.
                let bound: Double = [CachePrecision.q8_0: 1.01 / 127, .q4_0: 2.02 / 8][precision] ?? 0
                #expect(
                    abs(key(t, c) - Double(keys[t, c])) <= bound && abs(value(t, c) - Double(values[t, c])) <= bound)
            }
        }
        for t in [0, 31, 32, 74] {
            for member in 0..<group {
                var total = 0.0
                var exact = [Double](repeating: 0, count: headSize)
                let query = (0..<headSize).map { queries[t, member * headSize + $0] }
                for j in 0...t {
                    var score = 0.0
                    for c in 0..<headSize { score += Double(query[c]) * key(j, c) }
                    let weight = exp(score * Double(shape.scale))
                    total += weight
                    for c in 0..<headSize { exact[c] += weight * value(j, c) }
                }
                for c in 0..<headSize {
                    // Scores are a few units of rounding off (headSize / 16 + 5 sums of at most 2 * headSize in size), so
                    // are the weights; values reach 2. Of codes, weights are rounded to a 32767th of a block's largest, and
                    // queries, up to 1, to a 127 * 254th: a score is off by the root of headSize times that, times 2 at most.
                    let bound =
                        2 * Double(headSize) * Double(headSize / 16 + 20) * 0x1p-23
                        + (isCoded ? 2.0 * 32 / 65_534 + 4 * 2 * Double(headSize).squareRoot() / (127 * 254) : 0)
                    #expect(abs(Double(first[t][member * headSize + c]) - exact[c] / total) <= bound)
                }
            }
        }
    }

    @Test(
        "What is not finite shows in the output, whatever the precision, and nowhere else",
        arguments: CachePrecision.allCases)
    func notFinite(precision: CachePrecision) throws {
        let layer = try KeyValueLayer(kvHeadCount: 1, headSize: 40, capacity: 64, precision: precision)
        let shape = AttentionShape(groupSize: 1, headSize: 40, scale: 0.2)
        let scratch = try Rows(rowCount: 1, columnCount: shape.scratchCount(tokenCount: 1))
        let rows = try Rows(rowCount: 1, columnCount: 40)
        let output = try Rows(rowCount: 1, columnCount: 40)
        func attend(_ position: Int) -> Bool {
            layer.attend(
                head: 0, queries: rows, output: output, tokens: 0..<1, firstPosition: position, shape: shape,
                scratch: scratch, worker: 0)
            return output.copy(row: 0).allSatisfy(\.isFinite)
        }
        for position in 0..<40 {
            for c in 0..<40 { rows[0, c] = position == 35 ? .nan : Float(c % 7) - 3 }
            layer.store(position: position, head: 0, key: rows, value: rows, row: 0, keyColumn: 0, valueColumn: 0)
        }
        // The last row stored is the query; position 35 is seen from there on.
        #expect(attend(34))
        #expect(!attend(35) && !attend(39))
    }
}
