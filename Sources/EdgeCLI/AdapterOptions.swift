import ArgumentParser
import EdgeGGUF
import EdgeLLM
import EdgeModel

/// Which adapters act on the model's weights.
struct AdapterOptions: ParsableArguments {
    @Option(
        name: .customLong("lora"),
        help: ArgumentHelp("A LoRA adapter, and how strongly it acts; can be repeated.", valueName: "file[:scale]"))
    var adapters: [AdapterChoice] = []

    /// Loads them for a model of the library.
    func load(for model: GGUFLanguageModel) throws -> [EdgeLLM.LoRAAdapter] {
        try adapters.map { try model.loadAdapter(path: $0.path).scaled(by: $0.scale) }
    }

    /// Loads them for a model that is used without the library.
    func load(for model: Model) throws -> [AppliedAdapter] {
        try adapters.map {
            AppliedAdapter(try EdgeModel.LoRAAdapter(GGUFFile(path: $0.path), for: model), scale: Float($0.scale))
        }
    }
}

/// `FILE` or `FILE:SCALE`.
struct AdapterChoice: ExpressibleByArgument {
    let path: String
    let scale: Double

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
