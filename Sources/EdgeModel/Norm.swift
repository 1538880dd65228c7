package import EdgeKernels

/// A norm of rows of activations: its kind, its parameters, and the number that keeps it from dividing by zero.
package struct Norm: Sendable {
    package let kind: Architecture.NormKind
    package let weight: Vector
    package let bias: Vector?
    package let epsilon: Float

    /// Normalises one row into the same row of the other matrix, which may be the same.
    func apply(to x: Rows, row: Int, into output: Rows) {
        switch kind {
        case .layer:
            x.layerNorm(row: row, weight: weight, bias: bias, epsilon: epsilon, into: output)
        case .rootMeanSquare:
            x.rmsNorm(row: row, weight: weight, epsilon: epsilon, into: output)
            if let bias { output.add(bias, to: row, columns: 0..<x.columnCount, biasOffset: 0) }
        }
    }

    /// Normalises groups of columns of one row in place, each as long as the weight, by their root mean square.
    func applyToHeads(of x: Rows, row: Int) {
        for lower in stride(from: 0, to: x.columnCount, by: weight.count) {
            x.rmsNorm(row: row, columns: lower..<lower + weight.count, weight: weight, epsilon: epsilon, into: x)
        }
    }
}
