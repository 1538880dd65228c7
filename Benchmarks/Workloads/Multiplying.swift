import EdgeKernels
import EdgePlatform
import EdgeQuant
import EdgeTestSupport

extension Workload {
    /// Matrices of each type on one thread, activations quantized already: one too large for the caches by one token, as decoding
    /// has it, and one of 1,024 x 4,096 by 128 tokens, as prompts have it.
    static func multiplying() -> [Workload] {
        SmallModel.weightTypes.flatMap {
            [product($0, rows: 1 << 14, tokens: 1), product($0, rows: 1 << 10, tokens: 128)]
        }
    }

    private static let columns = 4096

    private static func product(_ type: GGMLType, rows: Int, tokens: Int) -> Workload {
        let amount: Amount =
            tokens == 1
            ? .bytes(rows * columns / type.blockLength * type.blockByteCount) : .operations(2 * rows * columns * tokens)
        return Workload(
            "multiply \(type.name) by \(tokens)", amount: amount, hasYardstick: true
        ) { try prepared(type, rows: rows, tokens: tokens) }
    }

    private static func prepared(_ type: GGMLType, rows: Int, tokens: Int) throws -> Prepared {
        var random = SplitMix(seed: 1)
        let row = try type.encode((0..<columns).map { _ in Float.random(in: -1...1, using: &random) })
        var encoded: [UInt8] = []
        encoded.reserveCapacity(row.count * rows)
        for _ in 0..<rows { encoded += row }
        guard
            let matrix = Matrix(type: type, rowCount: rows, columnCount: columns, bytes: ByteView(encoded))
        else { throw WorkloadError.noMatrix(type.name) }
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
        let activations = quantized
        return Prepared(reference: reference(type, row, x, rows: rows, tokens: tokens)) {
            matrix.multiply(
                x, quantized: activations, tokens: 0..<tokens, rows: 0..<rows, into: y, outputColumn: 0,
                scratch: scratch, worker: 0)
            return y[0, 0] > 0 ? 1 : 0
        }
    }

    /// Some rows decoded to f32 and multiplied one number after the other.
    private static func reference(
        _ type: GGMLType, _ row: [UInt8], _ x: Rows, rows: Int, tokens: Int
    ) -> Reference {
        let some = tokens == 1 ? 64 : 4
        return Reference(share: Double(some) / Double(rows)) {
            var sign = 0
            for _ in 0..<some {
                guard let weights = try? type.decode(row) else { return 0 }
                for token in 0..<tokens {
                    var sum: Float = 0
                    for column in 0..<columns { sum += weights[column] * x[token, column] }
                    sign += sum > 0 ? 1 : 0
                }
            }
            return sign
        }
    }
}

enum WorkloadError: Error {
    case noMatrix(String)
}
