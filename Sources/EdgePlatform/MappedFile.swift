#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A failed call to the operating system, with what was asked and its own word for the reason.
package struct PlatformError: Error, Sendable, CustomStringConvertible {
    /// What was being done, for example `open model.gguf`.
    package let operation: String
    /// The `errno` of the call.
    package let code: Int32

    package init(operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    /// The system has not enough memory for what is named.
    package static func outOfMemory(_ what: String) -> PlatformError {
        PlatformError(operation: "allocate \(what)", code: ENOMEM)
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// A file mapped read-only into memory, released when the last owner of the mapping lets go.
///
/// The pages are shared with the system's file cache, so opening costs no copy and two processes share one.
/// `@unchecked Sendable`: the mapping is never written and lives as long as the object.
package final class MappedFile: @unchecked Sendable {
    /// The path given by the caller, for messages.
    package let path: String
    private let mapping: UnsafeRawBufferPointer

    /// Maps the file.
    ///
    /// - Throws: `PlatformError` when the file cannot be opened or mapped, or is not a regular file.
    package init(path: String) throws(PlatformError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError(operation: "open \(path)", code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw PlatformError(operation: "stat \(path)", code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(operation: "map \(path)", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        let count = Int(status.st_size)
        guard count > 0 else {
            // An empty mapping is an error to the system but an ordinary (if useless) file to us.
            mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            throw PlatformError(operation: "map \(path)", code: errno)
        }
        mapping = UnsafeRawBufferPointer(start: base, count: count)
    }

    deinit {
        if let base = mapping.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), mapping.count) }
    }

    /// The size in bytes.
    package var byteCount: Int { mapping.count }

    /// The whole file as a checked view.
    package var bytes: ByteView { ByteView(owner: self, bytes: mapping) }
}
