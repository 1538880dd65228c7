internal import Foundation
internal import Synchronization

/// A running child process, ended at the latest when this program exits.
final class ChildProcess: Sendable {
    private let process: Process
    private let identifier: Int32

    /// Those that run.
    private static let running = Mutex<[Int32: ChildProcess]>([:])
    private static let endsAtExit: Bool = {
        atexit { ChildProcess.endAll() }
        return true
    }()

    /// Starts a program.
    ///
    /// - Parameter onEnd: called once, on some thread, when the process has ended; nil where it ended well.
    /// - Throws: `VoiceError` with code `missingProgram` or `cannotStart`.
    init(
        _ command: VoiceCommand, input: FileHandle, output: FileHandle, onEnd: @escaping @Sendable (VoiceError?) -> Void
    ) throws(VoiceError) {
        _ = Self.endsAtExit
        let process = Process()
        process.executableURL = try command.url()
        process.arguments = command.arguments
        process.standardInput = input
        process.standardOutput = output
        // What such programs say of sound cards would run into the text on the screen.
        process.standardError = FileHandle.nullDevice
        let name = command.program
        process.terminationHandler = { ended in
            _ = Self.running.withLock { $0.removeValue(forKey: ended.processIdentifier) }
            let status = ended.terminationStatus
            if ended.terminationReason == .uncaughtSignal {
                onEnd(VoiceError(.failed, "\(name) was ended by signal \(status)"))
            } else if status != 0 {
                onEnd(VoiceError(.failed, "\(name) ended with status \(status); run it by hand to see why"))
            } else {
                onEnd(nil)
            }
        }
        do {
            try process.run()
        } catch {
            throw VoiceError(.cannotStart, "\(name) cannot be started: \(error.localizedDescription)")
        }
        self.process = process
        identifier = process.processIdentifier
        Self.running.withLock { $0[identifier] = self }
        // It may have ended before it was among those that run.
        if !process.isRunning { _ = Self.running.withLock { $0.removeValue(forKey: identifier) } }
    }

    /// Asks the process and those that it started to end, and after half a second ends them.
    func end() {
        send(SIGTERM)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(500)) { self.send(SIGKILL) }
    }

    /// Ends the process, and those that it started, at once.
    func endAtOnce() { send(SIGKILL) }

    private func send(_ number: Int32) {
        guard process.isRunning, identifier > 1 else { return }
        // A group of its own holds the programs of a pipe too. Ours must not be meant.
        let isLeader = getpgid(identifier) == identifier && getpgrp() != identifier
        _ = kill(isLeader ? -identifier : identifier, number)
    }

    private static func endAll() {
        for child in running.withLock({ Array($0.values) }) { child.endAtOnce() }
    }
}
