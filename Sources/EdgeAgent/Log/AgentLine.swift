internal import Foundation

/// What a step took: stands beside its record, and is neither hashed nor compared.
public struct AgentMeasure: Sendable, Hashable, Codable {
    /// Seconds since the question began.
    public var seconds: Double
    /// Seconds that the model took for the prompt; nil where it did not work.
    public var prefillSeconds: Double?
    /// Seconds that it took for its tokens.
    public var decodeSeconds: Double?
    /// Tokens of the prompt that had been computed before.
    public var cachedTokens: Int?
    /// Seconds from the beginning of the round to its first token.
    public var firstTokenSeconds: Double?

    /// A measure.
    public init(seconds: Double = 0) { self.seconds = seconds }
}

/// A line of a log:
/// `{"hash":"…","previous":"…","record":{…},"measured":{…}}`.
///
/// The hash is SHA-256 over the previous line's hash, in its 64 digits, and the bytes of the record; before the first line it is 64 zeros. So a
/// line that is changed, missing, doubled or in another place is found, and what was measured may differ between two runs whose hashes
/// are the same.
struct AgentLine: Sendable {
    /// The bytes of the record, as JSON with sorted keys.
    var record: [UInt8]
    var hash: String
    var previous: String
    var measured: [UInt8]

    /// The hash before the first line.
    static let start = String(repeating: "0", count: 64)

    init(_ record: AgentRecord, _ measure: AgentMeasure, after previous: String) throws(AgentError) {
        self.record = try Self.json(record)
        self.previous = previous
        hash = Self.hash(of: self.record, after: previous)
        measured = try Self.json(measure)
    }

    static func hash(of record: [UInt8], after previous: String) -> String {
        SHA256.hex(Array(previous.utf8) + record)
    }

    /// JSON that is the same bytes for the same value.
    static func json(_ value: some Encodable) throws(AgentError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw AgentError(.logUnusable, "a step cannot be written to the log: \(error)")
        }
    }

    /// The line, without a line feed.
    var bytes: [UInt8] {
        Array(Self.opening.utf8) + Array(hash.utf8) + Array(Self.middle.utf8) + Array(previous.utf8)
            + Array(Self.beforeRecord.utf8) + record + Array(Self.behindRecord.utf8) + measured + [0x7D]
    }

    private static let opening = #"{"hash":""#
    private static let middle = #"","previous":""#
    private static let beforeRecord = #"","record":"#
    private static let behindRecord = #","measured":"#

    /// Reads a line and looks whether it is whole.
    ///
    /// - Parameter line: its number, from 1, for errors.
    /// - Throws: `AgentError` with code `logDamaged`.
    init(_ bytes: ArraySlice<UInt8>, line: Int, after expected: String) throws(AgentError) {
        func damaged(_ reason: String) -> AgentError { AgentError(.logDamaged, reason, line: line) }
        var rest = bytes
        func skip(_ text: String) throws(AgentError) {
            guard rest.starts(with: text.utf8) else { throw damaged("this is no line of a log") }
            rest = rest.dropFirst(text.utf8.count)
        }
        func digits() throws(AgentError) -> String {
            let part = rest.prefix(64)
            guard part.count == 64, part.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
                throw damaged("a hash has 64 hexadecimal digits")
            }
            rest = rest.dropFirst(64)
            return String(decoding: part, as: UTF8.self)
        }
        try skip(Self.opening)
        hash = try digits()
        try skip(Self.middle)
        previous = try digits()
        try skip(Self.beforeRecord)
        guard let end = Self.objectEnd(rest) else { throw damaged("the record breaks off") }
        record = Array(rest[..<end])
        rest = rest[end...]
        try skip(Self.behindRecord)
        guard rest.last == 0x7D, let end = Self.objectEnd(rest), end == rest.endIndex - 1 else {
            throw damaged("what was measured breaks off")
        }
        measured = Array(rest[..<end])
        guard previous == expected else {
            throw damaged(
                line == 1
                    ? "the log's beginning is missing" : "a line before this one is missing, or was changed or put in")
        }
        guard hash == Self.hash(of: record, after: previous) else { throw damaged("the record was changed") }
    }

    /// Where the object ends that bytes begin with; nil where it does not.
    private static func objectEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.first == 0x7B else { return nil }
        var (depth, isText, isEscaped) = (0, false, false)
        for index in bytes.indices {
            let byte = bytes[index]
            if isEscaped {
                isEscaped = false
            } else if isText {
                isEscaped = byte == 0x5C
                isText = byte != 0x22
            } else if byte == 0x22 {
                isText = true
            } else if byte == 0x7B {
                depth += 1
            } else if byte == 0x7D {
                depth -= 1
                if depth == 0 { return index + 1 }
            }
        }
        return nil
    }
}
