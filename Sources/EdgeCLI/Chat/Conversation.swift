import EdgeLLM
import Foundation

/// The state of `edge-llm chat`, and what its lines do with it.
final class Conversation {
    enum Next { case goOn, quit }

    private let model: GGUFLanguageModel
    let session: LanguageModelSession
    private let options: GenerationOptions
    private let isInteractive: Bool
    private var last: Usage?

    static let help = """
        /system TEXT   tell the model its part; without TEXT, show it
        /save FILE     keep the conversation in a file
        /load FILE     go on with the conversation of a file
        /clear         forget the conversation, but not its part
        /stats         tokens and speed
        /quit          end (also Ctrl-D)
        //TEXT         say something that begins with a slash
        Ctrl-C stops an answer; what there is of it stays in the conversation. A backslash at the end of a line goes on in the next.

        """

    init(model: GGUFLanguageModel, options: GenerationOptions, isInteractive: Bool) {
        self.model = model
        self.options = options
        self.isInteractive = isInteractive
        session = LanguageModelSession(model: model)
        // A stopped answer stays; what must go is taken back here.
        session.transcriptErrorHandlingPolicy = .preserveTranscript
    }

    /// What the model is told about its part.
    var instructions: String? {
        get {
            guard case .instructions? = session.transcript.first else { return nil }
            return session.transcript.first?.text
        }
        set {
            var entries = session.transcript.entries
            if instructions != nil { entries.removeFirst() }
            if let newValue { entries.insert(.instructions(.init(segments: .text(newValue))), at: 0) }
            session.transcript = Transcript(entries: entries)
        }
    }

    /// Does what a line says.
    ///
    /// - Throws: what went wrong; the conversation is then as it was before.
    func take(_ line: String) async throws -> Next {
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix("/") else {
            if !text.isEmpty { try await answer(line) }
            return .goOn
        }
        if text.hasPrefix("//") {
            try await answer(String(text.dropFirst()))
            return .goOn
        }
        let parts = text.split(maxSplits: 1, whereSeparator: \.isWhitespace)
        let argument = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespacesAndNewlines) : ""
        switch parts[0] {
        case "/help": Terminal.write(Self.help)
        case "/system":
            if argument.isEmpty {
                Terminal.note(instructions ?? "no instructions")
            } else {
                instructions = argument
            }
        case "/save":
            try save(try Self.path(argument, "/save"))
            Terminal.note("saved \(session.transcript.count) entries")
        case "/load":
            try load(try Self.path(argument, "/load"))
            Terminal.note("loaded \(session.transcript.count) entries")
        case "/clear":
            let kept = instructions == nil ? 0 : 1
            session.transcript = Transcript(entries: session.transcript.prefix(kept))
            last = nil
        case "/stats": try writeStatistics()
        case "/quit", "/exit": return .quit
        default:
            throw Failure.Message(
                "\(parts[0]) is no command; /help lists them, and //… says something that begins with a slash")
        }
        return .goOn
    }

    private static func path(_ argument: String, _ command: String) throws -> String {
        guard !argument.isEmpty else { throw Failure.Message("\(command) needs a file, as in \(command) chat.json") }
        guard argument == "~" || argument.hasPrefix("~/") else { return argument }
        return NSHomeDirectory() + argument.dropFirst()
    }

    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        let data = try encoder.encode(session.transcript)
        do {
            try (data + [10]).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure.Message(
                "\(path): the conversation cannot be saved: \(error.localizedDescription)", code: Failure.noOutput)
        }
    }

    func load(_ path: String) throws {
        let bytes = try Terminal.read(path: path)
        do {
            session.transcript = try JSONDecoder().decode(Transcript.self, from: Data(bytes))
            last = nil
        } catch let error as DecodingError {
            throw Failure.Message("\(path): no saved conversation: \(Self.reason(error))", code: Failure.badFile)
        }
    }

    private static func reason(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
            return (path.isEmpty ? "" : "at \(path.drop { $0 == "." }): ") + context.debugDescription
        }
        switch error {
        case .dataCorrupted(let context), .keyNotFound(_, let context), .typeMismatch(_, let context),
            .valueNotFound(_, let context):
            return place(context)
        @unknown default: return "\(error)"
        }
    }

    /// Says a text and streams the answer.
    private func answer(_ prompt: String) async throws {
        let before = session.transcript
        let stream = session.streamEvents(to: prompt, options: options)
        let screen = ChatScreen()
        let work = Task { () throws -> (FinishReason, Usage)? in
            var usage: Usage?
            var reason: FinishReason?
            for try await event in stream {
                switch event {
                case .text(let text): screen.write(text)
                case .reasoning(let text): screen.write(reasoning: text)
                case .usage(let figures): usage = figures
                case .finished(let finish): reason = finish
                case .partialToolCall, .toolCall, .toolOutput: break
                }
            }
            guard let usage, let reason else { return nil }
            return (reason, usage)
        }
        ChatSignals.onInterrupt { work.cancel() }
        let result = await work.result
        ChatSignals.onInterrupt(nil)
        screen.end()
        switch result {
        case .success(let end):
            last = end?.1
            if let dropped = last?.droppedTokenCount, dropped > 0 {
                Terminal.note("[the context is full: \(dropped) tokens of the conversation were dropped]")
            }
            if end?.0 == .maximumTokens { Terminal.note("[cut at the token limit]") }
        case .failure(is CancellationError):
            if case .response? = session.transcript.last {
                Terminal.note("[stopped]")
            } else {
                // With nothing said, the question goes too: two in a row are what many templates refuse.
                session.transcript = before
                Terminal.note("[stopped; the prompt is taken back]")
            }
        case .failure(let error):
            session.transcript = before
            throw error
        }
    }

    private func writeStatistics() throws {
        var rows: [[String]] = []
        if let last {
            rows.append([
                "last answer",
                "\(last.output.totalTokenCount) tokens at \(String(format: "%.1f", last.decodeTokensPerSecond)) tok/s",
            ])
            rows.append([
                "its prompt",
                "\(last.input.totalTokenCount) tokens, \(last.input.cachedTokenCount) of them known, the rest at "
                    + String(format: "%.1f tok/s", last.prefillTokensPerSecond),
            ])
            rows.append(["first token after", String(format: "%.0f ms", last.timeToFirstToken * 1000)])
        }
        let all = session.usage
        rows.append(["all answers", "\(all.output.totalTokenCount) tokens"])
        let used = try session.tokenCount(for: "")
        rows.append(["context", "\(used) of \(model.contextSize) tokens"])
        if let memory = ProcessMemory.peakByteCount { rows.append(["peak memory", Terminal.size(memory)]) }
        Terminal.write(Terminal.columns(rows))
    }
}
