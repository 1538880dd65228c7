import Dispatch
import Foundation
import Synchronization

/// A signal that the program handles itself, from the moment this is made until it is let go.
final class SignalWatch {
    private let source: any DispatchSourceSignal

    /// Returns when the signal is watched: until then it does what it did before, so none is lost between.
    init(_ number: Int32, on queue: DispatchQueue, handler: @escaping @Sendable () -> Void) async {
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler(handler: handler)
        await withCheckedContinuation { continuation in
            source.setRegistrationHandler {
                // On Linux the source has put a handler of its own here. Elsewhere it only looks on, and what the signal does by
                // itself must be turned off, now that somebody looks.
                #if canImport(Darwin)
                    signal(number, SIG_IGN)
                #endif
                continuation.resume()
            }
            source.resume()
        }
        self.source = source
    }

    deinit { source.cancel() }
}

/// Turns Ctrl-C into the cancellation of a task; a second Ctrl-C ends the process at once.
final class Interruption {
    private struct State {
        var hasCome = false
        var cancel: (@Sendable () -> Void)?
    }

    /// Shared with the handler, which may outlive the interruption by a moment.
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared: Shared
    private let watch: SignalWatch

    /// Watches from now on; made before the work begins, so that no interrupt finds the work and nobody who stops it.
    init() async {
        let shared = Shared()
        self.shared = shared
        watch = await SignalWatch(SIGINT, on: DispatchQueue(label: "edge-llm.interrupt")) {
            signal(SIGINT, SIG_DFL)
            let cancel = shared.state.withLock { state in
                state.hasCome = true
                return state.cancel
            }
            cancel?()
        }
    }

    /// Calls the closure on the first interrupt, at once where it has come already.
    func cancels(_ cancel: @escaping @Sendable () -> Void) {
        let hasCome = shared.state.withLock { state in
            state.cancel = cancel
            return state.hasCome
        }
        if hasCome { cancel() }
    }
}

extension Terminal {
    /// Runs work that Ctrl-C cancels, and says so.
    static func interruptible<Value: Sendable>(
        saying words: String = "interrupted", _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let work = Task { try await body() }
        interruption.cancels { work.cancel() }
        do {
            return try await work.value
        } catch is CancellationError {
            note("edge-llm: \(words)")
            throw Failure.interrupted
        }
    }
}
