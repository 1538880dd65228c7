import ArgumentParser
import Dispatch
import EdgeVoice
import Foundation

/// Whether answers are spoken and questions heard, and by which programs.
struct VoiceOptions: ParsableArguments {
    @Flag(help: "Speak the answer, sentence by sentence while it is written.")
    var speak = false

    @Option(
        help: ArgumentHelp(
            "Speak with this program, which is started for each sentence and gets it on standard input. "
                + "(default: espeak-ng --stdin)", valueName: "command"))
    var speakCommand: String?

    @Flag(help: "Take the questions of a conversation from a recogniser of speech.")
    var listen = false

    @Option(
        help: ArgumentHelp(
            "Listen with this program, which writes a line for each question. (default: pocketsphinx)",
            valueName: "command"))
    var listenCommand: String?

    func validate() throws {
        for command in [speakCommand, listenCommand].compactMap(\.self) {
            do {
                _ = try VoiceCommand(parsing: command)
            } catch {
                throw ValidationError("\(command): \(error)")
            }
        }
    }

    var listens: Bool { listen || listenCommand != nil }

    /// Who speaks; nil where nobody is to, or can.
    func speaker() throws -> Speaker? {
        guard speak || speakCommand != nil else { return nil }
        do {
            return try Speaker(command: speakCommand.map { try VoiceCommand(parsing: $0) } ?? .espeak)
        } catch let error as VoiceError {
            Terminal.note("edge-llm: nothing is spoken: \(error)")
            return nil
        }
    }

    /// How long after the speech the recogniser may still be busy with it.
    private static let echo = Duration.seconds(1)

    /// Who listens, but not to the speaker; nil where nobody is to, or can.
    func listener(besides speaker: Speaker?) throws -> Listener? {
        guard listens else { return nil }
        do {
            return try Listener(command: listenCommand.map { try VoiceCommand(parsing: $0) } ?? .pocketsphinx) {
                speaker?.hasSpoken(within: Self.echo) ?? false
            }
        } catch let error as VoiceError {
            Terminal.note("edge-llm: nobody listens, so questions are typed: \(error)")
            return nil
        }
    }
}

/// A speaker whose failures are told, once each in a row, and stop nothing.
final class Voice {
    private let speaker: Speaker?
    private var told: VoiceError.Code?

    init(_ speaker: Speaker?) { self.speaker = speaker }

    /// Has signals end the program in order, and with it what it started, as long as the watches are held.
    static func endsWithProgram() async -> [SignalWatch] {
        let queue = DispatchQueue(label: "edge-llm.voice")
        var watches: [SignalWatch] = []
        for number in [SIGTERM, SIGHUP] { watches.append(await SignalWatch(number, on: queue) { exit(128 + number) }) }
        return watches
    }

    /// Speaks the next piece of a text.
    func say(_ piece: String) { attempt { (speaker) throws(VoiceError) in try speaker.say(piece) } }

    /// Ends a text, whose last sentence may have no full stop.
    func flush() { attempt { (speaker) throws(VoiceError) in try speaker.flush() } }

    /// Waits until all is spoken.
    ///
    /// - Throws: `CancellationError`, with the speech ended.
    func finish() async throws {
        guard let speaker else { return }
        do {
            try await speaker.finish()
            told = nil
        } catch let error as VoiceError {
            tell(error)
        }
    }

    /// Falls silent.
    func stop() { speaker?.stop() }

    private func attempt(_ body: (Speaker) throws(VoiceError) -> Void) {
        guard let speaker else { return }
        do { try body(speaker) } catch { tell(error) }
    }

    private func tell(_ error: VoiceError) {
        if told != error.code { Terminal.note("\nedge-llm: not spoken: \(error)") }
        told = error.code
    }
}

/// Where the questions of a conversation come from: who listens, and when he no longer does, the keyboard or a pipe.
final class QuestionInput {
    private let typed = ChatInput()
    private var heard: Listener.AsyncIterator?

    init(_ listener: Listener?) { heard = listener?.makeAsyncIterator() }

    /// Whether questions are typed at a terminal.
    var isInteractive: Bool { heard == nil && typed.isInteractive }

    /// The next question, and whether it was heard; nil when there are no more.
    func next() async throws -> (text: String, isHeard: Bool)? {
        if heard != nil {
            do {
                if let line = try await heard?.next() {
                    Terminal.note("> " + line)
                    return (line, true)
                }
                Terminal.note("edge-llm: nobody listens any more, so questions are typed")
            } catch let error as VoiceError {
                Terminal.note("edge-llm: nobody listens any more, so questions are typed: \(error)")
            }
            heard = nil
        }
        guard case .text(let line) = try typed.next() else { return nil }
        return (line, false)
    }
}
