internal import EdgeGrammar
package import EdgePlatform

/// The element types of safetensors files, and the bytes of one element.
package enum SafetensorsType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case u8 = "U8"
    case i8 = "I8"
    case f8E5M2 = "F8_E5M2"
    case f8E4M3 = "F8_E4M3"
    case f8E8M0 = "F8_E8M0"
    case i16 = "I16"
    case u16 = "U16"
    case f16 = "F16"
    case bf16 = "BF16"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case i64 = "I64"
    case u64 = "U64"
    case f64 = "F64"

    package var byteCount: Int {
        switch self {
        case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0: 1
        case .i16, .u16, .f16, .bf16: 2
        case .i32, .u32, .f32: 4
        case .i64, .u64, .f64: 8
        }
    }
}

/// One tensor of a safetensors file: where its data lies in the mapping.
package struct SafetensorsTensor: Sendable {
    package let name: String
    package let type: SafetensorsType
    /// Lengths, slowest first, as in NumPy; none for a single value.
    package let shape: [Int]
    /// `shape`'s product times the bytes of an element.
    package let bytes: ByteView
    /// The file.
    package let path: String
}

/// A safetensors file, mapped: 8 bytes for the length of a JSON header, the header, the data of all tensors without gaps.
///
/// The format: https://github.com/huggingface/safetensors#format. Every deviation is a `ConversionError` of the codes `malformed` and
/// `truncated` that names the byte or the tensor; nothing is read or allocated beyond what the file's own size allows.
package struct SafetensorsFile: Sendable {
    package let path: String
    /// In the order of their data.
    package let tensors: [SafetensorsTensor]
    /// The strings under `__metadata__`.
    package let metadata: [String: String]

    /// The longest header that the format allows.
    static let longestHeader = 100_000_000
    private static let mostDimensions = 8

    /// Maps and reads a file.
    package init(path: String) throws(ConversionError) {
        let bytes: ByteView
        do throws(PlatformError) { bytes = try MappedFile(path: path).bytes } catch {
            throw ConversionError(.unreadable, error.description)
        }
        try self.init(bytes, path: path)
    }

    /// Reads a file whose bytes are at hand.
    package init(_ bytes: ByteView, path: String) throws(ConversionError) {
        self.path = path
        guard let stored = bytes.load(UInt64.self, at: 0).map(UInt64.init(littleEndian:)) else {
            throw ConversionError(.truncated, "the file has \(bytes.count) bytes and no header", path: path)
        }
        guard stored <= UInt64(Self.longestHeader) else {
            throw ConversionError(
                .malformed, "a header of \(stored) bytes is longer than the \(Self.longestHeader) allowed", path: path,
                byteOffset: 0)
        }
        let length = Int(stored)
        guard let header = bytes.slice(at: 8, byteCount: length) else {
            throw ConversionError(
                .truncated, "a header of \(length) bytes in a file of \(bytes.count)", path: path, byteOffset: 0)
        }
        guard header.load(UInt8.self, at: 0) == UInt8(ascii: "{") else {
            throw ConversionError(.malformed, "the header does not begin with a brace", path: path, byteOffset: 8)
        }
        guard let data = bytes.slice(8 + length..<bytes.count) else {
            throw ConversionError(.truncated, "the data is missing", path: path)
        }
        guard let members = try JSON(file: path, header.copied()).members else {
            throw ConversionError(.malformed, "the header is no JSON object", path: path, byteOffset: 8)
        }
        var metadata: [String: String] = [:]
        var found: [(start: Int, tensor: SafetensorsTensor)] = []
        found.reserveCapacity(members.count)
        for member in members {
            let name = member.key.description
            guard name != "__metadata__" else {
                metadata = try Self.metadata(member.value, path)
                continue
            }
            found.append(try Self.tensor(name, Settings(member.value, path: path, place: name), data))
        }
        // Of equal places those of no bytes come first.
        found.sort { ($0.start, $0.tensor.bytes.count) < ($1.start, $1.tensor.bytes.count) }
        var end = 0
        for (start, tensor) in found {
            guard start == end else {
                throw ConversionError(
                    .malformed,
                    start < end
                        ? "the data overlaps that of another tensor by \(end - start) bytes"
                        : "\(start - end) bytes before the data belong to no tensor",
                    path: path, tensor: tensor.name, byteOffset: 8 + length + start)
            }
            end += tensor.bytes.count
        }
        guard end == data.count else {
            throw ConversionError(
                .malformed, "\(data.count - end) bytes at the end belong to no tensor", path: path,
                byteOffset: 8 + length + end)
        }
        self.metadata = metadata
        tensors = found.map(\.tensor)
    }

    private static func metadata(_ value: JSON, _ path: String) throws(ConversionError) -> [String: String] {
        guard let members = value.members else {
            throw ConversionError(.malformed, "the value is no object", path: path, key: "__metadata__")
        }
        var result: [String: String] = [:]
        for member in members {
            guard let text = member.value.text else {
                throw ConversionError(
                    .malformed, "the value is no string", path: path, key: "__metadata__.\(member.key)")
            }
            result[member.key.description] = text
        }
        return result
    }

    private static func tensor(
        _ name: String, _ entry: Settings, _ data: ByteView
    ) throws(ConversionError) -> (start: Int, tensor: SafetensorsTensor) {
        func error(_ message: String, _ code: ConversionError.Code = .malformed) -> ConversionError {
            ConversionError(code, message, path: entry.path, tensor: name)
        }
        guard let typeName = entry["dtype"]?.text, let dimensions = entry["shape"]?.items,
            let offsets = entry["data_offsets"]?.items, entry.value.members?.count == 3
        else { throw error("the entry does not consist of dtype, shape and data_offsets") }
        guard let type = SafetensorsType(rawValue: typeName) else {
            throw error("the type \(ConversionError.quoted(typeName)) is not known", .unsupportedTensorType)
        }
        guard dimensions.count <= mostDimensions else {
            throw error("\(dimensions.count) dimensions are more than the \(mostDimensions) allowed")
        }
        var shape: [Int] = []
        var size = type.byteCount
        for dimension in dimensions {
            guard let length = dimension.int, length >= 0 else { throw error("a length of the shape is no count") }
            let (product, overflow) = size.multipliedReportingOverflow(by: length)
            guard !overflow else { throw error("the shape multiplies to more than \(Int.max) bytes") }
            size = product
            shape.append(length)
        }
        guard offsets.count == 2, let start = offsets[0].int, let end = offsets[1].int, start >= 0, end >= start else {
            throw error("the offsets are not two counts in order")
        }
        guard end - start == size else {
            throw error("\(end - start) bytes for a shape of \(size)")
        }
        guard let bytes = data.slice(at: start, byteCount: size) else {
            throw error("the data ends at byte \(data.count), but the tensor's at \(end)", .truncated)
        }
        return (start, SafetensorsTensor(name: name, type: type, shape: shape, bytes: bytes, path: entry.path))
    }
}
