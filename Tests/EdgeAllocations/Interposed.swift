#if canImport(Glibc)
    import Synchronization

    // The C library's allocator under its inner names; the functions below take its place in the
    // whole process, because the linker is told so: Swift refuses to define `malloc` by name.

    @_silgen_name("__libc_malloc") private func libcAllocate(_ size: Int) -> UnsafeMutableRawPointer?
    @_silgen_name("__libc_calloc") private func libcAllocate(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer?
    @_silgen_name("__libc_realloc") private func libcReallocate(
        _ pointer: UnsafeMutableRawPointer?, _ size: Int
    ) -> UnsafeMutableRawPointer?
    @_silgen_name("__libc_memalign") private func libcAlign(_ alignment: Int, _ size: Int) -> UnsafeMutableRawPointer?

    /// Allocations of all threads so far. Plain memory without a lazy initializer, for it is used before anything is set up.
    let allocationCount = Atomic<Int>(0)

    /// `malloc`, counted.
    @_cdecl("edge_counted_malloc") public func countedMalloc(_ size: Int) -> UnsafeMutableRawPointer? {
        allocationCount.add(1, ordering: .relaxed)
        return libcAllocate(size)
    }

    /// `calloc`, counted.
    @_cdecl("edge_counted_calloc") public func countedCalloc(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
        allocationCount.add(1, ordering: .relaxed)
        return libcAllocate(count, size)
    }

    /// `realloc`, counted.
    @_cdecl("edge_counted_realloc") public func countedRealloc(
        _ pointer: UnsafeMutableRawPointer?, _ size: Int
    ) -> UnsafeMutableRawPointer? {
        allocationCount.add(1, ordering: .relaxed)
        return libcReallocate(pointer, size)
    }

    /// `posix_memalign`, counted.
    @_cdecl("edge_counted_posix_memalign") public func countedPosixMemalign(
        _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: Int, _ size: Int
    ) -> Int32 {
        allocationCount.add(1, ordering: .relaxed)
        result.pointee = libcAlign(alignment, size)
        return result.pointee == nil ? 12 : 0
    }

    /// `aligned_alloc`, counted.
    @_cdecl("edge_counted_aligned_alloc") public func countedAlignedAllocate(_ alignment: Int, _ size: Int)
        -> UnsafeMutableRawPointer?
    {
        allocationCount.add(1, ordering: .relaxed)
        return libcAlign(alignment, size)
    }
#endif
