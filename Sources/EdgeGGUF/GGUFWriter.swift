package import EdgePlatform
package import EdgeQuant

/// Writes a GGUF file: metadata in the order it is set, tensors in the order they are added.
///
/// The layout is the canonical one: data begins at the next multiple of the alignment behind the directory, and each tensor
/// is padded to a multiple of it, so a file of that form that is read and written again comes out byte for byte. Tensors
/// given as views or producers are streamed; only the header is built in memory.
package struct GGUFWriter {
    /// Hands the bytes of a tensor to `emit`, in pieces of any size.
    package typealias Producer = (_ emit: ([UInt8]) throws -> Void) throws -> Void

    private enum Source {
        case view(ByteView)
        case tensor(GGUFTensor)
        case producer(Producer)
    }

    private struct Item {
        let name: String
        let type: GGMLType
        let dimensions: [Int]
        let byteCount: Int
        let source: Source
    }

    /// Version and byte order of the file.
    package let layout: GGUFLayout
    /// The pairs to write.
    package private(set) var metadata = GGUFMetadata()
    private var items: [Item] = []
    private var names = Set<KeyBytes>()

    /// An empty file. Everybody reads version 3, little-endian; the other layouts are for tests and old tools.
    package init(layout: GGUFLayout = .current) {
        precondition((1...3).contains(layout.version), "GGUF has versions 1, 2 and 3")
        self.layout = layout
    }

    /// A file with the metadata and tensors of another; its tensors are streamed from it when it is written.
    ///
    /// - Throws: `invalidValue` for what the layout cannot hold.
    package init(copying file: GGUFFile, layout: GGUFLayout = .current) throws(GGUFError) {
        self.init(layout: layout)
        for entry in file.metadata.entries { set(entry.key, entry.value) }
        for tensor in file.tensors { try add(tensor) }
    }

    /// The alignment of tensor data: what `general.alignment` says, or 32.
    package var alignment: Int {
        guard case .uint32(let value) = metadata[GGUFKey.alignment] else { return GGUFPart.defaultAlignment }
        return Int(value)
    }

    /// Sets a pair; a key that was set before keeps its place.
    package mutating func set(_ key: String, _ value: GGUFValue) { metadata.set(key, value) }

    /// Adds a tensor whose bytes are at hand, in this machine's byte order.
    ///
    /// - Throws: `invalidValue` for a name, a shape or a number of bytes that GGUF cannot hold, `duplicateTensor`.
    package mutating func add(name: String, type: GGMLType, dimensions: [Int], bytes: ByteView) throws(GGUFError) {
        try add(name, type, dimensions, .view(bytes), byteCount: bytes.count)
    }

    /// Adds a tensor whose bytes are at hand, in this machine's byte order.
    package mutating func add(name: String, type: GGMLType, dimensions: [Int], bytes: [UInt8]) throws(GGUFError) {
        try add(name: name, type: type, dimensions: dimensions, bytes: ByteView(bytes))
    }

    /// Adds a tensor whose bytes a closure makes while the file is written, so that no more than a piece is in memory.
    package mutating func add(
        name: String, type: GGMLType, dimensions: [Int], producer: @escaping Producer
    ) throws(GGUFError) {
        try add(name, type, dimensions, .producer(producer), byteCount: nil)
    }

    /// Adds a tensor of another file.
    package mutating func add(_ tensor: GGUFTensor) throws(GGUFError) {
        try add(tensor.name, tensor.type, tensor.dimensions, .tensor(tensor), byteCount: tensor.byteCount)
    }

    private mutating func add(
        _ name: String, _ type: GGMLType, _ dimensions: [Int], _ source: Source, byteCount given: Int?
    ) throws(GGUFError) {
        func error(_ message: String) -> GGUFError { GGUFError(.invalidValue, message, tensor: name) }
        guard (1...GGUFPart.longestTensorName).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw error("a tensor's name must have 1 to \(GGUFPart.longestTensorName) bytes, none of them zero")
        }
        guard (1...GGUFPart.mostDimensions).contains(dimensions.count), dimensions.allSatisfy({ $0 > 0 }) else {
            throw error("the dimensions \(dimensions) are not 1 to \(GGUFPart.mostDimensions) positive numbers")
        }
        guard dimensions[0] % type.blockLength == 0 else {
            throw error("a row has \(dimensions[0]) values, no multiple of the \(type.blockLength) of \(type.name)")
        }
        var count = 1
        for length in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard !overflow else { throw error("the dimensions \(dimensions) multiply to more than \(Int.max)") }
            count = product
        }
        guard let byteCount = type.byteCount(valueCount: count) else { throw error("the tensor is too large") }
        guard given == nil || given == byteCount else {
            throw error("\(given ?? 0) bytes were given for \(byteCount) of \(type.name) \(dimensions)")
        }
        guard names.insert(KeyBytes(name)).inserted else {
            throw GGUFError(.duplicateTensor, "two tensors have the same name", tensor: name)
        }
        items.append(Item(name: name, type: type, dimensions: dimensions, byteCount: byteCount, source: source))
    }
}

// MARK: Writing

extension GGUFWriter {
    /// Writes the file beside its destination and puts it in place in one step: readers see all of it or none.
    ///
    /// - Throws: `GGUFError` (`invalidValue`, `unreadable`), and whatever a producer throws.
    package func write(to path: String) throws {
        do {
            AtomicFile.removeLeftovers(of: path)
            let file = try AtomicFile(path: path)
            try write { (piece: Piece) in
                switch piece {
                case .bytes(let bytes): try file.write(bytes)
                case .view(let view): try file.write(view)
                }
            }
            try file.commit()
        } catch let error as PlatformError {
            throw GGUFError(.unreadable, error.description, path: path)
        }
    }

    /// The whole file in memory.
    package func encoded() throws -> [UInt8] {
        var result: [UInt8] = []
        try write { (piece: Piece) in
            switch piece {
            case .bytes(let bytes): result.append(contentsOf: bytes)
            case .view(let view): _ = view.append(at: 0, byteCount: view.count, to: &result)
            }
        }
        return result
    }

    private enum Piece {
        case bytes([UInt8])
        case view(ByteView)
    }

    private func write(_ sink: (Piece) throws -> Void) throws {
        let header = try header()
        try sink(.bytes(header))
        for item in items {
            try write(item, sink)
            let padding = GGUFEncoder.padding(item.byteCount, alignment)
            if padding > 0 { try sink(.bytes([UInt8](repeating: 0, count: padding))) }
        }
    }

    private func write(_ item: Item, _ sink: (Piece) throws -> Void) throws {
        let mustSwap = layout.needsByteSwap && !item.type.swappedFields.isEmpty
        switch item.source {
        case .view(let view) where !mustSwap: try sink(.view(view))
        case .tensor(let tensor) where !mustSwap: try sink(.view(tensor.bytes))
        case .view(let view): try sink(.bytes(swapped(view.copied(), item.type)))
        case .tensor(let tensor): try sink(.bytes(swapped(tensor.bytes.copied(), item.type)))
        case .producer(let produce):
            var count = 0
            // Pieces need not end between blocks, so a tensor that has to be turned round is gathered first.
            var gathered: [UInt8] = []
            try produce { piece in
                count += piece.count
                guard count <= item.byteCount else { throw producedWrongCount(count, item) }
                if mustSwap { gathered.append(contentsOf: piece) } else { try sink(.bytes(piece)) }
            }
            guard count == item.byteCount else { throw producedWrongCount(count, item) }
            if mustSwap { try sink(.bytes(swapped(gathered, item.type))) }
        }
    }

    private func swapped(_ bytes: [UInt8], _ type: GGMLType) -> [UInt8] {
        var bytes = bytes
        type.swapByteOrder(&bytes)
        return bytes
    }

    private func producedWrongCount(_ count: Int, _ item: Item) -> GGUFError {
        GGUFError(
            .invalidValue, "the producer made \(count) bytes or more where \(item.byteCount) are needed",
            tensor: item.name)
    }

    /// Everything before the data, padded.
    private func header() throws(GGUFError) -> [UInt8] {
        let alignment = try checkedAlignment()
        var encoder = GGUFEncoder(layout: layout)
        encoder.bytes.append(contentsOf: GGUFPart.magic)
        encoder.put(UInt32(layout.version))
        encoder.put(count: items.count)
        encoder.put(count: metadata.count)
        for entry in metadata.entries {
            guard (1...GGUFPart.longestKey).contains(entry.key.utf8.count) else {
                throw GGUFError(
                    .invalidValue, "a metadata key must have 1 to \(GGUFPart.longestKey) bytes", key: entry.key)
            }
            encoder.put(entry.key)
            encoder.put(entry.value.type.rawValue)
            let start = encoder.bytes.count
            encoder.put(entry.value)
            if entry.value.array?.elementType == .array { try check(nested: encoder.bytes[start...], entry.key) }
        }
        var offset = 0
        for item in items {
            encoder.put(item.name)
            encoder.put(UInt32(item.dimensions.count))
            for length in item.dimensions { encoder.put(count: length) }
            encoder.put(item.type.rawValue)
            encoder.put(UInt64(offset))
            let (end, overflow) = offset.addingReportingOverflow(
                item.byteCount + GGUFEncoder.padding(item.byteCount, alignment))
            guard !overflow else { throw GGUFError(.invalidValue, "the tensors are too large", tensor: item.name) }
            offset = end
        }
        if let count = encoder.oversizedCount {
            throw GGUFError(.invalidValue, "version 1 has no room for a count of \(count)")
        }
        if !items.isEmpty { encoder.pad(to: alignment) }
        return encoder.bytes
    }

    /// Arrays can be put into each other without limit in memory, but not in a file: reads back what was encoded.
    private func check(nested bytes: ArraySlice<UInt8>, _ key: String) throws(GGUFError) {
        var cursor = GGUFCursor(ByteView(Array(bytes)), layout: layout, path: "", key: key)
        guard (try? cursor.array(depth: 1)) != nil, cursor.remaining == 0 else {
            throw GGUFError(
                .invalidValue, "arrays are nested more than \(GGUFCursor.deepestArray) deep", key: key)
        }
    }

    private func checkedAlignment() throws(GGUFError) -> Int {
        guard let value = metadata[GGUFKey.alignment] else { return GGUFPart.defaultAlignment }
        guard case .uint32(let stored) = value, stored.nonzeroBitCount == 1 else {
            throw GGUFError(.invalidValue, "the alignment must be a u32 power of two", key: GGUFKey.alignment)
        }
        return Int(stored)
    }
}
