import ArgumentParser
import EdgeLLM
import Foundation

/// `edge-llm tokenize`: shows how a vocabulary cuts a text.
struct TokenizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize", abstract: "Show the tokens of a text.",
        discussion: "Without --prompt or --file the text is read from standard input.")

    @Option(name: [.customShort("m"), .long], help: "The GGUF file; a vocabulary alone is enough.")
    var model: String

    @OptionGroup var input: TextInput

    @Flag(help: "Print the ids alone, on one line.")
    var ids = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Do not add the tokens that begin and end a text.")
    var noSpecial = false

    @Flag(help: "Read control tokens in the text as such.")
    var parseSpecial = false

    private struct Report: Encodable {
        struct Token: Encodable {
            let id: Int
            let text: String
        }
        let count: Int
        let tokens: [Token]
    }

    func run() async throws {
        let bytes = try input.read()
        let tokenizer = try await GGUFTokenizer(contentsOf: URL(fileURLWithPath: model))
        let tokens = tokenizer.encode(
            bytes: bytes, addsSpecialTokens: !noSpecial, parsesSpecialTokens: parseSpecial)
        if ids {
            Terminal.write(tokens.map(String.init).joined(separator: " ") + "\n")
            return
        }
        let pieces = tokens.map { String(decoding: tokenizer.bytes(of: $0) ?? [], as: UTF8.self) }
        if json {
            let report = Report(count: tokens.count, tokens: zip(tokens, pieces).map { .init(id: $0, text: $1) })
            Terminal.write(try Terminal.json(report))
        } else {
            var lines = ""
            for (id, piece) in zip(tokens, pieces) {
                let number = String(id)
                lines +=
                    String(repeating: " ", count: max(0, 7 - number.count)) + number + "  " + piece.debugDescription
                    + "\n"
            }
            Terminal.write(lines)
            Terminal.note("[\(tokens.count) tokens, \(bytes.count) bytes]")
        }
    }
}
