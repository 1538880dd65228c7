import ArgumentParser
import EdgeLLM
import Foundation

/// `edge-llm run`: continues a text.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Continue a text, streaming it to standard output.",
        discussion: "Without --prompt or --file the prompt is read from standard input.")

    @OptionGroup var model: ModelOptions

    @OptionGroup var adapters: AdapterOptions

    @OptionGroup var input: TextInput

    @Option(
        name: [.customShort("n"), .customLong("max-tokens")], help: "Tokens at most. (default: what fits the context)")
    var maximumTokens: Int?

    @Option(
        name: [.customShort("c"), .customLong("ctx-size")],
        help: "Tokens of prompt and answer together. (default: the model's own, at most 8192)")
    var contextSize: Int?

    @OptionGroup var window: WindowOptions

    @OptionGroup var prefixes: PrefixOptions

    @OptionGroup(title: "Sampling") var sampler: SamplerOptions

    @Flag(help: "Write the prompt with the model's chat template, as the first turn of a conversation.")
    var chat = false

    @Option(help: "With --chat: what the model is told about its part.")
    var system: String?

    @Flag(help: "Read control tokens such as <|eot_id|> in the prompt as such; never do that with text from others.")
    var parseSpecial = false

    @Flag(help: "Print the prompt before its continuation.")
    var echo = false

    @Flag(help: "Print one JSON object when done, instead of streaming.")
    var json = false

    @Flag(name: [.customShort("q"), .long], help: "No summary line.")
    var quiet = false

    func validate() throws {
        if let maximumTokens, maximumTokens < 0 { throw ValidationError("--max-tokens must be 0 or more.") }
        if system != nil, !chat { throw ValidationError("--system needs --chat.") }
        if chat, parseSpecial {
            throw ValidationError(
                "--chat and --parse-special exclude each other: what is said to a template is plain text.")
        }
    }

    func run() async throws {
        let text = try input.read()
        let loading = ContinuousClock.now
        let model = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: self.model.model),
            options: self.model.loadOptions(contextSize: contextSize, prefixes: prefixes))
        let adapters = try await self.adapters.load(for: model)
        let loadSeconds = Terminal.seconds(since: loading)
        let tokens =
            chat
            ? try model.promptTokens(for: String(decoding: text, as: UTF8.self), instructions: system)
            : model.tokenizer.encode(bytes: text, parsesSpecialTokens: parseSpecial)
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let stream = model.streamCompletion(
            ofTokens: tokens, options: try sampler.options(maximumTokens: maximumTokens, window: window),
            adapters: adapters
        )

        let isJSON = json
        if echo, !isJSON { Terminal.write(text) }
        let work = Task { () throws -> String in
            var answer = ""
            for try await piece in stream {
                if isJSON { answer += piece } else { Terminal.write(piece) }
            }
            try Task.checkCancellation()
            return answer
        }
        interruption.cancels { work.cancel() }
        do {
            let answer = try await work.value
            guard let (reason, usage) = stream.result else { throw CancellationError() }
            let report = Report(
                text: isJSON ? answer : nil, finishReason: reason, seed: stream.seed, threads: model.threadCount,
                usage: usage, loadSeconds: loadSeconds, peakMemoryBytes: ProcessMemory.peakByteCount)
            if isJSON {
                Terminal.write(try Terminal.json(report))
            } else {
                Terminal.write("\n")
                if !quiet { Terminal.note(report.summary) }
            }
        } catch is CancellationError {
            if !isJSON { Terminal.write("\n") }
            Terminal.note("edge-llm: interrupted")
            throw Failure.interrupted
        }
    }

    /// What `--json` prints.
    struct Report: Encodable {
        var text: String?
        var finishReason: FinishReason
        var seed: UInt64
        var threads: Int
        var promptTokens: Int
        var cachedTokens: Int
        var droppedTokens: Int
        var generatedTokens: Int
        var loadSeconds: Double
        var timeToFirstTokenSeconds: Double
        var prefillTokensPerSecond: Double
        var decodeTokensPerSecond: Double
        var peakMemoryBytes: Int?

        init(
            text: String?, finishReason: FinishReason, seed: UInt64, threads: Int, usage: Usage, loadSeconds: Double,
            peakMemoryBytes: Int?
        ) {
            self.text = text
            self.finishReason = finishReason
            self.seed = seed
            self.threads = threads
            promptTokens = usage.input.totalTokenCount
            cachedTokens = usage.input.cachedTokenCount
            droppedTokens = usage.droppedTokenCount
            generatedTokens = usage.output.totalTokenCount
            self.loadSeconds = loadSeconds
            timeToFirstTokenSeconds = usage.timeToFirstToken
            prefillTokensPerSecond = usage.prefillTokensPerSecond
            decodeTokensPerSecond = usage.decodeTokensPerSecond
            self.peakMemoryBytes = peakMemoryBytes
        }

        /// The line under the text.
        var summary: String {
            var parts = [
                String(format: "loaded in %.0f ms", loadSeconds * 1000),
                String(format: "first token after %.0f ms", timeToFirstTokenSeconds * 1000),
                String(format: "prefill %d tokens at %.1f tok/s", promptTokens, prefillTokensPerSecond),
                String(format: "decode %d tokens at %.1f tok/s", generatedTokens, decodeTokensPerSecond),
            ]
            if droppedTokens > 0 { parts.append("\(droppedTokens) tokens dropped by the window") }
            if let peakMemoryBytes { parts.append("peak memory \(Terminal.size(peakMemoryBytes))") }
            parts.append("\(threads) thread\(threads == 1 ? "" : "s")")
            parts.append("seed \(seed)")
            switch finishReason {
            case .endOfTurn: parts.append("ended by the model")
            case .maximumTokens: parts.append("cut at the token limit")
            case .stopSequence: parts.append("ended by a stop sequence")
            case .toolLimit: parts.append("ended at the limit of tool rounds")
            case .toolStop: parts.append("ended at a tool call")
            }
            return "[" + parts.joined(separator: " | ") + "]"
        }
    }
}
