import ArgumentParser
import EdgeLLM

/// How tokens are chosen. The names are those of llama.cpp's tools.
struct SamplerOptions: ParsableArguments {
    @Option(
        name: [.customLong("temp"), .customLong("temperature")],
        help: "Temperature; 0 always takes the likeliest token.")
    var temperature = 0.8

    @Option(help: "Seed: the same one gives the same text again. (default: a new one)")
    var seed: UInt64?

    @Option(help: "Keep the likeliest K tokens; 0 keeps all.")
    var topK = 40

    @Option(help: "Keep the likeliest tokens whose probabilities add up to P; 1 keeps all.")
    var topP = 0.95

    @Option(help: "Drop tokens less likely than P times the likeliest; 0 drops none.")
    var minP = 0.05

    @Option(name: .customLong("typical"), help: "Locally typical sampling; 1 is off.")
    var typicalP = 1.0

    @Option(name: .customLong("repeat-penalty"), help: "Divide the logits of recent tokens; 1 is off.")
    var repetitionPenalty = 1.0

    @Option(help: "Subtract for each recent occurrence; 0 is off.")
    var frequencyPenalty = 0.0

    @Option(help: "Subtract once for recent tokens; 0 is off.")
    var presencePenalty = 0.0

    @Option(name: .customLong("repeat-last-n"), help: "Tokens that penalties look back on; -1 for all.")
    var penaltyWindow = 64

    @Option(help: "DRY: strength of the penalty on repeated sequences; 0 is off.")
    var dryMultiplier = 0.0

    @Option(help: "DRY: growth of the penalty with length.")
    var dryBase = 1.75

    @Option(help: "DRY: repetitions up to this length are free.")
    var dryAllowedLength = 2

    @Option(name: .customLong("dry-penalty-last-n"), help: "DRY: tokens looked back on; -1 for all.")
    var dryWindow = -1

    @Option(name: .customLong("dry-sequence-breaker"), help: "DRY: a text that ends a repetition; may be repeated.")
    var dryBreakers: [String] = []

    @Option(help: "XTC: probability of leaving out the likeliest tokens; 0 is off.")
    var xtcProbability = 0.0

    @Option(help: "XTC: tokens above this probability may be left out.")
    var xtcThreshold = 0.1

    @Flag(help: "Mirostat 2 in place of the truncating samplers.")
    var mirostat = false

    @Option(help: "Mirostat: the surprise aimed at, in bits.")
    var mirostatTau = 5.0

    @Option(help: "Mirostat: how fast the aim is corrected.")
    var mirostatEta = 0.1

    @Option(
        help: ArgumentHelp("Add to a token's logit, as ID+VALUE or ID-VALUE; may be repeated.", valueName: "id±value"))
    var logitBias: [TokenBias] = []

    @Option(name: .customLong("stop"), help: "A text that ends the answer; may be repeated.")
    var stopSequences: [String] = []

    @Option(
        help: ArgumentHelp("A file with a grammar in GBNF that the answer must match.", valueName: "path"),
        completion: .file())
    var grammarFile: String?

    @Flag(name: .customLong("ignore-eos"), help: "Go on after the model has ended its turn.")
    var ignoresEnd = false

    /// - Throws: where the file with the grammar cannot be read.
    func options(maximumTokens: Int?, window: WindowOptions) throws -> GenerationOptions {
        var local = LocalSamplingOptions()
        local.seed = seed
        local.topK = topK
        local.topP = topP
        local.minP = minP
        local.typicalP = typicalP
        local.repetitionPenalty = repetitionPenalty
        local.frequencyPenalty = frequencyPenalty
        local.presencePenalty = presencePenalty
        local.penaltyWindow = penaltyWindow
        local.dryMultiplier = dryMultiplier
        local.dryBase = dryBase
        local.dryAllowedLength = dryAllowedLength
        local.dryWindow = dryWindow
        if !dryBreakers.isEmpty { local.dryBreakers = dryBreakers }
        local.xtcProbability = xtcProbability
        local.xtcThreshold = xtcThreshold
        if mirostat { local.mirostat = .init(tau: mirostatTau, eta: mirostatEta) }
        for bias in logitBias { local.logitBias[bias.id] = bias.value }
        local.stopSequences = stopSequences
        local.grammar = try grammarFile.map { String(decoding: try Terminal.read(path: $0), as: UTF8.self) }
        local.ignoresEnd = ignoresEnd
        if let keeping = window.keeping {
            local.contextOverflow = .slidingWindow(keeping: keeping, recomputing: window.recomputes)
        }
        return GenerationOptions(temperature: temperature, maximumResponseTokens: maximumTokens, local: local)
    }
}

/// What happens when the context is full.
struct WindowOptions: ParsableArguments {
    @Option(
        name: .customLong("sliding-window"),
        help: ArgumentHelp(
            "When the context is full keep the first K tokens, drop half of the others, the oldest, and go on. (default: an error, or the end)",
            valueName: "k"))
    var keeping: Int?

    @Flag(
        name: .customLong("recompute-window"),
        help: "Compute what stays anew, as if what is dropped had never been there, instead of turning its keys.")
    var recomputes = false

    func validate() throws {
        if recomputes, keeping == nil { throw ValidationError("--recompute-window needs --sliding-window.") }
        if let keeping, keeping < 0 { throw ValidationError("--sliding-window must be 0 or more.") }
    }
}

/// `15043+1.5` or `15043-inf`.
struct TokenBias: ExpressibleByArgument {
    let id: Int
    let value: Double

    init?(argument: String) {
        guard let sign = argument.dropFirst().firstIndex(where: { $0 == "+" || $0 == "-" }),
            let id = Int(argument[..<sign]), let value = Double(argument[sign...]), !value.isNaN
        else { return nil }
        self.id = id
        self.value = value
    }
}
