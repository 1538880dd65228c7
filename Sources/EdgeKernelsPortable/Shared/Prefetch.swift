internal import Builtin

// Weights lie in memory in the order in which they are read, so what comes next is known long before it is needed, across the ends of
// rows too. The processor's own prefetcher follows a stream only so far, and stands still while a core works on what it has: between
// the tokens of a few, or while a panel meets its tokens. So products ask for their weights themselves, a few lines at each step,
// since many at once would hold up the loads behind them.
//
// What is asked for may lie past a job's rows, where the next job's begin. Nothing is read there: a line that no page holds is not
// brought. The intrinsics' header has no function for this that Swift keeps, but the compiler's module has.

enum Prefetch {
    /// Bytes from what a product of one token reads to what it asks for. Less is too late where memory is slow to answer; rows are
    /// contiguous, so it may be many of them or a part of one.
    @inline(__always) static var distance: Int { 16384 }
}

/// Asks for the cache lines of `byteCount` bytes from `p` on.
@inline(__always)
func prefetch(_ p: UnsafeRawPointer, byteCount: Int) {
    var at = 0
    while at < byteCount {
        // To be read, and used more than once, as data.
        Builtin.int_prefetch_RawPointer(
            (p + at)._rawValue, (0 as Int32)._value, (3 as Int32)._value, (1 as Int32)._value)
        at &+= 64
    }
}

/// Asks for the lines of `share` of `byteCount` bytes from `p` on: of a constant number without a loop.
@inline(__always)
func prefetch(_ p: UnsafeRawPointer, byteCount: Int, share: Int) {
    if share == byteCount { prefetch(p, byteCount: byteCount) } else { prefetch(p, byteCount: share) }
}

/// Reads `byteCount` bytes, a multiple of 128, and asks for what comes next as products do: a yardstick for them.
@inline(__always)
func readBytes(_ p: UnsafeRawPointer, _ byteCount: Int) -> UInt64 {
    var sum = SIMD16<UInt64>()
    var offset = 0
    while offset < byteCount {
        prefetch(p + (offset &+ Prefetch.distance), byteCount: 128)
        sum |= p.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt64>.self)
        offset &+= 128
    }
    let eight = sum.lowHalf | sum.highHalf
    let four = eight.lowHalf | eight.highHalf
    return four[0] | four[1] | four[2] | four[3]
}
