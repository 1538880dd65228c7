/// Why an agent cannot begin, go on, or be replayed.
public struct AgentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure; more may be added.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The name.
        public let rawValue: String
        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A question came while another was being answered.
        public static let busy = Code(rawValue: "busy")
        /// Options that make no sense.
        public static let invalidOptions = Code(rawValue: "invalidOptions")
        /// A checkpoint was made with another model, other tools or other options, or by a later version.
        public static let checkpointMismatch = Code(rawValue: "checkpointMismatch")
        /// A checkpoint contradicts itself.
        public static let invalidCheckpoint = Code(rawValue: "invalidCheckpoint")
        /// A log cannot be read or written.
        public static let logUnusable = Code(rawValue: "logUnusable")
        /// A line of a log is not what was written, or is missing.
        public static let logDamaged = Code(rawValue: "logDamaged")
        /// A log was made with another model, or is of another conversation.
        public static let logMismatch = Code(rawValue: "logMismatch")
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong and what to do.
    public let message: String
    /// The line of a log that is wrong, from 1.
    public let line: Int?

    /// An error.
    public init(_ code: Code, _ message: String, line: Int? = nil) {
        self.code = code
        self.message = message
        self.line = line
    }

    /// What is wrong, in one line.
    public var description: String { line.map { "line \($0): \(message)" } ?? message }
}
