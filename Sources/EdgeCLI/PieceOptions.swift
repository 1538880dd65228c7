import ArgumentParser

/// How a text is measured on, for the commands that run models over its pieces.
struct PieceOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens in a piece.")
    var contextSize = 512

    @Option(help: "Pieces to measure at most. (default: all)")
    var chunks: Int?

    @Flag(
        name: .customLong("parse-special"),
        help: "Read control tokens in the text as such, as in conversations that a template laid out.")
    var parsesSpecialTokens = false

    func validate() throws {
        guard (8...1 << 24).contains(contextSize) else { throw ValidationError("--ctx-size must be 8 to \(1 << 24).") }
        if let chunks, chunks < 1 { throw ValidationError("--chunks must be 1 or more.") }
    }
}
