import ArgumentParser
import EdgeGGUF
import EdgeLLM
import EdgeModel
import Foundation

/// How the command ends when something went wrong: one line that says what to do, and a code that scripts can tell apart.
enum Failure {
    static let badFile = ExitCode(65)
    static let noOutput = ExitCode(74)
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
        case let error as ModelError: exit(error.description, badFile)
        case let error as ModelLoadingError:
            exit(error.description, error.code == .invalidOptions ? .validationFailure : badFile)
        case LanguageModelError.damagedModel: exit("\(error)", badFile)
        case let error as LanguageModelError: exit(error.description, .validationFailure)
        case is CancellationError: exit("", interrupted)
        default: break
        }
        // Of the parser's own errors only wrong usage is reworded: one line, and where help is to be found.
        guard command.exitCode(for: error) == .validationFailure else { command.exit(withError: error) }
        let names = command.configuration.subcommands.compactMap { $0.configuration.commandName }
        let name = CommandLine.arguments.dropFirst().first.flatMap { names.contains($0) ? " " + $0 : nil } ?? ""
        exit(command.message(for: error) + " See 'edge-llm\(name) --help'.", .validationFailure)
    }

    private static func exit(_ text: String, _ code: ExitCode) -> Never {
        if !text.isEmpty {
            // One line, whatever a file's strings hold.
            Terminal.note("edge-llm: " + text.split(whereSeparator: \.isNewline).joined(separator: " "))
        }
        Foundation.exit(code.rawValue)
    }
}
