internal import EdgePlatform
package import EdgeQuant

/// A tensor of the result and where its values come from.
package struct PlannedTensor: Sendable {
    package let name: String
    package let type: GGMLType
    /// Fastest first, as in GGUF.
    package let dimensions: [Int]
    /// Matrices whose rows follow one another.
    let sources: [RowSource]

    /// Bytes in the result.
    var byteCount: Int { type.byteCount(valueCount: dimensions.reduce(1, *)) ?? 0 }

    /// Values that are decoded at a time by one thread, so that any tensor needs little memory.
    private static let pieceLength = 1 << 18

    /// Hands the tensor's bytes to `emit` in pieces of whole rows, which the team's threads make side by side.
    func produce(_ team: ThreadTeam, _ emit: ([UInt8]) throws -> Void) throws {
        for source in sources {
            let count = max(1, Self.pieceLength / max(1, source.columnCount))
            var pieces: [Range<Int>] = []
            var row = 0
            while row < source.rowCount {
                let end = min(source.rowCount, row + count)
                pieces.append(row..<end)
                row = end
                guard pieces.count == team.threadCount || row == source.rowCount else { continue }
                let job = PieceJob(source: source, type: type, pieces: pieces)
                team.run(job)
                for bytes in try job.results() { try emit(bytes) }
                for piece in pieces { source.letGo(piece) }
                pieces.removeAll()
            }
        }
    }
}

/// Pieces of a matrix, made side by side.
private final class PieceJob: TeamJob {
    private let source: RowSource
    private let type: GGMLType
    private let pieces: [Range<Int>]
    private let made: Lock<[Result<[UInt8], ConversionError>?]>

    init(source: RowSource, type: GGMLType, pieces: [Range<Int>]) {
        self.source = source
        self.type = type
        self.pieces = pieces
        made = Lock(Array(repeating: nil, count: pieces.count))
    }

    func run(_ worker: TeamWorker) {
        var ticket = worker.nextTicket()
        while ticket < pieces.count {
            let piece: Result<[UInt8], ConversionError>
            do throws(ConversionError) {
                piece = .success(try source.bytes(pieces[ticket], as: type))
            } catch { piece = .failure(error) }
            made.withLock { $0[ticket] = piece }
            ticket = worker.nextTicket()
        }
    }

    /// The pieces in order; the first one's error, whichever thread met it.
    func results() throws(ConversionError) -> [[UInt8]] {
        var all: [[UInt8]] = []
        for piece in made.withLock({ $0 }) {
            if let piece { all.append(try piece.get()) }
        }
        return all
    }
}

/// The types a checkpoint's matrices can be given.
package enum WeightType: String, Sendable, CaseIterable {
    /// Each tensor's own: nothing is lost.
    case stored
    case f32, f16, bf16
    /// Blocks of 32 values; rows that are no multiple of 32 long stay half precision.
    case q8_0

    fileprivate var type: GGMLType? {
        switch self {
        case .stored: nil
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        }
    }
}

/// Takes tensors out of a checkpoint one by one, checks their shapes, and remembers which were taken.
struct TensorCollector {
    let checkpoint: Checkpoint
    let weightType: WeightType
    let quantization: PackedQuantization?
    private(set) var planned: [PlannedTensor] = []
    private(set) var used: Set<String> = []
    private var names: Set<String> = []

    init(_ checkpoint: Checkpoint, weightType: WeightType, quantization: PackedQuantization?) {
        self.checkpoint = checkpoint
        self.weightType = weightType
        self.quantization = quantization
    }

    func has(_ name: String) -> Bool { checkpoint.has(name) }

    /// Counts a tensor as known without taking it.
    mutating func ignore(_ name: String) { used.insert(name) }

    // MARK: Sources

    /// A tensor of that shape, slowest first.
    private mutating func stored(_ name: String, shape: [Int]) throws(ConversionError) -> (SafetensorsTensor, GGMLType)
    {
        guard let tensor = checkpoint.tensor(name) else {
            throw ConversionError(
                .missingTensor, "the checkpoint has no such tensor", path: checkpoint.path, tensor: name)
        }
        guard tensor.shape == shape else {
            throw ConversionError(
                .tensorShapeMismatch, "the shape is \(tensor.shape), but the settings ask for \(shape)",
                path: tensor.path, tensor: name)
        }
        guard let type = tensor.type.weightType else {
            throw ConversionError(
                .unsupportedTensorType,
                "weights of type \(tensor.type.rawValue) are not supported; F32, F16 and BF16 are",
                path: tensor.path, tensor: name)
        }
        used.insert(name)
        return (tensor, type)
    }

    /// A matrix `base.weight`, or what stands for it in a quantized checkpoint.
    private mutating func rows(
        _ base: String, rows: Int, columns: Int, order: RowOrder?
    ) throws(ConversionError) -> RowSource {
        let name = base + ".weight"
        if let quantization, !has(name), has(base + ".qweight") {
            let linear = try PackedLinear(checkpoint, base, rows: rows, columns: columns, quantization)
            used.formUnion(linear.tensorNames)
            return RowSource(storage: .packed(linear), rowCount: rows, columnCount: columns, order: order)
        }
        let (tensor, type) = try stored(name, shape: [rows, columns])
        return RowSource(
            storage: .stored(tensor, type: type), rowCount: rows, columnCount: columns, order: order)
    }

    // MARK: Tensors

    /// A linear map: `from.weight`, and `from.bias` where there is one.
    mutating func linear(
        _ name: String, from base: String, rows: Int, columns: Int, order: RowOrder? = nil
    ) throws(ConversionError) {
        try add(name + ".weight", [columns, rows], [try self.rows(base, rows: rows, columns: columns, order: order)])
        if has(base + ".bias") { try vector(name + ".bias", from: base + ".bias", count: rows, order: order) }
    }

    /// A matrix that is stored as f32: positions, kinds of tokens, routers.
    ///
    /// - Parameter skipped: rows of the checkpoint before the first that is taken.
    mutating func table(
        _ name: String, from base: String, rows: Int, columns: Int, skipping skipped: Int = 0
    ) throws(ConversionError) {
        var source = try self.rows(base, rows: skipped + rows, columns: columns, order: nil)
        (source.rowCount, source.skippedRows) = (rows, skipped)
        try add(name + ".weight", [columns, rows], [source], as: .f32)
    }

    /// The matrices of all experts in one tensor of three dimensions.
    mutating func experts(
        _ name: String, from bases: [String], rows: Int, columns: Int
    ) throws(ConversionError) {
        var sources: [RowSource] = []
        for base in bases { sources.append(try self.rows(base, rows: rows, columns: columns, order: nil)) }
        try add(name + ".weight", [columns, rows, bases.count], sources)
    }

    /// A vector, stored as f32.
    mutating func vector(
        _ name: String, from stored: String, count: Int, adding offset: Float = 0, order: RowOrder? = nil
    ) throws(ConversionError) {
        let (tensor, type) = try self.stored(stored, shape: [count])
        var source = RowSource(
            storage: .stored(tensor, type: type), rowCount: order == nil ? 1 : count,
            columnCount: order == nil ? count : 1)
        source.order = order
        source.offset = offset
        try add(name, [count], [source], as: .f32)
    }

    /// `from.weight`, and `from.bias` where there is one.
    mutating func norm(
        _ name: String, from base: String, count: Int, adding offset: Float = 0
    ) throws(ConversionError) {
        try vector(name + ".weight", from: base + ".weight", count: count, adding: offset)
        if has(base + ".bias") { try vector(name + ".bias", from: base + ".bias", count: count) }
    }

    /// A vector of computed values.
    mutating func values(_ name: String, _ values: [Float]) throws(ConversionError) {
        let source = RowSource(storage: .values(values), rowCount: 1, columnCount: values.count)
        try add(name, [values.count], [source], as: .f32)
    }

    private mutating func add(
        _ name: String, _ dimensions: [Int], _ sources: [RowSource], as fixed: GGMLType? = nil
    ) throws(ConversionError) {
        guard names.insert(name).inserted else {
            throw ConversionError(.malformed, "two tensors would get this name", tensor: name)
        }
        var type: GGMLType
        if let fixed {
            type = fixed
        } else if let wanted = weightType.type {
            type = wanted
        } else {
            type = try exactType(sources)
        }
        if dimensions[0] % type.blockLength != 0 { type = .f16 }
        planned.append(PlannedTensor(name: name, type: type, dimensions: dimensions, sources: sources))
    }

    /// The type that keeps all parts of a tensor: their own, or one that has room for each.
    private func exactType(_ sources: [RowSource]) throws(ConversionError) -> GGMLType {
        var found: Set<GGMLType> = []
        for source in sources { found.insert(try source.exactType()) }
        if found.count == 1, let type = found.first { return type }
        // Q5_0 has a level for each of Q4_0's.
        return found == [.q4_0, .q5_0] ? .q5_0 : .f32
    }
}
