import ArgumentParser
import EdgeLLM
import EdgeRAG
import Foundation

/// `edge-llm pack-docs`: documents, and what a model has computed of them, as one file.
struct PackDocsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack-docs", abstract: "Write a store as one file, a knowledge pack, for a read-only medium.",
        discussion: """
            The file has the passages, their vectors and the index of words, and with --model and --prefix-cache all that warm-docs has \
            computed with this model and these settings. edge-llm ask --docs takes it; another model is refused then, and search needs \
            none. Each part has a checksum: --check reads all of a file and names what is damaged.
            """)

    @Option(name: .customLong("docs"), help: ArgumentHelp("The store that edge-llm index made.", valueName: "store"))
    var store: String?

    @Option(name: [.customShort("o"), .long], help: ArgumentHelp("The new file.", valueName: "file"))
    var output: String?

    @Option(name: [.customShort("m"), .long], help: "The GGUF file that warm-docs computed with.")
    var model: String?

    @Option(name: .customLong("cache-type"), help: "How keys and values were stored.")
    var cacheType: GGUFLanguageModel.CachePrecision = .f16

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens of prompt and answer together.")
    var contextSize: Int?

    @OptionGroup var prefixes: PrefixOptions

    @Option(help: ArgumentHelp("Check this pack instead of writing one.", valueName: "file"))
    var check: String?

    func validate() throws {
        if check == nil, store == nil || output == nil {
            throw ValidationError("Give --docs and --output, or --check.")
        }
        if check != nil, store != nil || output != nil || model != nil {
            throw ValidationError("--check goes with nothing else.")
        }
        if model == nil, prefixes.prefixCache != nil {
            throw ValidationError("--prefix-cache needs --model: what is in it is of a model.")
        }
    }

    func run() async throws {
        if let check { return try verify(check) }
        guard let store, let output else { return }
        guard FileManager.default.fileExists(atPath: store) else {
            throw Failure.Message(
                "\(store): there is no such store; make it with edge-llm index", code: Failure.badFile)
        }
        let opened = try await PassageStore(at: URL(fileURLWithPath: store))
        var loaded: GGUFLanguageModel?
        if let model {
            loaded = try await GGUFLanguageModel(
                contentsOf: URL(fileURLWithPath: model),
                options: .init(
                    contextSize: contextSize, cachePrecision: cacheType, prefixStore: prefixes.store))
        }
        let url = URL(fileURLWithPath: output)
        let bound = loaded
        try await Terminal.interruptible { try await opened.pack(to: url, for: bound) }
        let statistics = try await opened.statistics()
        let pack = try KnowledgePack(contentsOf: url)
        Terminal.note(
            "[\(statistics.sourceCount) documents | \(statistics.passageCount) passages | "
                + Self.contents(pack, try Self.size(url)) + "]")
    }

    private func verify(_ path: String) throws {
        let url = URL(fileURLWithPath: path)
        let pack = try KnowledgePack(contentsOf: url)
        let damage = pack.damage()
        for error in damage { Terminal.note("edge-llm: \(error)") }
        if !damage.isEmpty { throw Failure.badFile }
        Terminal.note(
            "[\(pack.sections.count) sections, all undamaged | " + Self.contents(pack, try Self.size(url)) + "]")
    }

    private static func size(_ url: URL) throws -> Int {
        try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    }

    private static func contents(_ pack: KnowledgePack, _ byteCount: Int) -> String {
        var parts = ["\(pack.vectorCount) vectors"]
        if let name = pack.modelName {
            parts.append(
                "\(pack.beginningCount) beginnings and \(pack.computedPassageCount) passages computed by \(name)")
        }
        return (parts + [Terminal.size(byteCount)]).joined(separator: " | ")
    }
}
