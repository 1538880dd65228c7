import EdgeKernels
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@Suite("Kernels")
struct EdgeKernelsTests {
    @Test(
        "A product agrees with a plain one within rounding, whatever rows and tokens are shared out",
        arguments: [1, 15, 16, 17, 63, 200])
    func product(columns: Int) throws {
        var random = SplitMix(seed: UInt64(columns))
        let rows = 7
        let tokens = 5
        let weights = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &random) }
        let bytes = weights.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
        let matrix = try #require(
            Matrix(type: .f32, rowCount: rows, columnCount: columns, bytes: ByteView(bytes)))
        let x = try Rows(rowCount: tokens, columnCount: columns)
        for t in 0..<tokens {
            for c in 0..<columns { x[t, c] = Float.random(in: -1...1, using: &random) }
        }
        let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
        let whole = try Rows(rowCount: tokens, columnCount: rows)
        matrix.multiply(
            x, tokens: 0..<tokens, rows: 0..<rows, into: whole, outputColumn: 0, scratch: scratch, worker: 0)
        let parts = try Rows(rowCount: tokens, columnCount: rows)
        for r in 0..<rows {
            for t in 0..<tokens {
                matrix.multiply(
                    x, tokens: t..<t + 1, rows: r..<r + 1, into: parts, outputColumn: r, scratch: scratch, worker: 0)
                #expect(parts[t, r].bitPattern == whole[t, r].bitPattern)
                var exact = 0.0
                var size = 0.0
                for c in 0..<columns {
                    let product = Double(weights[r * columns + c]) * Double(x[t, c])
                    exact += product
                    size += abs(product)
                }
                // One rounding a product and at most columns / 16 + 5 a sum, each half an ulp of what is summed.
                let bound = size * 0x1p-24 * Double(columns / 16 + 7)
                #expect(abs(Double(whole[t, r]) - exact) <= bound)
            }
        }
        #expect(Matrix(type: .f32, rowCount: rows + 1, columnCount: columns, bytes: ByteView(bytes)) == nil)
    }

    @Test("Softmax adds up to one and follows the C library's exp")
    func softmax() throws {
        let x = try Rows(rowCount: 1, columnCount: 37)
        var random = SplitMix(seed: 5)
        var values: [Double] = []
        for i in 0..<37 {
            x[0, i] = Float.random(in: -20...20, using: &random)
            values.append(Double(x[0, i]))
        }
        x.softmax(row: 0, count: 37)
        let largest = try #require(values.max())
        let sum = values.reduce(0) { $0 + exp($1 - largest) }
        for i in 0..<37 {
            let exact = exp(values[i] - largest) / sum
            // Half an ulp of the difference in the exponent, two ulp of exp, one of the division, a few of the sum.
            let units = 8 + (largest - values[i]) / 2
            #expect(abs(Double(x[0, i]) - exact) <= exact * units * 0x1p-23 + 1e-38)
        }
    }
}
