import ArgumentParser
import EdgeEngine
import EdgeGGUF
import EdgeLLM
import EdgeModel
import EdgePlatform
import EdgeTokenizer
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

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens in a piece.")
    var contextSize = 512

    @Option(help: "Pieces to measure at most. (default: all)")
    var chunks: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (8...1 << 24).contains(contextSize) else { throw ValidationError("--ctx-size must be 8 to \(1 << 24).") }
        if let chunks, chunks < 1 { throw ValidationError("--chunks must be 1 or more.") }
    }

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
        let loaded = try Model(GGUFFile(path: model.model, inLargePages: model.largePages))
        let tokenizer = try loaded.makeTokenizer()
        let tokens = tokenizer.encode(bytes: text, addSpecial: true, parseSpecial: false)
        guard tokens.count >= contextSize else {
            throw Failure.Message(
                "\(tokens.count) tokens of text do not fill one piece of \(contextSize); give more text or a smaller --ctx-size"
            )
        }
        let measurement = try Perplexity(
            model: loaded, tokens: tokens, beginning: tokenizer.addsBos ? tokenizer.bosId : nil,
            contextSize: contextSize, threadCount: model.threads, precision: model.cacheType.stored,
            floatKernels: GGUFLanguageModel.LoadOptions(usesBLAS: model.blas).floatKernels(),
            adapters: adapters.load(for: loaded))
        let total = min(chunks ?? .max, measurement.pieceCount)
        let isCancelled = Atomic<Bool>(false)
        let start = Clock.nanoseconds
        let bar = ProgressBar(total: total)
        let interruption = Interruption { isCancelled.store(true, ordering: .relaxed) }
        defer { withExtendedLifetime(interruption) {} }
        while measurement.done < total, !isCancelled.load(ordering: .relaxed), measurement.next() {
            bar.draw(measurement.done, note: String(format: "perplexity %.4f", measurement.value))
        }
        bar.clear()
        if json {
            let report = Report(
                perplexity: measurement.value, standardError: measurement.standardError,
                meanNegativeLogLikelihood: measurement.meanNegativeLogLikelihood, scoredTokens: measurement.scoredCount,
                pieces: measurement.done, contextSize: contextSize, seconds: Clock.seconds(from: start),
                peakMemoryBytes: ProcessMemory.peakByteCount)
            Terminal.write(try Terminal.json(report))
        } else if measurement.done > 0 {
            Terminal.write(
                String(
                    format: "perplexity %.4f +/- %.4f  (%d tokens scored in %d pieces of %d, %.1f s)\n",
                    measurement.value,
                    measurement.standardError, measurement.scoredCount, measurement.done, contextSize,
                    Clock.seconds(from: start)))
        }
        if isCancelled.load(ordering: .relaxed) {
            Terminal.note("edge-llm: interrupted after \(measurement.done) of \(total) pieces")
            throw Failure.interrupted
        }
    }
}
