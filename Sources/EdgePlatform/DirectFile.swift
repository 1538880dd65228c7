internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is read and written past the system's file cache, in whole pages: what is brought in takes the caller's memory and no other.
///
/// Where the file system cannot do that, the cache is used and asked to forget each piece.
/// `@unchecked Sendable`: reads and writes name their place, so that threads share no position.
package final class DirectFile: @unchecked Sendable {
    /// Offsets, lengths and addresses are multiples of it.
    package static let alignment = 4096
    /// Bytes moved by one call: large enough for a disk's full speed, small enough to end soon when nobody wants them any more.
    package static let pieceByteCount = 4 << 20

    /// The path, for messages.
    package let path: String
    private let descriptor: Int32
    /// For tests: what every call fails with, as a disk that is full or broken would; 0 for nothing.
    private let fault = Atomic<Int32>(0)
    /// Bytes that the file had when it was opened, or was made with.
    package let byteCount: Int

    /// Opens a file for reading.
    ///
    /// - Throws: `PlatformError` when it cannot be opened or is not a regular file.
    package init(path: String) throws(PlatformError) {
        self.path = path
        descriptor = try Self.open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            let code = status.st_mode & S_IFMT == S_IFREG ? errno : EINVAL
            _ = close(descriptor)
            throw PlatformError(operation: "read \(path)", code: code)
        }
        byteCount = Int(status.st_size)
    }

    /// Makes an empty file of a size in a folder, to be written and read, that has no name: it is gone with this object, whatever ends the
    /// process. The disk's room is taken as it is written.
    ///
    /// - Throws: `PlatformError` when the folder cannot be written to or the file system has no files of this size.
    package init(temporaryIn folder: String, byteCount: Int) throws(PlatformError) {
        let path = "\(folder)/edge-\(getpid())-\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
        self.path = path
        self.byteCount = byteCount
        descriptor = try Self.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC)
        unlink(path)
        guard byteCount >= 0, ftruncate(descriptor, off_t(byteCount)) == 0 else {
            let code = byteCount < 0 ? EINVAL : errno
            _ = close(descriptor)
            throw PlatformError(operation: "make a file of \(byteCount) bytes in \(folder)", code: code)
        }
    }

    deinit { _ = close(descriptor) }

    /// Linux's O_DIRECT, which the C headers show to GNU programs alone; none where its number is not known.
    #if os(Linux) && arch(x86_64)
        private static let direct: Int32 = 0o40000
    #elseif os(Linux) && arch(arm64)
        private static let direct: Int32 = 0o200000
    #else
        private static let direct: Int32 = 0
    #endif

    private static func open(_ path: String, _ flags: Int32) throws(PlatformError) -> Int32 {
        func open(_ flags: Int32) -> Int32 {
            #if canImport(Glibc)
                Glibc.open(path, flags, 0o600)
            #elseif canImport(Musl)
                Musl.open(path, flags, 0o600)
            #else
                Darwin.open(path, flags, 0o600)
            #endif
        }
        #if os(Linux)
            var descriptor = open(flags | Self.direct)
            if descriptor < 0, errno == EINVAL { descriptor = open(flags & ~O_EXCL) }
        #else
            let descriptor = open(flags)
        #endif
        guard descriptor >= 0 else { throw PlatformError(operation: "open \(path)", code: errno) }
        #if canImport(Darwin)
            _ = fcntl(descriptor, F_NOCACHE, 1)
        #endif
        return descriptor
    }

    /// Reads bytes into a buffer; all three numbers are multiples of `alignment`, and the last page may reach beyond the file's end.
    ///
    /// - Parameter isCancelled: asked between pieces; the read then ends with `ECANCELED`.
    /// - Throws: `PlatformError`; `EIO` where the file has become shorter.
    package func read(
        at offset: Int, byteCount: Int, into buffer: AlignedBuffer<UInt8>, at start: Int,
        isCancelled: () -> Bool = { false }
    ) throws(PlatformError) {
        let memory = Self.memory(buffer, start, byteCount)
        // Beyond the end there is nothing to be read.
        let wanted = min(byteCount, max(0, self.byteCount - offset))
        try move(offset, byteCount, done: wanted, isCancelled) { place, count in
            pread(descriptor, memory + (place - offset), count, off_t(place))
        }
    }

    /// Writes bytes; all three numbers are multiples of `alignment`.
    ///
    /// - Throws: `PlatformError`, with `ENOSPC` when the disk is full.
    package func write(
        at offset: Int, byteCount: Int, from buffer: AlignedBuffer<UInt8>, at start: Int
    ) throws(PlatformError) {
        let memory = Self.memory(buffer, start, byteCount)
        try move(offset, byteCount, done: byteCount, { false }) { place, count in
            pwrite(descriptor, memory + (place - offset), count, off_t(place))
        }
    }

    /// Asks the disk for room where bytes will be written later, so that what is written piece by piece lies together and is read fast. Advice:
    /// nothing is said where the system cannot, or has no room.
    package func reserve(at offset: Int, byteCount: Int) {
        #if os(Linux)
            guard fault.load(ordering: .relaxed) == 0, offset >= 0, byteCount > 0 else { return }
            _ = posix_fallocate(descriptor, off_t(offset), off_t(byteCount))
        #endif
    }

    /// For tests: makes every call fail with a code, as a disk that is full or broken does; 0 ends it.
    package func fail(with code: Int32) { fault.store(code, ordering: .relaxed) }

    private static func memory(_ buffer: AlignedBuffer<UInt8>, _ start: Int, _ byteCount: Int)
        -> UnsafeMutableRawPointer
    {
        precondition(
            start >= 0 && start % alignment == 0 && byteCount >= 0 && byteCount <= buffer.byteCount - start,
            "outside of the buffer")
        return UnsafeMutableRawPointer(buffer.base) + start
    }

    private func move(
        _ offset: Int, _ byteCount: Int, done wanted: Int, _ isCancelled: () -> Bool, _ call: (Int, Int) -> Int
    ) throws(PlatformError) {
        precondition(
            offset >= 0 && byteCount >= 0 && offset % Self.alignment == 0 && byteCount % Self.alignment == 0,
            "not whole pages")
        var done = 0
        while done < wanted {
            guard !isCancelled() else { throw PlatformError(operation: "move \(path)", code: ECANCELED) }
            let fault = fault.load(ordering: .relaxed)
            guard fault == 0 else { throw PlatformError(operation: "read or write \(path)", code: fault) }
            let moved = call(offset + done, min(Self.pieceByteCount, byteCount - done))
            // Only a file's end lies within a page: what follows a part of one is asked for again with it.
            let whole = done + moved >= wanted ? moved : moved - moved % Self.alignment
            if moved > 0, whole > 0 {
                forget(offset + done, moved)
                done += whole
                continue
            }
            let code = moved < 0 ? errno : EIO
            if code == EINTR { continue }
            #if os(Linux)
                // A file system that takes the flag and then refuses what it asks for.
                let flags = fcntl(descriptor, F_GETFL)
                if code == EINVAL, flags >= 0, flags & Self.direct != 0,
                    fcntl(descriptor, F_SETFL, flags & ~Self.direct) == 0
                {
                    continue
                }
            #endif
            throw PlatformError(operation: "read or write \(path) at byte \(offset + done)", code: code)
        }
    }

    /// Asks the system's cache to let go of what it holds of the whole file.
    package func forget() {
        #if os(Linux)
            _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        #endif
    }

    /// Asks the cache to let go of a piece, where it is used.
    private func forget(_ offset: Int, _ byteCount: Int) {
        #if os(Linux)
            if fcntl(descriptor, F_GETFL) & Self.direct == 0 {
                _ = posix_fadvise(descriptor, off_t(offset), off_t(byteCount), POSIX_FADV_DONTNEED)
            }
        #endif
    }
}
