/// Why a database of messages cannot be read, and where.
public struct DBCError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of defects.
    public enum Code: String, Sendable {
        /// Characters that make no statement.
        case syntax
        /// A number, name or length that cannot be.
        case invalidValue = "invalid value"
        /// More than the reader takes.
        case tooLarge = "too large"
        /// Something that `strict` refuses: signals that overlap or do not fit, and references to nothing.
        case contradiction
    }

    /// The kind.
    public let code: Code
    /// What is wrong.
    public let message: String
    /// The line, from 1.
    public let line: Int
    /// The character in the line, from 1.
    public let column: Int

    /// An error at a place.
    public init(_ code: Code, _ message: String, line: Int, column: Int) {
        self.code = code
        self.message = message
        self.line = line
        self.column = column
    }

    /// Place and message.
    public var description: String { "line \(line), column \(column): \(message)" }
}

/// Why a message cannot be decoded or encoded.
public enum DBCCodingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The frame has fewer bytes than the message.
    case tooShort(message: String, byteCount: Int, expected: Int)
    /// No signals are known for a value of a multiplexer.
    case unknownMultiplexerValue(message: String, signal: String, value: Int)
    /// A signal that is needed has no value.
    case missingSignal(message: String, signal: String)
    /// A value that the bits of a signal cannot hold.
    case outOfRange(message: String, signal: String, value: String)
    /// A name that the value table of a signal lacks.
    case unknownChoice(message: String, signal: String, choice: String)

    /// What is wrong, in one line.
    public var description: String {
        switch self {
        case .tooShort(let message, let count, let expected):
            "a frame of \(count) bytes is no \(message), which has \(expected)"
        case .unknownMultiplexerValue(let message, let signal, let value):
            "\(message) has no signals for \(signal) = \(value)"
        case .missingSignal(let message, let signal): "\(message) needs a value of \(signal)"
        case .outOfRange(let message, let signal, let value): "\(signal) of \(message) cannot be \(value)"
        case .unknownChoice(let message, let signal, let choice):
            "\(signal) of \(message) has no value named \"\(choice)\""
        }
    }
}
