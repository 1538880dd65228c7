import ArgumentParser
import EdgeLLM
import Foundation
import Synchronization

/// `edge-llm perplexity`: how well a model predicts a text.
struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity", abstract: "Measure how well a model predicts a text.",
        discussion: """
            The text is cut into pieces of --ctx-size tokens; the second half of each is scored with the first as context, \
            as llama.cpp does it, so that figures compare.
            """)

    @OptionGroup var model: ModelOptions

    @OptionGroup var adapters: AdapterOptions

    @OptionGroup var input: TextInput

    @OptionGroup var pieces: PieceOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Report: Encodable {
        let perplexity: Double
        let standardError: Double
        let meanNegativeLogLikelihood: Double
        let scoredTokens: Int
        let pieces: Int
        let contextSize: Int
        let seconds: Double
        let peakMemoryBytes: Int?
    }

    func run() async throws {
        let text = try input.read()
        let (contextSize, chunks) = (pieces.contextSize, pieces.chunks)
        let loaded = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model), options: model.loadOptions(contextSize: contextSize))
        let tokens = loaded.tokenizer.encode(bytes: text, parsesSpecialTokens: pieces.parsesSpecialTokens)
        guard tokens.count >= contextSize else {
            throw Failure.Message(
                "\(tokens.count) tokens of text do not fill one piece of \(contextSize); give more text or a smaller --ctx-size"
            )
        }
        let adapters = try await adapters.load(for: loaded)
        let start = ContinuousClock.now
        let total = min(chunks ?? .max, tokens.count / contextSize)
        let bar = ProgressBar(total: total)
        let last = Mutex<Perplexity?>(nil)
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let work = Task {
            _ = try await loaded.perplexity(
                ofTokens: tokens, pieceLength: contextSize, maximumPieces: chunks, adapters: adapters
            ) { figures, _ in
                last.withLock { $0 = figures }
                bar.draw(figures.pieceCount, note: String(format: "perplexity %.4f", figures.value))
            }
        }
        interruption.cancels { work.cancel() }
        let result = await work.result
        bar.clear()
        let figures = last.withLock { $0 }
        if let figures { try write(figures, seconds: Terminal.seconds(since: start)) }
        switch result {
        case .success: break
        case .failure(is CancellationError):
            Terminal.note("edge-llm: interrupted after \(figures?.pieceCount ?? 0) of \(total) pieces")
            throw Failure.interrupted
        case .failure(let error): throw error
        }
    }

    private func write(_ figures: Perplexity, seconds: Double) throws {
        if json {
            let report = Report(
                perplexity: figures.value, standardError: figures.standardError,
                meanNegativeLogLikelihood: figures.meanNegativeLogLikelihood, scoredTokens: figures.scoredTokenCount,
                pieces: figures.pieceCount, contextSize: pieces.contextSize, seconds: seconds,
                peakMemoryBytes: ProcessMemory.peakByteCount)
            Terminal.write(try Terminal.json(report))
        } else {
            Terminal.write(
                String(
                    format: "perplexity %.4f +/- %.4f  (%d tokens scored in %d pieces of %d, %.1f s)\n",
                    figures.value, figures.standardError, figures.scoredTokenCount, figures.pieceCount,
                    pieces.contextSize, seconds))
        }
    }
}
