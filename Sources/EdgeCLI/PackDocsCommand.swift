import ArgumentParser
import EdgeRAG
import Foundation

/// `edge-llm pack-docs`: a store as one compact file.
struct PackDocsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack-docs", abstract: "Write a store as one compact file for a read-only medium.",
        discussion: """
            The file has the passages, their vectors and the index of words, and is a store that edge-llm ask takes; where it may not \
            be written to it is opened for reading only. What warm-docs has computed stays in its own folder.
            """)

    @Option(name: .customLong("docs"), help: ArgumentHelp("The store that edge-llm index made.", valueName: "store"))
    var store: String

    @Option(name: [.customShort("o"), .long], help: ArgumentHelp("The new file.", valueName: "file"))
    var output: String

    func run() async throws {
        guard FileManager.default.fileExists(atPath: store) else {
            throw Failure.Message(
                "\(store): there is no such store; make it with edge-llm index", code: Failure.badFile)
        }
        let opened = try await PassageStore(at: URL(fileURLWithPath: store))
        let url = URL(fileURLWithPath: output)
        try await Terminal.interruptible { try await opened.export(to: url) }
        let size = try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
        let statistics = try await opened.statistics()
        Terminal.note(
            "[\(statistics.sourceCount) documents | \(statistics.passageCount) passages | \(statistics.vectorCount) vectors | "
                + "\(Terminal.size(size))]")
    }
}
