/// Why a cache cannot do what is asked; nothing has changed then.
package enum CacheError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A layer with a window has dropped positions that the next token would see: of the `requested` positions to stay, all layers
    /// hold those from `firstHeld` on.
    case dropped(requested: Int, firstHeld: Int)
    /// All blocks are in use: `needed` more were wanted, of `capacity` that there are.
    case exhausted(needed: Int, capacity: Int)
    /// Less memory than the blocks take that are written at the same time.
    case tooSmall(least: Int, limit: Int)
    /// Blocks could not be written to their file, or read from it.
    case storage(String)

    package var description: String {
        switch self {
        case .dropped(let requested, let firstHeld):
            "cannot go back to \(requested) positions: layers with a window hold none before \(firstHeld)"
        case .exhausted(let needed, let capacity):
            "no room for \(needed) more blocks of keys and values: all \(capacity) are in use"
        case .tooSmall(let least, let limit):
            "keys and values in \(limit) bytes of memory are not possible: those of a batch take \(least)"
        case .storage(let reason): reason
        }
    }
}
