extension Rows {
    /// This row times the root mean square norm's factor and the weight (Zhang and Sennrich 2019):
    /// output[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i].
    ///
    /// The sum of squares is a `dot`, in its fixed order.
    package func rmsNorm(row: Int, columns: Range<Int>? = nil, weight: Vector, epsilon: Float, into output: Rows) {
        let columns = columns ?? 0..<columnCount
        precondition(row >= 0 && row < rowCount && row < output.rowCount, "row out of bounds")
        precondition(
            columns.lowerBound >= 0 && columns.upperBound <= min(columnCount, output.columnCount),
            "column out of bounds")
        precondition(weight.count >= columns.count, "weight too short")
        let x = pointer(row: row, column: columns.lowerBound)
        let y = output.pointer(row: row, column: columns.lowerBound)
        let mean = dot(x, x, columns.count) / Float(columns.count)
        let factor = 1 / (mean + epsilon).squareRoot()
        let w = weight.base
        var i = 0
        while i &+ 16 <= columns.count {
            (Lanes(loading: x + i) * factor * Lanes(loading: w + i)).store(to: y + i)
            i &+= 16
        }
        while i < columns.count {
            y[i] = x[i] * factor * w[i]
            i &+= 1
        }
    }

    /// This row less its mean, over its standard deviation, times a weight, plus a bias (Ba et al. 2016, "Layer Normalization"):
    /// output[i] = (x[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i].
    ///
    /// The mean's sum is lane-wise, then the tree; the variance is a `dot` of the differences. `output` may be this.
    package func layerNorm(row: Int, weight: Vector, bias: Vector?, epsilon: Float, into output: Rows) {
        precondition(row >= 0 && row < rowCount && row < output.rowCount, "row out of bounds")
        precondition(columnCount <= output.columnCount, "column out of bounds")
        precondition(weight.count >= columnCount && bias?.count ?? .max >= columnCount, "weight or bias too short")
        let count = columnCount
        let x = pointer(row: row)
        let y = output.pointer(row: row)
        let w = weight.base
        let mean = sum(x, count) / Float(count)
        for i in 0..<count { y[i] = x[i] - mean }
        let factor = 1 / (dot(y, y, count) / Float(count) + epsilon).squareRoot()
        if let b = bias?.base {
            for i in 0..<count { y[i] = y[i] * factor * w[i] + b[i] }
        } else {
            for i in 0..<count { y[i] = y[i] * factor * w[i] }
        }
    }

    /// x[row, i] += scale * other[otherRow, i]
    package func add(_ other: Rows, row otherRow: Int, scaledBy factor: Float, to row: Int, count: Int) {
        precondition(row >= 0 && row < rowCount && otherRow >= 0 && otherRow < other.rowCount, "row out of bounds")
        precondition(count >= 0 && count <= min(columnCount, other.columnCount), "column out of bounds")
        addScaled(other.pointer(row: otherRow), by: factor, to: pointer(row: row), count)
    }

    /// x[row, columns] += bias
    package func add(_ bias: Vector, to row: Int, columns: Range<Int>, biasOffset: Int) {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        precondition(columns.lowerBound >= 0 && columns.upperBound <= columnCount, "column out of bounds")
        precondition(biasOffset >= 0 && biasOffset + columns.count <= bias.count, "bias too short")
        addScaled(bias.base + biasOffset, by: 1, to: pointer(row: row, column: columns.lowerBound), columns.count)
    }

    /// x[row, columns] *= factor, over all columns unless some are named
    package func multiply(row: Int, columns: Range<Int>? = nil, by factor: Float) {
        let columns = columns ?? 0..<columnCount
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        precondition(columns.lowerBound >= 0 && columns.upperBound <= columnCount, "column out of bounds")
        scale(pointer(row: row, column: columns.lowerBound), by: factor, columns.count)
    }

    /// Divides a row by its length; a row of zeros stays as it is.
    package func normalize(row: Int) {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        let x = pointer(row: row)
        let length = dot(x, x, columnCount).squareRoot()
        if length > 0 { scale(x, by: 1 / length, columnCount) }
    }

    /// x[row] = 0
    package func clear(row: Int) {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        pointer(row: row).update(repeating: 0, count: columnCount)
    }

    /// Copies one row of another matrix of the same width.
    package func copy(from other: Rows, row otherRow: Int, to row: Int) {
        precondition(row >= 0 && row < rowCount && otherRow >= 0 && otherRow < other.rowCount, "row out of bounds")
        precondition(columnCount == other.columnCount, "rows of different lengths")
        pointer(row: row).update(from: other.pointer(row: otherRow), count: columnCount)
    }

    /// Replaces one row by its softmax: exp(x[i] - max) / sum. The sum is lane-wise, then the tree.
    package func softmax(row: Int, count: Int) {
        precondition(row >= 0 && row < rowCount && count >= 0 && count <= columnCount, "row out of bounds")
        let x = pointer(row: row)
        var largest = -Float.infinity
        for i in 0..<count where x[i] > largest { largest = x[i] }
        var sum = Lanes.zero
        for i in 0..<count {
            x[i] = exponential(x[i] - largest)
            sum[i & 15] += x[i]
        }
        scale(x, by: 1 / sum.tree, count)
    }
}
