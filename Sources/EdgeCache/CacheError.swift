/// Why a cache cannot be cut back: a layer with a window has dropped positions that the next token would see.
package struct CacheError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The positions that were to stay.
    package let requested: Int
    /// The first position that all layers still hold.
    package let firstHeld: Int

    package init(requested: Int, firstHeld: Int) {
        self.requested = requested
        self.firstHeld = firstHeld
    }

    package var description: String {
        "cannot go back to \(requested) positions: layers with a window hold none before \(firstHeld)"
    }
}
