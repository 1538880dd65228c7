import ArgumentParser
import EdgeLLM
import Foundation

/// Which adapters act on the model's weights.
struct AdapterOptions: ParsableArguments {
    @Option(
        name: .customLong("lora"),
        help: ArgumentHelp("A LoRA adapter, and how strongly it acts; can be repeated.", valueName: "file[:scale]"))
    var adapters: [AdapterChoice] = []

    /// Loads them for a model.
    func load(for model: GGUFLanguageModel) async throws -> [LoRAAdapter] {
        var loaded: [LoRAAdapter] = []
        for choice in adapters {
            loaded.append(try await model.loadAdapter(contentsOf: choice.url).scaled(by: choice.scale))
        }
        return loaded
    }

    /// Loads them for a model that is measured.
    func load(for model: MeasuredModel) throws -> [LoRAAdapter] {
        try adapters.map { try model.loadAdapter(contentsOf: $0.url).scaled(by: $0.scale) }
    }
}

/// `FILE` or `FILE:SCALE`.
struct AdapterChoice: ExpressibleByArgument {
    let path: String
    let scale: Double
    var url: URL { URL(fileURLWithPath: path) }

    init?(argument: String) {
        // What follows the last colon is a scale if it is a number; a path may have colons of its own.
        if let colon = argument.lastIndex(of: ":"), let scale = Double(argument[argument.index(after: colon)...]) {
            guard scale.isFinite, colon > argument.startIndex else { return nil }
            path = String(argument[..<colon])
            self.scale = scale
        } else {
            guard !argument.isEmpty else { return nil }
            path = argument
            scale = 1
        }
    }
}
