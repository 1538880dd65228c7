import ArgumentParser
import EdgeQuantize
import Foundation

/// `edge-llm certify`: writes a model again with what it lost.
struct CertifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certify", abstract: "Measure what a model lost, and write it again with the figures in its file.",
        discussion: "'inspect' shows the certificate, 'verify' measures again.")

    @Argument(help: "The original.")
    var base: String

    @Argument(help: "The model made from it.")
    var model: String

    @Option(name: [.customShort("o"), .long], help: "The file to write.")
    var output: String

    @OptionGroup var input: TextInput

    @Option(help: "The text that the model was calibrated with; its checksum becomes part of the certificate.")
    var calibration: String?

    @Option(help: "A file of cases with tools, as edge-llm eval-tasks takes it, to certify what was lost of these too.")
    var tasks: String?

    @OptionGroup var pieces: PieceOptions

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    func run() async throws {
        let text = try input.read()
        let calibrationText = try calibration.map { try Terminal.read(path: $0) }
        let (base, model) = (URL(fileURLWithPath: base), URL(fileURLWithPath: model))
        let (output, name) = (URL(fileURLWithPath: output), input.file ?? "text")
        let (pieces, threads) = (pieces, threads)
        let tasks = tasks.map { URL(fileURLWithPath: $0) }
        let certificate = try await Terminal.interruptible(saying: "interrupted; nothing was written") {
            defer { ProgressBar(total: 1).clear() }
            return try await QualityCertificate.certify(
                model, base: base, to: output, on: text, textName: URL(fileURLWithPath: name).lastPathComponent,
                parsesSpecialTokens: pieces.parsesSpecialTokens, calibration: calibrationText, tasks: tasks,
                pieceLength: pieces.contextSize, maximumPieces: pieces.chunks, threadCount: threads
            ) { figures, total in
                ProgressBar(total: total).draw(figures.pieceCount, note: "measured")
            }
        }
        Terminal.write(CompareCommand.table(certificate.figures))
        if let tasks = certificate.tasks { Terminal.write("\n" + CompareCommand.table(tasks.comparison)) }
    }
}

/// `edge-llm verify`: whether a model is what its certificate says.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check a model against its certificate.",
        discussion: """
            Its weights are compared with the certificate's checksums. With --base and the text, and --tasks where tasks were certified, \
            everything is measured again, and must come out to the last bit. The checksums find damage and mistakes; they are no protection against forgery.
            """)

    @Argument(help: "The model.")
    var model: String

    @Option(help: "The original, to measure again.")
    var base: String?

    @Option(name: [.customShort("f"), .long], help: "The text that was measured on, with --base.")
    var file: String?

    @Option(help: "The file of cases that was measured on, with --base.")
    var tasks: String?

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    func validate() throws {
        if (base == nil) != (file == nil) { throw ValidationError("Give --base and --file together, or neither.") }
        if tasks != nil, base == nil { throw ValidationError("--tasks needs --base and --file.") }
    }

    func run() async throws {
        let model = URL(fileURLWithPath: model)
        guard let certificate = try QualityCertificate(contentsOf: model) else {
            throw Failure.Message(
                "\(self.model): the file has no certificate; 'edge-llm certify' makes one", code: Failure.badFile)
        }
        try await QualityCertificate.verifyTensors(of: model)
        Terminal.write("the weights are those that were certified\n")
        guard let base, let file else { return }
        let text = try Terminal.read(path: file)
        let (threads, tasks) = (threads, tasks.map { URL(fileURLWithPath: $0) })
        let found = try await Terminal.interruptible {
            defer { ProgressBar(total: 1).clear() }
            return try await certificate.discrepancies(
                of: model, base: URL(fileURLWithPath: base), on: text, tasks: tasks, threadCount: threads
            ) { figures, total in
                ProgressBar(total: total).draw(figures.pieceCount, note: "measured")
            }
        }
        for line in found { Terminal.write(line + "\n") }
        guard found.isEmpty else {
            throw Failure.Message("\(self.model): the certificate does not hold", code: Failure.badFile)
        }
        if certificate.tasks != nil, tasks == nil {
            Terminal.write("the figures of the text came out again, to the last bit; those of tasks need --tasks\n")
        } else {
            Terminal.write("all figures came out again, to the last bit\n")
        }
    }
}
