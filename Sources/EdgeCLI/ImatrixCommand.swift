import ArgumentParser
import EdgeQuantize
import Foundation

/// `edge-llm imatrix`: how much errors in each column of a model's matrices matter, measured on a text.
struct ImatrixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imatrix", abstract: "Measure on a text which weights matter, for 'quantize --imatrix'.",
        discussion: "The file is what llama.cpp's llama-imatrix writes (GGUF), and either reads the other's.")

    @Option(name: [.customShort("m"), .long], help: "The model, best in its original precision.")
    var model: String

    @OptionGroup var input: TextInput

    @Option(name: [.customShort("o"), .long], help: "The file to write.")
    var output: String

    @OptionGroup var pieces: PieceOptions

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    func run() async throws {
        let text = try input.read()
        let (model, dataset) = (URL(fileURLWithPath: model), input.file ?? "text")
        let (pieces, threads) = (pieces, threads)
        let matrix = try await Terminal.interruptible(saying: "interrupted; nothing was written") {
            defer { ProgressBar(total: 1).clear() }
            return try await ImportanceMatrix.measure(
                model, on: text, dataset: dataset, parsesSpecialTokens: pieces.parsesSpecialTokens,
                pieceLength: pieces.contextSize, maximumPieces: pieces.chunks, threadCount: threads
            ) { perplexity, done, total in
                ProgressBar(total: total).draw(done, note: String(format: "perplexity %.4f", perplexity))
            }
        }
        try matrix.write(to: URL(fileURLWithPath: output))
        Terminal.note(
            "edge-llm: wrote \(output), \(matrix.tensorNames.count) tensors from \(matrix.chunkCount) pieces of \(matrix.chunkSize)"
        )
    }
}
