/// A bounds-checked view of bytes that somebody owns: a mapped file, or an array.
///
/// This is the one door between mapped memory and the rooms that parse it. The view keeps its owner alive and every access
/// is checked against its bounds, so holders need no unsafe code. Loads out of bounds return nil: the parser says where.
/// `@unchecked Sendable`: the bytes are never written while a view exists.
@safe package struct ByteView: @unchecked Sendable {
    private let owner: AnyObject
    private let storage: UnsafeRawBufferPointer

    init(owner: AnyObject, bytes: UnsafeRawBufferPointer) {
        self.owner = owner
        storage = bytes
    }

    /// A view of a copy of the bytes.
    package init(_ array: [UInt8]) {
        let copy = OwnedBytes(array)
        self.init(owner: copy, bytes: copy.storage)
    }

    package var count: Int { storage.count }

    /// The part of the view at the range, or nil when it reaches outside.
    package func slice(_ range: Range<Int>) -> ByteView? {
        guard range.lowerBound >= 0, range.upperBound <= storage.count else { return nil }
        return ByteView(owner: owner, bytes: UnsafeRawBufferPointer(rebasing: storage[range]))
    }

    /// The `byteCount` bytes at `offset`, or nil when they reach outside; the sum cannot overflow.
    package func slice(at offset: Int, byteCount: Int) -> ByteView? {
        guard offset >= 0, byteCount >= 0, offset <= storage.count, byteCount <= storage.count - offset else {
            return nil
        }
        return ByteView(owner: owner, bytes: UnsafeRawBufferPointer(rebasing: storage[offset..<offset + byteCount]))
    }

    /// The byte at an index that must be in bounds.
    package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < storage.count, "ByteView index out of bounds")
        return storage[index]
    }

    /// The integer stored at a byte offset of any alignment, in the machine's order, or nil when it reaches outside.
    @inlinable package func load<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T? {
        guard offset >= 0, count >= MemoryLayout<T>.size, offset <= count - MemoryLayout<T>.size else { return nil }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
    }

    /// Runs a closure over the bytes; they must not escape it.
    @unsafe package func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(owner) {} }
        return try body(storage)
    }

    /// A copy of the bytes.
    package func copied() -> [UInt8] { [UInt8](storage) }

    /// The bytes as text, or nil when they are no valid UTF-8.
    package var utf8: String? { String(validating: storage.bindMemory(to: UInt8.self), as: UTF8.self) }
}

/// Bytes on the heap whose address stays put.
private final class OwnedBytes {
    let storage: UnsafeRawBufferPointer

    init(_ array: [UInt8]) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: array.count, alignment: 64)
        memory.copyBytes(from: array)
        storage = UnsafeRawBufferPointer(memory)
    }

    deinit { UnsafeMutableRawBufferPointer(mutating: storage).deallocate() }
}
