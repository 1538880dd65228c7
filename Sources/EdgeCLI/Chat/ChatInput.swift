import EdgeTerminal
import Foundation

/// Where the texts of a conversation come from: a terminal with keys to edit them, or lines of a pipe.
final class ChatInput {
    enum Entry: Equatable {
        case text(String)
        case end
    }

    private static let prompt = "> "
    private var editor = LineEditor()
    /// Whether standard input and output are both a terminal.
    let isInteractive = Terminal.inputIsTerminal && Terminal.outputIsTerminal

    /// The next text; waits for it.
    func next() throws -> Entry {
        guard isInteractive, let mode = TerminalMode() else { return try nextLine() }
        // Bracketed paste, so that lines of a paste are not taken for finished texts.
        Terminal.write("\u{1B}[?2004h")
        defer {
            Terminal.write("\u{1B}[?2004l")
            mode.restore()
        }
        ChatSignals.onExit { mode.restore() }
        defer { ChatSignals.onExit(nil) }
        var view = draw(over: nil)
        var bytes: [UInt8] = []
        while true {
            let outcome = editor.feed(bytes)
            switch outcome {
            case .text(let text):
                // The editor is empty now; what was written stays on the screen as it was.
                _ = draw(Array(text), over: view, leaves: true)
                return .text(text)
            case .abandoned:
                Terminal.write(view.leaving)
                view = draw(over: nil)
            case .end:
                Terminal.write(view.leaving)
                return .end
            case .clearScreen:
                Terminal.write("\u{1B}[H\u{1B}[2J")
                view = draw(over: nil)
            case nil:
                view = draw(over: view)
                bytes = TerminalMode.readKeys()
                if bytes.isEmpty { return .end }
                continue
            }
            bytes = []
        }
    }

    private func draw(over previous: LineView?) -> LineView {
        let size = TerminalMode.size
        let view = LineView(
            prompt: Self.prompt, editor.characters, cursor: editor.cursor, columns: size.columns, height: size.rows)
        Terminal.write(view.drawing(over: previous))
        return view
    }

    private func draw(_ characters: [Character], over previous: LineView?, leaves: Bool) -> LineView {
        let size = TerminalMode.size
        let view = LineView(
            prompt: Self.prompt, characters, cursor: characters.count, columns: size.columns, height: size.rows)
        Terminal.write(view.drawing(over: previous) + (leaves ? view.leaving : ""))
        return view
    }

    /// A line of a pipe, and those after it while they end in a backslash.
    private func nextLine() throws -> Entry {
        var text = ""
        var isFirst = true
        while let line = readLine(strippingNewline: true) {
            text += (isFirst ? "" : "\n") + line
            isFirst = false
            guard text.utf8.count <= Terminal.inputLimit else {
                throw Failure.Message("a line is longer than \(Terminal.inputLimit >> 20) MiB; give a shorter one")
            }
            guard text.hasSuffix("\\") else { return .text(text) }
            text.removeLast()
        }
        return isFirst ? .end : .text(text)
    }
}
