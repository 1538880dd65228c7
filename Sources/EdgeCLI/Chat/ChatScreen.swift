import Synchronization

/// An answer on standard output. In a terminal the thought is dimmed, and control characters that a model writes are shown, not
/// obeyed; in a pipe there is the answer alone, byte for byte.
final class ChatScreen: Sendable {
    private let isTerminal = Terminal.outputIsTerminal
    private let isDimmed = Mutex(false)

    func write(_ text: String) {
        let begin = isDimmed.withLock { dimmed in
            defer { dimmed = false }
            return dimmed ? "\u{1B}[0m\n\n" : ""
        }
        Terminal.write(begin + (isTerminal ? Self.harmless(text) : text))
    }

    func write(reasoning text: String) {
        guard isTerminal else { return }
        let begin = isDimmed.withLock { dimmed in
            defer { dimmed = true }
            return dimmed ? "" : "\u{1B}[2m"
        }
        Terminal.write(begin + Self.harmless(text))
    }

    /// Ends the answer's last line.
    func end() {
        let isOpen = isDimmed.withLock { $0 }
        Terminal.write(isOpen ? "\u{1B}[0m\n" : "\n")
    }

    private static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isControl($0) }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) { result += "\u{FFFD}" } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
    }
}
