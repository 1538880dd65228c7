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
    /// The `errno` of the call; 0 where `operation` says all.
    package let code: Int32

    package init(operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    /// Whether there is no such file or folder.
    package var isMissing: Bool { code == ENOENT || code == ENOTDIR }

    /// What could not be read from a file or written to it, in words that say why.
    package static func storage(_ what: String) -> PlatformError { PlatformError(operation: what, code: 0) }

    /// The system has not enough memory for what is named.
    package static func outOfMemory(_ what: String) -> PlatformError {
        PlatformError(operation: "allocate \(what)", code: ENOMEM)
    }

    /// The system's own words for the code.
    package var reason: String { String(cString: strerror(code)) }

    package var description: String { code == 0 ? operation : "\(operation): \(reason)" }
}

/// A file mapped read-only into memory, released when the last owner of the mapping lets go.
///
/// The pages are shared with the system's file cache, so opening costs no copy and two processes share one.
/// `@unchecked Sendable`: the mapping is never written and lives as long as the object.
package final class MappedFile: @unchecked Sendable {
    /// The path given by the caller, for messages.
    package let path: String
    private let mapping: UnsafeRawBufferPointer
    private let isMapped: Bool
    /// Of the open file, for mapping parts of it elsewhere; -1 where it was not kept.
    let descriptor: Int32
    /// What is given back to the system in the end: the mapping, or the memory it lies in.
    private let reserved: UnsafeRawBufferPointer

    /// Maps the file.
    ///
    /// - Parameter inLargePages: whether to read the file into memory of its own with pages of 2 MiB, where the system has them,
    ///   instead: faster to walk through, but read from end to end first, and shared with nobody.
    /// - Parameter staysOpen: whether parts of it are to be read past the mapping, or mapped elsewhere too (`AlignedBuffer.map`), for which
    ///   the file stays open.
    /// - Throws: `PlatformError` when the file cannot be opened, mapped or read, or is not a regular file.
    package init(path: String, inLargePages: Bool = false, staysOpen: Bool = false) throws(PlatformError) {
        self.path = path
        isMapped = !inLargePages
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError(operation: "open \(path)", code: errno) }
        var isKept = false
        defer { if !isKept { close(descriptor) } }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw PlatformError(operation: "stat \(path)", code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(operation: "map \(path)", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        let count = Int(status.st_size)
        guard count > 0 else {
            // An empty mapping is an error to the system but an ordinary (if useless) file to us.
            mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            reserved = mapping
            self.descriptor = -1
            return
        }
        if inLargePages {
            (mapping, reserved) = try Self.read(descriptor, byteCount: count, path: path)
            self.descriptor = -1
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            throw PlatformError(operation: "map \(path)", code: errno)
        }
        mapping = UnsafeRawBufferPointer(start: base, count: count)
        reserved = mapping
        self.descriptor = staysOpen ? descriptor : -1
        isKept = staysOpen
    }

    deinit {
        if let base = reserved.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), reserved.count) }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads a file into anonymous memory on a border of 2 MiB, for which large pages are asked.
    private static func read(
        _ descriptor: Int32, byteCount: Int, path: String
    ) throws(PlatformError) -> (UnsafeRawBufferPointer, reserved: UnsafeRawBufferPointer) {
        let largePage = 2 << 20
        let (total, overflow) = byteCount.addingReportingOverflow(2 * largePage)
        let operation = "read \(path) into large pages"
        guard !overflow else { throw PlatformError(operation: operation, code: ENOMEM) }
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        #else
            let flags = MAP_PRIVATE | MAP_ANON
        #endif
        guard let base = mmap(nil, total, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw PlatformError(operation: operation, code: errno)
        }
        let reserved = UnsafeRawBufferPointer(start: base, count: total)
        let start = base.alignedUp(toMultipleOf: largePage)
        #if os(Linux)
            // Advice: where the system has no large pages left, the others do.
            madvise(start, (byteCount + largePage - 1) / largePage * largePage, MADV_HUGEPAGE)
        #endif
        do throws(PlatformError) {
            try read(
                descriptor, at: 0, into: UnsafeMutableRawBufferPointer(start: start, count: byteCount), operation)
        } catch {
            munmap(base, total)
            throw error
        }
        mprotect(start, byteCount, PROT_READ)
        return (UnsafeRawBufferPointer(start: start, count: byteCount), reserved)
    }

    /// Takes all pages out of this process's memory, and lets those that are read again come in one by one; nothing for a file that was
    /// read into memory of its own.
    package func letGo() {
        guard isMapped, let base = mapping.baseAddress else { return }
        let memory = UnsafeMutableRawPointer(mutating: base)
        madvise(memory, mapping.count, MADV_RANDOM)
        madvise(memory, mapping.count, MADV_DONTNEED)
    }

    /// Takes the whole pages within some of its bytes out of this process's memory, for who is done with them; read again, they come back.
    func letGo(_ part: UnsafeRawBufferPointer) {
        guard isMapped, let base = part.baseAddress else { return }
        let page = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))
        let start = base.alignedUp(toMultipleOf: page)
        let end = (base + part.count).alignedDown(toMultipleOf: page)
        if start < end { madvise(UnsafeMutableRawPointer(mutating: start), end - start, MADV_DONTNEED) }
    }

    /// Reads some of its bytes into memory past the mapping, whose pages are left as they are.
    ///
    /// - Throws: `PlatformError` when they cannot be read, or are there no more.
    func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) throws(PlatformError) {
        try Self.read(descriptor, at: offset, into: memory, "read \(path)")
    }

    /// Fills memory from a place of an open file.
    private static func read(
        _ descriptor: Int32, at offset: Int, into memory: UnsafeMutableRawBufferPointer,
        _ operation: @autoclosure () -> String
    ) throws(PlatformError) {
        var done = 0
        while done < memory.count, let base = memory.baseAddress {
            let count = pread(descriptor, base + done, min(memory.count - done, 1 << 26), off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            // A file that became shorter gives no bytes and no error.
            guard count > 0 else { throw PlatformError(operation: operation(), code: count < 0 ? errno : EIO) }
            done += count
        }
    }

    /// Tells the system that some of its bytes are read soon, so that the disk need not be asked page by page.
    func prepare(_ part: UnsafeRawBufferPointer) {
        guard isMapped, let base = part.baseAddress else { return }
        let start = base.alignedDown(toMultipleOf: max(4096, Int(sysconf(Int32(_SC_PAGESIZE)))))
        madvise(UnsafeMutableRawPointer(mutating: start), base - start + part.count, MADV_WILLNEED)
    }

    /// The size in bytes.
    package var byteCount: Int { mapping.count }

    /// The whole file as a checked view.
    package var bytes: ByteView { ByteView(owner: self, bytes: mapping) }
}
