/// What went wrong with a program that speaks or listens.
public struct VoiceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: String, Sendable, Hashable, Codable {
        /// The command has no words, or a quote in it is not closed.
        case invalidCommand
        /// The program is not on this machine.
        case missingProgram
        /// The program is there and cannot be started.
        case cannotStart
        /// The program ended with an error.
        case failed
        /// The program took too long and was ended.
        case tooSlow
        /// More waits to be spoken than may wait; the sentence was left out.
        case queueFull
        /// The program wrote a line that is longer than any that is taken.
        case lineTooLong
    }

    /// The kind of error.
    public var code: Code
    /// What is wrong and what to do, in one line.
    public var message: String
    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
