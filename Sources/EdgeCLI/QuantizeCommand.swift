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

    @Argument(help: "The type, such as Q4_K_M.")
    var type: String

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

    @Option(name: [.customShort("t"), .long], help: "Threads. (default: the physical cores)")
    var threads: Int?

    @Flag(name: .customLong("dry-run"), help: "Say what each tensor would become, and write nothing.")
    var dryRun = false

    private func tensorType(_ name: String) throws -> TensorType {
        guard let type = TensorType(name) else {
            throw Failure.Message(
                "'\(name)' is no type; types are \(TensorType.all.map(\.name).joined(separator: ", "))")
        }
        return type
    }

    private func options() throws -> ModelQuantizer.Options {
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

    func run() async throws {
        let options = try options()
        let start = ContinuousClock.now
        let quantizer = try ModelQuantizer(contentsOf: URL(fileURLWithPath: input), options: options)
        if dryRun {
            Terminal.write(Self.table(quantizer))
            return
        }
        let total = quantizer.oldTensorByteCount
        let bar = ProgressBar(total: max(1, total >> 20))
        let interruption = await Interruption()
        defer { withExtendedLifetime(interruption) {} }
        let output = URL(fileURLWithPath: output)
        let work = Task {
            try await quantizer.write(to: output) { done in
                bar.draw(done >> 20, note: "MiB read")
            }
        }
        interruption.cancels { work.cancel() }
        let result = await work.result
        bar.clear()
        switch result {
        case .success: break
        case .failure(is CancellationError):
            Terminal.note("edge-llm: interrupted; nothing was written")
            throw Failure.interrupted
        case .failure(let error): throw error
        }
        let seconds = Terminal.seconds(since: start)
        Terminal.note(
            "edge-llm: wrote \(self.output), \(Terminal.size(total)) of tensors to "
                + "\(Terminal.size(quantizer.tensorByteCount)) in \(String(format: "%.1f", seconds)) s")
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
