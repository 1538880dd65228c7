internal import EdgePlatform

extension GGUFFile {
    /// A number that tells models apart without reading all of their weights: of the header, and of some bytes at the beginning, the middle
    /// and the end of each tensor. Training changes all of a tensor, so two models that differ have different numbers.
    ///
    /// - Complexity: the header once, and a page or three of each tensor.
    package var fingerprint: UInt64 {
        var sums: [UInt8] = []
        func add(_ view: ByteView?) {
            let sum = view.map { Checksum.of($0) } ?? 0
            for shift in stride(from: UInt64(0), to: 64, by: 8) { sums.append(UInt8(truncatingIfNeeded: sum >> shift)) }
        }
        add(header)
        for tensor in tensors {
            let bytes = tensor.storedBytes
            let count = min(256, bytes.count)
            for offset in [0, (bytes.count - count) / 2, bytes.count - count] {
                add(bytes.slice(at: offset, byteCount: count))
            }
        }
        return Checksum.of(sums, seed: UInt64(truncatingIfNeeded: byteCount))
    }
}
