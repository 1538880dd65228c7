internal import EdgePlatform

/// Work that must not take longer than it may.
enum Deadline {
    /// Runs a body, and waits for it until a deadline.
    ///
    /// - Parameters:
    ///   - executor: where the body runs; nil for the cooperative pool.
    ///   - waits: whether a body that was told to stop is waited for. Foreign code is not: it may never return.
    ///   - cancels: is given what stops the body, for others to call.
    /// - Returns: what the body returned; nil where the time was over, with the body cancelled.
    /// - Throws: what the body throws; `CancellationError` where the current task is cancelled, with the body cancelled too.
    static func run<Value: Sendable>(
        seconds: Double, on executor: (any TaskExecutor)? = nil, waits: Bool = false,
        cancels: (@escaping @Sendable () -> Void) -> Void = { _ in },
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        let (outcomes, continuation) = AsyncStream.makeStream(of: Result<Value, any Error>?.self)
        let work = Task<Void, Never>(executorPreference: executor) {
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            continuation.yield(result)
        }
        cancels { work.cancel() }
        let timer = Task {
            try await Task.sleep(for: .seconds(max(0, min(1e6, seconds))))
            continuation.yield(nil)
        }
        defer { timer.cancel() }
        var iterator = outcomes.makeAsyncIterator()
        let first = await iterator.next()
        if case .some(.some(let result)) = first { return try result.get() }
        work.cancel()
        if waits { await work.value }
        // The stream ends for a task that was cancelled.
        guard first != nil else { throw CancellationError() }
        return nil
    }
}
