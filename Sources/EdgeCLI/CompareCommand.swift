import ArgumentParser
import EdgeLLM
import EdgeQuantize
import Foundation
import Synchronization

/// `edge-llm compare`: how far a model is from the one it was made from.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Measure how far a model is from another, on a text.",
        discussion: """
            The first model is taken for right. Both are run side by side, piece by piece; what is kept of the first are the \
            most probable tokens of one piece. Give a text that the model was not calibrated with; or cases with tools, which both are \
            given.
            """)

    @Argument(help: "The model that is taken for right, such as the original, or a file that --save-base has written.")
    var base: String

    @Argument(help: "The model to judge; none with --save-base.")
    var model: String?

    @Option(help: "Write what the first model predicts to a file, to compare others with later.")
    var saveBase: String?

    @OptionGroup var input: TextInput

    @Option(
        help:
            "A file of cases with tools, as edge-llm eval-tasks takes it; then a text is measured on only where one is given."
    )
    var tasks: String?

    @OptionGroup var pieces: PieceOptions

    @Option(
        name: .customLong("top-k"),
        help: "Tokens of the first model's distributions that are kept. (default: 1024, with --save-base 64)")
    var topK: Int?

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let topK, topK < 1 { throw ValidationError("--top-k must be 1 or more.") }
        if (model == nil) != (saveBase != nil) { throw ValidationError("Give a model to judge, or --save-base.") }
        if tasks != nil, saveBase != nil { throw ValidationError("--tasks does not go with --save-base.") }
    }

    private struct Report: Encodable {
        let figures: ModelComparison
        let basePerplexity: Double
        let perplexity: Double
    }

    func run() async throws {
        if let tasks {
            try await compareTasks(URL(fileURLWithPath: tasks))
            if input.prompt == nil, input.file == nil { return }
        }
        let text = try input.read()
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let base = URL(fileURLWithPath: base)
        let model = model.map { URL(fileURLWithPath: $0) }
        let saveBase = saveBase.map { URL(fileURLWithPath: $0) }
        let (pieces, threads, topK) = (pieces, threads, topK)
        let last = Mutex<ModelComparison?>(nil)
        let work = Task {
            if let saveBase {
                let kept = try await BaseDistributions.measure(
                    base, on: text, parsesSpecialTokens: pieces.parsesSpecialTokens, pieceLength: pieces.contextSize,
                    maximumPieces: pieces.chunks, keptTokenCount: topK ?? 64, threadCount: threads
                ) { done, total in
                    ProgressBar(total: total).draw(done, note: "pieces of text")
                }
                return try kept.write(to: saveBase)
            }
            guard let model else { return }
            let report: @Sendable (ModelComparison, Int) -> Void = { figures, total in
                last.withLock { $0 = figures }
                ProgressBar(total: total).draw(
                    figures.pieceCount, note: String(format: "divergence %.5f", figures.divergence.value))
            }
            if BaseDistributions.isOne(base) {
                _ = try await ModelComparison.measure(
                    base: BaseDistributions(contentsOf: base), model: model, on: text,
                    parsesSpecialTokens: pieces.parsesSpecialTokens, threadCount: threads, progress: report)
            } else {
                _ = try await ModelComparison.measure(
                    base: base, model: model, on: text, parsesSpecialTokens: pieces.parsesSpecialTokens,
                    pieceLength: pieces.contextSize, maximumPieces: pieces.chunks,
                    keptTokenCount: topK ?? 1024, threadCount: threads, progress: report)
            }
        }
        interruption.cancels { work.cancel() }
        let result = await work.result
        ProgressBar(total: 1).clear()
        let figures = last.withLock { $0 }
        if let figures {
            Terminal.write(
                json
                    ? try Terminal.json(
                        Report(
                            figures: figures, basePerplexity: figures.basePerplexity, perplexity: figures.perplexity))
                    : Self.table(figures))
        }
        switch result {
        case .success: break
        case .failure(is CancellationError):
            Terminal.note("edge-llm: interrupted after \(figures?.pieceCount ?? 0) pieces")
            throw Failure.interrupted
        case .failure(let error): throw error
        }
    }

    private func compareTasks(_ file: URL) async throws {
        guard let model, !BaseDistributions.isOne(URL(fileURLWithPath: base)) else {
            throw Failure.Message("--tasks needs two models")
        }
        let cases = try TaskCase.read(file)
        let (paths, threads) = ([base, model], threads)
        let comparison = try await Terminal.interruptible {
            func load(_ path: String) async throws -> GGUFLanguageModel {
                try await GGUFLanguageModel(
                    contentsOf: URL(fileURLWithPath: path), options: .init(threadCount: threads))
            }
            defer { ProgressBar(total: 1).clear() }
            let bar = ProgressBar(total: cases.count)
            return try await TaskComparison.measure(base: load(paths[0]), model: load(paths[1]), on: cases) {
                bar.draw($0, note: "cases")
            }
        }
        Terminal.write(json ? try Terminal.json(comparison) : Self.table(comparison))
    }

    /// What was lost of tasks, a line each.
    static func table(_ comparison: TaskComparison) -> String {
        Terminal.columns(
            [["", "base", "model", "change", "", "of"]]
                + comparison.figures.map { figure in
                    [
                        figure.measure.name, String(format: "%.2f %%", 100 * figure.baseShare.value),
                        String(format: "%.2f %%", 100 * figure.share.value),
                        String(format: "%+.2f points", 100 * figure.change),
                        String(
                            format: "95 %% within %+.2f to %+.2f", 100 * figure.interval.lowerBound,
                            100 * figure.interval.upperBound), "\(figure.count)",
                    ]
                })
    }

    /// The figures, a line each, with the bounds that hold the true ones with a probability of 95 %.
    static func table(_ figures: ModelComparison) -> String {
        func bounds(_ figure: ModelComparison.Figure, _ change: (Double) -> Double = { $0 }) -> String {
            guard figure.standardError.isFinite else { return "one piece alone gives no bounds" }
            return String(
                format: "95 %% within %.5g to %.5g", change(figure.interval.lowerBound),
                change(figure.interval.upperBound))
        }
        func row(_ name: String, _ value: Double, _ bounds: String) -> [String] {
            [name, String(format: "%.5g", value), bounds]
        }
        let rows = [
            row("perplexity of the base", figures.basePerplexity, bounds(figures.baseLoss, exp)),
            row("perplexity of the model", figures.perplexity, bounds(figures.loss, exp)),
            row(
                "perplexity, change in %", 100 * (exp(figures.lossDifference.value) - 1),
                bounds(figures.lossDifference) { 100 * (exp($0) - 1) }),
            row("divergence (KL), nats a token", figures.divergence.value, bounds(figures.divergence)),
            row("divergence of 99 of 100 tokens at most", figures.divergence99, ""),
            row("largest divergence", figures.largestDivergence, ""),
            row(
                "same most probable token, %", 100 * figures.agreement.value,
                bounds(figures.agreement) { min(100, 100 * $0) }),
            row("the base's probability that was kept, %", 100 * figures.coveredProbability, ""),
        ]
        return Terminal.columns(rows)
            + "\n\(figures.scoredTokenCount) tokens scored in \(figures.pieceCount) pieces of \(figures.pieceLength)\n"
    }
}
