internal import Foundation
internal import Synchronization

/// What a recogniser of speech understands, line by line, read from the standard output of a program such as pocketsphinx.
///
/// A line is what was said. Where it is an object in JSON, what was said is its `text`, or its `t` as pocketsphinx 5 has it. Bytes that are no
/// UTF-8 become U+FFFD, control characters blanks; empty lines are passed over. The sequence ends when the program has ended well or
/// `stop()` was called.
///
/// ```swift
/// for try await line in try Listener(command: .pocketsphinx) { print(line) }
/// ```
public final class Listener: AsyncSequence, Sendable {
    /// What was said.
    public typealias Element = String

    /// What listens.
    public let command: VoiceCommand

    /// Bytes of a line at most.
    public static let longestLine = 4096

    private let core: ListenerCore

    /// Starts a recogniser.
    ///
    /// - Parameter isDeaf: asked for each line when it arrives; where it is true the line is left out. For what a speaker says meanwhile,
    ///   which a microphone hears too.
    /// - Throws: `VoiceError` with code `missingProgram` or `cannotStart`.
    public init(
        command: VoiceCommand = .pocketsphinx, isDeaf: @escaping @Sendable () -> Bool = { false }
    ) throws(VoiceError) {
        self.command = command
        core = try ListenerCore(command, isDeaf)
    }

    deinit { core.stop() }

    /// Ends the program; what it said before is still given.
    public func stop() { core.stop() }

    /// The iterator; several of them share the lines.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }

    /// Asks for line after line.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let listener: Listener

        /// What was said next; nil when nothing more will be. Cancelling the task stops the listener.
        ///
        /// - Throws: `VoiceError` with code `failed` or `lineTooLong`; `CancellationError`.
        public nonisolated(nonsending) mutating func next() async throws -> String? {
            try await listener.core.next()
        }
    }
}

/// What reads, apart from the listener: when nobody holds that any more, reading ends.
///
/// A thread reads a byte at a time and waits while as many lines wait as may: so a program that writes without end stands still, and takes no
/// memory here. The thread ends with the output, at the latest when the program and all that it started have ended.
private final class ListenerCore: Sendable {
    /// Lines that wait to be asked for at most.
    private static let queueLimit = 64
    /// How long the program may outlive its output, and how long its output, held open by others, may outlive it without a byte.
    private static let grace = DispatchTimeInterval.seconds(1)

    private struct State: Sendable {
        var lines: [String] = []
        var child: ChildProcess?
        var readCount = 0
        /// Whether the thread waits for room.
        var isHeld = false
        var outputHasEnded = false
        var programHasEnded = false
        var programFailure: VoiceError?
        /// Nothing will come beyond `lines`, but for the failure.
        var hasEnded = false
        var failure: VoiceError?
        var waiting: [CheckedContinuation<Void, Never>] = []

        mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
            defer { waiting.removeAll() }
            return waiting
        }
    }

    private let state = Mutex(State())
    private let command: VoiceCommand
    private let isDeaf: @Sendable () -> Bool
    /// Signalled when there may be room again, or an end.
    private let room = DispatchSemaphore(value: 0)

    init(_ command: VoiceCommand, _ isDeaf: @escaping @Sendable () -> Bool) throws(VoiceError) {
        self.command = command
        self.isDeaf = isDeaf
        let pipe = Pipe()
        let child = try ChildProcess(
            command, input: FileHandle.nullDevice, output: pipe.fileHandleForWriting
        ) { [weak self] in self?.programEnded($0) }
        state.withLock { $0.child = child }
        // The program has its own; with ours the end would never be seen.
        try? pipe.fileHandleForWriting.close()
        let output = pipe.fileHandleForReading
        Thread.detachNewThread { self.read(output) }
    }

    // MARK: Reading

    private func read(_ output: FileHandle) {
        var line: [UInt8] = []
        // Byte by byte: more would wait until as many are there.
        while let byte = (try? output.read(upToCount: 1))?.first {
            if state.withLock({ state in
                state.readCount &+= 1
                return state.hasEnded
            }) {
                break
            }
            if byte == 0x0A {
                deliver(line)
                line.removeAll(keepingCapacity: true)
            } else if line.count < Listener.longestLine {
                line.append(byte)
            } else {
                finish(
                    VoiceError(
                        .lineTooLong,
                        "\(command.program) wrote a line of more than \(Listener.longestLine) bytes; is it a recogniser of speech?"
                    ))
                end()
                break
            }
        }
        deliver(line)
        try? output.close()
        let isOver = state.withLock { state in
            state.outputHasEnded = true
            return state.programHasEnded
        }
        if isOver { return finish(state.withLock { $0.programFailure }) }
        // It closed its output, or will be gone in a moment.
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.grace) { [weak self] in
            // First: that it was ended is no failure of its own.
            self?.finish(nil)
            self?.end()
        }
    }

    /// Waits for room.
    private func deliver(_ bytes: [UInt8]) {
        guard let said = Self.said(bytes), !isDeaf() else { return }
        while true {
            let (isTaken, waiting) = state.withLock { state in
                if state.hasEnded { return (true, [CheckedContinuation<Void, Never>]()) }
                state.isHeld = state.lines.count >= Self.queueLimit
                guard !state.isHeld else { return (false, []) }
                state.lines.append(said)
                return (true, state.takeWaiting())
            }
            for continuation in waiting { continuation.resume() }
            if isTaken { return }
            room.wait()
        }
    }

    private struct Recognised: Decodable {
        var text: String?
        var t: String?
    }

    /// What a line says, without control characters; nil where it says nothing.
    private static func said(_ line: [UInt8]) -> String? {
        var text = String(decoding: line, as: UTF8.self)
        if line.first == UInt8(ascii: "{"), let object = try? JSONDecoder().decode(Recognised.self, from: Data(line)) {
            text = object.text ?? object.t ?? ""
        }
        let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        let said = String(String.UnicodeScalarView(scalars)).split(separator: " ").joined(separator: " ")
        return said.isEmpty ? nil : said
    }

    // MARK: Giving

    nonisolated(nonsending) func next() async throws -> String? {
        while true {
            try Task.checkCancellation()
            let (line, isOver, failure) = state.withLock { state -> (String?, Bool, VoiceError?) in
                if !state.lines.isEmpty { return (state.lines.removeFirst(), false, nil) }
                defer { state.failure = nil }
                return (nil, state.hasEnded, state.failure)
            }
            if let line {
                room.signal()
                return line
            }
            if let failure { throw failure }
            if isOver { return nil }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if state.lines.isEmpty, !state.hasEnded {
                            state.waiting.append(continuation)
                            return false
                        }
                        return true
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                stop()
            }
        }
    }

    // MARK: Ending

    func stop() {
        finish(nil)
        end()
    }

    private func end() { state.withLock { $0.child }?.end() }

    private func programEnded(_ failure: VoiceError?) {
        let isOver = state.withLock { state in
            state.programHasEnded = true
            state.programFailure = failure
            return state.outputHasEnded
        }
        if isOver { finish(failure) } else { endWithoutOutput(after: nil, isCertain: false) }
    }

    /// Where another program holds the output open, the end is there when nothing more has been read for a while, twice: this program may have
    /// been stopped meanwhile.
    private func endWithoutOutput(after count: Int?, isCertain: Bool) {
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.grace) { [weak self] in
            guard let self else { return }
            let (isOver, now, isHeld, failure) = state.withLock {
                ($0.hasEnded, $0.readCount, $0.isHeld, $0.programFailure)
            }
            if isOver { return }
            let isQuiet = now == count && !isHeld
            if isQuiet, isCertain { finish(failure) } else { endWithoutOutput(after: now, isCertain: isQuiet) }
        }
    }

    private func finish(_ failure: VoiceError?) {
        let waiting = state.withLock { state in
            guard !state.hasEnded else { return [CheckedContinuation<Void, Never>]() }
            state.hasEnded = true
            state.failure = failure
            return state.takeWaiting()
        }
        room.signal()
        for continuation in waiting { continuation.resume() }
    }
}
