import ArgumentParser
import EdgeLLM
import Foundation

/// `edge-llm chat`: a conversation.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talk with a model.",
        discussion: """
            In a terminal, lines are edited with the usual keys, Ctrl-C stops an answer (what there is of it stays in the conversation) and Ctrl-D \
            ends. A backslash at the end of a line, Alt-Enter, or a paste makes a text of several lines. Lines beginning with a slash are \
            commands; /help lists them. From a pipe, each line is a prompt or a command; after a failure the rest is still done, and the \
            exit code is that of the first failure.
            """)

    @OptionGroup var model: ModelOptions

    @Option(help: "What the model is told about its part.")
    var system: String?

    @Option(help: ArgumentHelp("Go on with a saved conversation.", valueName: "file"))
    var load: String?

    @Option(
        name: .customLong("chat-template"),
        help: ArgumentHelp("A file with the chat template, in Jinja. (default: the model's own)", valueName: "file"))
    var chatTemplate: String?

    @Option(
        name: [.customShort("n"), .customLong("max-tokens")],
        help: "Tokens of an answer at most. (default: what fits the context)")
    var maximumTokens: Int?

    @Option(
        name: [.customShort("c"), .customLong("ctx-size")],
        help: "Tokens of the whole conversation. (default: the model's own, at most 8192)")
    var contextSize: Int?

    @OptionGroup var adapters: AdapterOptions

    @OptionGroup var window: WindowOptions

    @OptionGroup var prefixes: PrefixOptions

    @OptionGroup(title: "Sampling") var sampler: SamplerOptions

    func validate() throws {
        if let maximumTokens, maximumTokens < 1 { throw ValidationError("--max-tokens must be 1 or more.") }
    }

    func run() async throws {
        let model = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: self.model.model),
            options: self.model.loadOptions(
                contextSize: contextSize, chatTemplate: try chatTemplate.map { try ChatCommand.templateText($0) },
                prefixes: prefixes))
        guard model.chatTemplate != nil else {
            throw Failure.Message(
                "\(self.model.model): the model has no chat template; give one with --chat-template, or use 'edge-llm run'",
                code: Failure.badFile)
        }
        let input = ChatInput()
        let conversation = Conversation(
            model: model, options: try sampler.options(maximumTokens: maximumTokens, window: window),
            isInteractive: input.isInteractive)
        conversation.session.adapters = try await adapters.load(for: model)
        if let load { try conversation.load(load) }
        if let system { conversation.instructions = system }
        let signals = await ChatSignals()
        defer { withExtendedLifetime(signals) {} }
        if input.isInteractive {
            Terminal.note("\(model.description)\n/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends.")
        }
        var failure: (any Error)?
        loop: while true {
            do {
                switch try input.next() {
                case .end: break loop
                case .text(let text):
                    if try await conversation.take(text) == .quit { break loop }
                }
            } catch {
                Terminal.note("edge-llm: " + Failure.line(of: error))
                if failure == nil { failure = error }
            }
        }
        if let failure, !input.isInteractive { throw Failure.code(of: failure) }
    }

    /// The text of a template's file.
    static func templateText(_ path: String) throws -> String {
        String(decoding: try Terminal.read(path: path), as: UTF8.self)
    }
}
