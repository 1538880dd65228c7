import ArgumentParser
import Dispatch
import Foundation
import Synchronization

/// What Ctrl-C means in a conversation: the end of an answer, not of the program.
final class ChatSignals {
    private struct State {
        var interrupt: (@Sendable () -> Void)?
        var exit: (@Sendable () -> Void)?
    }

    private static let state = Mutex(State())
    private var watches: [SignalWatch] = []

    /// Takes over interrupts, and brings the terminal in order when the program is told to end.
    init() async {
        let queue = DispatchQueue(label: "edge-llm.signals")
        for number in [SIGINT, SIGTERM, SIGHUP] {
            watches.append(await SignalWatch(number, on: queue) { ChatSignals.handle(number) })
        }
    }

    private static func handle(_ number: Int32) {
        let (interrupt, exit) = state.withLock { ($0.interrupt, $0.exit) }
        if number == SIGINT, let interrupt {
            interrupt()
        } else {
            // Nothing is being answered: the program ends, with the terminal as it was found.
            exit?()
            Foundation.exit(number == SIGINT ? Failure.interrupted.rawValue : 128 + number)
        }
    }

    /// What an interrupt does from now on; nil for ending the program.
    static func onInterrupt(_ action: (@Sendable () -> Void)?) { state.withLock { $0.interrupt = action } }

    /// What has to be done before the program ends by a signal.
    static func onExit(_ action: (@Sendable () -> Void)?) { state.withLock { $0.exit = action } }
}
