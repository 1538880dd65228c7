// How the codes and the minimums of eight rows lie in a panel: four values of one row in each word, a lane a row.

/// A group's codes of eight rows, as the tile reads them: eight vectors that `storeColumns` stores.
@inline(__always) func codeColumns(_ rows: EightWords) -> EightWords { transposed(rows) }

/// Stores the minimums of eight rows, two s16 a word.
@inline(__always) func storeMinimums(_ rows: EightWords, _ at: UnsafeMutableRawPointer) {
    storeColumns(transposed(rows), at, stride: 64)
}
