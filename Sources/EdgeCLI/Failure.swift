import ArgumentParser
import EdgeGGUF
import Foundation

/// How the command ends when something went wrong: one line that says what to do, and a code that scripts can tell apart.
enum Failure {
    static let badFile = ExitCode(65)
    static let interrupted = ExitCode(130)

    /// An error of this command's own: what is wrong and what to do.
    struct Message: Error {
        let text: String
        let code: ExitCode

        init(_ text: String, code: ExitCode = .validationFailure) {
            self.text = text
            self.code = code
        }
    }

    static func exit(with error: any Error, command: (some ParsableCommand).Type) -> Never {
        switch error {
        case let error as Message: exit(error.text, error.code)
        case let error as GGUFError: exit(error.description, badFile)
        case is CancellationError: exit("", interrupted)
        default: command.exit(withError: error)
        }
    }

    private static func exit(_ text: String, _ code: ExitCode) -> Never {
        if !text.isEmpty {
            // One line, whatever a file's strings hold.
            let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
            FileHandle.standardError.write(Data("edge-llm: \(line)\n".utf8))
        }
        Foundation.exit(code.rawValue)
    }
}
