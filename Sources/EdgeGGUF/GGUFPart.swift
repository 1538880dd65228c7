import EdgePlatform
import EdgeQuant

/// One file of a model, parsed on its own: the whole of most models, one of several parts of a split one.
///
/// Parsing takes three steps, each linear in the header: the fixed head, the metadata pairs, the tensor directory. When
/// it returns, every length, offset and type has been checked, no two tensors share a byte, and no later code needs to
/// check again.
struct GGUFPart {
    let layout: GGUFLayout
    let alignment: Int
    let metadata: GGUFMetadata
    let tensors: [GGUFTensor]
    /// Where the tensor data begins.
    let dataOffset: Int

    /// The magic, `GGUF` in every byte order.
    static let magic: [UInt8] = [0x47, 0x47, 0x55, 0x46]
    static let defaultAlignment = 32
    static let longestKey = 65_535
    /// ggml keeps names in 64 bytes of which the last is zero.
    static let longestTensorName = 63
    static let mostDimensions = 4

    init(_ bytes: ByteView, path: String) throws(GGUFError) {
        var cursor = GGUFCursor(bytes, path: path)
        let head = try GGUFPart.readHead(&cursor)
        metadata = try GGUFPart.readMetadata(&cursor, count: head.pairCount)
        alignment = try GGUFPart.alignment(metadata)
        let entries = try GGUFPart.readDirectory(&cursor, count: head.tensorCount)
        layout = cursor.layout
        dataOffset = try GGUFPart.dataOffset(cursor, alignment: alignment, isNeeded: !entries.isEmpty)
        tensors = try GGUFPart.place(entries, cursor, dataOffset: dataOffset, alignment: alignment)
        try GGUFPart.refuseOverlaps(tensors, path: path)
    }
}

// MARK: Head and metadata

extension GGUFPart {
    private static func readHead(_ cursor: inout GGUFCursor) throws(GGUFError) -> (tensorCount: Int, pairCount: Int) {
        let bytes = cursor.bytes
        for (index, byte) in magic.enumerated() where index < bytes.count && bytes[index] != byte {
            throw cursor.error(.notGGUF, "the file does not begin with the letters GGUF", at: 0)
        }
        guard bytes.count >= magic.count else {
            throw cursor.error(.truncated, "the file has \(bytes.count) bytes, too few for a GGUF file", at: 0)
        }
        cursor.offset = magic.count
        let stored = try cursor.integer("the version", as: UInt32.self)
        if (1...3).contains(stored) {
            cursor.layout = GGUFLayout(version: Int(stored), isBigEndian: false)
        } else if (1...3).contains(stored.byteSwapped) {
            cursor.layout = GGUFLayout(version: Int(stored.byteSwapped), isBigEndian: true)
        } else {
            throw cursor.error(.unsupportedVersion, "GGUF version \(stored) is not one of 1, 2, 3", at: magic.count)
        }
        let tensorCount = try cursor.count(
            "the number of tensors", leastByteCount: cursor.layout.leastTensorByteCount)
        let pairCount = try cursor.count(
            "the number of metadata pairs", leastByteCount: cursor.layout.leastPairByteCount)
        return (tensorCount, pairCount)
    }

    private static func readMetadata(_ cursor: inout GGUFCursor, count: Int) throws(GGUFError) -> GGUFMetadata {
        var metadata = GGUFMetadata(path: cursor.path)
        for _ in 0..<count {
            let start = cursor.offset
            let range = try cursor.string("the length of a metadata key")
            guard !range.isEmpty else { throw cursor.error(.malformed, "a metadata key is empty", at: start) }
            guard range.count <= longestKey else {
                throw cursor.error(
                    .malformed, "a metadata key has \(range.count) bytes, more than \(longestKey)", at: start)
            }
            guard let key = cursor.bytes.utf8(at: range.lowerBound, byteCount: range.count) else {
                throw cursor.error(.malformed, "a metadata key is no valid UTF-8", at: range.lowerBound)
            }
            cursor.key = key
            let type = try cursor.valueType("the type of a metadata value")
            let value = try cursor.value(of: type)
            guard metadata.append(key, value, fileOffset: start) else {
                throw cursor.error(.duplicateKey, "a metadata key occurs twice", at: start)
            }
            cursor.key = nil
        }
        return metadata
    }

    private static func alignment(_ metadata: GGUFMetadata) throws(GGUFError) -> Int {
        let key = GGUFKey.alignment
        guard let value = metadata[key] else { return defaultAlignment }
        guard case .uint32(let stored) = value else {
            throw GGUFError(
                .wrongMetadataType, "the value is of type \(value.typeName) but must be u32",
                byteOffset: metadata.entry(key)?.fileOffset, key: key, path: metadata.path)
        }
        guard stored.nonzeroBitCount == 1 else {
            throw metadata.invalid(key, "the alignment is \(stored), which is no power of two")
        }
        return Int(stored)
    }
}

// MARK: Tensors

extension GGUFPart {
    /// What the directory says of a tensor.
    private struct Entry {
        let name: String
        let type: GGMLType
        let dimensions: [Int]
        let byteCount: Int
        /// From the start of the data, as stored.
        let offset: UInt64
        /// Where the entry begins in the header.
        let position: Int
    }

    private static func readDirectory(_ cursor: inout GGUFCursor, count: Int) throws(GGUFError) -> [Entry] {
        var entries: [Entry] = []
        var names = Set<KeyBytes>()
        for _ in 0..<count {
            let start = cursor.offset
            let name = try readName(&cursor)
            guard names.insert(KeyBytes(name)).inserted else {
                throw cursor.error(.duplicateTensor, "two tensors have the same name", at: start)
            }
            let dimensions = try readDimensions(&cursor)
            let type = try readType(&cursor)
            let byteCount = try byteCount(dimensions, type, cursor)
            let offset = try cursor.integer("a tensor's offset", as: UInt64.self)
            entries.append(
                Entry(
                    name: name, type: type, dimensions: dimensions, byteCount: byteCount, offset: offset,
                    position: start))
            cursor.tensor = nil
        }
        return entries
    }

    private static func readName(_ cursor: inout GGUFCursor) throws(GGUFError) -> String {
        let start = cursor.offset
        let range = try cursor.string("the length of a tensor's name")
        guard !range.isEmpty else { throw cursor.error(.malformed, "a tensor's name is empty", at: start) }
        guard range.count <= longestTensorName else {
            throw cursor.error(
                .malformed, "a tensor's name has \(range.count) bytes, more than \(longestTensorName)", at: start)
        }
        guard let name = cursor.bytes.utf8(at: range.lowerBound, byteCount: range.count) else {
            throw cursor.error(.malformed, "a tensor's name is no valid UTF-8", at: range.lowerBound)
        }
        cursor.tensor = name
        guard !name.utf8.contains(0) else {
            throw cursor.error(.malformed, "a tensor's name contains a zero byte", at: range.lowerBound)
        }
        return name
    }

    /// A tensor without dimensions is a scalar and gets the shape `[1]`, so that every tensor has a row length.
    private static func readDimensions(_ cursor: inout GGUFCursor) throws(GGUFError) -> [Int] {
        let start = cursor.offset
        let count = try cursor.integer("a tensor's number of dimensions", as: UInt32.self)
        guard count <= mostDimensions else {
            throw cursor.error(.malformed, "a tensor has \(count) dimensions, more than \(mostDimensions)", at: start)
        }
        var dimensions: [Int] = []
        var values = 1
        for _ in 0..<count {
            let position = cursor.offset
            let stored: UInt64 =
                cursor.layout.version == 1
                ? UInt64(try cursor.integer("a tensor's dimensions", as: UInt32.self))
                : try cursor.integer("a tensor's dimensions")
            guard let length = Int(exactly: stored), length > 0 else {
                throw cursor.error(.malformed, "a tensor's dimension is \(stored)", at: position)
            }
            let (product, overflow) = values.multipliedReportingOverflow(by: length)
            guard !overflow else {
                throw cursor.error(.malformed, "a tensor's dimensions multiply to more than \(Int.max)", at: position)
            }
            values = product
            dimensions.append(length)
        }
        return dimensions.isEmpty ? [1] : dimensions
    }

    private static func readType(_ cursor: inout GGUFCursor) throws(GGUFError) -> GGMLType {
        let start = cursor.offset
        let raw = try cursor.integer("a tensor's type", as: UInt32.self)
        guard let type = GGMLType(rawValue: raw) else {
            throw cursor.error(
                .unsupportedTensorType,
                "tensor type \(raw) (\(GGMLType.name(ofRawValue: raw))) is not supported; supported are "
                    + GGMLType.supportedNames, at: start)
        }
        return type
    }

    private static func byteCount(
        _ dimensions: [Int], _ type: GGMLType, _ cursor: GGUFCursor
    ) throws(GGUFError) -> Int {
        guard dimensions[0] % type.blockLength == 0 else {
            throw cursor.error(
                .malformed,
                "a row has \(dimensions[0]) values, no multiple of the \(type.blockLength) in a block of \(type.name)")
        }
        // The product was checked when the dimensions were read.
        guard let bytes = type.byteCount(valueCount: dimensions.reduce(1, *)) else {
            throw cursor.error(.malformed, "the tensor has more than \(Int.max) bytes")
        }
        return bytes
    }

    private static func dataOffset(
        _ cursor: GGUFCursor, alignment: Int, isNeeded: Bool
    ) throws(GGUFError) -> Int {
        // No overflow: an offset in a mapped file and an alignment of at most 2^31.
        let aligned = (cursor.offset + alignment - 1) / alignment * alignment
        guard isNeeded else { return min(aligned, cursor.bytes.count) }
        guard aligned <= cursor.bytes.count else {
            throw cursor.error(.truncated, "the tensor data would begin at byte \(aligned), behind the end of the file")
        }
        return aligned
    }

    private static func place(
        _ entries: [Entry], _ cursor: GGUFCursor, dataOffset: Int, alignment: Int
    ) throws(GGUFError) -> [GGUFTensor] {
        var cursor = cursor
        let available = cursor.bytes.count - dataOffset
        var tensors: [GGUFTensor] = []
        tensors.reserveCapacity(entries.count)
        for entry in entries {
            cursor.tensor = entry.name
            guard entry.offset % UInt64(alignment) == 0 else {
                throw cursor.error(
                    .malformed, "the tensor's offset \(entry.offset) is no multiple of the alignment \(alignment)",
                    at: entry.position)
            }
            guard let offset = Int(exactly: entry.offset), offset <= available, entry.byteCount <= available - offset,
                let data = cursor.bytes.slice(at: dataOffset + offset, byteCount: entry.byteCount)
            else {
                throw cursor.error(
                    .truncated,
                    "the tensor's \(entry.byteCount) bytes at data offset \(entry.offset) reach behind the end of the file",
                    at: entry.position)
            }
            tensors.append(
                GGUFTensor(
                    name: entry.name, type: entry.type, dimensions: entry.dimensions, fileOffset: dataOffset + offset,
                    storedBytes: data, layout: cursor.layout))
        }
        return tensors
    }

    /// Two tensors may not share bytes: nobody writes such files, and without this rule a small file could promise any
    /// amount of data.
    private static func refuseOverlaps(_ tensors: [GGUFTensor], path: String) throws(GGUFError) {
        var order = Array(tensors.indices)
        let isSorted = zip(tensors, tensors.dropFirst()).allSatisfy { $0.fileOffset <= $1.fileOffset }
        if !isSorted { order.sort { tensors[$0].fileOffset < tensors[$1].fileOffset } }
        for (first, second) in zip(order, order.dropFirst()) {
            let (before, after) = (tensors[first], tensors[second])
            guard before.fileOffset + before.byteCount <= after.fileOffset else {
                throw GGUFError(
                    .malformed, "the tensor's data overlaps that of \(GGUFError.quoted(before.name))",
                    byteOffset: after.fileOffset, tensor: after.name, path: path)
            }
        }
    }
}
