#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A monotonic clock for measuring, in nanoseconds.
package enum Clock {
    /// Nanoseconds since a fixed point in the past, not affected by changes of the time of day.
    package static var nanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Seconds between two readings.
    package static func seconds(from start: UInt64, to end: UInt64 = nanoseconds) -> Double {
        Double(end &- start) / 1e9
    }
}
