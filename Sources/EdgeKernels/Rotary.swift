/// Which components rotary position embedding turns together.
package enum RotaryPairs: Sendable {
    /// (0, 1), (2, 3), …: ggml's NORM, the order of llama files.
    case adjacent
    /// (0, n/2), (1, n/2 + 1), …: ggml's NEOX.
    case halves
}

extension Rows {
    /// Turns each of `headCount` heads by the angles of the row's position (Su et al. 2021, "RoFormer").
    ///
    /// Heads lie side by side from `column` on, `headSize` columns each, of which the first `rotaryCount` turn. The angles come
    /// from `table[tableRow]`: `rotaryCount / 2` cosines, then as many sines.
    package func rotate(
        row: Int, column: Int, headCount: Int, headSize: Int, rotaryCount: Int, pairs: RotaryPairs, table: Rows,
        tableRow: Int
    ) {
        precondition(row >= 0 && row < rowCount && tableRow >= 0 && tableRow < table.rowCount, "row out of bounds")
        precondition(column >= 0 && headCount * headSize <= columnCount - column, "heads out of bounds")
        precondition(rotaryCount <= headSize && rotaryCount <= table.columnCount, "rotary part out of bounds")
        let half = rotaryCount / 2
        let cosines = table.pointer(row: tableRow)
        let sines = cosines + half
        for head in 0..<headCount {
            let x = pointer(row: row, column: column &+ head &* headSize)
            switch pairs {
            case .adjacent:
                for i in 0..<half {
                    let a = x[2 &* i]
                    let b = x[2 &* i &+ 1]
                    x[2 &* i] = a * cosines[i] - b * sines[i]
                    x[2 &* i &+ 1] = a * sines[i] + b * cosines[i]
                }
            case .halves:
                for i in 0..<half {
                    let a = x[i]
                    let b = x[i &+ half]
                    x[i] = a * cosines[i] - b * sines[i]
                    x[i &+ half] = a * sines[i] + b * cosines[i]
                }
            }
        }
    }
}
