package import EdgeCache
package import EdgeGGUF
package import EdgeKernels
internal import EdgePlatform

/// A model ready to be run: its shape and its weights, mapped from the file.
///
/// Immutable; any number of contexts may use it at once.
package final class Model: Sendable {
    package let hyperparameters: Hyperparameters
    package let weights: Weights
    /// Keeps the mapping alive, and answers questions about the file.
    package let file: GGUFFile

    /// Binds a parsed file.
    ///
    /// - Throws: `ModelError` naming the key or tensor that is missing or wrong. After it returns, nothing about the file needs
    ///   checking again.
    package init(_ file: GGUFFile) throws(ModelError) {
        let shape = try Hyperparameters(MetadataReader(file: file))
        hyperparameters = shape
        weights = try Weights(file, shape)
        self.file = file
    }

    /// Rows of logits: ids below this can be fed in and come out.
    package var vocabularySize: Int { weights.tokenEmbedding.rowCount }
}

extension Model {
    /// An empty cache of this model's shape with room for `capacity` positions.
    ///
    /// - Throws: `ModelError.insufficientMemory`.
    package func makeCache(capacity: Int, precision: CachePrecision) throws(ModelError) -> KeyValueCache {
        do throws(PlatformError) {
            return try KeyValueCache(
                layerCount: hyperparameters.blockCount, kvHeadCount: hyperparameters.keyValueHeadCount,
                headSize: hyperparameters.headSize, capacity: capacity, precision: precision)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for a context of \(capacity) tokens: \(error)")
        }
    }
}
