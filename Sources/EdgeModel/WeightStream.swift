internal import EdgeGGUF
internal import EdgeKernels
internal import EdgePlatform

/// Weights that do not all fit the memory they may take: some are kept, the others are read from their files for each pass, one unit
/// ahead of the one that is being computed.
///
/// Files are read past the system's cache, so that what is in memory is what the limit says. One pass at a time uses it; others wait.
/// `@unchecked Sendable`: a slot is written while no pass reads it, which `ReadAhead` sees to.
package final class WeightStream: @unchecked Sendable {
    let layout: WeightLayout
    private let files: [DirectFile]
    private let memory: AlignedBuffer<UInt8>
    private let readAhead: ReadAhead
    private let turn = ParkingSpot()
    private var isTaken = false
    private let embedding: (part: Int, offset: Int)

    /// Reads what is kept.
    ///
    /// - Parameter readsAhead: false to read each unit when its turn comes, to measure what reading ahead brings.
    /// - Throws: `ModelError.unreadable`, `insufficientMemory`.
    init(_ layout: WeightLayout, _ weights: Weights, _ file: GGUFFile, readsAhead: Bool) throws(ModelError) {
        guard let embedding = file.place(of: weights.tokenEmbedding.bytes) else {
            throw ModelError(.unreadable, "weights of a file in the other byte order cannot be read piece by piece")
        }
        self.embedding = embedding
        self.layout = layout
        do throws(PlatformError) {
            memory = try AlignedBuffer(count: layout.memoryByteCount, inLargePages: true)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for \(layout.memoryByteCount) bytes of weights: \(error)")
        }
        do throws(PlatformError) {
            files = try Self.open(file.paths)
            let units = layout.layers + layout.output.map(\.unit)
            let items = units.filter { $0.item != nil }
            let (files, memory, slot) = (files, memory, layout.slotByteCount)
            readAhead = try ReadAhead(isAhead: readsAhead && !items.isEmpty) {
                (item, buffer, isCancelled) throws(PlatformError) in
                try Self.read(items[item], files, into: memory, at: buffer * slot, isCancelled)
            }
            for unit in units {
                guard let offset = unit.keptOffset else { continue }
                try Self.read(unit, files, into: memory, at: offset) { false }
            }
        } catch {
            throw ModelError(.unreadable, "\(error)")
        }
        // What loading has touched of the mapping.
        file.letGo()
        for file in files { file.forget() }
    }

    private static func open(_ paths: [String]) throws(PlatformError) -> [DirectFile] {
        var files: [DirectFile] = []
        for path in paths { files.append(try DirectFile(path: path)) }
        return files
    }

    private static func read(
        _ unit: WeightLayout.Unit, _ files: [DirectFile], into memory: AlignedBuffer<UInt8>, at start: Int,
        _ isCancelled: () -> Bool
    ) throws(PlatformError) {
        for run in unit.runs {
            try files[run.part].read(
                at: run.fileOffset, byteCount: run.byteCount, into: memory, at: start + run.place,
                isCancelled: isCancelled)
        }
    }

    /// A matrix of a unit, where the unit is when its turn has come.
    func matrix(_ matrix: Matrix, of unit: WeightLayout.Unit, _ file: GGUFFile) throws(ModelError) -> Matrix {
        guard let (part, offset) = file.place(of: matrix.bytes), let place = unit.place(part: part, offset: offset),
            let result = Matrix(
                type: matrix.type, rowCount: matrix.rowCount, columnCount: matrix.columnCount,
                bytes: memory.view(at: layout.start(of: unit) + place, byteCount: matrix.bytes.count))
        else {
            throw ModelError(.truncated, "a matrix does not lie where its layer does")
        }
        return result
    }

    // MARK: A pass

    /// Takes the weights for one pass, waiting for its turn, and begins to read for it.
    func begin(wantsOutput: Bool) {
        turn.lock()
        while isTaken { turn.wait() }
        isTaken = true
        turn.unlock()
        // All passes begin with the layers.
        let layers = layout.streamedLayerCount
        readAhead.begin(count: wantsOutput ? layout.itemCount : layers, next: layers)
    }

    /// Waits for an item.
    ///
    /// - Throws: `PlatformError` when it cannot be read; the pass must end then.
    func acquire(_ item: Int) throws(PlatformError) { try readAhead.acquire(item) }

    /// No thread reads the item any more.
    func release(_ item: Int) { readAhead.release(item) }

    /// Ends the pass.
    func end(isWhole: Bool) {
        if !isWhole { readAhead.abandon() }
        turn.lock()
        isTaken = false
        turn.wakeAll()
        turn.unlock()
    }

    /// Seconds that passes have waited for weights in all.
    package var waitedSeconds: Double { Double(readAhead.waitedNanoseconds) / 1e9 }

    // MARK: The embedding

    /// Bytes that a row of the embedding needs as a buffer: the pages it lies in.
    static func windowByteCount(_ embedding: Matrix) -> Int {
        let page = DirectFile.alignment
        return (embedding.rowByteCount + page - 1) / page * page + page
    }

    /// Decodes one row of the embedding, which is only looked up in, by way of a worker's buffer.
    ///
    /// - Throws: `PlatformError` when it cannot be read.
    func decode(
        row: Int, of matrix: Matrix, into output: Rows, at outputRow: Int, buffer: AlignedBuffer<UInt8>, worker: Int
    ) throws(PlatformError) {
        precondition(row >= 0 && row < matrix.rowCount, "row out of bounds")
        let page = DirectFile.alignment
        let first = embedding.offset + row * matrix.rowByteCount
        let start = first / page * page
        let count = (first + matrix.rowByteCount - start + page - 1) / page * page
        let place = worker * Self.windowByteCount(matrix)
        try files[embedding.part].read(at: start, byteCount: count, into: buffer, at: place)
        let bytes = buffer.view(at: place + first - start, byteCount: matrix.rowByteCount)
        Matrix(type: matrix.type, rowCount: 1, columnCount: matrix.columnCount, bytes: bytes)?.decode(
            row: 0, into: output, at: outputRow)
    }
}

extension LayerWeights {
    /// All matrices of the layer.
    var matrices: [Matrix] {
        let attention = [query, key, value, attentionOutput].map(\.matrix)
        switch feedForward {
        case .dense(let gate, let up, let down): return attention + [gate, up, down].compactMap { $0?.matrix }
        case .experts(let router, let gate, let up, let down): return attention + [router.matrix] + gate + up + down
        }
    }

    /// The layer with other matrices for its own.
    func replacingMatrices(_ body: (Matrix) throws(ModelError) -> Matrix) throws(ModelError) -> LayerWeights {
        func linear(_ linear: Linear) throws(ModelError) -> Linear {
            Linear(matrix: try body(linear.matrix), bias: linear.bias)
        }
        func matrices(_ matrices: [Matrix]) throws(ModelError) -> [Matrix] {
            var result: [Matrix] = []
            for matrix in matrices { result.append(try body(matrix)) }
            return result
        }
        let replaced: FeedForward
        switch feedForward {
        case .dense(let gate, let up, let down):
            var gateLinear: Linear?
            if let gate { gateLinear = try linear(gate) }
            replaced = .dense(gate: gateLinear, up: try linear(up), down: try linear(down))
        case .experts(let router, let gate, let up, let down):
            replaced = .experts(
                router: try linear(router), gate: try matrices(gate), up: try matrices(up), down: try matrices(down))
        }
        return LayerWeights(
            attentionNorm: attentionNorm, attentionPostNorm: attentionPostNorm, query: try linear(query),
            key: try linear(key), value: try linear(value), queryNorm: queryNorm, keyNorm: keyNorm,
            attentionOutput: try linear(attentionOutput), feedForwardNorm: feedForwardNorm,
            feedForwardPostNorm: feedForwardPostNorm, feedForward: replaced)
    }
}

extension Weights {
    /// The weights as a stream has them, and the output's matrix in the pieces that come one after the other.
    func streamed(by stream: WeightStream, _ file: GGUFFile) throws(ModelError) -> (Weights, output: [OutputPiece]) {
        var result = self
        for (index, unit) in stream.layout.layers.enumerated() {
            result.layers[index] = try layers[index].replacingMatrices { (matrix) throws(ModelError) in
                try stream.matrix(matrix, of: unit, file)
            }
        }
        var pieces: [OutputPiece] = []
        for (rows, unit) in stream.layout.output {
            guard let part = output?.matrix.slice(rows: rows) else { continue }
            pieces.append(
                OutputPiece(matrix: try stream.matrix(part, of: unit, file), rows: rows, item: unit.item))
        }
        return (result, pieces)
    }
}

/// Some rows of the output's matrix, which are in memory together.
struct OutputPiece: Sendable {
    let matrix: Matrix
    let rows: Range<Int>
    /// What must be acquired before it is read; nil where it always may be.
    let item: Int?
}
