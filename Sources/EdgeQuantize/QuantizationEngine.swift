package import EdgeGGUF
internal import EdgePlatform
package import EdgeQuant

/// Turns tensors of a file into other types, with several threads and a few megabytes.
package final class QuantizationEngine {
    private let inputs: [InputFile]
    private let file: GGUFFile
    private let team: ThreadTeam

    /// Values that one thread converts at a time.
    private static let chunkValueCount = 1 << 16
    /// Chunks between two writes.
    private static let chunksPerWrite = 64

    /// Opens the file's parts and starts threads.
    ///
    /// - Throws: `QuantizationError`.
    package init(_ file: GGUFFile, threadCount: Int?) throws {
        do {
            inputs = try file.paths.map { path throws(PlatformError) in try InputFile(path: path) }
            team = try ThreadTeam(threadCount: min(256, threadCount ?? Processors.usableCoreCount))
        } catch {
            throw QuantizationError(.unreadable, "\(error)")
        }
        self.file = file
    }

    /// Makes the bytes of a tensor in another type, and hands them out in order.
    ///
    /// - Parameters:
    ///   - importance: a value for each column, and with several matrices for each of them; nil where all matter alike.
    ///   - feedback: how the columns make up for each other's errors, as `ErrorFeedback.factor(for:)` gives it; nil for not at all.
    ///   - scale: what the values are multiplied with first; importance and feedback are those of the scaled tensor.
    ///   - progress: called with the bytes of the tensor that are done.
    /// - Throws: `QuantizationError`, `CancellationError`, and what `emit` throws.
    package func convert(
        _ tensor: GGUFTensor, to type: GGMLType, importance: [Float]? = nil, feedback: [Double]? = nil,
        scale: WeightScale? = nil, progress: (Int) -> Void = { _ in }, emit: ([UInt8]) throws -> Void
    ) throws {
        let (input, offset) = try source(of: tensor)
        let columns = tensor.dimensions[0]
        let weighted = BlockEncoder.usesImportance(type) ? importance : nil
        // With something of each column rows stay whole; without, any whole blocks will do.
        let hasFactor = feedback.map { $0.count % columns == 0 && $0.count / columns == columns } ?? false
        let isFed = hasFactor && type.blockLength > 1 && type != tensor.type
        let unit = weighted != nil || isFed || scale != nil ? columns : min(columns, 256)
        let perChunk = max(1, Self.chunkValueCount / unit) * unit
        let total = tensor.valueCount
        var start = 0
        while start < total {
            try Task.checkCancellation()
            let end = total - start <= perChunk * Self.chunksPerWrite ? total : start + perChunk * Self.chunksPerWrite
            let job = ConversionJob(
                tensor, to: type, input: input, offset: offset, values: start..<end, perChunk: perChunk,
                importance: weighted, feedback: isFed ? feedback : nil, scale: scale)
            team.run(job)
            for piece in try job.pieces() { try emit(piece) }
            start = end
            progress((tensor.type.byteCount(valueCount: start) ?? 0))
        }
    }

    /// What rounding a tensor leaves of error in its products, of a sample of its rows.
    ///
    /// - Parameters:
    ///   - inputs: what the tensor is multiplied with; where it does not say, all columns count alike.
    ///   - importance: what the encoder is to weigh columns by.
    func error(
        of tensor: GGUFTensor, in type: GGMLType, inputs: ImportanceMatrix, importance: ImportanceMatrix?
    ) throws -> Double {
        let columns = tensor.dimensions[0]
        // Experts have inputs of their own each; of those that have too few nothing is known.
        func one(_ values: [Float]?) -> [Float]? { values.flatMap { $0.count == columns ? $0 : nil } }
        let ones = [Float](repeating: 1, count: columns)
        return try errors(
            of: tensor, in: type, scales: [ones], squares: one(inputs.values(for: tensor.name)) ?? ones,
            importance: one(importance?.values(for: tensor.name)))[0]
    }

    /// Where a tensor's bytes are.
    private func source(of tensor: GGUFTensor) throws -> (InputFile, offset: Int) {
        guard let place = file.place(of: tensor.storedBytes), inputs.indices.contains(place.part) else {
            throw QuantizationError(.unreadable, "\(tensor.name) is not in its file", tensor: tensor.name)
        }
        return (inputs[place.part], place.offset)
    }

    /// What rounding a matrix leaves of error in its products, for some scales of its columns; of some rows, which are spread over all.
    ///
    /// - Parameters:
    ///   - scales: what columns are multiplied with before they are rounded, and divided by after it.
    ///   - squares: the mean squares of the inputs, by column.
    ///   - importance: what the encoder is to weigh columns by; nil where all matter alike.
    /// - Returns: a sum of squares for each of the scales, the same for any number of threads.
    func errors(
        of matrix: GGUFTensor, in type: GGMLType, scales: [[Float]], squares: [Float], importance: [Float]?
    ) throws -> [Double] {
        guard matrix.dimensions[0] % type.blockLength == 0 else { return scales.map { _ in 0 } }
        let (input, offset) = try source(of: matrix)
        let job = ScaleTrial(
            matrix, in: type, input: input, offset: offset, scales: scales, squares: squares,
            importance: BlockEncoder.usesImportance(type) ? importance : nil)
        team.run(job)
        return try job.sums()
    }
}

/// Trials of scales on rows of a matrix, by all threads.
private final class ScaleTrial: TeamJob, Sendable {
    /// Rows that are tried at most.
    private static let rowLimit = 256

    private struct State {
        var errors: [[Double]]
        var failure: QuantizationError?
    }

    private let matrix: GGUFTensor
    private let type: GGMLType
    private let input: InputFile
    private let offset: Int
    private let scales: [[Float]]
    private let squares: [Float]
    private let importance: [Float]?
    private let rowCount: Int
    private let state: Lock<State>

    init(
        _ matrix: GGUFTensor, in type: GGMLType, input: InputFile, offset: Int, scales: [[Float]], squares: [Float],
        importance: [Float]?
    ) {
        self.matrix = matrix
        self.type = type
        self.input = input
        self.offset = offset
        self.scales = scales
        self.squares = squares
        self.importance = importance
        rowCount = min(Self.rowLimit, matrix.rowCount)
        state = Lock(State(errors: Array(repeating: [], count: rowCount), failure: nil))
    }

    /// By scale, added up row by row.
    func sums() throws -> [Double] {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            return scales.indices.map { i in state.errors.reduce(0) { $0 + $1[i] } }
        }
    }

    func run(_ worker: TeamWorker) {
        var encoder = BlockEncoder(type)
        while true {
            let ticket = worker.nextTicket()
            guard ticket < rowCount else { return }
            do {
                let errors = try errors(row: ticket * matrix.rowCount / rowCount, &encoder)
                state.withLock { $0.errors[ticket] = errors }
            } catch {
                let failure = QuantizationError.reading(matrix, error)
                state.withLock { $0.failure = $0.failure ?? failure }
                return
            }
        }
    }

    private func errors(row: Int, _ encoder: inout BlockEncoder) throws -> [Double] {
        let columns = matrix.dimensions[0]
        let values = try input.values(of: matrix, at: offset, row * columns..<(row + 1) * columns)
        var scaled = values
        var decoded = values
        var bytes = [UInt8](repeating: 0, count: type.byteCount(valueCount: columns) ?? 0)
        return try scales.map { scale in
            for i in 0..<columns { scaled[i] = values[i] * scale[i] }
            var target = bytes.mutableSpan
            try encoder.encode(
                scaled.span, importance: WeightScale(columns: scale).importance(importance)?[...], rowLength: columns,
                into: &target)
            var back = decoded.mutableSpan
            try type.decode(bytes.span, into: &back)
            var sum = 0.0
            for i in 0..<columns {
                let error = Double(values[i]) - Double(decoded[i] / scale[i])
                sum += error * error * Double(squares[i])
            }
            return sum
        }
    }
}

extension QuantizationError {
    /// What reading or encoding a tensor ended with.
    fileprivate static func reading(_ tensor: GGUFTensor, _ error: any Error) -> QuantizationError {
        error as? QuantizationError
            ?? QuantizationError(.unreadable, "\(tensor.name): \(error)", tensor: tensor.name)
    }
}

extension InputFile {
    /// Values of a tensor that begins somewhere in the file.
    ///
    /// - Throws: `QuantizationError.notFinite`; what reading throws.
    fileprivate func values(of tensor: GGUFTensor, at offset: Int, _ range: Range<Int>) throws -> [Float] {
        var floats = [Float](repeating: 0, count: range.count)
        let stored = try stored(tensor, at: offset, range)
        var span = floats.mutableSpan
        try decode(stored.span, tensor.type, into: &span)
        guard isFinite(floats.span) else {
            throw QuantizationError(
                .notFinite,
                "\(tensor.name): a value between \(range.lowerBound) and \(range.upperBound) is not finite; the model is damaged",
                tensor: tensor.name)
        }
        return floats
    }

    /// Their bytes, in this machine's order.
    fileprivate func stored(_ tensor: GGUFTensor, at offset: Int, _ range: Range<Int>) throws -> [UInt8] {
        let size = tensor.type.blockByteCount
        let length = tensor.type.blockLength
        var stored = try read(at: offset + range.lowerBound / length * size, byteCount: range.count / length * size)
        tensor.bringIntoOrder(&stored)
        return stored
    }
}

/// Some chunks of a tensor, converted by all threads.
private final class ConversionJob: TeamJob, Sendable {
    private struct State {
        var pieces: [[UInt8]]
        var failure: QuantizationError?
    }

    private let tensor: GGUFTensor
    private let type: GGMLType
    private let input: InputFile
    private let offset: Int
    private let values: Range<Int>
    private let perChunk: Int
    private let importance: [Float]?
    private let feedback: [Double]?
    private let scale: WeightScale?
    private let chunkCount: Int
    private let state: Lock<State>

    init(
        _ tensor: GGUFTensor, to type: GGMLType, input: InputFile, offset: Int, values: Range<Int>, perChunk: Int,
        importance: [Float]?, feedback: [Double]?, scale: WeightScale?
    ) {
        self.tensor = tensor
        self.type = type
        self.input = input
        self.offset = offset
        self.values = values
        self.perChunk = perChunk
        self.importance = importance
        self.feedback = feedback
        self.scale = scale
        chunkCount = (values.count + perChunk - 1) / perChunk
        state = Lock(State(pieces: Array(repeating: [], count: chunkCount), failure: nil))
    }

    /// The chunks in order.
    func pieces() throws -> [[UInt8]] {
        try state.withLock {
            if let failure = $0.failure { throw failure }
            return $0.pieces
        }
    }

    func run(_ worker: TeamWorker) {
        var encoder = BlockEncoder(type)
        while true {
            let chunk = worker.nextTicket()
            guard chunk < chunkCount else { return }
            let lower = values.lowerBound + chunk * perChunk
            let range = lower..<min(values.upperBound, lower + perChunk)
            do {
                let bytes = try convert(range, &encoder)
                state.withLock { $0.pieces[chunk] = bytes }
            } catch {
                let failure = QuantizationError.reading(tensor, error)
                state.withLock { $0.failure = $0.failure ?? failure }
                return
            }
        }
    }

    private func convert(_ range: Range<Int>, _ encoder: inout BlockEncoder) throws -> [UInt8] {
        if type == tensor.type, scale == nil { return try input.stored(tensor, at: offset, range) }
        let columns = tensor.dimensions[0]
        var floats = try input.values(of: tensor, at: offset, range)
        scale?.apply(to: &floats, columnCount: columns, firstRow: range.lowerBound / columns)
        var bytes = [UInt8](repeating: 0, count: type.byteCount(valueCount: range.count) ?? 0)
        if let feedback {
            try encode(&floats, feedback, &encoder, into: &bytes)
            return bytes
        }
        guard let importance else {
            var target = bytes.mutableSpan
            try encoder.encode(floats.span, rowLength: columns, into: &target)
            return bytes
        }
        // Each matrix of a tensor of several has an importance of its own.
        let rowsOfMatrix = tensor.dimensions.count > 1 ? tensor.dimensions[1] : 1
        let rowBytes = type.byteCount(valueCount: columns) ?? 0
        for row in 0..<range.count / columns {
            let matrix = (range.lowerBound / columns + row) / rowsOfMatrix
            var target = bytes.mutableSpan
            try encoder.encode(
                floats.span.extracting(row * columns..<(row + 1) * columns),
                importance: importance[matrix * columns..<(matrix + 1) * columns], rowLength: columns, into: &target,
                at: row * rowBytes)
        }
        return bytes
    }
}

extension ConversionJob {
    /// Encodes rows block by block, each of them leaving its errors to the columns behind it.
    private func encode(
        _ floats: inout [Float], _ feedback: [Double], _ encoder: inout BlockEncoder, into bytes: inout [UInt8]
    ) throws {
        let columns = tensor.dimensions[0]
        let length = type.blockLength
        var values = [Float](repeating: 0, count: length)
        var decoded = values
        var errors = [Double](repeating: 0, count: length)
        var block = [UInt8](repeating: 0, count: type.blockByteCount)
        let factor = feedback.span
        for start in stride(from: 0, to: floats.count, by: length) {
            let column = start % columns
            for i in 0..<length { values[i] = floats[start + i] }
            var target = block.mutableSpan
            try encoder.encode(
                values.span, importance: importance.map { $0[column..<column + length] }, rowLength: length,
                into: &target)
            var back = decoded.mutableSpan
            try type.decode(block.span, into: &back)
            let place = start / length * block.count
            for i in block.indices { bytes[place + i] = block[i] }
            for i in 0..<length { errors[i] = Double(values[i]) - Double(decoded[i]) }
            var row = floats.mutableSpan
            ErrorFeedback.propagate(
                &row, from: start - column, block: column..<column + length, errors: &errors, factor, columns: columns)
        }
    }
}

/// Whether all values are numbers.
private func isFinite(_ values: Span<Float>) -> Bool {
    var highest: UInt32 = 0
    for i in values.indices { highest = max(highest, values[i].bitPattern & 0x7FFF_FFFF) }
    return highest < 0x7F80_0000
}

/// Decodes, with a loop for halves that the compiler makes vectors of.
private func decode(_ bytes: Span<UInt8>, _ type: GGMLType, into values: inout MutableSpan<Float>) throws {
    guard type == .f16, bytes.count == 2 * values.count else { return try type.decode(bytes, into: &values) }
    for i in 0..<values.count {
        values[i] = Half.decode(UInt16(bytes[2 &* i]) | UInt16(bytes[2 &* i &+ 1]) &<< 8)
    }
}
