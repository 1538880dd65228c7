import ArgumentParser

/// The text a command works on: given directly, in a file, or on standard input.
struct TextInput: ParsableArguments {
    @Option(name: [.customShort("p"), .long], help: "The text.")
    var prompt: String?

    @Option(name: [.customShort("f"), .long], help: "A file with the text. (default: standard input)")
    var file: String?

    func validate() throws {
        if prompt != nil, file != nil { throw ValidationError("Give --prompt or --file, not both.") }
    }

    /// The bytes as they are: a tokenizer takes any, and nothing is repaired behind the user's back.
    func read() throws -> [UInt8] {
        if let prompt { return Array(prompt.utf8) }
        if file == nil, Terminal.inputIsTerminal { Terminal.note("edge-llm: reading the text; end it with Ctrl-D") }
        return try Terminal.read(path: file)
    }
}
