/// The time for something is over.
struct DeadlinePassed: Error {}

/// Does something, but no longer than a time of the clock on the wall: where it does not end by then, it is cancelled and left behind,
/// whether it heeds that or not.
///
/// - Throws: `DeadlinePassed`; what `work` throws; `CancellationError` at once where the caller is cancelled.
func withDeadline<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (results, continuation) = AsyncStream.makeStream(of: Result<Value, any Error>.self)
    let worker = Task {
        do { continuation.yield(.success(try await work())) } catch { continuation.yield(.failure(error)) }
    }
    let timer = Task {
        // In pieces: a program that was stopped meanwhile still gives the work its time afterwards.
        let pieces = 20
        do {
            for _ in 0..<pieces { try await Task.sleep(for: limit / pieces) }
            continuation.yield(.failure(DeadlinePassed()))
        } catch {}
    }
    defer {
        worker.cancel()
        timer.cancel()
    }
    var iterator = results.makeAsyncIterator()
    // A stream ends for a task that is cancelled.
    guard let result = await iterator.next() else { throw CancellationError() }
    return try result.get()
}
