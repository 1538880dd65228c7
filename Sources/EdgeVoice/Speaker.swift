internal import Foundation
internal import Synchronization

/// Speaks a text while it is written, sentence by sentence, through a program such as eSpeak NG.
///
/// Each sentence is given to a process of its own, on its standard input, one after the other. So any program that reads a text and
/// speaks it will do, and none is left behind: a process ends with its sentence, and is ended by `stop()`, when the speaker goes, and when
/// this program exits.
///
/// ```swift
/// let speaker = try Speaker()
/// for try await piece in answer { try speaker.say(piece) }
/// try await speaker.finish()
/// ```
public final class Speaker: Sendable {
    /// What speaks.
    public let command: VoiceCommand
    /// Sentences that may wait, the one that is spoken not counted.
    public let queueLimit: Int
    /// How long one sentence may take.
    public let patience: Duration

    private struct State: Sendable {
        var sentences = SpokenSentences()
        var queue: [String] = []
        var child: ChildProcess?
        /// Which process is the present one: others that end mean nothing any more.
        var turn = 0
        var failure: VoiceError?
        /// When the last process was seen to end.
        var end: ContinuousClock.Instant?
        var waiting: [CheckedContinuation<Void, Never>] = []

        var isIdle: Bool { child == nil && queue.isEmpty }

        mutating func fail(_ error: VoiceError) {
            failure = error
            end = .now
            child = nil
            turn += 1
            queue.removeAll()
        }

        mutating func takeFailure() -> VoiceError? {
            defer { failure = nil }
            return failure
        }

        /// Those who wait for silence, if it is there.
        mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
            guard isIdle else { return [] }
            defer { waiting.removeAll() }
            return waiting
        }
    }

    private let state = Mutex(State())

    /// A speaker; the program is looked up at once and started for each sentence.
    ///
    /// - Parameters:
    ///   - queueLimit: sentences that may wait to be spoken, 1 or more.
    ///   - patience: how long the program may take over one sentence, which has at most 600 bytes.
    /// - Throws: `VoiceError` with code `missingProgram`.
    public init(
        command: VoiceCommand = .espeak, queueLimit: Int = 64, patience: Duration = .seconds(120)
    ) throws(VoiceError) {
        _ = try command.url()
        self.command = command
        self.queueLimit = max(1, queueLimit)
        self.patience = max(.milliseconds(1), patience)
    }

    deinit { state.withLock { $0.child }?.endAtOnce() }

    /// Takes the next piece of a text and lets the sentences that it completes be spoken. Does not wait.
    ///
    /// - Throws: `VoiceError`: what the program failed with, once; what waited and what this piece completes are then not spoken, and the
    ///   next sentence tries anew. `queueFull` for a sentence that was left out.
    public func say(_ piece: String) throws(VoiceError) {
        try enqueue { $0.append(piece) }
    }

    /// Ends the text: its last sentence is spoken too, whether it has a full stop or not. Does not wait.
    ///
    /// - Throws: as `say(_:)`.
    public func flush() throws(VoiceError) {
        try enqueue { $0.finish() }
    }

    /// Ends the text and waits until all of it was spoken; then the speaker is ready for another. Cancelling the task stops the speech.
    ///
    /// - Throws: as `say(_:)`; `CancellationError`.
    public nonisolated(nonsending) func finish() async throws {
        try flush()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isIdle = state.withLock { state in
                    if !state.isIdle { state.waiting.append(continuation) }
                    return state.isIdle
                }
                if isIdle { continuation.resume() }
            }
        } onCancel: {
            stop()
        }
        try Task.checkCancellation()
        if let failure = state.withLock({ $0.takeFailure() }) { throw failure }
    }

    /// Falls silent: ends the process and forgets what waits, and what was said of a sentence so far.
    public func stop() {
        let (child, waiting) = state.withLock { state in
            state.sentences = SpokenSentences()
            state.queue.removeAll()
            let child = state.child
            state.child = nil
            if child != nil { state.end = .now }
            state.turn += 1
            return (child, state.takeWaiting())
        }
        child?.endAtOnce()
        for continuation in waiting { continuation.resume() }
    }

    /// Whether something is spoken or waits to be.
    public var isSpeaking: Bool { state.withLock { !$0.isIdle } }

    /// Whether something is spoken, waits to be, or was spoken until less than some time ago.
    public func hasSpoken(within time: Duration) -> Bool {
        state.withLock { !$0.isIdle || $0.end.map { $0.duration(to: .now) < time } ?? false }
    }

    private func enqueue(_ cut: (inout SpokenSentences) -> [String]) throws(VoiceError) {
        let failure = state.withLock { state in
            // The process may have failed since: that is told before more is tried. The text goes on all the same.
            let sentences = cut(&state.sentences)
            var failure = state.takeFailure()
            guard failure == nil else { return failure }
            for sentence in sentences {
                guard state.queue.count < queueLimit else {
                    failure = VoiceError(
                        .queueFull,
                        "\(queueLimit) sentences wait to be spoken, so no more are taken; this one was left out: \(sentence)"
                    )
                    continue
                }
                state.queue.append(sentence)
            }
            startNext(&state)
            return failure
        }
        if let failure { throw failure }
    }

    /// Lets the next sentence be spoken, if none is.
    private func startNext(_ state: inout State) {
        guard state.child == nil, !state.queue.isEmpty else { return }
        let sentence = state.queue.removeFirst()
        state.turn += 1
        let turn = state.turn
        let pipe = Pipe()
        do {
            // A sentence is shorter than what a pipe holds, so this waits for nobody, and as our end is still open it breaks for nobody.
            try pipe.fileHandleForWriting.write(contentsOf: Data((sentence + "\n").utf8))
            try pipe.fileHandleForWriting.close()
            state.child = try ChildProcess(
                command, input: pipe.fileHandleForReading, output: FileHandle.nullDevice
            ) { [weak self] failure in self?.ended(turn, failure) }
        } catch {
            state.fail(
                error as? VoiceError
                    ?? VoiceError(.cannotStart, "\(command.program) cannot be started: \(error.localizedDescription)"))
            return
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + patience / .seconds(1)) { [weak self] in
            self?.expired(turn)
        }
    }

    private func ended(_ turn: Int, _ failure: VoiceError?) {
        let waiting = state.withLock { state in
            guard state.turn == turn else { return [CheckedContinuation<Void, Never>]() }
            state.child = nil
            state.end = .now
            if let failure { state.fail(failure) } else { startNext(&state) }
            return state.takeWaiting()
        }
        for continuation in waiting { continuation.resume() }
    }

    private func expired(_ turn: Int) {
        let (child, waiting) = state.withLock { state in
            guard state.turn == turn, let child = state.child else {
                return (ChildProcess?.none, [CheckedContinuation<Void, Never>]())
            }
            state.fail(
                VoiceError(.tooSlow, "\(command.program) took more than \(patience) over one sentence and was ended"))
            return (child, state.takeWaiting())
        }
        child?.endAtOnce()
        for continuation in waiting { continuation.resume() }
    }
}
