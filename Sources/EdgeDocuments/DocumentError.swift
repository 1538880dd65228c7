/// Why a document cannot be read, and where it is wrong.
package struct DocumentError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The file is not there, or may not be read.
        case unreadable
        /// Longer than may be.
        case tooLarge
        /// Bytes that are no text in UTF-8.
        case notText
        /// A kind of file that is not read.
        case unsupportedFormat
        /// The program that reads this kind of file is not installed.
        case missingTool
        /// The program that reads this kind of file failed.
        case toolFailed
    }

    package let code: Code
    /// What is wrong and what to do.
    package let message: String
    /// The byte that is wrong.
    package let byteOffset: Int?

    package init(_ code: Code, _ message: String, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
    }

    package var description: String { byteOffset.map { "\(message) (byte \($0))" } ?? message }
}
