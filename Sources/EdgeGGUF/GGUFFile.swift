package import EdgePlatform
package import EdgeQuant

/// Metadata keys that the format itself gives a meaning.
package enum GGUFKey {
    package static let alignment = "general.alignment"
    package static let splitNumber = "split.no"
    package static let splitCount = "split.count"
    package static let splitTensorCount = "split.tensors.count"
    /// Our own: XXH64 of each tensor's bytes, in the order of the directory.
    package static let tensorHashes = "edge.certificate.tensor_hashes"
}

/// A model file, or all parts of a split one, mapped and checked.
///
/// The reader knows the format and no model. Its cost is linear in the header; its memory is the directory and the scalar
/// values, while arrays and weights stay in the mapping. Everything wrong with a file is a `GGUFError`.
package struct GGUFFile: Sendable {
    /// The path the caller gave.
    package let path: String
    /// The files mapped, in order: one, or all parts of a split model.
    package let paths: [String]
    /// The layout of the first part.
    package let layout: GGUFLayout
    /// The alignment of the first part's tensor data.
    package let alignment: Int
    /// Where the tensor data of the first part begins.
    package let dataOffset: Int
    /// The pairs of the first part; the others repeat no more than their place in the set.
    package let metadata: GGUFMetadata
    /// The tensors of all parts in the order of their directories.
    package private(set) var tensors: [GGUFTensor]
    /// The size of all parts in bytes.
    package let byteCount: Int
    /// The bytes of all parts.
    private let parts: [ByteView]
    private let index: [KeyBytes: Int]
    /// All of the first part before its tensor data.
    let header: ByteView?

    /// 1, 2 or 3.
    package var version: Int { layout.version }
    package var isBigEndian: Bool { layout.isBigEndian }

    /// Opens a model. For a split one (`NAME-00001-of-00003.gguf`) the path may name any part; all lie in one folder.
    ///
    /// `inLargePages` reads it into memory of its own, as `MappedFile` explains, instead of mapping it.
    package init(path: String, inLargePages: Bool = false) throws(GGUFError) {
        let first = GGUFPartName(path)?.sibling(1) ?? path
        let bytes = try GGUFFile.map(first, inLargePages: inLargePages)
        try self.init(path: path, firstPath: first, firstBytes: bytes) { path throws(GGUFError) in
            try GGUFFile.map(path, inLargePages: inLargePages)
        }
    }

    /// Parses a file that is in memory; `path` is for messages. A part of a split model is refused: it is no whole one.
    package init(bytes: ByteView, path: String) throws(GGUFError) {
        try self.init(path: path, firstPath: path, firstBytes: bytes) { part throws(GGUFError) in
            throw GGUFError(.missingSplit, "the part is not at hand", path: part)
        }
    }

    private init(
        path: String, firstPath: String, firstBytes: ByteView,
        open: (String) throws(GGUFError) -> ByteView
    ) throws(GGUFError) {
        let first = try GGUFPart(firstBytes, path: firstPath)
        let split = try GGUFSplit(first.metadata)
        var paths = [firstPath]
        var tensors = first.tensors
        var byteCount = firstBytes.count
        var parts = [firstBytes]
        var index: [KeyBytes: Int] = [:]
        for (position, tensor) in tensors.enumerated() { index[KeyBytes(tensor.name)] = position }

        if split.count > 1 {
            guard split.number == 0 else {
                throw GGUFError(
                    .missingSplit, "the file is part \(split.number + 1) of \(split.count), not the first",
                    key: GGUFKey.splitNumber, path: firstPath)
            }
            guard let name = GGUFPartName(firstPath), name.count == split.count else {
                throw GGUFError(
                    .missingSplit,
                    "the file is part 1 of \(split.count), but its name does not end in -00001-of-\(GGUFPartName.digits(split.count)).gguf",
                    key: GGUFKey.splitCount, path: firstPath)
            }
            for number in 2...split.count {
                let partPath = name.sibling(number)
                let bytes = try open(partPath)
                let part = try GGUFPart(bytes, path: partPath)
                try split.check(GGUFSplit(part.metadata), isNumber: number - 1, path: partPath)
                for tensor in part.tensors {
                    guard index.updateValue(tensors.count, forKey: KeyBytes(tensor.name)) == nil else {
                        throw GGUFError(
                            .duplicateTensor, "an earlier part has a tensor of this name",
                            byteOffset: tensor.fileOffset, tensor: tensor.name, path: partPath)
                    }
                    tensors.append(tensor)
                }
                paths.append(partPath)
                byteCount += bytes.count
                parts.append(bytes)
            }
        }
        if split.count > 1, let expected = split.tensorCount, expected != tensors.count {
            throw GGUFError(
                .missingSplit, "the parts have \(tensors.count) tensors together, not \(expected)",
                key: GGUFKey.splitTensorCount, path: firstPath)
        }
        self.path = path
        self.paths = paths
        layout = first.layout
        alignment = first.alignment
        dataOffset = first.dataOffset
        metadata = first.metadata
        self.tensors = tensors
        self.byteCount = byteCount
        self.parts = parts
        self.index = index
        header = firstBytes.slice(at: 0, byteCount: first.dataOffset)
    }

    private static func map(_ path: String, inLargePages: Bool) throws(GGUFError) -> ByteView {
        do {
            return try MappedFile(path: path, inLargePages: inLargePages, staysOpen: true).bytes
        } catch {
            let isPart = GGUFPartName(path).map { $0.number > 1 } ?? false
            throw GGUFError(isPart ? .missingSplit : .unreadable, error.description, path: path)
        }
    }

    /// Where bytes of a tensor, or of a part of one, lie: in which of `paths`, and where in that; nil for a copy.
    package func place(of bytes: ByteView) -> (part: Int, offset: Int)? {
        for (part, whole) in parts.enumerated() {
            if let offset = bytes.offset(in: whole) { return (part, offset) }
        }
        return nil
    }

    /// Takes the pages of all parts out of this process's memory until they are read again.
    package func letGo() { for part in parts { part.letGo() } }

    /// The same file with another tensor's bytes, in this machine's order, in place of one of its own; nil where there is none of that name
    /// or the bytes do not fit. The bytes stay in memory.
    package func replacing(_ name: String, type: GGMLType, bytes: ByteView) -> GGUFFile? {
        guard let position = index[KeyBytes(name)] else { return nil }
        let old = tensors[position]
        guard old.dimensions[0] % type.blockLength == 0, type.byteCount(valueCount: old.valueCount) == bytes.count
        else {
            return nil
        }
        var file = self
        file.tensors[position] = GGUFTensor(
            name: old.name, type: type, dimensions: old.dimensions, fileOffset: old.fileOffset, storedBytes: bytes,
            layout: .current)
        return file
    }

    /// The value of a metadata key, nil when it is absent.
    package subscript(key: String) -> GGUFValue? { metadata[key] }

    /// The tensor of a name, nil when there is none.
    package func tensor(named name: String) -> GGUFTensor? { index[KeyBytes(name)].map { tensors[$0] } }
}
