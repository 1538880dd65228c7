internal import EdgePlatform
public import Foundation

/// Where an agent writes down what it does, in a chain of lines; see `AgentRecord`.
///
/// A step stands in the log before it has effects: a call that was made without its verdict being in the log does not exist.
public final class AgentLog: Sendable {
    private struct State {
        var handle: FileHandle?
        /// All lines where they are kept in memory.
        var text: [UInt8] = []
        var head = Head()
        var records: [AgentRecord] = []
    }

    /// The end of a chain.
    public struct Head: Sendable, Hashable, Codable {
        /// Lines.
        public var count = 0
        /// The hash of the last.
        public var hash = AgentLine.start
    }

    private let state: Lock<State>
    /// The file; nil for a log in memory.
    public let url: URL?

    /// A log in memory.
    public init() {
        url = nil
        state = Lock(State())
    }

    /// A log in a file. A log that is there already goes on, if it is whole.
    ///
    /// - Throws: `AgentError` with code `logUnusable` or `logDamaged`.
    public init(writingTo url: URL) throws {
        self.url = url
        var begun = State()
        if FileManager.default.fileExists(atPath: url.path) {
            let lines = try AgentLogReader(contentsOf: url)
            begun.head = lines.head
            begun.records = lines.records
        } else {
            guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
                throw AgentError(
                    .logUnusable, "\(url.path): the log cannot be created; check the folder and its permissions")
            }
        }
        do {
            begun.handle = try FileHandle(forWritingTo: url)
            try begun.handle?.seekToEnd()
        } catch {
            throw AgentError(.logUnusable, "\(url.path): the log cannot be written: \(error.localizedDescription)")
        }
        state = Lock(begun)
    }

    /// A log into what is open already.
    init(writingTo handle: FileHandle) {
        url = nil
        state = Lock(State(handle: handle))
    }

    /// Its end.
    public var head: Head { state.withLock { $0.head } }

    /// The lines of a log in memory.
    public var text: String { state.withLock { String(decoding: $0.text, as: UTF8.self) } }

    /// What there was when a log in a file was opened.
    var earlier: [AgentRecord] { state.withLock { $0.records } }

    /// Adds a line.
    ///
    /// - Throws: `AgentError` with code `logUnusable`.
    func append(_ record: AgentRecord, _ measure: AgentMeasure) throws {
        try state.withLock { state in
            let line = try AgentLine(record, measure, after: state.head.hash)
            let bytes = line.bytes + [0x0A]
            if let handle = state.handle {
                do {
                    try handle.write(contentsOf: bytes)
                } catch {
                    throw AgentError(.logUnusable, "the log cannot be written: \(error.localizedDescription)")
                }
            } else {
                state.text += bytes
            }
            state.head = Head(count: state.head.count + 1, hash: line.hash)
        }
    }
}

/// A log that was read and found whole.
public struct AgentLogReader: Sendable {
    /// The lines' records, in order.
    public let records: [AgentRecord]
    /// The bytes of the records.
    let bytes: [[UInt8]]
    /// The end of the chain.
    public let head: AgentLog.Head

    /// Bytes of a log at most.
    private static let limit = 1 << 30

    /// Reads a file.
    ///
    /// - Throws: `AgentError` with code `logUnusable` for a file that cannot be read, and `logDamaged` with the line that is wrong.
    public init(contentsOf url: URL) throws {
        let data: Data
        do {
            let size = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int ?? 0
            guard size <= Self.limit else {
                throw AgentError(.logUnusable, "\(url.path): a log has at most \(Self.limit >> 30) GiB")
            }
            data = try Data(contentsOf: url)
        } catch let error as AgentError {
            throw error
        } catch {
            throw AgentError(.logUnusable, "\(url.path): the log cannot be read: \(error.localizedDescription)")
        }
        try self.init([UInt8](data))
    }

    /// Reads the lines of a log.
    ///
    /// - Throws: as `init(contentsOf:)`.
    public init(_ text: [UInt8]) throws {
        var (records, bytes, head): ([AgentRecord], [[UInt8]], AgentLog.Head) = ([], [], .init())
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        guard lines.last?.isEmpty == true, lines.count > 1 else {
            throw AgentError(
                .logDamaged, text.isEmpty ? "the log is empty" : "the last line breaks off", line: max(1, lines.count))
        }
        for (index, part) in lines.dropLast().enumerated() {
            let line = try AgentLine(part, line: index + 1, after: head.hash)
            do {
                records.append(try JSONDecoder().decode(AgentRecord.self, from: Data(line.record)))
            } catch {
                throw AgentError(
                    .logDamaged, "the record cannot be read; a later version may have written it", line: index + 1)
            }
            bytes.append(line.record)
            head = .init(count: index + 1, hash: line.hash)
        }
        guard case .begin(let begin)? = records.first, begin.version == 1 else {
            throw AgentError(.logDamaged, "a log begins with what the agent is made of, in version 1", line: 1)
        }
        self.records = records
        self.bytes = bytes
        self.head = head
    }
}
