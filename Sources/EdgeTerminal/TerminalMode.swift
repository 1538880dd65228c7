#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Standard input as a terminal that hands over keys instead of lines.
///
/// Keys are not echoed and none of them sends a signal; `restore` brings the terminal back as it was.
package final class TerminalMode: Sendable {
    private let saved: termios

    /// Switches to keys; nil where standard input is no terminal.
    package init?() {
        var state = termios()
        guard isatty(STDIN_FILENO) != 0, tcgetattr(STDIN_FILENO, &state) == 0 else { return nil }
        saved = state
        var raw = state
        raw.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        raw.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        raw.c_cflag |= tcflag_t(CS8)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { return nil }
    }

    deinit { restore() }

    /// Back to how the terminal was found.
    package func restore() {
        var state = saved
        _ = tcsetattr(STDIN_FILENO, TCSADRAIN, &state)
    }

    /// Columns and rows of the terminal that standard output is, or 80 and 24 where it does not say.
    package static var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// Whether something can be read without waiting: keys, or else a line, or the end.
    package static var hasInput: Bool {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) > 0
    }

    /// Waits for keys; empty at the end of the input.
    package static func readKeys() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = bytes.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            return count > 0 ? Array(bytes[..<count]) : []
        }
    }
}
