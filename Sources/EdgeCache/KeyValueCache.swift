package import EdgeKernels
package import EdgePlatform

/// The keys and values of one sequence, for all layers, and how many positions are valid.
///
/// Positions are only ever appended by a forward pass and cut off at the end by `truncate(to:)`; what lies beyond `count` is
/// overwritten before it is read. A layer whose tokens look back over a window keeps a ring of that window and a batch.
package final class KeyValueCache {
    package let layers: [KeyValueLayer]
    /// Positions there is room for.
    package let capacity: Int
    /// The most tokens that may be appended at once.
    package let batchCapacity: Int
    /// Valid positions.
    package private(set) var count = 0
    /// By layer: the positions a token sees, 0 for all.
    private let windows: [Int]
    /// The most positions there have been since the cache was empty: the rings hold what lies less than their length before.
    private var reached = 0

    /// Reserves memory for the whole capacity; the system provides it page by page as positions are filled.
    ///
    /// - Parameters:
    ///   - windows: for each layer how many positions a token sees, itself included; 0 for all.
    ///   - batchCapacity: the most tokens to be appended at once; the smaller, the less memory layers with a window take.
    /// - Throws: `PlatformError` when the sizes overflow or cannot be reserved.
    package init(
        windows: [Int], kvHeadCount: Int, headSize: Int, capacity: Int, batchCapacity: Int? = nil,
        precision: CachePrecision
    ) throws(PlatformError) {
        let batch = max(1, min(batchCapacity ?? capacity, capacity))
        var layers: [KeyValueLayer] = []
        for window in windows {
            let ring = Self.ringLength(window: window, batch: batch)
            let isRing = window > 0 && ring < capacity
            layers.append(
                try KeyValueLayer(
                    kvHeadCount: kvHeadCount, headSize: headSize, capacity: isRing ? ring : capacity,
                    precision: precision, isRing: isRing))
        }
        self.layers = layers
        self.windows = windows
        self.capacity = capacity
        self.batchCapacity = batch
    }

    /// The last token of a batch sees `window - 1` positions before it, and so does the first: whole blocks for both.
    private static func ringLength(window: Int, batch: Int) -> Int {
        let block = KeyValueLayer.blockLength
        return (window - 1 + batch + block - 1) / block * block
    }

    /// Bytes reserved.
    package var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// Records that a forward pass filled the next positions.
    package func append(_ positions: Int) {
        precondition(positions >= 0 && positions <= capacity - count, "cache overrun")
        count += positions
        reached = max(reached, count)
    }

    /// Forgets every position from `count` on.
    ///
    /// - Throws: `CacheError`, changing nothing, when a position that the next token would see has left its ring.
    package func truncate(to count: Int) throws(CacheError) {
        precondition(count >= 0 && count <= self.count, "cannot truncate to more than there is")
        guard canTruncate(to: count) else { throw CacheError(requested: count, firstHeld: firstHeld) }
        self.count = count
        if count == 0 { reached = 0 }
    }

    /// Forgets everything.
    package func removeAll() {
        count = 0
        reached = 0
    }

    /// Whether `truncate(to:)` would succeed: always for 0, and where no position was dropped.
    package func canTruncate(to count: Int) -> Bool {
        if count == 0 { return true }
        for (layer, window) in zip(layers, windows) where layer.isRing {
            if max(0, count - window + 1) < reached - layer.capacity { return false }
        }
        return true
    }

    /// Whether the last positions can be taken back, up to so many, whatever has been stored.
    package func canTakeBack(_ positions: Int) -> Bool {
        zip(layers, windows).allSatisfy { layer, window in !layer.isRing || layer.capacity >= window + positions }
    }

    /// The first position that every layer holds.
    package var firstHeld: Int {
        layers.reduce(0) { $1.isRing ? max($0, reached - $1.capacity) : $0 }
    }
}
