import ArgumentParser
import EdgeLLM
import EdgeRAG
import Foundation

/// `edge-llm eval-retrieval`: how well passages are found.
struct EvalRetrievalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval-retrieval", abstract: "Measure how well passages are found: recall, MRR and nDCG.",
        discussion: """
            Either a store with a judged set (a list in JSON of objects with "query" and "answers", each with "source" and, if a \
            certain passage is meant, "quote"), or a file in the form of SQuAD, whose paragraphs are indexed in memory.
            """)

    @Option(name: .customLong("docs"), help: ArgumentHelp("The store.", valueName: "store"))
    var store: String?

    @Option(help: ArgumentHelp("The judged set for --docs.", valueName: "file"))
    var judged: String?

    @Option(help: ArgumentHelp("A file in the form of SQuAD.", valueName: "file"))
    var squad: String?

    @OptionGroup var embedder: EmbedderOptions

    @OptionGroup var ranking: RankingOptions

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    @Option(name: [.customShort("k"), .long], help: "The first K of what is found are looked at.")
    var depth = 10

    @Flag(help: "All three modes: lexical, dense, hybrid.")
    var all = false

    @Flag(help: "Name the queries none of whose answers was found.")
    var showMissed = false

    @Flag(help: "Print one JSON object for each mode.")
    var json = false

    func validate() throws {
        guard (store != nil) != (squad != nil), (store != nil) == (judged != nil) else {
            throw ValidationError("Give --docs with --judged, or --squad.")
        }
        if !(1...100).contains(depth) { throw ValidationError("--depth must be 1 to 100.") }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
    }

    private struct Line: Encodable {
        var mode: Ranking.Mode
        var result: RetrievalEvaluation
    }

    func run() async throws {
        let embedder = try await embedder.load(threads: threads)
        let (opened, queries) = try await load(embedder)
        var modes = [opened.usesVectors ? ranking.mode : .lexical]
        if all { modes = opened.usesVectors ? [.lexical, .dense, .hybrid] : [.lexical] }
        for mode in modes {
            var ranking = ranking.ranking
            ranking.mode = mode
            let chosen = ranking
            let depth = depth
            let result = try await Terminal.interruptible {
                try await opened.evaluate(queries, depth: depth, ranking: chosen)
            }
            if json {
                Terminal.write(try Terminal.json(Line(mode: mode, result: result)))
            } else {
                Terminal.write(
                    String(
                        format:
                            "%@: %d queries, recall@%d %.4f, MRR@%d %.4f, nDCG@%d %.4f, hit@1 %.4f, hit@3 %.4f, %.2f ms each\n",
                        mode.rawValue, result.queryCount, depth, result.recall, depth, result.meanReciprocalRank, depth,
                        result.ndcg, result.hitAt1, result.hitAt3, result.secondsPerQuery * 1000))
            }
            if showMissed { for index in result.missed { Terminal.note("missed: \(queries[index].query)") } }
        }
    }

    private func load(_ embedder: GGUFEmbeddingModel?) async throws -> (PassageStore, [JudgedQuery]) {
        if let store, let judged {
            guard FileManager.default.fileExists(atPath: store) else {
                throw Failure.Message(
                    "\(store): there is no such store; make it with edge-llm index", code: Failure.badFile)
            }
            return (
                try await PassageStore(
                    at: URL(fileURLWithPath: store), embedder: embedder, options: .init(threadCount: threads)),
                try JudgedQuery.list(contentsOf: URL(fileURLWithPath: judged))
            )
        }
        let bytes = try Terminal.read(path: squad)
        let set: Squad
        do {
            set = try JSONDecoder().decode(Squad.self, from: Data(bytes))
        } catch {
            throw Failure.Message("\(squad ?? ""): the file is not in the form of SQuAD", code: Failure.badFile)
        }
        // A paragraph is a passage, as far as it fits the model.
        let opened = try await PassageStore(
            at: nil, embedder: embedder,
            options: .init(splitter: .init(maximumTokens: 4096, overlap: 0), threadCount: threads))
        var documents: [Document] = []
        var queries: [JudgedQuery] = []
        for paragraph in set.data.flatMap(\.paragraphs) {
            let name = "paragraph \(documents.count)"
            documents.append(Document(name: name, text: paragraph.context))
            queries += paragraph.qas.map { .init(query: $0.question, answers: [.init(source: name)]) }
        }
        let all = documents
        let bar = ProgressBar(total: all.count)
        _ = try await Terminal.interruptible {
            try await opened.add(all) { bar.draw($0.documentCount, note: "paragraphs") }
        }
        bar.clear()
        return (opened, queries)
    }

    private struct Squad: Decodable {
        var data: [Article]
        struct Article: Decodable { var paragraphs: [Paragraph] }
        struct Paragraph: Decodable {
            var context: String
            var qas: [Question]
        }
        struct Question: Decodable { var question: String }
    }
}
