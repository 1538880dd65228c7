package import EdgePlatform

/// A matrix of f32 activations, one row a token: the working memory of a forward pass.
///
/// Shape [rowCount, columnCount], row-major, each row on a 64-byte border. Rows are an odd number of cache lines
/// apart: at a power of two, equal columns of many rows would share one set of the cache. Operations of this room check their indices
/// against the shape once and then work on plain pointers. `@unchecked Sendable`: threads write disjoint parts between barriers.
package final class Rows: @unchecked Sendable {
    package let rowCount: Int
    package let columnCount: Int
    /// Floats from one row to the next.
    let stride: Int
    private let buffer: AlignedBuffer<Float>
    /// The first element of row 0.
    let base: UnsafeMutablePointer<Float>

    /// Allocates zeros.
    ///
    /// - Throws: `PlatformError` when there is no memory.
    package init(rowCount: Int, columnCount: Int) throws(PlatformError) {
        self.rowCount = max(0, rowCount)
        self.columnCount = max(0, columnCount)
        let (padded, overflowA) = self.columnCount.addingReportingOverflow(15)
        stride = padded & ~15 | 16
        let (count, overflowB) = stride.multipliedReportingOverflow(by: self.rowCount)
        guard !overflowA, !overflowB else { throw .outOfMemory("\(rowCount) x \(columnCount) activations") }
        buffer = try AlignedBuffer(count: count)
        base = buffer.base
    }

    package var byteCount: Int { buffer.byteCount }

    @inline(__always) func pointer(row: Int, column: Int = 0) -> UnsafeMutablePointer<Float> {
        base + (row &* stride &+ column)
    }

    /// One element; indices must be in bounds.
    package subscript(row: Int, column: Int) -> Float {
        get {
            precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "Rows index out of bounds")
            return pointer(row: row, column: column).pointee
        }
        set {
            precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "Rows index out of bounds")
            pointer(row: row, column: column).pointee = newValue
        }
    }

    /// Runs a closure over one row. (Not generic: the compiler refuses spans as arguments of generic closures.)
    package func withSpan(row: Int, _ body: (Span<Float>) -> Void) {
        precondition(row >= 0 && row < rowCount, "Rows index out of bounds")
        let elements = UnsafeBufferPointer(start: UnsafePointer(pointer(row: row)), count: columnCount)
        body(Span(_unsafeElements: elements))
    }

    /// A copy of one row.
    package func copy(row: Int) -> [Float] {
        precondition(row >= 0 && row < rowCount, "Rows index out of bounds")
        return Array(UnsafeBufferPointer(start: pointer(row: row), count: columnCount))
    }
}
