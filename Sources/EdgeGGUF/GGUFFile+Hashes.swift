internal import EdgePlatform
internal import EdgeQuant

extension GGUFFile {
    /// XXH64 of each tensor's bytes as they are stored, in the order of the directory.
    ///
    /// - Complexity: reads all weights. With more than one part the order is that of the parts.
    package func tensorHashes() -> [UInt64] { tensors.map { Checksum.of($0.storedBytes) } }

    /// Compares all weights with the hashes in the metadata.
    ///
    /// - Throws: `missingMetadata` where there are none; `malformed` naming the first tensor that differs.
    package func verifyTensors() throws(GGUFError) {
        guard let hashes = self[GGUFKey.tensorHashes]?.array?.uint64s() else {
            throw GGUFError(
                .missingMetadata, "the file has no certificate, so its weights cannot be checked",
                key: GGUFKey.tensorHashes, path: path)
        }
        guard hashes.count == tensors.count else {
            throw GGUFError(
                .malformed, "the certificate has \(hashes.count) checksums for \(tensors.count) tensors",
                key: GGUFKey.tensorHashes, path: path)
        }
        for (tensor, hash) in zip(tensors, hashes) where Checksum.of(tensor.storedBytes) != hash {
            throw GGUFError(
                .malformed, "the weights are not those that were certified", byteOffset: tensor.fileOffset,
                tensor: tensor.name, path: path)
        }
    }

    /// A number for all weights of the file together with their names, types and shapes: the same for files that differ in metadata alone.
    package func weightsHash() -> UInt64 {
        var bytes: [UInt8] = []
        func add(_ number: UInt64) {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for tensor in tensors.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            bytes.append(contentsOf: tensor.name.utf8)
            add(UInt64(tensor.type.rawValue))
            for length in tensor.dimensions { add(UInt64(truncatingIfNeeded: length)) }
            add(Checksum.of(tensor.storedBytes))
        }
        return Checksum.of(bytes)
    }
}
