/// Why a file of sections cannot be read.
package struct SectionFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case unreadable
        /// The file has no directory at its end, and never had one or was cut.
        case notSections
        case unsupportedVersion
        case truncated
        case damaged
    }

    package let code: Code
    package let message: String
    /// The section that is damaged; nil for the directory, or the file as a whole.
    package let section: String?
    /// The byte of the file it is about.
    package let byteOffset: Int?

    init(_ code: Code, _ message: String, section: String? = nil, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.section = section
        self.byteOffset = byteOffset
    }

    package var description: String { message + (byteOffset.map { " (at byte \($0))" } ?? "") }
}

/// A file of named sections, mapped for reading. All numbers are little-endian:
///
///     the sections, each on a border of 4096 bytes, with zeros between them
///     directory: for each section u64 offset, u64 bytes, u64 checksum, u64 bytes of its name, the name
///     the last 64 bytes: "EdgePack", u32 version, u32 sections, u64 offset and u64 bytes of the directory, u64 checksum of the
///     directory, u64 bytes of the file, u64 0, u64 checksum of the 56 bytes before
///
/// The first section begins the file, so that a reader that knows only its format finds it there. Opening looks at no section's contents.
package struct SectionFile: Sendable {
    package struct Section: Sendable {
        package let name: String
        /// Where it lies in the file.
        package let offset: Int
        package let bytes: ByteView
        fileprivate let checksum: UInt64

        /// Reads all of it.
        ///
        /// - Throws: `SectionFileError.damaged`, which names it.
        package func verify() throws(SectionFileError) {
            guard Checksum.of(bytes) == checksum else {
                throw SectionFileError(
                    .damaged, "the section '\(name)' of the file is damaged", section: name, byteOffset: offset)
            }
        }
    }

    /// In the order of the file.
    package let sections: [Section]
    private let whole: ByteView
    private let directoryOffset: Int

    static let magic: [UInt8] = Array("EdgePack".utf8)
    static let version: UInt32 = 1
    static let footerByteCount = 64
    static let alignment = 4096
    /// Bytes of a section's name at most.
    static let nameLimit = 1024

    /// Maps a file.
    ///
    /// - Throws: `SectionFileError`.
    package init(path: String) throws(SectionFileError) {
        let bytes: ByteView
        do throws(PlatformError) {
            // Keys and values in it may be used where they lie.
            bytes = try MappedFile(path: path, staysOpen: true).bytes
        } catch {
            throw SectionFileError(.unreadable, "the file cannot be read: \(error)")
        }
        try self.init(bytes)
    }

    package init(_ file: ByteView) throws(SectionFileError) {
        let start = file.count - Self.footerByteCount
        guard start >= 0, let footer = file.slice(at: start, byteCount: Self.footerByteCount),
            Self.magic.indices.allSatisfy({ footer[$0] == Self.magic[$0] })
        else { throw SectionFileError(.notSections, "the file has no directory at its end", byteOffset: file.count) }
        func number(_ offset: Int) -> UInt64 { UInt64(littleEndian: footer.load(at: offset) ?? 0) }
        let version = UInt32(littleEndian: footer.load(at: 8) ?? 0)
        guard version == Self.version else {
            throw SectionFileError(
                .unsupportedVersion, "the file is of version \(version), but this library reads \(Self.version)",
                byteOffset: start + 8)
        }
        guard let before = footer.slice(at: 0, byteCount: 56), Checksum.of(before) == number(56) else {
            throw SectionFileError(.damaged, "the end of the file is damaged", byteOffset: start)
        }
        guard number(40) == UInt64(file.count) else {
            throw SectionFileError(
                .truncated, "the file has \(file.count) bytes, not \(number(40))", byteOffset: file.count)
        }
        let directoryOffset = Int(clamping: number(16))
        guard let directory = file.slice(at: directoryOffset, byteCount: Int(clamping: number(24))),
            directoryOffset + directory.count == start, Checksum.of(directory) == number(32)
        else {
            throw SectionFileError(.damaged, "the directory of the file is damaged", byteOffset: directoryOffset)
        }
        whole = file
        self.directoryOffset = directoryOffset
        sections = try Self.sections(directory, UInt32(littleEndian: footer.load(at: 12) ?? 0), file, directoryOffset)
    }

    private static func sections(
        _ directory: ByteView, _ count: UInt32, _ file: ByteView, _ end: Int
    ) throws(SectionFileError) -> [Section] {
        var sections: [Section] = []
        var names: Set<String> = []
        var offset = 0
        var last = 0
        for _ in 0..<count {
            func number(_ index: Int) -> Int? {
                directory.load(UInt64.self, at: offset + 8 * index).flatMap { Int(exactly: UInt64(littleEndian: $0)) }
            }
            guard let place = number(0), let byteCount = number(1), let nameCount = number(3),
                let checksum = directory.load(UInt64.self, at: offset + 16), nameCount <= nameLimit,
                let name = directory.utf8(at: offset + 32, byteCount: nameCount), names.insert(name).inserted,
                place >= last, place % alignment == 0, place <= end, byteCount <= end - place,
                let bytes = file.slice(at: place, byteCount: byteCount)
            else {
                throw SectionFileError(
                    .damaged, "the directory of the file contradicts itself", byteOffset: end + offset)
            }
            sections.append(
                Section(name: name, offset: place, bytes: bytes, checksum: UInt64(littleEndian: checksum)))
            last = place + byteCount
            offset += 32 + nameCount
        }
        guard offset == directory.count else {
            throw SectionFileError(.damaged, "the directory of the file contradicts itself", byteOffset: end + offset)
        }
        return sections
    }

    /// Reads every byte.
    ///
    /// - Returns: what is damaged, in the order of the file.
    package func damage() -> [SectionFileError] {
        var found: [SectionFileError] = []
        var end = 0
        for section in sections {
            gap(end..<section.offset, into: &found)
            do throws(SectionFileError) { try section.verify() } catch { found.append(error) }
            end = section.offset + section.bytes.count
        }
        gap(end..<directoryOffset, into: &found)
        return found
    }

    private func gap(_ range: Range<Int>, into found: inout [SectionFileError]) {
        guard let offset = range.first(where: { whole[$0] != 0 }) else { return }
        found.append(.init(.damaged, "between two sections there is something that is of none", byteOffset: offset))
    }
}

/// Writes a file of sections, which replaces an older one in one step when it is whole.
package struct SectionFileWriter: ~Copyable {
    private let file: AtomicFile
    private var offset = 0
    private var directory: [UInt8] = []
    private var count: UInt32 = 0

    /// - Throws: `PlatformError` when the file cannot be made.
    package init(path: String) throws(PlatformError) {
        AtomicFile.removeLeftovers(of: path)
        file = try AtomicFile(path: path)
    }

    /// Adds a section under a name that no other has.
    ///
    /// - Throws: `PlatformError` when it cannot be written.
    package mutating func add(_ name: String, _ bytes: ByteView) throws(PlatformError) {
        let name = Array(name.utf8.prefix(SectionFile.nameLimit))
        let padding = (SectionFile.alignment - offset % SectionFile.alignment) % SectionFile.alignment
        if padding > 0 { try file.write([UInt8](repeating: 0, count: padding)) }
        offset += padding
        try file.write(bytes)
        Self.add(UInt64(offset), UInt64(bytes.count), Checksum.of(bytes), UInt64(name.count), to: &directory)
        directory += name
        offset += bytes.count
        count += 1
    }

    /// Puts the file in place.
    ///
    /// - Throws: `PlatformError` when it cannot be written.
    package consuming func commit() throws(PlatformError) {
        try file.write(directory)
        var footer = SectionFile.magic
        Self.add(UInt64(SectionFile.version) | UInt64(count) &<< 32, to: &footer)
        Self.add(UInt64(offset), UInt64(directory.count), Checksum.of(directory), to: &footer)
        Self.add(UInt64(offset + directory.count + SectionFile.footerByteCount), 0, to: &footer)
        Self.add(Checksum.of(footer), to: &footer)
        try file.write(footer)
        try file.commit()
    }

    private static func add(_ numbers: UInt64..., to bytes: inout [UInt8]) {
        for number in numbers {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
    }
}
