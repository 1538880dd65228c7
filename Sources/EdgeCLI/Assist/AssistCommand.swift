import ArgumentParser
import EdgeAgent
import Foundation

/// `edge-llm assist`: questions about a car, answered from its manual and from the car itself.
struct AssistCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assist", abstract: "Answer questions about a car, from its manual and its live signals.",
        discussion: """
            The answer goes to standard output; the passages found, the calls with what came of them, the passages cited and the time of \
            each step to standard error. Without a question, a conversation: in a terminal lines are edited as in edge-llm chat, Ctrl-C stops \
            an answer, Ctrl-D ends; from a pipe each line is a question. Exit code 2 says that the question has no answer.
            """)

    @Argument(help: "The question. (default: a conversation)") var question: String?

    @OptionGroup var model: ModelOptions

    @OptionGroup var vehicle: VehicleOptions

    @Option(
        name: .customLong("docs"),
        help: ArgumentHelp(
            "The manual: a folder or a file of documents, or a store that edge-llm index made.", valueName: "path"))
    var docs: String?

    @OptionGroup var embedder: EmbedderOptions

    @OptionGroup var ranking: RankingOptions

    @Option(name: [.customShort("k"), .customLong("passages")], help: "Passages that the model is given at most.")
    var passages = AgentLimits().passages

    @Option(help: "What the model is told about its part.")
    var system = "You are the assistant of the Solvik Tern. Answer from the passages and the tools only."

    @Option(
        help: ArgumentHelp(
            "Write every step to this file, which edge-llm replay can do again; a log that is there goes on.",
            valueName: "file"))
    var log: String?

    @Flag(name: [.customShort("i"), .long], help: "Go on with a conversation after the question.")
    var interactive = false

    @Flag(help: "Approve every call that changes something.")
    var yes = false

    @Flag(help: "Show answers whose numbers stand in no source.")
    var uncheckedNumbers = false

    @Option(help: "Earlier questions, with their answers, that the model is given.")
    var history = 0

    @Option(
        name: [.customShort("n"), .customLong("max-tokens")], help: "Tokens of a question's answer and calls at most.")
    var maximumTokens = AgentLimits().tokens

    @Option(name: .customLong("max-seconds"), help: "Seconds of a question at most.")
    var maximumSeconds = AgentLimits().seconds

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens of prompt and answer together.")
    var contextSize: Int?

    @Option(name: [.customLong("temp"), .customLong("temperature")], help: "Temperature; 0 takes the likeliest token.")
    var temperature = 0.0

    @Option(help: "Seed: the same one gives the same answers again.")
    var seed: UInt64 = 0

    @Option(
        name: .customLong("chat-template"),
        help: ArgumentHelp("A file with the chat template, in Jinja. (default: the model's own)", valueName: "file"))
    var chatTemplate: String?

    @OptionGroup var prefixes: PrefixOptions

    func validate() throws {
        if !(0...50).contains(passages) { throw ValidationError("--passages must be 0 to 50.") }
        if !(0...100).contains(history) { throw ValidationError("--history must be 0 to 100.") }
        if !(1...1 << 20).contains(maximumTokens) { throw ValidationError("--max-tokens must be 1 or more.") }
        if !(0.01...1e6).contains(maximumSeconds) { throw ValidationError("--max-seconds must be 0.01 or more.") }
        if !(0...10).contains(temperature) { throw ValidationError("--temperature must be 0 to 10.") }
    }

    func run() async throws {
        let loading = ContinuousClock.now
        let loaded = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model),
            options: model.loadOptions(
                contextSize: contextSize, chatTemplate: try chatTemplate.map { try ChatCommand.templateText($0) },
                prefixes: prefixes))
        guard loaded.chatTemplate != nil else {
            throw Failure.Message(
                "\(model.model): the model has no chat template; give one with --chat-template", code: Failure.badFile)
        }
        let tools = try vehicle.tools()
        let retriever = try await documents()
        let approval = CallApproval(approvesAll: yes)
        let agent = try Agent(
            model: loaded, tools: tools, retriever: retriever, options: options,
            log: try log.map { try AgentLog(writingTo: URL(fileURLWithPath: $0)) }
        ) { await approval.decide($0) }
        await agent.prewarm()
        let loadSeconds = Terminal.seconds(since: loading)
        Terminal.note(AssistScreen.loaded(loadSeconds))
        if let question {
            if interactive { Terminal.note("\n> \(AssistScreen.line(question))") }
            let result = try await Terminal.interruptible { try await AssistScreen(agent).answer(question) }
            guard interactive else {
                if result.refusal != nil { throw ExitCode(2) }
                return
            }
        }
        try await converse(agent)
    }

    private var options: AgentOptions {
        var options = AgentOptions(instructions: system)
        options.limits.passages = passages
        options.limits.history = history
        options.limits.tokens = maximumTokens
        options.limits.seconds = maximumSeconds
        options.policy = VehicleOptions.policy
        options.failureMarks += VehicleOptions.failureMarks
        options.checksNumbers = !uncheckedNumbers
        options.seed = seed
        if temperature > 0 { options.generation = GenerationOptions(temperature: temperature) }
        return options
    }

    /// The store with the manual: the file that was given, or one in memory of a folder's documents.
    private func documents() async throws -> PassageStore? {
        guard let docs else { return nil }
        let url = URL(fileURLWithPath: docs)
        guard FileManager.default.fileExists(atPath: docs) else {
            throw Failure.Message("\(docs): there is no such folder, file or store", code: Failure.badFile)
        }
        let isFolder = (try? url.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true
        let isDocument = !isFolder && Document.Format(fileName: url.lastPathComponent) != nil
        let embedding = try await embedder.load(threads: model.threads)
        let store = try await PassageStore(
            at: isFolder || isDocument ? nil : url, embedder: embedding,
            options: .init(ranking: ranking.ranking, threadCount: model.threads))
        guard isFolder || isDocument else { return store }
        let bar = IndexingBar()
        defer { bar.clear() }
        let report = try await Terminal.interruptible {
            if isFolder { return try await store.index(folder: url, progress: bar.draw) }
            return try await store.add([Document(contentsOf: url)], progress: bar.draw)
        }
        bar.clear()
        Terminal.note(
            String(
                format: "[indexed %d documents, %d passages, in %.0f ms]", report.indexedCount, report.passageCount,
                report.seconds * 1000))
        for failure in report.failures { Terminal.note("edge-llm: not indexed: \(failure.reason)") }
        return store
    }

    private static let help = """
        /forget   forget earlier questions
        /quit     end (also Ctrl-D)
        Ctrl-C stops an answer.

        """

    private func converse(_ agent: Agent) async throws {
        let input = ChatInput()
        let signals = await ChatSignals()
        defer { withExtendedLifetime(signals) {} }
        if input.isInteractive { Terminal.note("Ask about the car; /help lists the commands, Ctrl-D ends.") }
        var failure: (any Error)?
        loop: while true {
            guard case .text(let line) = try input.next() else { break }
            let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
            switch text {
            case "": continue
            case "/help": Terminal.write(Self.help)
            case "/forget": agent.forget()
            case "/quit", "/exit": break loop
            default:
                let work = Task { _ = try await AssistScreen(agent).answer(text) }
                ChatSignals.onInterrupt { work.cancel() }
                let result = await work.result
                ChatSignals.onInterrupt(nil)
                do {
                    try result.get()
                } catch is CancellationError {
                    Terminal.note("\n[stopped]")
                } catch {
                    Terminal.note("edge-llm: " + Failure.line(of: error))
                    if failure == nil { failure = error }
                }
            }
        }
        if let failure, !input.isInteractive { throw Failure.code(of: failure) }
    }
}

/// Asks the driver on the terminal whether a call may be made.
struct CallApproval: Sendable {
    let approvesAll: Bool

    func decide(_ call: AgentCall) async -> AgentApproval {
        if approvesAll { return .approve }
        guard Terminal.inputIsTerminal else { return .deny() }
        try? FileHandle.standardError.write(contentsOf: Data("May \(call.tool) be called? [y/N] ".utf8))
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased() ?? ""
        return ["y", "yes"].contains(answer) ? .approve : .deny()
    }
}
