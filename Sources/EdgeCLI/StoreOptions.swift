public import ArgumentParser
public import EdgeLLM
public import EdgeRAG
import Foundation

/// Which embedding model a store of passages is used with.
struct EmbedderOptions: ParsableArguments {
    @Option(
        name: .customLong("embedder"),
        help: ArgumentHelp(
            "The GGUF file of the embedding model; without one, texts are found word for word only.", valueName: "file")
    )
    var path: String?

    @Option(help: ArgumentHelp("Put before each query, such as 'search_query: '.", valueName: "text"))
    var queryPrefix = ""

    @Option(help: ArgumentHelp("Put before each passage, such as 'search_document: '.", valueName: "text"))
    var passagePrefix = ""

    /// The model; nil, which is said, where it is to be fetched and cannot be.
    ///
    /// - Throws: `ModelLoadingError`.
    func load(threads: Int?) async throws -> GGUFEmbeddingModel? {
        guard var path else { return nil }
        if path == KnownEmbedder.name, !FileManager.default.fileExists(atPath: path) {
            do {
                path = try await Terminal.interruptible { try await KnownEmbedder.obtain().path }
            } catch let error as KnownEmbedder.Unavailable {
                Terminal.note(
                    "edge-llm: \(KnownEmbedder.name) cannot be fetched (\(error.reason)); documents are found word for word only"
                )
                return nil
            }
        }
        // A question that is longer than the model's limit is cut: its beginning finds what there is to find.
        return try await GGUFEmbeddingModel(
            contentsOf: URL(fileURLWithPath: path),
            options: .init(
                threadCount: threads, truncatesLongTexts: true, queryPrefix: queryPrefix, passagePrefix: passagePrefix))
    }
}

/// How passages are found.
struct RankingOptions: ParsableArguments {
    @Option(help: "What is looked for: hybrid, lexical or dense.")
    var mode = Ranking.Mode.hybrid

    @Option(help: "The weight of meaning against words, from 0 to 1.")
    var weight: Double?

    @Option(name: .customLong("rrf"), help: ArgumentHelp("Join the lists by 1 / (K + rank) instead.", valueName: "k"))
    var reciprocalRank: Double?

    @Option(help: "How much later a passage comes that is like others before it, from 0 to 1.")
    var diversity = 0.0

    func validate() throws {
        if weight != nil, reciprocalRank != nil { throw ValidationError("--weight and --rrf exclude each other.") }
        if let weight, !(0...1).contains(weight) { throw ValidationError("--weight must be 0 to 1.") }
        if let reciprocalRank, !(0...1e9).contains(reciprocalRank) { throw ValidationError("--rrf must be 0 or more.") }
        if !(0...1).contains(diversity) { throw ValidationError("--diversity must be 0 to 1.") }
    }

    var ranking: Ranking {
        var ranking = Ranking(mode: mode, diversity: diversity)
        if let weight { ranking.fusion = .convex(weight: weight) }
        if let reciprocalRank { ranking.fusion = .reciprocalRank(k: reciprocalRank) }
        return ranking
    }
}

extension Ranking.Mode: ExpressibleByArgument {}

/// How passages that were computed in other prompts are reused.
struct ReuseOptions: ParsableArguments {
    @Option(
        name: .customLong("reuse"),
        help: ArgumentHelp(
            "Move passages that were computed elsewhere, and compute this share of their tokens anew, 0 to 1: faster, and not to the "
                + "same bits. (default: off)", valueName: "share"))
    var share: Double?

    @Option(name: .customLong("reuse-by"), help: "Which tokens are computed anew: first or farthest.")
    var selection = GroundingReuse.Selection.first

    @Option(
        name: .customLong("reuse-limit"),
        help: ArgumentHelp(
            "How far the next token's probabilities may be from those of the whole prompt (Kullback-Leibler divergence).",
            valueName: "nats"))
    var limit = 0.1

    @Flag(
        name: .customLong("reuse-measure"), help: "Compute the whole prompt too, and answer from it beyond the limit.")
    var isMeasured = false

    func validate() throws {
        if let share, !(0...1).contains(share) { throw ValidationError("--reuse must be 0 to 1.") }
        if share == nil, isMeasured { throw ValidationError("--reuse-measure needs --reuse.") }
        if !(limit >= 0) { throw ValidationError("--reuse-limit must be 0 or more.") }
    }

    var reuse: GroundingReuse? {
        share.map {
            GroundingReuse(
                recomputedShare: $0, selection: selection, divergenceLimit: limit, measuredEvery: isMeasured ? 1 : 0)
        }
    }
}

extension GroundingReuse.Selection: ExpressibleByArgument {}
