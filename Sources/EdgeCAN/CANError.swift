/// Why something on a bus cannot be done, or is no frame.
public struct CANError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failures, for programs to tell apart.
    public enum Code: String, Sendable {
        /// The controller has left the bus after too many errors.
        case busOff = "bus off"
        /// Nothing came, or nothing could be sent, in the time that was given.
        case timedOut = "timed out"
        /// The bus was closed.
        case closed
        /// There is no such interface.
        case noInterface = "no such interface"
        /// The system has no CAN, or not this kind of it.
        case unsupported
        /// The system refused.
        case system
        /// What should be sent is no frame.
        case invalidFrame = "no frame"
        /// A reader was slower than the bus, and frames were lost to it.
        case overrun
        /// A log that cannot be read.
        case malformedLog = "malformed log"
        /// Frames that do not make a message.
        case protocolViolation = "protocol violation"
    }

    /// The kind.
    public let code: Code
    /// What is wrong, in one line.
    public let message: String

    /// An error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The error of a controller that has left the bus.
    public static let busOff = CANError(.busOff, "bus off")

    /// The message.
    public var description: String { message }
}
