#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file read from end to end once, piece by piece: unlike a mapping it takes no more memory than the pieces, and a file that becomes
/// shorter meanwhile is an error, not the end of the process.
package final class InputFile: Sendable {
    /// The path, for messages.
    package let path: String
    private let descriptor: Int32

    /// Opens a file for reading.
    ///
    /// - Throws: `PlatformError` when it cannot be opened.
    package init(path: String) throws(PlatformError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError(operation: "open \(path)", code: errno) }
    }

    deinit { _ = close(descriptor) }

    /// The bytes of a range. Several threads may read at once.
    ///
    /// - Throws: `PlatformError` when they cannot be read or the file ends before.
    package func read(at offset: Int, byteCount: Int) throws(PlatformError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, byteCount)) { memory, count in
            count = 0
            guard let base = memory.baseAddress else { return }
            while count < byteCount {
                let read = pread(descriptor, base + count, min(byteCount - count, 1 << 30), off_t(offset + count))
                if read < 0, errno == EINTR { continue }
                guard read > 0 else {
                    // A file that became shorter gives no bytes and no error.
                    code = read < 0 ? errno : EIO
                    return
                }
                count += read
            }
        }
        guard code == 0 else { throw PlatformError(operation: "read \(path)", code: code) }
        return bytes
    }
}
