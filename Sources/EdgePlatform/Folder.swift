#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The files of a folder that several processes may use at once: what another has removed meanwhile is no error.
package enum Folder {
    /// A regular file.
    package struct File: Sendable {
        package let name: String
        package let byteCount: Int
        /// When it was last written or touched, in nanoseconds since 1970.
        package let modified: Int64
    }

    /// Makes a folder, and those above it, where they are not there.
    package static func create(_ path: String) throws(PlatformError) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<end])
            if mkdir(part, 0o777) != 0, errno != EEXIST {
                // Above may lie what may not be written to and is there.
                let code = errno
                guard isFolder(part) else { throw PlatformError(operation: "create \(part)", code: code) }
            }
        }
        guard isFolder(path) else { throw PlatformError(operation: "create \(path)", code: ENOTDIR) }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The regular files in a folder, in no order.
    package static func files(at path: String) throws(PlatformError) -> [File] {
        guard let stream = opendir(path) else { throw PlatformError(operation: "list \(path)", code: errno) }
        defer { closedir(stream) }
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
        var result: [File] = []
        while let entry = readdir(stream) {
            // Sound: a name ends with a zero, within the entry that the system has given.
            let bytes = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
            guard let name = String(validatingCString: bytes) else { continue }
            var status = stat()
            guard fstatat(dirfd(stream), bytes, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG
            else { continue }
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            result.append(
                File(
                    name: name, byteCount: Int(status.st_size),
                    modified: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)))
        }
        return result
    }

    /// Removes a file; false where it could not be, or was not there.
    @discardableResult
    package static func remove(_ path: String) -> Bool { unlink(path) == 0 }

    /// Sets the time at which a file was modified to now, where that is allowed.
    package static func touch(_ path: String) { _ = utimensat(AT_FDCWD, path, nil, 0) }

    /// Nanoseconds since 1970, by the clock that stamps files.
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
