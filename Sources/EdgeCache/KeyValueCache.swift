package import EdgeKernels
package import EdgePlatform

/// The keys and values of one sequence, for all layers, and how many positions are valid.
///
/// Positions are only ever appended by a forward pass and cut off at the end by `truncate(to:)`; what lies beyond `count` is
/// overwritten before it is read.
package final class KeyValueCache {
    package let layers: [KeyValueLayer]
    /// Positions there is room for.
    package let capacity: Int
    /// Valid positions.
    package private(set) var count = 0

    /// Reserves memory for the whole capacity; the system provides it page by page as positions are filled.
    ///
    /// - Throws: `PlatformError` when the sizes overflow or cannot be reserved.
    package init(
        layerCount: Int, kvHeadCount: Int, headSize: Int, capacity: Int, precision: CachePrecision
    ) throws(PlatformError) {
        var layers: [KeyValueLayer] = []
        for _ in 0..<layerCount {
            layers.append(
                try KeyValueLayer(
                    kvHeadCount: kvHeadCount, headSize: headSize, capacity: capacity, precision: precision))
        }
        self.layers = layers
        self.capacity = capacity
    }

    /// Bytes reserved.
    package var byteCount: Int { layers.reduce(0) { $0 + $1.byteCount } }

    /// Records that a forward pass filled the next positions.
    package func append(_ positions: Int) {
        precondition(positions >= 0 && positions <= capacity - count, "cache overrun")
        count += positions
    }

    /// Forgets every position from `count` on.
    package func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "cannot truncate to more than there is")
        self.count = count
    }
}
