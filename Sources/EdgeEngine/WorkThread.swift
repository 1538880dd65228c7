internal import EdgePlatform

/// A thread of its own for work that would keep one of the cooperative pool's busy for too long.
package actor WorkThread {
    private nonisolated let executor: ThreadExecutor

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Starts the thread; it ends when the last owner lets go.
    ///
    /// - Throws: `PlatformError` when the system refuses a thread.
    package init() throws { executor = try ThreadExecutor() }

    /// Does some work as part of the task that asks for it.
    package func run<Result: Sendable>(_ body: @Sendable () throws -> Result) rethrows -> Result { try body() }
}
