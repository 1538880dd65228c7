import ArgumentParser
import EdgeLLM
import EdgeRAG
import Foundation

/// `edge-llm warm-docs`: computes ahead what answers to certain questions begin with.
struct WarmDocsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warm-docs", abstract: "Compute ahead what answers from documents begin with.",
        discussion: """
            For each question the passages that it finds are computed and kept in --prefix-cache. edge-llm ask with the same model, \
            store, --passages and --prefix-cache then answers questions that find the same passages without computing those again. \
            edge-llm pack-docs puts what is kept into one file with the documents.
            """)

    @OptionGroup var model: ModelOptions

    @Option(name: .customLong("docs"), help: ArgumentHelp("The store that edge-llm index made.", valueName: "store"))
    var store: String

    @OptionGroup var embedder: EmbedderOptions

    @OptionGroup var ranking: RankingOptions

    @Option(
        name: .customLong("chat-template"),
        help: ArgumentHelp("A file with the chat template, in Jinja. (default: the model's own)", valueName: "file"))
    var chatTemplate: String?

    @OptionGroup var prefixes: PrefixOptions

    @Option(name: [.customShort("f"), .long], help: "A file with a question on each line. (default: standard input)")
    var file: String?

    @Option(name: [.customShort("k"), .customLong("passages")], help: "Passages that the model is given at most.")
    var limit = 4

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens of prompt and answer together.")
    var contextSize: Int?

    @Flag(help: "Keep each passage by itself too, for edge-llm ask --reuse.")
    var apart = false

    func validate() throws {
        if prefixes.prefixCache == nil { throw ValidationError("Give --prefix-cache, where the beginnings are kept.") }
        if !(1...50).contains(limit) { throw ValidationError("--passages must be 1 to 50.") }
    }

    func run() async throws {
        guard FileManager.default.fileExists(atPath: store) else {
            throw Failure.Message(
                "\(store): there is no such store; make it with edge-llm index", code: Failure.badFile)
        }
        let questions = String(decoding: try Terminal.read(path: file), as: UTF8.self)
            .split(omittingEmptySubsequences: true, whereSeparator: \.isNewline).map { String($0) }
        let opened = try await PassageStore(
            at: URL(fileURLWithPath: store), embedder: try await embedder.load(threads: model.threads),
            options: .init(ranking: ranking.ranking, threadCount: model.threads))
        let loaded = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model),
            options: model.loadOptions(
                contextSize: contextSize, chatTemplate: try chatTemplate.map { try ChatCommand.templateText($0) },
                prefixes: prefixes))
        let (limit, apart) = (limit, apart)
        let bar = ProgressBar(total: questions.count)
        let start = ContinuousClock.now
        let count = try await Terminal.interruptible {
            try await opened.saveBeginnings(of: questions, for: loaded, limit: limit) {
                bar.draw($0, note: "questions")
            }
        }
        bar.clear()
        var line = "\(questions.count) questions | \(count) beginnings kept"
        if apart {
            let kept = try await Terminal.interruptible {
                try await opened.savePassages(foundBy: questions, for: loaded, limit: limit)
            }
            line += " | \(kept) passages kept"
        }
        Terminal.note("[" + line + String(format: " | %.1f s]", Terminal.seconds(since: start)))
    }
}
