import ArgumentParser
import EdgeLLM
import EdgeRAG
import Foundation

/// `edge-llm ask`: an answer from documents, with quotes.
struct AskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask", abstract: "Answer a question from indexed documents, with quotes.",
        discussion: """
            The answer goes to standard output; its quotes, each with its document and bytes, and the time of each step to standard \
            error. Exit code 2 says that the documents do not answer the question.
            """)

    @Argument(help: "The question.") var question: String

    @OptionGroup var model: ModelOptions

    @Option(
        name: .customLong("docs"),
        help: ArgumentHelp("The store that edge-llm index made, or the file of edge-llm pack-docs.", valueName: "store")
    )
    var store: String

    @OptionGroup var embedder: EmbedderOptions

    @OptionGroup var ranking: RankingOptions

    @Option(name: [.customShort("k"), .customLong("passages")], help: "Passages that the model is given at most.")
    var limit = 4

    @Option(name: [.customShort("n"), .customLong("max-tokens")], help: "Tokens of the answer at most.")
    var maximumTokens = 512

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens of prompt and answer together.")
    var contextSize: Int?

    @Option(name: [.customLong("temp"), .customLong("temperature")], help: "Temperature; 0 takes the likeliest token.")
    var temperature = 0.0

    @Option(
        name: .customLong("chat-template"),
        help: ArgumentHelp("A file with the chat template, in Jinja. (default: the model's own)", valueName: "file"))
    var chatTemplate: String?

    @OptionGroup var prefixes: PrefixOptions

    @OptionGroup var reuse: ReuseOptions

    @Flag(help: "Only search, and print the passages; needs no model.")
    var searchOnly = false

    @Flag(help: "Print one JSON object when done, instead of streaming.")
    var json = false

    func validate() throws {
        if !(1...50).contains(limit) { throw ValidationError("--passages must be 1 to 50.") }
        if maximumTokens < 1 { throw ValidationError("--max-tokens must be 1 or more.") }
        if !(0...10).contains(temperature) { throw ValidationError("--temperature must be 0 to 10.") }
    }

    func run() async throws {
        guard FileManager.default.fileExists(atPath: store) else {
            throw Failure.Message(
                "\(store): there is no such store; make it with edge-llm index", code: Failure.badFile)
        }
        let url = URL(fileURLWithPath: store)
        let store = try await PassageStore(
            at: url, embedder: try await embedder.load(threads: model.threads),
            options: .init(ranking: ranking.ranking, threadCount: model.threads))
        if !store.usesVectors {
            Terminal.note("edge-llm: without --embedder the documents are searched word for word only")
        }
        if searchOnly { return try await search(store) }
        let loading = ContinuousClock.now
        let loaded = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model),
            options: model.loadOptions(
                contextSize: contextSize, chatTemplate: try chatTemplate.map { try ChatCommand.templateText($0) },
                prefixes: prefixes, pack: store.isPack ? url : nil))
        let loadSeconds = Terminal.seconds(since: loading)
        let session = LanguageModelSession(model: loaded)
        var options = GenerationOptions(maximumResponseTokens: maximumTokens)
        if temperature == 0 { options.samplingMode = .greedy } else { options.temperature = temperature }
        options.local.groundingReuse = reuse.reuse
        let (question, limit, isJSON, chosen) = (question, limit, json, options)
        let response = try await Terminal.interruptible {
            var response: GroundedResponse?
            for try await event in session.streamResponse(
                to: question, grounding: store, limit: limit, options: chosen)
            {
                switch event {
                case .text(let text) where !isJSON: Terminal.write(text)
                case .finished(let whole): response = whole
                case .passages, .citation, .text: break
                }
            }
            guard let response else { throw CancellationError() }
            return response
        }
        for section in loaded.damagedPackSections {
            Terminal.note("edge-llm: the section '\(section)' of the pack is damaged; it was computed instead")
        }
        if json {
            Terminal.write(try Terminal.json(Report(response, loadSeconds: loadSeconds)))
        } else {
            show(response, loadSeconds: loadSeconds)
        }
        if response.outcome == .notInDocuments { throw ExitCode(2) }
    }

    private func search(_ store: PassageStore) async throws {
        let (question, limit) = (question, limit)
        let result: SearchResult = try await Terminal.interruptible { try await store.search(question, limit: limit) }
        if json { return Terminal.write(try Terminal.json(result)) }
        for found in result.passages {
            let passage = found.passage
            Terminal.write(
                String(format: "%.3f  ", found.score) + Self.place(passage, passage.location) + "\n"
                    + passage.text + "\n\n")
        }
        Terminal.note("[" + Self.steps(result.timings).joined(separator: " | ") + "]")
    }

    private func show(_ response: GroundedResponse, loadSeconds: Double) {
        switch response.outcome {
        case .answered: Terminal.write("\n")
        case .notInDocuments: Terminal.write("The documents do not say.\n")
        case .unsupported:
            Terminal.write("\n")
            Terminal.note(
                "edge-llm: nothing that was quoted for this answer stands in the documents; do not rely on it")
        }
        for (index, citation) in response.citations.enumerated() {
            let quote = citation.quote.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            Terminal.note("[\(index + 1)] \"\(quote)\"\n    \(Self.place(citation.passage, citation.location))")
        }
        var parts = response.searchTimings.map(Self.steps) ?? []
        let usage = response.usage
        if usage.input.totalTokenCount > 0 {
            let moved = usage.input.groundingReuse.map { $0.isRejected ? 0 : $0.reusedTokenCount } ?? 0
            parts.append(
                "prefill \(usage.input.cachedTokenCount) tokens reused, "
                    + "\(usage.input.totalTokenCount - usage.input.cachedTokenCount - moved) new")
            if let reuse = usage.input.groundingReuse { parts.append(Self.words(reuse)) }
            parts.append(
                String(
                    format: "decode %d tokens at %.1f tok/s", usage.output.totalTokenCount, usage.decodeTokensPerSecond)
            )
        }
        if let first = response.firstTokenSeconds {
            parts.append(String(format: "first token after %.0f ms", first * 1000))
        }
        if response.finishReason == .maximumTokens { parts.append("cut at the token limit") }
        parts.append(String(format: "loaded in %.0f ms", loadSeconds * 1000))
        Terminal.note("[" + parts.joined(separator: " | ") + "]")
    }

    private static func words(_ reuse: GroundingReuse.Report) -> String {
        var text = "\(reuse.movedPassageCount) of \(reuse.passageCount) passages moved"
        if reuse.movedPassageCount > 0 {
            text += ", \(reuse.reusedTokenCount) tokens, \(reuse.recomputedTokenCount) computed anew"
        }
        if let divergence = reuse.divergence { text += String(format: ", divergence %.4f nats", divergence) }
        if reuse.isRejected { text += ": beyond the limit, the whole prompt was used" }
        if let obstacle = reuse.obstacle { text += ": " + obstacle }
        return text
    }

    private static func steps(_ timings: SearchResult.Timings) -> [String] {
        var parts: [String] = []
        if timings.embedding > 0 { parts.append(String(format: "embed %.1f ms", timings.embedding * 1000)) }
        parts.append(
            String(format: "search %.1f ms", (timings.total - timings.embedding - timings.reranking) * 1000))
        if timings.reranking > 0 { parts.append(String(format: "rerank %.1f ms", timings.reranking * 1000)) }
        return parts
    }

    private static func place(_ passage: Passage, _ bytes: Range<Int>) -> String {
        var text = passage.title
        if let page = passage.page { text += ", page \(page)" }
        return text + ", bytes \(bytes.lowerBound) to \(bytes.upperBound)"
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        var outcome: GroundedResponse.Outcome
        var answer: String
        var citations: [Place]
        var passages: [ScoredPassage]
        var search: SearchResult.Timings?
        var promptTokens: Int
        var cachedTokens: Int
        var reuse: GroundingReuse.Report?
        var generatedTokens: Int
        var timeToFirstTokenSeconds: Double?
        var finishReason: FinishReason
        var loadSeconds: Double

        struct Place: Encodable {
            var source: String
            var headings: [String]
            var page: Int?
            var quote: String
            var lower: Int
            var upper: Int
        }

        init(_ response: GroundedResponse, loadSeconds: Double) {
            outcome = response.outcome
            answer = response.content
            citations = response.citations.map {
                .init(
                    source: $0.passage.source, headings: $0.passage.headings, page: $0.passage.page, quote: $0.quote,
                    lower: $0.location.lowerBound, upper: $0.location.upperBound)
            }
            passages = response.passages
            search = response.searchTimings
            promptTokens = response.usage.input.totalTokenCount
            cachedTokens = response.usage.input.cachedTokenCount
            reuse = response.usage.input.groundingReuse
            generatedTokens = response.usage.output.totalTokenCount
            timeToFirstTokenSeconds = response.firstTokenSeconds
            finishReason = response.finishReason
            self.loadSeconds = loadSeconds
        }
    }
}
