internal import EdgeGGUF
internal import EdgeQuant
public import Foundation

/// What a GGUF file holds: its metadata, and where its tensors lie. Any GGUF file can be looked into, whether or not it can be run.
///
/// Reading costs as much as the file's header; tensors and long arrays stay in the file.
///
/// ```swift
/// let contents = try await GGUFContents(contentsOf: url)
/// for tensor in contents.tensors { print(tensor.name, tensor.type, tensor.dimensions) }
/// ```
public struct GGUFContents: Sendable {
    /// A key of the metadata and its value.
    public struct Entry: Sendable {
        /// The key, such as `llama.block_count`.
        public let key: String
        /// The type of the value as the format calls it, such as `u32` or `arr[str]`.
        public let typeName: String
        /// The value.
        public let value: Value
    }

    /// A value of the metadata.
    public enum Value: Sendable {
        /// A truth value.
        case bool(Bool)
        /// A number of any integer type.
        case integer(Int)
        /// A number beyond `Int.max`.
        case unsigned(UInt64)
        /// A number of 32 bits.
        case float(Float)
        /// A number of 64 bits.
        case double(Double)
        /// A text; bytes that are no UTF-8 are replaced by U+FFFD.
        case string(String)
        /// A list of values of one type.
        case array(Elements)
    }

    /// A list of the metadata, such as the tokens of a vocabulary, which stays in the file until it is asked for.
    public struct Elements: Sendable {
        /// The number of elements.
        public var count: Int { array.count }
        private let array: GGUFArray

        init(_ array: GGUFArray) { self.array = array }

        /// Reads all elements.
        ///
        /// - Complexity: linear in their bytes.
        public func read() -> [Value] {
            if let values = array.strings() { return values.map(Value.string) }
            if let values = array.bools() { return values.map(Value.bool) }
            if let values = array.ints() { return values.map(Value.integer) }
            if let values = array.uint64s() { return values.map(Value.init) }
            if array.elementType == .float32, let values = array.floats() { return values.map(Value.float) }
            if let values = array.doubles() { return values.map(Value.double) }
            return (array.arrays() ?? []).map { .array(Elements($0)) }
        }
    }

    /// A tensor, and where its values lie.
    public struct Tensor: Sendable {
        /// Its name, such as `blk.0.attn_q.weight`.
        public let name: String
        /// How its values are stored, such as `Q4_K`.
        public let type: String
        /// One to four lengths, the length of a row first.
        public let dimensions: [Int]
        /// Bytes of its values.
        public let byteCount: Int
        /// Where they begin in its file.
        public let fileOffset: Int
        /// Values it has.
        public var valueCount: Int { dimensions.reduce(1, *) }
        /// Bits for one value, what its block has besides counted in.
        public let bitsPerWeight: Double
    }

    /// The tensors of one type together.
    public struct TypeSummary: Sendable, Hashable {
        /// The type.
        public let type: String
        /// Tensors of the type.
        public fileprivate(set) var tensorCount = 0
        /// Their values.
        public fileprivate(set) var parameterCount = 0
        /// Their bytes.
        public fileprivate(set) var byteCount = 0
        /// Bits for one value on average.
        public var bitsPerWeight: Double { GGUFContents.bits(byteCount, parameterCount) }
    }

    /// The files, in order: one, or all parts of a split model.
    public let paths: [String]
    /// The version of the format: 1, 2 or 3.
    public let version: Int
    /// Whether numbers are stored with their most significant byte first.
    public let isBigEndian: Bool
    /// What the places of tensors are multiples of, in bytes.
    public let alignment: Int
    /// Bytes of all files.
    public let byteCount: Int
    /// The metadata, in the order of the file; of a split model, that of its first part.
    public let metadata: [Entry]
    /// The tensors of all files, in their order.
    public let tensors: [Tensor]
    /// The tensors by type, those that take most bytes first.
    public let types: [TypeSummary]

    /// Reads the header of a file; of a split model, give any part.
    ///
    /// - Throws: `ModelLoadingError`, which says what is wrong and where in the file.
    public init(contentsOf url: URL) async throws {
        self = try await Task.detached {
            try ModelLoadingError.reporting(url.path) { GGUFContents(try GGUFFile(path: url.path)) }
        }.value
    }

    init(_ file: GGUFFile) {
        paths = file.paths
        version = file.version
        isBigEndian = file.isBigEndian
        alignment = file.alignment
        byteCount = file.byteCount
        metadata = file.metadata.entries.map { Entry(key: $0.key, typeName: $0.value.typeName, value: Value($0.value)) }
        tensors = file.tensors.map {
            Tensor(
                name: $0.name, type: $0.type.name, dimensions: $0.dimensions, byteCount: $0.byteCount,
                fileOffset: $0.fileOffset, bitsPerWeight: $0.type.bitsPerWeight)
        }
        var types: [String: TypeSummary] = [:]
        for tensor in tensors {
            var summary = types[tensor.type] ?? TypeSummary(type: tensor.type)
            summary.tensorCount += 1
            summary.parameterCount += tensor.valueCount
            summary.byteCount += tensor.byteCount
            types[tensor.type] = summary
        }
        self.types = types.values.sorted { ($1.byteCount, $0.type) < ($0.byteCount, $1.type) }
    }

    /// The value of a key, nil where the file has none.
    ///
    /// - Complexity: linear in the number of keys.
    public subscript(key: String) -> Value? { metadata.first { $0.key.utf8.elementsEqual(key.utf8) }?.value }

    /// Values of all tensors.
    public var parameterCount: Int { types.reduce(0) { $0 + $1.parameterCount } }

    /// Bytes of all tensors.
    public var tensorByteCount: Int { types.reduce(0) { $0 + $1.byteCount } }

    /// Bits for one value on average.
    public var bitsPerWeight: Double { Self.bits(tensorByteCount, parameterCount) }

    private static func bits(_ bytes: Int, _ parameters: Int) -> Double {
        parameters > 0 ? 8 * Double(bytes) / Double(parameters) : 0
    }
}

extension GGUFContents.Value {
    init(_ value: GGUFValue) {
        self =
            switch value {
            case .bool(let flag): .bool(flag)
            case .float32(let number): .float(number)
            case .float64(let number): .double(number)
            case .array(let array): .array(GGUFContents.Elements(array))
            case .uint64(let number): GGUFContents.Value(number)
            default: value.int.map { .integer($0) } ?? .string(value.text ?? "")
            }
    }

    init(_ number: UInt64) { self = Int(exactly: number).map { .integer($0) } ?? .unsigned(number) }
}
