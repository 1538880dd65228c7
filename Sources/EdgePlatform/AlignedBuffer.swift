#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A fixed number of trivial elements in memory of its own, zeroed, on page boundaries when large.
///
/// Working buffers of the engine are allocated once and reused for every token; large ones come straight from the system, so
/// that pages nobody touched cost nothing. `@unchecked Sendable`: who writes which part is the business of the owner, which
/// separates the writers by barriers.
package final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    /// The elements; valid as long as the buffer lives.
    package let elements: UnsafeMutableBufferPointer<Element>
    private let mappedByteCount: Int

    /// Allocates zeroed memory.
    ///
    /// - Throws: `PlatformError` with `ENOMEM` when the size overflows or the system has no memory.
    package init(count: Int) throws(PlatformError) {
        let (bytes, overflow) = max(count, 0).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        let page = 4096
        guard count >= 0, !overflow, bytes <= Int.max - page else {
            throw PlatformError(operation: "allocate \(count) elements", code: ENOMEM)
        }
        guard count > 0 else {
            elements = UnsafeMutableBufferPointer(start: nil, count: 0)
            mappedByteCount = 0
            return
        }
        mappedByteCount = (bytes + page - 1) / page * page
        #if os(Linux)
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        #else
            let flags = MAP_PRIVATE | MAP_ANON
        #endif
        guard let base = mmap(nil, mappedByteCount, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw PlatformError(operation: "allocate \(bytes) bytes", code: errno)
        }
        let typed = base.bindMemory(to: Element.self, capacity: count)
        elements = UnsafeMutableBufferPointer(start: typed, count: count)
    }

    deinit {
        if let base = elements.baseAddress { munmap(UnsafeMutableRawPointer(base), mappedByteCount) }
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
