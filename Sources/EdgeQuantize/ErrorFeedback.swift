internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeKernels
internal import EdgeLLM
internal import EdgeModel
public import Foundation

/// How the columns of a model's matrices can make up for each other's errors: what they are multiplied with, and how it goes together.
///
/// When a block of columns has been rounded, the columns that come after it in the row are changed so that, for inputs like those of the
/// calibration text, the row's products stay as near as they can (Hassibi and Stork 1993; Frantar et al. 2022, "GPTQ", here by whole
/// blocks, so that any type's encoder can be used as it is).
public struct ErrorFeedback: Sendable {
    /// By the input's first reader: U with H⁻¹ = Uᵀ U, upper triangular, row by row; H is the sum of the inputs' products, damped.
    private let factors: [String: [Double]]
    /// By tensor: whose factor it uses.
    private let readers: [String: String]

    /// Measures on a text how the inputs of each matrix go together. Experts are passed over.
    ///
    /// - Parameters:
    ///   - model: the original.
    ///   - text: what the model will be used for.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - pieceLength: tokens of a piece of the text.
    ///   - maximumPieces: pieces at most; there should be several times as many tokens as the widest matrix has columns.
    ///   - memoryLimit: bytes that may be taken: eight for each pair of columns of each matrix.
    ///   - threadCount: threads that compute; nil for the physical cores. Does not change a bit of the result.
    ///   - progress: called after each piece with the pieces done and those in all.
    /// - Throws: `ModelLoadingError`; `QuantizationError.invalidOptions` where the limit is too low; `CancellationError`.
    /// - Complexity: the cube of the columns for each input, beside the passes over the text.
    public static nonisolated(nonsending) func measure(
        _ model: URL, on text: [UInt8], parsesSpecialTokens: Bool = false, pieceLength: Int = 256,
        maximumPieces: Int = 64, memoryLimit: Int = 2 << 30,
        threadCount: Int? = nil, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> ErrorFeedback {
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            let collector = ProductCollector(file)
            guard collector.byteCount <= memoryLimit else {
                throw QuantizationError(
                    .invalidOptions,
                    "error feedback needs \(collector.byteCount >> 20) MiB for this model, more than \(memoryLimit >> 20)"
                )
            }
            let scorer = try TextScorer(
                file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                threadCount: threadCount, observer: collector)
            let total = min(maximumPieces, scorer.pieceCount)
            while scorer.done < total, try scorer.next() { progress(scorer.done, total) }
            var factors: [String: [Double]] = [:]
            for (name, products) in collector.products {
                try Task.checkCancellation()
                factors[name] = factor(products.sums, count: products.columns)
            }
            return ErrorFeedback(factors: factors, readers: collector.readers)
        }
    }

    /// The factor for a tensor; nil where its inputs were not seen or say nothing.
    func factor(for name: String) -> [Double]? { readers[name].flatMap { factors[$0] } }

    /// U for sums of products; nil where they are not positive definite even when damped.
    private static func factor(_ sums: [Double], count: Int) -> [Double]? {
        var matrix = sums
        let mean = (0..<count).reduce(0) { $0 + sums[$1 * count + $1] } / Double(max(1, count))
        guard mean > 0, mean.isFinite else { return nil }
        // A hundredth of the mean, as in the paper.
        for i in 0..<count { matrix[i * count + i] += 0.01 * mean }
        guard let lower = cholesky(matrix, count) else { return nil }
        return cholesky(inverse(lower, count), count).map { lower in
            var upper = [Double](repeating: 0, count: count * count)
            for row in 0..<count { for column in 0...row { upper[column * count + row] = lower[row * count + column] } }
            return upper
        }
    }

    /// L with L Lᵀ = the matrix; nil where it is not positive definite.
    private static func cholesky(_ matrix: [Double], _ count: Int) -> [Double]? {
        var lower = [Double](repeating: 0, count: count * count)
        for row in 0..<count {
            for column in 0...row {
                var sum = matrix[row * count + column]
                for k in 0..<column { sum -= lower[row * count + k] * lower[column * count + k] }
                if row == column {
                    guard sum > 0, sum.isFinite else { return nil }
                    lower[row * count + row] = sum.squareRoot()
                } else {
                    lower[row * count + column] = sum / lower[column * count + column]
                }
            }
        }
        return lower
    }

    /// (L Lᵀ)⁻¹, of which the lower triangle is right.
    private static func inverse(_ lower: [Double], _ count: Int) -> [Double] {
        // Row c of the transpose of L⁻¹, so that sums run along rows.
        var columns = [Double](repeating: 0, count: count * count)
        for c in 0..<count {
            columns[c * count + c] = 1 / lower[c * count + c]
            for row in c + 1..<max(c + 1, count) {
                var sum = 0.0
                for k in c..<row { sum -= lower[row * count + k] * columns[c * count + k] }
                columns[c * count + row] = sum / lower[row * count + row]
            }
        }
        var result = [Double](repeating: 0, count: count * count)
        for row in 0..<count {
            for column in 0...row {
                var sum = 0.0
                for k in row..<count { sum += columns[row * count + k] * columns[column * count + k] }
                result[row * count + column] = sum
            }
        }
        return result
    }

    /// Takes the error of columns `block` of a row back by the columns after them.
    ///
    /// - Parameters:
    ///   - values: rows as they should be, with what earlier blocks left to them; changed behind the block.
    ///   - first: where the row begins.
    ///   - errors: what the row has more than its rounded values, in the block's columns; used up.
    @inline(__always)
    static func propagate(
        _ values: inout MutableSpan<Float>, from first: Int, block: Range<Int>, errors: inout [Double],
        _ upper: Span<Double>, columns: Int
    ) {
        guard block.upperBound < columns else { return }
        // errors · (U's block)⁻¹.
        for j in 0..<block.count {
            let place = (block.lowerBound + j) * columns + block.lowerBound
            errors[j] /= upper[place + j]
            for k in j + 1..<max(j + 1, block.count) { errors[k] -= errors[j] * upper[place + k] }
        }
        for column in block.upperBound..<columns {
            var sum = 0.0
            for j in 0..<block.count { sum += errors[j] * upper[(block.lowerBound + j) * columns + column] }
            values[first + column] -= Float(sum)
        }
    }
}

/// Adds up the products of all pairs of a matrix's inputs.
private final class ProductCollector: ActivationObserver {
    struct Products {
        let columns: Int
        var sums: [Double]
    }

    /// By the first reader of an input.
    private(set) var products: [String: Products] = [:]
    /// By tensor: the first reader of its input.
    let readers: [String: String]
    /// Bytes of all products.
    let byteCount: Int
    private let names: [[ActivationInput: String]]

    init(_ file: GGUFFile) {
        let inputs: [(ActivationInput, [String])] = [
            (.attention, ["attn_q", "attn_k", "attn_v", "attn_qkv"]), (.attentionOutput, ["attn_output"]),
            (.feedForward, ["ffn_gate", "ffn_up"]), (.down, ["ffn_down"]),
        ]
        var readers: [String: String] = [:]
        var byteCount = 0
        names = (0..<file.layerCount).map { layer in
            var first: [ActivationInput: String] = [:]
            for (input, parts) in inputs {
                for part in parts {
                    let name = "blk.\(layer).\(part).weight"
                    guard let tensor = file.tensor(named: name), tensor.dimensions.count == 2 else { continue }
                    if first[input] == nil {
                        first[input] = name
                        // No more than the tensors' bytes say: a length is below 2^31 wherever it is squared.
                        let columns = min(tensor.dimensions[0], 1 << 28)
                        byteCount += min(8 * columns * columns, Int.max / 2 - byteCount)
                    }
                    readers[name] = first[input]
                }
            }
            return first
        }
        self.readers = readers
        self.byteCount = byteCount
    }

    func observe(_ input: ActivationInput, layer: Int, _ x: Rows, rows: Range<Int>, expert: Int) {
        guard names.indices.contains(layer), let name = names[layer][input] else { return }
        let columns = x.columnCount
        var found =
            products.removeValue(forKey: name)
            ?? Products(columns: columns, sums: [Double](repeating: 0, count: columns * columns))
        for row in rows {
            x.withSpan(row: row) { values in
                for i in 0..<columns {
                    let value = Double(values[i])
                    // The upper triangle follows from the lower.
                    for j in 0...i { found.sums[i * columns + j] += value * Double(values[j]) }
                }
            }
        }
        products[name] = found
    }
}
