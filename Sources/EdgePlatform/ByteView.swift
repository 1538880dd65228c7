/// A bounds-checked view of bytes that somebody owns: a mapped file, or an array.
///
/// This is the one door between mapped memory and the rooms that parse it. The view keeps its owner alive and every access
/// is checked against its bounds, so holders need no unsafe code. Loads out of bounds return nil: the parser says where.
/// The type is public, although no other room's API is, because Swift 6.3 inlines nothing of a `package` struct into other
/// modules, not even members marked `@inlinable`: parsing a header took ten times as long. Its members are `package`.
/// `@unchecked Sendable`: the bytes are never written while a view exists.
@safe public struct ByteView: @unchecked Sendable {
    private let owner: AnyObject
    @usableFromInline let storage: UnsafeRawBufferPointer

    init(owner: AnyObject, bytes: UnsafeRawBufferPointer) {
        self.owner = owner
        storage = bytes
    }

    /// A view of a copy of the bytes.
    package init(_ array: [UInt8]) {
        let copy = OwnedBytes(array)
        self.init(owner: copy, bytes: copy.storage)
    }

    @inlinable package var count: Int { storage.count }

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
    @inlinable package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < storage.count, "ByteView index out of bounds")
        return storage[index]
    }

    /// The integer stored at a byte offset of any alignment, in the machine's order, or nil when it reaches outside.
    @inlinable package func load<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T? {
        guard offset >= 0, count >= MemoryLayout<T>.size, offset <= count - MemoryLayout<T>.size else { return nil }
        return storage.loadUnaligned(fromByteOffset: offset, as: T.self)
    }

    /// Appends the `byteCount` bytes at `offset` to an array; false, and nothing appended, when they reach outside.
    @inlinable package func append(at offset: Int, byteCount: Int, to array: inout [UInt8]) -> Bool {
        guard offset >= 0, byteCount >= 0, offset <= count, byteCount <= count - offset else { return false }
        array.append(contentsOf: UnsafeRawBufferPointer(rebasing: storage[offset..<offset + byteCount]))
        return true
    }

    /// The `byteCount` bytes at `offset` as text: nil when they reach outside or are no valid UTF-8.
    package func utf8(at offset: Int, byteCount: Int) -> String? {
        guard offset >= 0, byteCount >= 0, offset <= count, byteCount <= count - offset else { return nil }
        let part = UnsafeRawBufferPointer(rebasing: storage[offset..<offset + byteCount])
        return String(validating: part.bindMemory(to: UInt8.self), as: UTF8.self)
    }

    /// Where in a larger view of the same memory this one begins; nil where it does not lie in it.
    package func offset(in whole: ByteView) -> Int? {
        guard let start = storage.baseAddress, let first = whole.storage.baseAddress, start >= first else { return nil }
        let offset = start - first
        return offset <= whole.count && count <= whole.count - offset ? offset : nil
    }

    /// Where it lies in a mapped file; nil where it does not.
    var place: (file: MappedFile, offset: Int)? {
        guard let file = owner as? MappedFile, let offset = offset(in: file.bytes) else { return nil }
        return (file, offset)
    }

    /// Whether the bytes are those of a mapped file that stays open: `read` can bring some of them.
    package var canRead: Bool { place.map { $0.file.descriptor >= 0 } ?? false }

    /// Reads bytes from the mapped file itself: pages that nobody looked at take no memory of this process, then as before.
    ///
    /// - Throws: `PlatformError` when they cannot be read, or `canRead` is false.
    package func read(
        at offset: Int, byteCount: Int, into buffer: AlignedBuffer<UInt8>, at start: Int
    ) throws(PlatformError) {
        precondition(offset >= 0 && byteCount >= 0 && byteCount <= count - offset, "ByteView range out of bounds")
        precondition(start >= 0 && byteCount <= buffer.count - start, "AlignedBuffer range out of bounds")
        guard let place, place.file.descriptor >= 0 else { throw .storage("the file does not stay open") }
        try place.file.read(
            at: place.offset + offset,
            into: UnsafeMutableRawBufferPointer(start: buffer.base + start, count: byteCount))
    }

    /// Tells the system that these bytes of a mapped file are read soon; nothing where they are no mapping.
    package func prepare() { (owner as? MappedFile)?.prepare(storage) }

    /// Takes the pages of a mapped file out of this process's memory, and lets those that are read again come in one by one; nothing where
    /// the bytes are no mapping. What they hold stays the same.
    package func letGo() { (owner as? MappedFile)?.letGo() }

    /// Takes the whole pages of a mapped file within this view out of the process's memory; read again, they come back.
    package func letGoPages() { (owner as? MappedFile)?.letGo(storage) }

    /// Whether two views hold the same bytes.
    package func hasSameBytes(as other: ByteView) -> Bool {
        count == other.count && storage.elementsEqual(other.storage)
    }

    /// Runs a closure over the bytes; they must not escape it.
    @unsafe package func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(owner) {} }
        return try body(storage)
    }

    /// Runs a closure over the bytes as a span.
    package func withSpan<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(owner) {} }
        return try body(storage.bytes)
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
