/// The function between the two matrices of a feed-forward block.
package enum Activation: Sendable {
    /// x / (1 + e^-x).
    case silu
    /// The Gaussian error linear unit by its tanh formula (Hendrycks and Gimpel 2016), which is what model files mean by GELU:
    /// x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
    case gelu

    @inline(__always) fileprivate func callAsFunction(_ x: Lanes) -> Lanes {
        switch self {
        case .silu: EdgeKernels.silu(x)
        case .gelu: EdgeKernels.gelu(x)
        }
    }
}

/// GELU by tanh. (1 + tanh u) / 2 is 1 / (1 + e^-2u), which loses no digits where tanh u comes near -1.
@inline(__always)
func gelu(_ x: Lanes) -> Lanes {
    let u = x * (0.797_884_56 + 0.035_677_407 * x * x)
    return x / (1 + exponential(-2 * u))
}

extension Rows {
    /// gate[i] = f(gate[i]) * up[i] over the columns of the range, in one row of this (the gate) and the other; without `up`
    /// the activation alone.
    package func activate(_ activation: Activation, row: Int, columns: Range<Int>, times up: Rows? = nil) {
        precondition(row >= 0 && row < rowCount && row < up?.rowCount ?? .max, "row out of bounds")
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= min(columnCount, up?.columnCount ?? .max),
            "column out of bounds")
        let x = pointer(row: row)
        switch activation {
        case .silu: apply(.silu, to: x, columns, times: up?.pointer(row: row))
        case .gelu: apply(.gelu, to: x, columns, times: up?.pointer(row: row))
        }
    }

    @inline(__always)
    private func apply(
        _ activation: Activation, to x: UnsafeMutablePointer<Float>, _ columns: Range<Int>,
        times up: UnsafeMutablePointer<Float>?
    ) {
        var i = columns.lowerBound
        while i &+ 16 <= columns.upperBound {
            var y = activation(Lanes(loading: x + i))
            if let up { y *= Lanes(loading: up + i) }
            y.store(to: x + i)
            i &+= 16
        }
        while i < columns.upperBound {
            let y = activation(Lanes(repeating: x[i]))[0]
            x[i] = up.map { y * $0[i] } ?? y
            i &+= 1
        }
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
