internal import EdgeKernels
internal import EdgeMath
internal import EdgePlatform

/// Cosines and sines for the positions of a batch.
struct RotaryTable {
    private let frequencies: [Double]
    private let magnitude: Double
    /// [batch, dimensionCount]: cosines, then sines.
    let rows: Rows

    init(_ scaling: RotaryScaling, factors: Vector?, batch: Int) throws(PlatformError) {
        frequencies = scaling.frequencies(dividedBy: factors)
        magnitude = Double(scaling.magnitude)
        rows = try Rows(rowCount: batch, columnCount: scaling.dimensionCount)
    }

    func fill(row: Int, position: Int) {
        for (i, frequency) in frequencies.enumerated() {
            let angle = Deterministic.sineAndCosine(Double(position) * frequency)
            rows[row, i] = Float(angle.cosine * magnitude)
            rows[row, frequencies.count + i] = Float(angle.sine * magnitude)
        }
    }
}
