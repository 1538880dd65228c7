package import EdgeKernels
internal import EdgeMath
package import EdgePlatform

/// Cosines and sines for the positions of a batch.
struct RotaryTable {
    private let short: [Double]
    /// The frequencies of contexts longer than the original one, where they differ (Phi 3).
    private let long: [Double]?
    private let originalContext: Int
    private let magnitude: Double
    /// [batch, dimensionCount]: cosines, then sines.
    let rows: Rows

    init(_ scaling: RotaryScaling, factors: RotaryFactors, batch: Int) throws(PlatformError) {
        switch factors {
        case .none:
            short = scaling.frequencies(dividedBy: nil)
            long = nil
        case .always(let factors):
            short = scaling.frequencies(dividedBy: factors)
            long = nil
        case .byContext(let shortFactors, let longFactors):
            short = scaling.frequencies(dividedBy: shortFactors)
            long = scaling.frequencies(dividedBy: longFactors)
        }
        originalContext = scaling.originalContext
        magnitude = Double(scaling.magnitude)
        rows = try Rows(rowCount: batch, columnCount: scaling.dimensionCount)
    }

    /// Fills a row for a position of a context with room for `contextSize` positions. What counts is the room: a key that was
    /// turned once must fit the queries to come.
    func fill(row: Int, position: Int, contextSize: Int) {
        fill(row: row, position: position, contextSize: contextSize, magnitude: magnitude)
    }

    /// Fills a row for keys that were turned already and move by some positions, forwards or back.
    func fill(row: Int, difference: Int, contextSize: Int) {
        fill(row: row, position: difference, contextSize: contextSize, magnitude: 1)
    }

    private func fill(row: Int, position: Int, contextSize: Int, magnitude: Double) {
        let frequencies = contextSize > originalContext ? long ?? short : short
        for (i, frequency) in frequencies.enumerated() {
            let angle = Deterministic.sineAndCosine(Double(position) * frequency)
            rows[row, i] = Float(angle.cosine * magnitude)
            rows[row, frequencies.count + i] = Float(angle.sine * magnitude)
        }
    }
}

extension Model {
    /// Cosines and sines that turn keys on by some positions, forwards or back: a row for each difference, as `Rows.rotate` takes it; nil where no
    /// key is turned.
    ///
    /// - Parameter contextSize: positions that the context has room for.
    /// - Throws: `PlatformError` when there is no memory.
    package func turningTable(_ differences: [Int], contextSize: Int) throws(PlatformError) -> Rows? {
        guard let rotary = hyperparameters.rotary else { return nil }
        let table = try RotaryTable(rotary, factors: weights.rotaryFactors, batch: differences.count)
        for (row, difference) in differences.enumerated() {
            table.fill(row: row, difference: difference, contextSize: contextSize)
        }
        return table.rows
    }
}
