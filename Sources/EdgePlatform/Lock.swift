internal import Synchronization

/// A value that one thread at a time may use: `Mutex`, in a form whose order a thread sanitizer sees.
///
/// Where threads contend for a `Mutex`, the kernel hands it from one to the next (a futex that inherits priority), with no store in
/// the program that says so, and the sanitizer takes what follows for a race. The flag beside it, written on leaving and read on
/// entering, is that store; it costs a plain load and a plain store.
package struct Lock<Value: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let wasLeft = Atomic<Bool>(false)

    package init(_ value: consuming sending Value) {
        mutex = Mutex(value)
    }

    /// Runs `body` with the value while no other thread does.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value: inout sending Value) throws(Failure) -> sending Result in
            _ = wasLeft.load(ordering: .acquiring)
            defer { wasLeft.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }
}
