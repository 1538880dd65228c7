import ArgumentParser
import EdgeAgent
import EdgeCAN
import EdgeLLM
import EdgeQuantize
import EdgeRAG
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
        if let known = known(error) { exit(known.text, known.code) }
        // What was wrong has been said already.
        if error is ExitCode { command.exit(withError: error) }
        // Of the parser's own errors only wrong usage is reworded: one line, and where help is to be found.
        guard command.exitCode(for: error) == .validationFailure else { command.exit(withError: error) }
        let names = command.configuration.subcommands.compactMap { $0.configuration.commandName }
        let name = CommandLine.arguments.dropFirst().first.flatMap { names.contains($0) ? " " + $0 : nil } ?? ""
        exit(command.message(for: error) + " See 'edge-llm\(name) --help'.", .validationFailure)
    }

    /// What to say of an error, and the code to end with; nil for those of the parser.
    private static func known(_ error: any Error) -> (text: String, code: ExitCode)? {
        switch error {
        case let error as Message: (error.text, error.code)
        case let error as ModelLoadingError where error.code == .unwritable: (error.description, noOutput)
        case let error as ModelLoadingError:
            (error.description, error.code == .invalidOptions ? .validationFailure : badFile)
        case LanguageModelError.damagedModel: ("\(error)", badFile)
        case LanguageModelError.storageFailed: ("\(error)", noOutput)
        case let error as LanguageModelError: (error.description, .validationFailure)
        case let error as QuantizationError: (error.description, code(error.code))
        case let error as SavedStateError: (error.description, noOutput)
        case let error as EmbeddingError: (error.description, .validationFailure)
        case let error as RetrievalError:
            switch error.code {
            case .invalidOptions, .modelRequired, .modelMismatch: (error.description, .validationFailure)
            case .storageFailed, .busy: (error.description, noOutput)
            default: (error.description, badFile)
            }
        case let error as AgentError:
            switch error.code {
            case .logDamaged: (error.description, badFile)
            case .logUnusable: (error.description, noOutput)
            default: (error.description, .validationFailure)
            }
        case let error as DBCError: ("\(error)", badFile)
        case let error as CANError: ("\(error)", .validationFailure)
        case is CancellationError: ("", interrupted)
        default: nil
        }
    }

    private static func code(_ code: QuantizationError.Code) -> ExitCode {
        switch code {
        case .unwritable: noOutput
        case .notFinite, .unreadable, .invalidImportance, .requantization, .invalidCertificate: badFile
        default: .validationFailure
        }
    }

    /// What to say of an error, in one line.
    static func line(of error: any Error) -> String {
        oneLine(known(error)?.text ?? "\(error)")
    }

    /// The code to end with after an error.
    static func code(of error: any Error) -> ExitCode { known(error)?.code ?? .failure }

    /// One line, whatever a file's strings hold.
    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func exit(_ text: String, _ code: ExitCode) -> Never {
        if !text.isEmpty { Terminal.note("edge-llm: " + oneLine(text)) }
        Foundation.exit(code.rawValue)
    }
}
