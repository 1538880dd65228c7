import EdgeKernels
import EdgeTestSupport
import Foundation
import Testing

@Suite("Activations and norms")
struct ActivationTests {
    /// Values of every size, and where functions bend.
    private func values(_ count: Int) -> [Float] {
        var random = SplitMix(seed: UInt64(count))
        let special: [Float] = [0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6, 0.5, -0.5, 3, -3, 10, -10, 40, -40, 1e4, -1e4]
        return (0..<count).map { $0 < special.count ? special[$0] : Float.random(in: -6...6, using: &random) }
    }

    private func row(_ values: [Float]) throws -> Rows {
        let rows = try Rows(rowCount: 1, columnCount: values.count)
        for (i, value) in values.enumerated() { rows[0, i] = value }
        return rows
    }

    @Test(
        "Activations are near their formulas in double precision, and the same bits in any cut",
        arguments: [1, 16, 40, 137])
    func activations(count: Int) throws {
        let inputs = values(count)
        for activation in [Activation.silu, .gelu] {
            let rows = try row(inputs)
            let ups = try row(inputs.map { $0 + 2 })
            rows.activate(activation, row: 0, columns: 0..<count)
            let gated = try row(inputs)
            for start in stride(from: 0, to: count, by: 7) {
                gated.activate(activation, row: 0, columns: start..<min(count, start + 7), times: ups)
            }
            for (i, input) in inputs.enumerated() {
                let x = Double(input)
                let inner = 0.7978845608028654 * x * (1 + 0.044715 * x * x)
                let exact = activation == .silu ? x / (1 + exp(-x)) : x / (1 + exp(-2 * inner))
                // e^y carries the rounding of y, up to 88 in size, besides its own few units.
                #expect(abs(Double(rows[0, i]) - exact) <= 100 * 0x1p-23 * abs(exact) + 1e-37)
                #expect(gated[0, i] == rows[0, i] * ups[0, i])
            }
        }
    }

    @Test("Soft caps bound, and keep what is small")
    func softCap() throws {
        let inputs = values(75)
        let rows = try row(inputs)
        rows.softCap(3, row: 0, columns: 0..<50)
        rows.softCap(3, row: 0, columns: 50..<75)
        for (i, input) in inputs.enumerated() {
            // 1 - 2 / (e^y + 1) is off by a unit or so of 1, whatever the result.
            #expect(abs(Double(rows[0, i]) - 3 * tanh(Double(input) / 3)) <= 3 * 4 * 0x1p-23)
        }
    }

    @Test("Layer norms have mean 0 and variance 1 before weight and bias", arguments: [1, 15, 16, 48, 100])
    func layerNorm(count: Int) throws {
        var random = SplitMix(seed: 7)
        let inputs = (0..<count).map { _ in Float.random(in: 2...5, using: &random) }
        let weights = (0..<count).map { _ in Float.random(in: 0.5...2, using: &random) }
        let biases = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
        let mean = inputs.reduce(0.0) { $0 + Double($1) } / Double(count)
        let variance = inputs.reduce(0.0) { $0 + pow(Double($1) - mean, 2) } / Double(count)
        for bias in [nil, biases] {
            let rows = try row(inputs)
            try rows.layerNorm(
                row: 0, weight: Vector(weights), bias: bias.map { try Vector($0) }, epsilon: 1e-5, into: rows)
            for i in 0..<count {
                let exact =
                    (Double(inputs[i]) - mean) / (variance + 1e-5).squareRoot() * Double(weights[i])
                    + Double(bias?[i] ?? 0)
                // The mean is off by a few units of 5; one over the deviation, up to 317 for a single value, enlarges it.
                let deviation = (variance + 1e-5).squareRoot()
                #expect(abs(Double(rows[0, i]) - exact) <= 16 * 0x1p-23 * (5 / deviation + 4))
            }
        }
        let zeros = try row(Array(repeating: 0, count: count))
        zeros.normalize(row: 0)
        let areZero = zeros.copy(row: 0).allSatisfy { $0 == 0 }
        #expect(areZero)
    }

    @Test("Two terms of int8 hold an activation 254 times finer than one")
    func twoTerms() throws {
        var random = SplitMix(seed: 3)
        let inputs = (0..<512).map { _ in Float.random(in: -1...1, using: &random) }
        let rows = try row(inputs)
        let one = try QuantizedRows(rowCount: 1, columnCount: 512, blocks: [.of32, .of256])
        let two = try QuantizedRows(rowCount: 1, columnCount: 512, blocks: [.of32, .of256], hasTwoTerms: true)
        for blocks in [ActivationBlocks.of32, .of256] {
            one.quantize(rows, row: 0, blocks: blocks)
            two.quantize(rows, row: 0, blocks: blocks)
            #expect(one.codes(row: 0, blocks: blocks).codes == two.codes(row: 0, blocks: blocks).codes)
            let scales = one.codes(row: 0, blocks: blocks).scales
            // Half of a scale over 127 at most is left after the first term.
            let finer = try #require(two.secondTerm).codes(row: 0, blocks: blocks).scales
            for (scale, fine) in zip(scales, finer) { #expect(fine <= scale / 253) }
        }
    }
}
