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

    /// What brings in weights that are not all in memory; nil where they are mapped.
    package let stream: WeightStream?
    /// Whether rows of the embedding are read from the file one by one, when the weights are mapped: where it is not the output's matrix
    /// too, a text would bring in those of its pages that it touches, and what the system maps around them, for good.
    let readsEmbeddingRows: Bool
    /// The output's matrix, in one piece unless the weights are streamed.
    let output: [OutputPiece]

    /// Binds a parsed file.
    ///
    /// - Parameters:
    ///   - weightLimit: bytes of weights that may be in memory; those beyond are read from the file for each pass. Nil for mapping it
    ///     all, as does a limit that the file fits.
    ///   - readsAhead: false to read such weights only when their turn comes, to measure what reading ahead brings.
    /// - Throws: `ModelError` naming the key or tensor that is missing or wrong. After it returns, nothing about the file needs
    ///   checking again. With a limit also `insufficientMemory` where it is too low for two layers, and `unreadable`.
    package init(_ file: GGUFFile, weightLimit: Int? = nil, readsAhead: Bool = true) throws(ModelError) {
        let shape = try Hyperparameters(MetadataReader(file: file))
        hyperparameters = shape
        let mapped = try Weights(file, shape)
        self.file = file
        let embedding = mapped.tokenEmbedding.bytes
        let isOutput = mapped.output.map { $0.matrix.bytes.offset(in: embedding) == 0 } ?? true
        readsEmbeddingRows = !isOutput && embedding.canRead
        if let layout = try Self.layout(mapped, file, limit: weightLimit) {
            let stream = try WeightStream(layout, mapped, file, readsAhead: readsAhead)
            (weights, output) = try mapped.streamed(by: stream, file)
            self.stream = stream
        } else {
            weights = mapped
            stream = nil
            output =
                mapped.output.map { [OutputPiece(matrix: $0.matrix, rows: 0..<$0.matrix.rowCount, item: nil)] } ?? []
        }
    }

    private static func layout(_ weights: Weights, _ file: GGUFFile, limit: Int?) throws(ModelError) -> WeightLayout? {
        guard let limit, limit < file.byteCount else { return nil }
        return try WeightLayout(weights, file, limit: limit)
    }

    /// What a limit of the weights' memory would mean: bytes in memory, and bytes read from the file for each token; nil where the file
    /// fits it.
    ///
    /// - Throws: `ModelError` as the initialiser.
    package func streamedByteCounts(limit: Int) throws(ModelError) -> (resident: Int, read: Int)? {
        try Self.layout(weights, file, limit: limit).map { ($0.byteCount, $0.streamedByteCount) }
    }

    /// Rows of logits: ids below this can be fed in and come out.
    package var vocabularySize: Int { weights.tokenEmbedding.rowCount }

    /// Bytes of the model's files that texts can bring into memory: all but an embedding whose rows are read one by one.
    package var residentByteCount: Int {
        file.byteCount - (readsEmbeddingRows ? weights.tokenEmbedding.bytes.count : 0)
    }

    /// Bytes that each thread needs to look up a row of an embedding that is not in memory; 0 where it is.
    package func embeddingWindowByteCount(isStreamed: Bool) -> Int {
        guard isStreamed || readsEmbeddingRows else { return 0 }
        return WeightStream.windowByteCount(weights.tokenEmbedding)
    }

    /// What tells the model's files from those of others.
    package var fingerprint: UInt64 { file.fingerprint }

    /// Whether keys depend on the room that a context has, and not only on the tokens in it.
    package var keysDependOnCapacity: Bool {
        if case .byContext = weights.rotaryFactors { true } else { false }
    }

    /// Whether the model continues texts; otherwise it only embeds them.
    package var generates: Bool { weights.output != nil && hyperparameters.isCausal }

    /// Fails for a model that only embeds.
    ///
    /// - Throws: `ModelError.unsupportedArchitecture`.
    package func requireGeneration() throws(ModelError) {
        guard generates else {
            throw ModelError(
                .unsupportedArchitecture,
                "a model of whole texts ('\(hyperparameters.architecture.name)') embeds, but does not generate",
                key: "general.architecture")
        }
    }

    /// Positions that a text can have: those there are vectors for, or with rotary embedding any number.
    package var maximumPositions: Int { weights.positionEmbedding?.rowCount ?? .max }
}

extension Model {
    /// What a cache of this model's shape must have room for.
    package func cacheGeometry(
        capacity: Int, batchCapacity: Int? = nil, precision: CachePrecision
    ) -> CacheGeometry {
        CacheGeometry(
            windows: hyperparameters.layers.map(\.window), kvHeadCount: hyperparameters.keyValueHeadCount,
            headSize: hyperparameters.headSize, capacity: capacity, batchCapacity: batchCapacity, precision: precision)
    }

    /// An empty cache of this model's shape with room for `capacity` positions.
    ///
    /// - Parameter batchCapacity: the most tokens that will be run at once, by default all; layers with a window keep only
    ///   that window and a batch.
    /// - Parameter spill: how much of it may be in memory, and where the rest lies; nil for all in memory.
    /// - Throws: `ModelError.insufficientMemory`.
    package func makeCache(
        capacity: Int, batchCapacity: Int? = nil, precision: CachePrecision, spill: CacheSpill.Options? = nil
    ) throws(ModelError) -> KeyValueCache {
        let geometry = cacheGeometry(capacity: capacity, batchCapacity: batchCapacity, precision: precision)
        if let spill {
            do throws(CacheError) {
                return try CachePool(geometry, spill: spill).makeCache()
            } catch {
                throw ModelError(cache: error)
            }
        }
        do throws(PlatformError) {
            return try KeyValueCache(geometry)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for a context of \(capacity) tokens: \(error)")
        }
    }
}

extension Model {
    /// The matrices of a layer that one token is multiplied with; of experts those that are chosen.
    private func matrices(of layer: LayerWeights) -> [Matrix] {
        let attention = [layer.query, layer.key, layer.value, layer.attentionOutput].map(\.matrix)
        switch layer.feedForward {
        case .dense(let gate, let up, let down): return attention + [gate, up, down].compactMap { $0?.matrix }
        case .experts(let router, let gates, let ups, let downs):
            let used = hyperparameters.expertUsedCount
            return attention + [router.matrix] + gates.prefix(used) + ups.prefix(used) + downs.prefix(used)
        }
    }

    /// Bytes of weights that computing one token and its logits reads.
    package var weightByteCountPerToken: Int {
        weights.layers.reduce(weights.output?.matrix.bytes.count ?? 0) { total, layer in
            matrices(of: layer).reduce(total) { $0 + $1.bytes.count }
        }
    }

    /// Weights of all layers that one token is multiplied with.
    package var layerWeightCountPerToken: Int {
        weights.layers.reduce(0) { total, layer in
            matrices(of: layer).reduce(total) { $0 + $1.rowCount * $1.columnCount }
        }
    }
}
