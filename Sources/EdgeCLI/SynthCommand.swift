import ArgumentParser
import EdgeSynthesis
import Foundation

/// `edge-llm synth`: writes a model of a known shape with random weights.
struct SynthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth", abstract: "Write a model of a known shape with random weights, for measuring.",
        discussion: "Shapes: \(ModelShape.all.map(\.name).joined(separator: ", ")). "
            + "NAME/N is the same with one layer in N and at most 16,384 tokens. Types: \(QuantizationMix.all.map(\.name).joined(separator: ", "))."
    )

    @Argument(help: "Shape and type, such as llama-3.2-1b:Q4_K_M.")
    var model: SyntheticModel

    @Option(name: [.customShort("o"), .long], help: "The file to write.")
    var output: String

    func run() throws {
        try model.write(to: output)
        let size = try FileManager.default.attributesOfItem(atPath: output)[.size] as? Int
        Terminal.note("edge-llm: wrote \(model.name) to \(output), \(Terminal.size(size ?? 0))")
    }
}

extension SyntheticModel: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }

    package var defaultValueDescription: String { name }
}
