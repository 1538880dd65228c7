import ArgumentParser
import Foundation

/// Reading and writing of the command: results to standard output, everything about them to standard error.
enum Terminal {
    /// Bytes of a prompt or text that are read at most, so that an endless pipe ends in an error.
    static let inputLimit = 1 << 28

    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) != 0 }
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) != 0 }
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) != 0 }

    /// Writes to standard output at once; a full disk or a closed terminal ends the command.
    static func write(_ text: String) { write(Array(text.utf8)) }

    static func write(_ bytes: [UInt8]) {
        do {
            try FileHandle.standardOutput.write(contentsOf: bytes)
        } catch {
            note("edge-llm: standard output cannot be written: \(error.localizedDescription)")
            exit(Failure.noOutput.rawValue)
        }
    }

    /// A line on standard error; when even that is closed, nobody is left to tell.
    static func note(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }

    /// All of standard input, or of a file.
    static func read(path: String?) throws -> [UInt8] {
        let handle: FileHandle
        if let path {
            guard let opened = FileHandle(forReadingAtPath: path) else {
                throw Failure.Message(
                    "\(path): cannot be read; check the path and its permissions", code: Failure.badFile)
            }
            handle = opened
        } else {
            handle = .standardInput
        }
        var data = Data()
        do {
            while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty {
                data.append(part)
                guard data.count <= inputLimit else {
                    throw Failure.Message("the input is longer than \(inputLimit >> 20) MiB; give a shorter one")
                }
            }
        } catch let error as Failure.Message {
            throw error
        } catch {
            throw Failure.Message(
                "\(path ?? "standard input"): cannot be read: \(error.localizedDescription)", code: Failure.badFile)
        }
        return [UInt8](data)
    }

    /// A value as one line of JSON with sorted keys.
    static func json(_ value: some Encodable, pretty: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    /// Rows in columns as wide as their widest entry.
    static func columns(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (i, entry) in row.enumerated() {
                if i == widths.count { widths.append(0) }
                widths[i] = max(widths[i], entry.count)
            }
        }
        var out = ""
        for row in rows {
            var line = " "
            for (i, entry) in row.enumerated() {
                let padding = i == row.count - 1 ? 0 : widths[i] - entry.count
                line += " " + entry + String(repeating: " ", count: padding)
            }
            out += line + "\n"
        }
        return out
    }

    /// Seconds that have passed.
    static func seconds(since start: ContinuousClock.Instant) -> Double {
        start.duration(to: .now) / .seconds(1)
    }

    /// 1234567 bytes as `1.2 MB`.
    static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return String(format: unit == "B" ? "%.0f %@" : "%.1f %@", value, unit) }
            value /= 1000
        }
        return String(format: "%.1f TB", value)
    }
}

/// A bar on standard error, drawn only when that is a terminal.
struct ProgressBar: Sendable {
    private let total: Int
    private let start: Date
    private let isShown = Terminal.errorIsTerminal

    init(total: Int, start: Date = Date()) {
        self.total = total
        self.start = start
    }

    func draw(_ done: Int, note: String) {
        guard isShown, total > 0 else { return }
        let width = 30
        let filled = width * done / total
        let elapsed = Date().timeIntervalSince(start)
        let rest = done > 0 ? elapsed / Double(done) * Double(total - done) : 0
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let line = String(format: "\r[%@] %d/%d  %@  %.0f s left ", bar, done, total, note, rest)
        try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }

    func clear() {
        if isShown { try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K".utf8)) }
    }
}
