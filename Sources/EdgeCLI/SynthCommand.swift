public import ArgumentParser
public import EdgeLLM
import Foundation

/// `edge-llm synth`: writes a model of a known shape with random weights.
struct SynthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth", abstract: "Write a model of a known shape with random weights, for measuring.",
        discussion: "Shapes: \(SyntheticModel.shapes.joined(separator: ", ")). "
            + "NAME/N is the same with one layer in N and at most 16,384 tokens, NAME@llama a file of llama with its sizes. Types: \(SyntheticModel.quantizations.joined(separator: ", "))."
    )

    @Argument(help: "Shape and type, such as llama-3.2-1b:Q4_K_M.")
    var model: SyntheticModel

    @Option(name: [.customShort("o"), .long], help: "The file to write.")
    var output: String

    @Option(help: "A GGUF file whose vocabulary the model gets, so that it can be given texts. (default: none)")
    var vocabulary: String?

    func run() throws {
        try model.write(
            to: URL(fileURLWithPath: output), vocabulary: vocabulary.map { URL(fileURLWithPath: $0) })
        let size = try FileManager.default.attributesOfItem(atPath: output)[.size] as? Int
        Terminal.note("edge-llm: wrote \(model) to \(output), \(Terminal.size(size ?? 0))")
    }
}

extension SyntheticModel: ExpressibleByArgument {
    /// Reads a description.
    public init?(argument: String) { self.init(argument) }

    /// The description.
    public var defaultValueDescription: String { description }
}
