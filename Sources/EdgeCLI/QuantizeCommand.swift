import ArgumentParser
import EdgeQuantize
import Foundation

/// `edge-llm quantize`: a model with its weights in smaller types.
struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Write a model with its weights in smaller types.",
        discussion: """
            Types: \(QuantizationRecipe.all.map(\.name).joined(separator: ", ")). They choose for each tensor what \
            llama.cpp's llama-quantize chooses.
            Types of single tensors: \(TensorType.all.map(\.name).joined(separator: ", ")).
            """)

    @Argument(help: "The model; of a split model, any part.")
    var input: String

    @Argument(help: "The file to write.")
    var output: String

    @Argument(help: "The type, such as Q4_K_M; with --target-kld or --budget none is needed.")
    var type: String?

    @Option(
        name: .customLong("target-kld"),
        help: "Choose each tensor's type so that the divergence from the original, in nats a token, is no larger.")
    var targetDivergence: Double?

    @Option(help: "Choose each tensor's type so that the file has no more bytes, such as 800M.")
    var budget: ByteCount?

    @Option(
        name: [.customShort("f"), .long],
        help: "The text that --target-kld and --budget measure on: what the model will be used for.")
    var file: String?

    @Option(name: [.customShort("c"), .customLong("ctx-size")], help: "Tokens in a piece of that text.")
    var contextSize = 256

    @Option(help: "Pieces of that text that are measured at most.")
    var chunks = 16

    @Flag(
        name: .customLong("parse-special"),
        help: "Read control tokens in that text as such, as in conversations that a template laid out.")
    var parsesSpecialTokens = false

    @Flag(
        help: "Measure each tensor in two types only, and reckon the others by their errors: minutes instead of hours.")
    var estimate = false

    @Option(help: "Types to choose from, with commas. (default: all)")
    var types: String?

    @Option(help: "Write a picture (SVG) of the sizes and divergences that can be had.")
    var frontier: String?

    @Option(
        name: .customLong("tensor-type"),
        help: ArgumentHelp(
            "A type for the tensors in whose names a regular expression is found; the first that matches counts.",
            valueName: "pattern=type"))
    var tensorTypes: [String] = []

    @Flag(help: "Give all tensors the type's base type.")
    var pure = false

    @Option(name: .customLong("output-tensor-type"), help: "The type of the matrix that logits are computed with.")
    var outputTensorType: String?

    @Option(name: .customLong("token-embedding-type"), help: "The type of the embeddings.")
    var tokenEmbeddingType: String?

    @Flag(name: .customLong("allow-requantize"), help: "Quantize tensors again that are quantized already.")
    var allowRequantize = false

    @Option(help: "An importance matrix, made by 'edge-llm imatrix' or llama.cpp.")
    var imatrix: String?

    @Flag(
        name: .customLong("error-feedback"),
        help: "Let columns make up for each other's errors, as inputs of the text of --file go together (GPTQ).")
    var errorFeedback = false

    @Flag(
        name: .customLong("activation-scaling"),
        help:
            "Scale columns by the size of their inputs before rounding (AWQ), as --imatrix or the text of --file has it."
    )
    var activationScaling = false

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    @Flag(name: .customLong("dry-run"), help: "Say what each tensor would become, and write nothing.")
    var dryRun = false

    private static let interruption = "interrupted; nothing was written"

    private var isAutomatic: Bool { targetDivergence != nil || budget != nil }

    func validate() throws {
        if targetDivergence != nil, budget != nil {
            throw ValidationError("Give --target-kld or --budget, not both.")
        }
        if isAutomatic, dryRun {
            throw ValidationError(
                "--target-kld and --budget choose by measuring what they write; --dry-run writes nothing.")
        }
        guard (8...1 << 24).contains(contextSize), chunks > 0 else {
            throw ValidationError("--ctx-size must be 8 to \(1 << 24), and --chunks 1 or more.")
        }
    }

    private func tensorType(_ name: String) throws -> TensorType {
        guard let type = TensorType(name) else {
            throw Failure.Message(
                "'\(name)' is no type; types are \(TensorType.all.map(\.name).joined(separator: ", "))")
        }
        return type
    }

    private func options() throws -> ModelQuantizer.Options {
        if type == nil, !isAutomatic {
            throw Failure.Message("no type was given; give one, or --target-kld or --budget")
        }
        let type = type ?? "Q4_K_M"
        guard let recipe = QuantizationRecipe(type) else {
            throw Failure.Message(
                "'\(type)' is no type; types are \(QuantizationRecipe.all.map(\.name).joined(separator: ", "))")
        }
        var options = ModelQuantizer.Options(
            recipe: recipe, isPure: pure, allowsRequantizing: allowRequantize, threadCount: threads)
        options.outputType = try outputTensorType.map(tensorType)
        options.embeddingType = try tokenEmbeddingType.map(tensorType)
        for rule in tensorTypes {
            guard let equals = rule.lastIndex(of: "="), equals > rule.startIndex else {
                throw Failure.Message("'\(rule)' is no rule; give a pattern, '=' and a type, such as attn_v=Q6_K")
            }
            options.rules.append(
                .init(
                    pattern: String(rule[..<equals]), type: try tensorType(String(rule[rule.index(after: equals)...]))))
        }
        if let imatrix { options.importance = try ImportanceMatrix(contentsOf: URL(fileURLWithPath: imatrix)) }
        return options
    }

    /// What is measured on the text before anything is chosen.
    private func calibrate(_ options: inout ModelQuantizer.Options, on text: [UInt8]) async throws {
        let model = URL(fileURLWithPath: input)
        defer { ProgressBar(total: 1).clear() }
        let progress: @Sendable (Int, Int) -> Void = { ProgressBar(total: $1).draw($0, note: "pieces of text") }
        if errorFeedback {
            options.feedback = try await ErrorFeedback.measure(
                model, on: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: contextSize,
                threadCount: threads, progress: progress
            )
        }
        guard activationScaling else { return }
        if let importance = options.importance {
            options.scaling = ActivationScaling(importance)
        } else {
            let measured = try await ImportanceMatrix.measure(
                model, on: text, dataset: file ?? "", parsesSpecialTokens: parsesSpecialTokens,
                pieceLength: contextSize, maximumPieces: 64, threadCount: threads
            ) { progress($1, $2) }
            options.scaling = ActivationScaling(measured)
        }
    }

    func run() async throws {
        var options = try options()
        let needsText = isAutomatic || errorFeedback || (activationScaling && imatrix == nil)
        let text = needsText && !dryRun ? try Terminal.read(path: file) : []
        if !dryRun { try await calibrate(&options, on: text) }
        if isAutomatic { return try await runAutomatically(options, text) }
        let start = ContinuousClock.now
        let quantizer = try ModelQuantizer(contentsOf: URL(fileURLWithPath: input), options: options)
        if dryRun {
            Terminal.write(Self.table(quantizer))
            return
        }
        let total = quantizer.oldTensorByteCount
        let bar = ProgressBar(total: max(1, total >> 20))
        let output = URL(fileURLWithPath: output)
        try await Terminal.interruptible(saying: Self.interruption) {
            defer { bar.clear() }
            try await quantizer.write(to: output) { bar.draw($0 >> 20, note: "MiB read") }
        }
        let seconds = Terminal.seconds(since: start)
        Terminal.note(
            "edge-llm: wrote \(self.output), \(Terminal.size(total)) of tensors to "
                + "\(Terminal.size(quantizer.tensorByteCount)) in \(String(format: "%.1f", seconds)) s")
    }

    /// Measures, chooses and writes; says what was chosen and what else could have been.
    private func runAutomatically(_ options: ModelQuantizer.Options, _ text: [UInt8]) async throws {
        let types = try types?.split(separator: ",").map { try tensorType(String($0)) } ?? TensorType.all
        let goal: AutomaticQuantization.Goal =
            budget.map { .fileByteCount($0.value) } ?? .divergence(targetDivergence ?? 0)
        let (input, output) = (URL(fileURLWithPath: input), URL(fileURLWithPath: output))
        let (contextSize, chunks, parsesSpecialTokens) = (contextSize, chunks, parsesSpecialTokens)
        let effort: MixedPrecision.Effort = estimate ? .twoTypes : .everyType
        let start = ContinuousClock.now
        let done = try await Terminal.interruptible(saying: Self.interruption) {
            defer { ProgressBar(total: 1).clear() }
            return try await AutomaticQuantization.write(
                input, to: output, options: options, goal: goal, text: text, parsesSpecialTokens: parsesSpecialTokens,
                types: types, pieceLength: contextSize, maximumPieces: chunks, effort: effort
            ) { done, total in
                ProgressBar(total: total).draw(done, note: "measured")
            }
        }
        Terminal.write(Self.table(done))
        if let frontier {
            let picture = done.measurement.svg(others: [("chosen", done.mix.byteCount, done.divergence)])
            do {
                try Data(picture.utf8).write(to: URL(fileURLWithPath: frontier), options: .atomic)
            } catch {
                throw Failure.Message(
                    "\(frontier): cannot be written: \(error.localizedDescription)", code: Failure.noOutput)
            }
        }
        let seconds = String(format: "%.1f", Terminal.seconds(since: start))
        Terminal.note(
            "edge-llm: wrote \(self.output), \(Terminal.size(done.mix.byteCount)) of tensors, divergence "
                + "\(String(format: "%.5g", done.divergence)) on the calibration text, in \(seconds) s")
    }

    /// Some mixes of the frontier, and the types of the one that was chosen.
    private static func table(_ done: AutomaticQuantization) -> String {
        let frontier = done.measurement.frontier
        let shown = stride(from: 0, to: frontier.count, by: max(1, frontier.count / 16)).map { frontier[$0] }
        var rows = [["bytes of tensors", "divergence, predicted"]]
        rows += shown.map { [Terminal.size($0.byteCount), String(format: "%.5g", $0.predictedDivergence)] }
        var chosen: [[String]] = []
        for rule in done.mix.rules {
            chosen.append([String(rule.pattern.dropFirst().dropLast()).replacing("\\.", with: "."), rule.type.name])
        }
        return Terminal.columns(rows) + "\n" + Terminal.columns(chosen) + "\n"
    }

    private static func table(_ quantizer: ModelQuantizer) -> String {
        let rows = quantizer.plan.map { tensor in
            [
                tensor.name, tensor.dimensions.map(String.init).joined(separator: " x "), tensor.oldType,
                tensor.newType, Terminal.size(tensor.newByteCount),
            ]
        }
        return Terminal.columns(rows)
            + "\n\(Terminal.size(quantizer.oldTensorByteCount)) of tensors become \(Terminal.size(quantizer.tensorByteCount))\n"
    }
}
