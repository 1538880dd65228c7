import ArgumentParser
import EdgeLLM
import EdgeRAG
import Foundation

/// `edge-llm index`: a folder of documents to a store of passages.
struct IndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Index a folder of documents.",
        discussion: """
            Text, Markdown, reStructuredText, HTML, and PDF where pdftotext is installed. Indexing again costs only what has \
            changed; after an interruption it goes on from where it was.
            """)

    @Argument(help: "The folder, or a file.") var path: String

    @Option(name: .customLong("docs"), help: ArgumentHelp("The store; made where it is not there.", valueName: "store"))
    var store: String

    @OptionGroup var embedder: EmbedderOptions

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    @Option(help: "Tokens of a passage at most.")
    var tokens = TextSplitter().maximumTokens

    @Option(help: "Tokens that neighbouring passages share at most.")
    var overlap = TextSplitter().overlap

    @Flag(help: "Keep documents that are not in the folder any more.")
    var keep = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
        if !(16...65536).contains(tokens) { throw ValidationError("--tokens must be 16 to 65536.") }
        if !(0...65536).contains(overlap) { throw ValidationError("--overlap must be 0 or more.") }
    }

    func run() async throws {
        let embedder = try await embedder.load(threads: threads)
        let store = try await PassageStore(
            at: URL(fileURLWithPath: store), embedder: embedder,
            options: .init(splitter: .init(maximumTokens: tokens, overlap: overlap), threadCount: threads))
        let url = URL(fileURLWithPath: path)
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure.Message("\(path): there is no such folder or file", code: Failure.badFile)
        }
        let keep = keep
        let bar = IndexingBar()
        defer { bar.clear() }
        let isFolder = (try? url.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true
        let report = try await Terminal.interruptible {
            if isFolder { return try await store.index(folder: url, removesVanished: !keep, progress: bar.draw) }
            return try await store.add([Document(contentsOf: url)], progress: bar.draw)
        }
        bar.clear()
        let statistics = try await store.statistics()
        for failure in report.failures { Terminal.note("edge-llm: not indexed: \(failure.reason)") }
        if !store.usesVectors {
            Terminal.note(
                "edge-llm: without --embedder there are no vectors, and documents are found word for word only")
        }
        if json { return Terminal.write(try Terminal.json(report)) }
        var parts = ["\(report.indexedCount) indexed", "\(report.unchangedCount) unchanged"]
        if report.removedCount > 0 { parts.append("\(report.removedCount) removed") }
        if !report.failures.isEmpty { parts.append("\(report.failures.count) not readable") }
        parts.append("\(report.passageCount) passages")
        if report.embeddingSeconds > 0 {
            parts.append(
                String(
                    format: "%d vectors at %.0f a second", report.embeddedCount,
                    Double(report.embeddedCount) / max(report.embeddingSeconds, 1e-9)))
            parts.append(
                String(
                    format: "%.0f %% of the time in the model",
                    100 * report.embeddingSeconds / max(report.seconds, 1e-9)))
        }
        parts.append(String(format: "%.1f s", report.seconds))
        Terminal.note("[" + parts.joined(separator: " | ") + "]")
        Terminal.note(
            "The store has \(statistics.passageCount) passages of \(statistics.sourceCount) documents"
                + (statistics.embeddingModel.map { ", with vectors of \($0)." } ?? "."))
    }
}

/// The bar of indexing, whose length is known when the first document comes.
struct IndexingBar: Sendable {
    private let start = Date()

    var draw: @Sendable (IndexingProgress) -> Void {
        { progress in
            ProgressBar(total: progress.totalDocumentCount, start: start)
                .draw(progress.documentCount, note: "\(progress.passageCount) passages")
        }
    }

    func clear() { ProgressBar(total: 1).clear() }
}
