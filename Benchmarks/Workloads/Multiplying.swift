import EdgeKernels
import EdgePlatform
import EdgeQuant
import EdgeTestSupport

extension Workload {
    /// A matrix of 1,024 x 4,096 weights of each type by one token and by 128, on one thread, activations quantized already: the name
    /// says how many million bytes of weights, or operations, one run has.
    static func multiplying() -> [Workload] {
        SmallModel.weightTypes.flatMap { type in
            [1, 128].compactMap { try? product(type, tokens: $0) }
        }
    }

    private static func product(_ type: GGMLType, tokens: Int) throws -> Workload? {
        let rows = 1024
        let columns = 4096
        var random = SplitMix(seed: 1)
        let row = (0..<columns).map { _ in Float.random(in: -1...1, using: &random) }
        let encoded = try type.encode(row)
        let bytes = ByteView((0..<rows).flatMap { _ in encoded })
        guard let matrix = Matrix(type: type, rowCount: rows, columnCount: columns, bytes: bytes) else { return nil }
        let x = try Rows(rowCount: tokens, columnCount: columns)
        let y = try Rows(rowCount: tokens, columnCount: rows)
        let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
        for token in 0..<tokens {
            for column in 0..<columns { x[token, column] = Float.random(in: -1...1, using: &random) }
        }
        var quantized: QuantizedRows?
        if let blocks = type.activationBlocks {
            let rows = try QuantizedRows(rowCount: tokens, columnCount: columns, blocks: blocks)
            for token in 0..<tokens { rows.quantize(x, row: token, blocks: blocks) }
            quantized = rows
        }
        let amount =
            tokens == 1
            ? "\(bytes.count / 1_000_000) MB" : "\(2 * rows * columns * tokens / 1_000_000) million operations"
        let activations = quantized
        return Workload("multiply \(type.name) by \(tokens): \(amount)") {
            matrix.multiply(
                x, quantized: activations, tokens: 0..<tokens, rows: 0..<rows, into: y, outputColumn: 0,
                scratch: scratch, worker: 0)
            return y[0, 0] > 0 ? 1 : 0
        }
    }
}
