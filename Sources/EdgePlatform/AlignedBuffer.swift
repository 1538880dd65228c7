#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Pages larger than the usual ones, of which the system gives some where it is asked to and has them.
package enum LargePage {
    package static let byteCount = 2 << 20
}

/// A fixed number of trivial elements in memory of its own, zeroed, on page boundaries when large.
///
/// Working buffers of the engine are allocated once and reused for every token; large ones come straight from the system, so
/// that pages nobody touched cost nothing. `@unchecked Sendable`: who writes which part is the business of the owner, which
/// separates the writers by barriers.
package final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    /// The elements; valid as long as the buffer lives.
    package let elements: UnsafeMutableBufferPointer<Element>
    private let mappedByteCount: Int
    /// What the system gave, of which the elements may be a part.
    private let mapping: UnsafeMutableRawBufferPointer

    private static var page: Int { 4096 }

    /// Allocates zeroed memory.
    ///
    /// - Parameter inLargePages: asks for pages of 2 MiB, of which whole ones are taken at the first touch. A disk fills them much
    ///   faster: of small ones, scattered in memory, each is a part of its own in what the disk is told.
    /// - Throws: `PlatformError` with `ENOMEM` when the size overflows or the system has no memory.
    package init(count: Int, inLargePages: Bool = false) throws(PlatformError) {
        let (bytes, overflow) = max(count, 0).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard count >= 0, !overflow, bytes <= Int.max - Self.page - LargePage.byteCount else {
            throw PlatformError(operation: "allocate \(count) elements", code: ENOMEM)
        }
        guard count > 0 else {
            elements = UnsafeMutableBufferPointer(start: nil, count: 0)
            mappedByteCount = 0
            mapping = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            return
        }
        mappedByteCount = (bytes + Self.page - 1) / Self.page * Self.page
        let largeByteCount = inLargePages ? bytes / LargePage.byteCount * LargePage.byteCount : 0
        // Room to begin at such a page's border.
        let total = mappedByteCount + (largeByteCount > 0 ? LargePage.byteCount : 0)
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        #else
            let flags = MAP_PRIVATE | MAP_ANON
        #endif
        guard let reserved = mmap(nil, total, PROT_READ | PROT_WRITE, flags, -1, 0), reserved != MAP_FAILED else {
            throw PlatformError(operation: "allocate \(bytes) bytes", code: errno)
        }
        mapping = UnsafeMutableRawBufferPointer(start: reserved, count: total)
        var base = reserved
        if largeByteCount > 0 {
            base = reserved.alignedUp(toMultipleOf: LargePage.byteCount)
            #if os(Linux)
                // Advice: where the system has no large pages left, the others do.
                madvise(base, largeByteCount, MADV_HUGEPAGE)
            #endif
        }
        let typed = base.bindMemory(to: Element.self, capacity: count)
        elements = UnsafeMutableBufferPointer(start: typed, count: count)
    }

    deinit {
        if let base = mapping.baseAddress { munmap(base, mapping.count) }
    }

    /// Gives the whole pages within a range of bytes back to the system; what they held is lost.
    package func giveBack(_ bytes: Range<Int>) {
        precondition(bytes.lowerBound >= 0 && bytes.upperBound <= mappedByteCount, "AlignedBuffer range out of bounds")
        guard let base = elements.baseAddress else { return }
        let page = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))
        let first = (bytes.lowerBound + page - 1) / page * page
        let last = bytes.upperBound / page * page
        guard first < last else { return }
        // Advice: where it is not taken, the memory stays taken.
        #if os(Linux)
            madvise(UnsafeMutableRawPointer(base) + first, last - first, MADV_DONTNEED)
        #else
            madvise(UnsafeMutableRawPointer(base) + first, last - first, MADV_FREE)
        #endif
    }

    /// Puts zeroed memory that nobody touched in the place of whole pages, whatever is there.
    ///
    /// - Throws: `PlatformError` when the system has no room to note it.
    package func renew(_ bytes: Range<Int>) throws(PlatformError) {
        precondition(bytes.lowerBound >= 0 && bytes.upperBound <= mappedByteCount, "AlignedBuffer range out of bounds")
        guard !bytes.isEmpty, let base = elements.baseAddress else { return }
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        #else
            let flags = MAP_PRIVATE | MAP_ANON | MAP_FIXED
        #endif
        let start = UnsafeMutableRawPointer(base) + bytes.lowerBound
        guard mmap(start, bytes.count, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED else {
            throw PlatformError(operation: "renew \(bytes.count) bytes", code: errno)
        }
    }

    /// Puts the pages of a file in the place of whole pages of the buffer: they are read from there, shared with whoever has the file
    /// mapped, and copied one by one where they are written, the file staying as it is.
    ///
    /// - Parameter view: what comes to lie at the beginning of `bytes`; of a mapped file that stays open, which goes on behind it to the last page.
    /// - Returns: whether it was possible: places are borders of pages, and the system has room to note it. Else nothing was changed,
    ///   but for what the bytes held.
    /// - Throws: `PlatformError` when the memory is lost.
    package func map(_ bytes: Range<Int>, to view: ByteView) throws(PlatformError) -> Bool {
        precondition(bytes.lowerBound >= 0 && bytes.upperBound <= mappedByteCount, "AlignedBuffer range out of bounds")
        let page = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))
        guard !bytes.isEmpty, let base = elements.baseAddress, let (file, offset) = view.place, file.descriptor >= 0,
            offset % page == 0, bytes.count % page == 0, UInt(bitPattern: base) % UInt(page) == 0,
            bytes.lowerBound % page == 0, view.count <= bytes.count, bytes.count <= file.byteCount - offset
        else { return false }
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED
        #else
            let flags = MAP_PRIVATE | MAP_FIXED
        #endif
        let start = UnsafeMutableRawPointer(base) + bytes.lowerBound
        let mapped = mmap(start, bytes.count, PROT_READ | PROT_WRITE, flags, file.descriptor, off_t(offset))
        guard mapped != MAP_FAILED else {
            // What was there may be gone.
            try renew(bytes)
            return false
        }
        return true
    }

    package var count: Int { elements.count }

    /// The bytes of memory taken.
    package var byteCount: Int { mappedByteCount }

    /// The address of the first element; for an empty buffer some address that must not be read.
    package var base: UnsafeMutablePointer<Element> {
        elements.baseAddress ?? UnsafeMutablePointer(bitPattern: MemoryLayout<Element>.alignment).unsafelyUnwrapped
    }

    /// The element at an index that must be in bounds.
    package subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < elements.count, "AlignedBuffer index out of bounds")
            return elements[index]
        }
        set {
            precondition(index >= 0 && index < elements.count, "AlignedBuffer index out of bounds")
            elements[index] = newValue
        }
    }
}

extension AlignedBuffer where Element == UInt8 {
    /// Some of the bytes, as a view that keeps the buffer alive. Whoever writes to them sees to it that nobody reads meanwhile.
    package func view(at offset: Int, byteCount: Int) -> ByteView {
        precondition(offset >= 0 && byteCount >= 0 && byteCount <= count - offset, "AlignedBuffer range out of bounds")
        return ByteView(owner: self, bytes: UnsafeRawBufferPointer(start: base + offset, count: byteCount))
    }

    /// Writes bytes from `offset` on.
    package func write(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && bytes.count <= count - offset, "AlignedBuffer range out of bounds")
        bytes.withUnsafeBytes { if let source = $0.baseAddress { memcpy(base + offset, source, bytes.count) } }
    }

    /// Copies the first bytes of another buffer to the beginning of this one.
    package func copy(from other: AlignedBuffer<UInt8>, byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= min(count, other.count), "AlignedBuffer range out of bounds")
        if byteCount > 0 { memcpy(base, other.base, byteCount) }
    }

    /// Copies bytes within the buffer; the two places may overlap.
    package func move(from source: Int, to target: Int, byteCount: Int) {
        precondition(
            byteCount >= 0 && source >= 0 && target >= 0 && byteCount <= count - max(source, target),
            "AlignedBuffer range out of bounds")
        memmove(base + target, base + source, byteCount)
    }
}
