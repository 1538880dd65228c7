internal import EdgeDocuments
public import Foundation

/// A program that speaks or listens, and its arguments.
public struct VoiceCommand: Sendable, Hashable {
    /// The program: a path, or a name that is looked up in the search path.
    public var program: String
    /// Its arguments.
    public var arguments: [String]

    /// A program and its arguments.
    public init(program: String, arguments: [String] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// A command as it is typed: words between blanks, with quotes and backslashes as in a shell. Nothing is expanded and no shell is
    /// started; for a pipe of programs write `sh -c '...'`.
    ///
    /// - Throws: `VoiceError` with code `invalidCommand`.
    public init(parsing text: String) throws(VoiceError) {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let closed = word { words.append(closed) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else {
            throw VoiceError(.invalidCommand, "the command ends within a quote or after a backslash; close it")
        }
        if let closed = word { words.append(closed) }
        guard let first = words.first, !first.isEmpty, !text.utf8.contains(0) else {
            throw VoiceError(.invalidCommand, "the command names no program")
        }
        self.init(program: first, arguments: Array(words.dropFirst()))
    }

    /// eSpeak NG, which speaks English and more than a hundred other languages.
    public static let espeak = VoiceCommand(program: "espeak-ng", arguments: ["--stdin"])

    /// Pocketsphinx with the microphone: `pocketsphinx_continuous` of version 0.8, else version 5, which SoX gives the sound.
    public static var pocketsphinx: VoiceCommand {
        let old = VoiceCommand(
            program: "pocketsphinx_continuous", arguments: ["-inmic", "yes", "-logfn", "/dev/null"])
        guard SearchPath.program(named: old.program) == nil, SearchPath.program(named: "pocketsphinx") != nil else {
            return old
        }
        guard SearchPath.program(named: "sox") != nil else { return VoiceCommand(program: "sox") }
        return VoiceCommand(
            program: "sh", arguments: ["-c", "sox -q -d $(pocketsphinx soxflags) | pocketsphinx -"])
    }

    /// Where the program is.
    ///
    /// - Throws: `VoiceError` with code `missingProgram`.
    public func url() throws(VoiceError) -> URL {
        if let found = SearchPath.program(named: program) { return found }
        let packages = [
            "espeak-ng": " (Debian: espeak-ng; Homebrew: espeak-ng)",
            "pocketsphinx_continuous": " (Debian: pocketsphinx, pocketsphinx-en-us)",
            "sox": " (Debian: sox; Homebrew: sox)",
        ]
        let place = program.contains("/") ? "there is no such program" : "not installed"
        throw VoiceError(.missingProgram, "\(program): \(place)\(packages[program] ?? "")")
    }
}
