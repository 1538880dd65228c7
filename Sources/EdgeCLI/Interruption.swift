import Dispatch
import Foundation

/// Turns Ctrl-C into the cancellation of a task; a second Ctrl-C ends the process at once.
final class Interruption {
    private let source: any DispatchSourceSignal

    /// Calls the closure on the first interrupt.
    init(_ cancel: @escaping @Sendable () -> Void) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: DispatchQueue(label: "edge-llm.interrupt"))
        source.setEventHandler {
            signal(SIGINT, SIG_DFL)
            cancel()
        }
        source.resume()
    }

    deinit { source.cancel() }
}
