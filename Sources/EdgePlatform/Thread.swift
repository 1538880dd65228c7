#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A thread of the operating system that runs one closure and can be joined.
///
/// `@unchecked Sendable`: the handle is only used to join, once, by the owner.
package final class Thread: @unchecked Sendable {
    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let handle: pthread_t

    /// Starts the thread, with a stack of 8 MiB whatever the platform's default.
    ///
    /// - Throws: `PlatformError` when the system refuses.
    package init(_ body: @escaping @Sendable () -> Void) throws(PlatformError) {
        let start = Unmanaged.passRetained(Start(body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 8 << 20)
        #if os(Linux)
            var created = pthread_t()
            let code = pthread_create(
                &created, &attributes,
                { argument in
                    if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                }, start.toOpaque())
        #else
            var created: pthread_t?
            let code = pthread_create(
                &created, &attributes,
                { argument in
                    Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                    return nil
                }, start.toOpaque())
        #endif
        guard code == 0 else {
            start.release()
            throw PlatformError(operation: "start a thread", code: code)
        }
        #if os(Linux)
            handle = created
        #else
            guard let created else { throw PlatformError(operation: "start a thread", code: EAGAIN) }
            handle = created
        #endif
    }

    /// Waits until the closure has returned.
    package func join() { pthread_join(handle, nil) }

    /// Lets the thread end by itself, instead of `join`.
    package func detach() { pthread_detach(handle) }
}

/// A mutex with a condition: the place where threads that have nothing to do sleep.
///
/// `@unchecked Sendable`: the state is the system's own synchronisation objects.
package final class ParkingSpot: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func lock() { pthread_mutex_lock(mutex) }
    package func unlock() { pthread_mutex_unlock(mutex) }
    /// Sleeps until woken; the caller holds the lock, and must check its condition again.
    package func wait() { pthread_cond_wait(condition, mutex) }
    /// Sleeps until woken, or until a reading of `Clock`; false when it was time. As with `wait()` the condition must be checked again.
    package func wait(untilNanoseconds deadline: UInt64) -> Bool {
        let now = Clock.nanoseconds
        guard deadline > now else { return false }
        // The condition's own clock is the time of day: a change of it makes the sleep longer or shorter, and is noticed after it.
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let (seconds, rest) = (deadline - now).quotientAndRemainder(dividingBy: 1_000_000_000)
        let nanoseconds = Int(rest) + Int(time.tv_nsec)
        time.tv_sec += time_t(min(seconds, 1_000_000_000)) + time_t(nanoseconds / 1_000_000_000)
        time.tv_nsec = nanoseconds % 1_000_000_000
        return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
    }
    /// Wakes everybody.
    package func wakeAll() { pthread_cond_broadcast(condition) }
}
