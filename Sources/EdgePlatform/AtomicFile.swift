#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file written beside its destination and put in place in one step.
///
/// Readers see the old file or the whole new one, never a part, and a process that has the old one mapped keeps it. Writes
/// are gathered into large ones. A file that is let go without `commit` is removed.
package final class AtomicFile {
    /// The destination.
    package let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private static let bufferByteCount = 1 << 20

    /// Creates the temporary file in the destination's folder.
    package init(path: String) throws(PlatformError) {
        self.path = path
        temporaryPath = "\(path).\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36)).tmp"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw PlatformError(operation: "create \(temporaryPath)", code: errno) }
        buffer.reserveCapacity(AtomicFile.bufferByteCount)
    }

    deinit { abandon() }

    /// Whether a file's name is that of a temporary file for a destination whose process is gone: killed before `commit`.
    package static func isLeft(_ name: String, ofFileNamed destination: String) -> Bool {
        guard name.hasPrefix(destination + "."), name.hasSuffix(".tmp") else { return false }
        let middle = name.dropFirst(destination.count + 1).dropLast(4).split(separator: "-")
        guard middle.count == 2, let process = pid_t(middle[0]), process > 0, UInt32(middle[1], radix: 36) != nil else {
            return false
        }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    /// Removes what processes that were killed while writing the same file left beside it: after ten minutes, as a process number may
    /// mean another process where folders are shared. Where that fails nothing is lost but room.
    package static func removeLeftovers(of path: String) {
        let (folder, name) = split(path)
        guard let files = try? Folder.files(at: folder) else { return }
        for file in files where isLeft(file.name, ofFileNamed: name) && Folder.now - file.modified > 600_000_000_000 {
            Folder.remove("\(folder)/\(file.name)")
        }
    }

    /// Appends bytes.
    package func write(_ bytes: [UInt8]) throws(PlatformError) { try write(bytes.span.bytes) }

    /// Appends the bytes of a view without copying them first when they are many.
    package func write(_ view: ByteView) throws(PlatformError) {
        try view.withUnsafeBytes { (bytes) throws(PlatformError) in try append(bytes) }
    }

    /// Appends the bytes of a span without copying them first when they are many.
    package func write(_ span: RawSpan) throws(PlatformError) {
        try span.withUnsafeBytes { (bytes) throws(PlatformError) in try append(bytes) }
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(PlatformError) {
        if buffer.count + bytes.count <= AtomicFile.bufferByteCount {
            buffer.append(contentsOf: bytes)
        } else {
            try flush()
            try writeAll(bytes)
        }
    }

    /// Brings the bytes to the disk and gives the file its name.
    ///
    /// - Parameter isDurable: whether to wait for the disk. Otherwise a power cut may leave the name with other bytes behind it, which
    ///   only a checksum finds; the end of the process may not.
    package func commit(isDurable: Bool = true) throws(PlatformError) {
        try flush()
        guard !isDurable || fsync(descriptor) == 0 else { throw PlatformError(operation: "sync \(path)", code: errno) }
        let closed = close(descriptor)
        let closeCode = errno
        descriptor = -1
        guard closed == 0, rename(temporaryPath, path) == 0 else {
            let code = closed == 0 ? errno : closeCode
            unlink(temporaryPath)
            throw PlatformError(operation: "write \(path)", code: code)
        }
        if isDurable { syncFolder() }
    }

    private func flush() throws(PlatformError) {
        let gathered = buffer
        try gathered.span.bytes.withUnsafeBytes { (bytes) throws(PlatformError) in try writeAll(bytes) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws(PlatformError) {
        guard descriptor >= 0 else { throw PlatformError(operation: "write \(path)", code: EBADF) }
        var rest = bytes
        while !rest.isEmpty {
            // Some systems refuse a single write of 2 GiB or more.
            #if canImport(Darwin)
                let written = Darwin.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
            #elseif canImport(Musl)
                let written = Musl.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
            #else
                let written = Glibc.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
            #endif
            if written < 0 {
                guard errno == EINTR else { throw PlatformError(operation: "write \(path)", code: errno) }
                continue
            }
            guard written > 0 else { throw PlatformError(operation: "write \(path)", code: EIO) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// The new name survives a power cut once the folder is on the disk; a system that cannot do that is no error.
    private func syncFolder() {
        let folder = AtomicFile.split(path).folder
        let folderDescriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { return }
        _ = fsync(folderDescriptor)
        _ = close(folderDescriptor)
    }

    private func abandon() {
        guard descriptor >= 0 else { return }
        _ = close(descriptor)
        descriptor = -1
        unlink(temporaryPath)
    }
}
