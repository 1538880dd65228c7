internal import EdgeKernelJobs

/// The function between the two matrices of a feed-forward block.
package enum Activation: Sendable {
    /// x / (1 + e^-x).
    case silu
    /// The Gaussian error linear unit by its tanh formula (Hendrycks and Gimpel 2016), which is what model files mean by GELU:
    /// x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
    case gelu
}

extension Rows {
    /// gate[i] = f(gate[i]) * up[i] over the columns of the range, in one row of this (the gate) and the other; without `up`
    /// the activation alone.
    package func activate(
        _ activation: Activation, row: Int, columns: Range<Int>, times up: Rows? = nil,
        kernels: Kernels = .chosen
    ) {
        precondition(row >= 0 && row < rowCount && row < up?.rowCount ?? .max, "row out of bounds")
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= min(columnCount, up?.columnCount ?? .max),
            "column out of bounds")
        kernels.functions.activate(
            activation == .gelu, pointer(row: row, column: columns.lowerBound),
            up.map { UnsafePointer($0.pointer(row: row, column: columns.lowerBound)) }, columns.count)
    }

    /// x[row, i] = cap * tanh(x[row, i] / cap) over the columns of the range: Gemma 2's soft bound.
    package func softCap(_ cap: Float, row: Int, columns: Range<Int>) {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        precondition(columns.lowerBound >= 0 && columns.upperBound <= columnCount, "column out of bounds")
        let x = pointer(row: row)
        var i = columns.lowerBound
        while i &+ 16 <= columns.upperBound {
            softCapped(Lanes(loading: x + i), cap).store(to: x + i)
            i &+= 16
        }
        while i < columns.upperBound {
            x[i] = softCapped(Lanes(repeating: x[i]), cap)[0]
            i &+= 1
        }
    }
}
