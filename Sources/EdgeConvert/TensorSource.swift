internal import EdgePlatform
internal import EdgeQuant

extension SafetensorsType {
    /// The type of GGUF that stores the same bytes; nil for types that hold no weights.
    var weightType: GGMLType? {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        default: nil
        }
    }
}

/// The order of a matrix's rows in the result, where it is not that of the checkpoint.
enum RowOrder: Sendable {
    /// Hugging Face's rotary embedding turns component i of a head with component i + size/2, Llama's in GGUF with its neighbour:
    /// rows h, 0, 1 … become h, 0, size/2, 1, size/2 + 1 ….
    case neighbours(headSize: Int)

    /// The row of the checkpoint that comes to stand at `row`.
    func source(of row: Int) -> Int {
        switch self {
        case .neighbours(let size):
            let place = row % size
            return row - place + place / 2 + place % 2 * (size / 2)
        }
    }
}

/// Where the rows of a tensor come from, one matrix of the checkpoint: [rows, columns].
struct RowSource: Sendable {
    enum Storage: Sendable {
        case stored(SafetensorsTensor, type: GGMLType)
        case packed(PackedLinear)
        case values([Float])
    }

    var storage: Storage
    var rowCount: Int
    var columnCount: Int
    /// Rows of the checkpoint before the first that is taken.
    var skippedRows = 0
    var order: RowOrder?
    /// Added to each value.
    var offset: Float = 0

    /// The type that keeps every value as it is.
    func exactType() throws(ConversionError) -> GGMLType {
        switch storage {
        case .stored(_, let type): type
        case .packed(let linear): try linear.exactType()
        case .values: .f32
        }
    }

    /// Decoded rows.
    func values(_ rows: Range<Int>) throws(ConversionError) -> [Float] {
        var values: [Float]
        switch storage {
        case .stored(let tensor, let type):
            do throws(QuantError) { values = try type.decode(storedBytes(tensor, rows)) } catch {
                throw ConversionError(.malformed, error.message, path: tensor.path, tensor: tensor.name)
            }
        case .packed(let linear): values = linear.values(rows, order)
        case .values(let all): values = all
        }
        if offset != 0 { for index in values.indices { values[index] += offset } }
        return values
    }

    /// Rows in a type: as they are stored where that is the type, decoded and encoded otherwise.
    ///
    /// - Throws: `valueOutOfRange` for a value that the type cannot hold.
    func bytes(_ rows: Range<Int>, as type: GGMLType) throws(ConversionError) -> [UInt8] {
        switch storage {
        case .stored(let tensor, type) where offset == 0: return storedBytes(tensor, rows)
        case .packed(let linear):
            if let bytes = try linear.exactBytes(rows, order, as: type) { return bytes }
        default: break
        }
        let values = try values(rows)
        try check(values, type)
        do throws(QuantError) { return try type.encode(values) } catch {
            throw ConversionError(.unsupportedTensorType, error.message, tensor: name)
        }
    }

    /// Takes the pages of rows that are written out of memory: a checkpoint may be larger than it.
    func letGo(_ rows: Range<Int>) {
        switch storage {
        case .stored(let tensor, _):
            let width = tensor.type.byteCount * columnCount
            tensor.bytes.slice(at: (skippedRows + rows.lowerBound) * width, byteCount: rows.count * width)?.letGoPages()
        // A row's levels lie all over the matrix.
        case .packed(let linear): if rows.upperBound == rowCount { linear.letGo() }
        case .values: break
        }
    }

    /// The name in the checkpoint.
    var name: String? {
        switch storage {
        case .stored(let tensor, _): tensor.name
        case .packed(let linear): linear.name
        case .values: nil
        }
    }

    private func storedBytes(_ tensor: SafetensorsTensor, _ rows: Range<Int>) -> [UInt8] {
        let width = tensor.type.byteCount * columnCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * width)
        if let order {
            for row in rows { _ = tensor.bytes.append(at: order.source(of: row) * width, byteCount: width, to: &bytes) }
        } else {
            let start = (skippedRows + rows.lowerBound) * width
            _ = tensor.bytes.append(at: start, byteCount: rows.count * width, to: &bytes)
        }
        return bytes
    }

    /// Half precision ends at 65504, and so does the scale of a block, of which a value is at most `levels` steps.
    private func check(_ values: [Float], _ type: GGMLType) throws(ConversionError) {
        let limit: Float
        switch type {
        case .f16: limit = 65_520
        case .q8_0: limit = 65_520 * 127
        default: return
        }
        // Infinities and what is no number stay what they are in half precision, but make a block useless.
        let isBlock = type.blockLength > 1
        guard let bad = values.first(where: { $0.isFinite ? abs($0) >= limit : isBlock }) else { return }
        throw ConversionError(
            .valueOutOfRange, "the value \(bad) does not fit \(type.name); bf16 and f32 have room for it", tensor: name)
    }
}
