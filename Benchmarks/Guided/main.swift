import EdgeEngine
import EdgeGGUF
import EdgeGrammar
import EdgeKernels
import EdgeModel
import EdgeSampling
import EdgeTokenizer
import Foundation
import Synchronization

// Times generation under a schema, and with drafts, against generation of any text, on the same engine, in turns:
// `edge-guided MODEL.gguf [VOCABULARY.gguf] [--tokens N] [--rounds N] [--threads N] [--schemas]`. A synthetic model (`edge-llm synth`)
// has no vocabulary of its own: it is given one of the same size.
//
// A round runs every case once, each time beginning with another one, and gives a ratio for each: its time of a token to that of any text
// in the same round. What else the machine does changes slower than that, so the ratios of a round are of like conditions; any text runs
// twice, and the second one's ratio shows what the figures are worth. Times are those of the processor with one thread, where other
// programs do not count, else seconds from the first token to the last. With `--schemas` only any text and schemas that force little run.

var paths: [String] = []
var (tokenCount, rounds) = (24, 40)
var threads: Int?
var isOnlySchemas = false
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    switch argument {
    case "--tokens": tokenCount = rest.popFirst().flatMap { Int($0) } ?? tokenCount
    case "--rounds": rounds = rest.popFirst().flatMap { Int($0) } ?? rounds
    case "--threads": threads = rest.popFirst().flatMap { Int($0) }
    case "--schemas": isOnlySchemas = true
    default: paths.append(argument)
    }
}
guard let path = paths.first, tokenCount > 1, rounds > 0 else {
    print("usage: edge-guided MODEL.gguf [VOCABULARY.gguf] [--tokens N] [--rounds N] [--threads N] [--schemas]")
    exit(2)
}
let model = try Model(GGUFFile(path: path))
let tokenizer = try paths.count > 1 ? Tokenizer(GGUFFile(path: paths[1])) : model.makeTokenizer()
let engine = try Engine(model: model, tokenizer: tokenizer, contextSize: 1_024, threadCount: threads, precision: .f16)

let call =
    #"{"type":"object","properties":{"tool":{"const":"schedule_maintenance_appointment"},"arguments":{"type":"object","properties":{"vehicle_identification":{"type":"integer","minimum":1000,"maximum":9999},"preferred_location":{"enum":["north workshop","south workshop"]},"requires_replacement_car":{"type":"boolean"},"priority":{"enum":["low","high"]},"estimated_duration_minutes":{"type":"integer","minimum":10,"maximum":99}},"required":["vehicle_identification","preferred_location","requires_replacement_car","priority","estimated_duration_minutes"]}},"required":["tool","arguments"]}"#
struct Case {
    let name: String
    var schema: String?
    var isGreedy = false
    var isDrafted = false
    /// Seconds of a token in each round.
    var times: [Double] = []
    var following = 0.0
    var tokens = 0
    var forced = 0
    var accepted = 0
}
var cases = [
    Case(name: "any text"), Case(name: "any text again"),
    Case(name: "a string, nothing forced", schema: #"{"type":"string","minLength":5000}"#),
    Case(
        name: "an array of strings",
        schema: #"{"type":"array","items":{"type":"string","minLength":3},"minItems":1000}"#),
]
if !isOnlySchemas {
    cases += [
        Case(name: "a tool call", schema: call), Case(name: "the likeliest text", isGreedy: true),
        Case(name: "the same with drafts", isGreedy: true, isDrafted: true),
    ]
}

/// Seconds that this process has computed.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

let constraints = try cases.map {
    try $0.schema.map { GenerationConstraint(try JSONSchema.compile($0, options: .guided)) }
}
let prompt = tokenizer.encode("The engine light is on.", addSpecial: true, parseSpecial: false)
let record = Mutex<GenerationStatistics>(GenerationStatistics())
let context = try await engine.makeContext()
for round in 0...rounds {
    for place in cases.indices {
        let index = (place + round) % cases.count
        var sampling = SamplingParameters()
        sampling.seed = UInt64(round)
        sampling.temperature = cases[index].isGreedy ? 0 : 0.8
        sampling.topK = 40
        var request = GenerationRequest(
            prompt: prompt, sampling: sampling, maximumTokens: tokenCount, ignoresEnd: true,
            constraint: constraints[index])
        request.speculates = cases[index].isDrafted
        let start = processorSeconds()
        try await engine.generate(request, in: context) { event in
            if case .finished(_, let statistics) = event { record.withLock { $0 = statistics } }
        }
        let spent = processorSeconds() - start
        let statistics = record.withLock { $0 }
        // The first round makes the vocabulary's tree and warms up.
        guard round > 0 else { continue }
        // Of the prompt the last token runs every time, so that one pass belongs to each token.
        let seconds =
            threads == 1
            ? spent / Double(statistics.generatedTokenCount)
            : statistics.decodeSeconds / Double(max(1, statistics.generatedTokenCount - 1))
        cases[index].times.append(seconds)
        cases[index].following += statistics.constraintSeconds
        cases[index].tokens += statistics.generatedTokenCount
        cases[index].forced += statistics.forcedTokenCount
        cases[index].accepted += statistics.acceptedTokenCount
    }
}

/// The value that the given part of them does not exceed.
func quantile(_ values: [Double], _ part: Double) -> Double {
    let sorted = values.sorted()
    return sorted[Int((part * Double(sorted.count - 1)).rounded())]
}

print("\(rounds) rounds of \(tokenCount) tokens, \(threads == 1 ? "processor time" : "seconds"); ratios to any text")
for item in cases {
    let ratios = zip(item.times, cases[0].times).map { $0 / $1 }
    let mean = ratios.reduce(0, +) / Double(ratios.count)
    let squares = ratios.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / Double(max(1, ratios.count - 1)) / Double(ratios.count)).squareRoot()
    func text(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)f", value) }
    print(
        "\(item.name): \(text(quantile(item.times, 0.5) * 1e3, 3)) ms a token, median ratio \(text(quantile(ratios, 0.5))) "
            + "(quartiles \(text(quantile(ratios, 0.25))) to \(text(quantile(ratios, 0.75)))), mean \(text(mean)) +- \(text(error)); "
            + "\(item.tokens) tokens, \(item.forced) forced, \(item.accepted) drafted; "
            + "\(text(item.following / Double(max(1, item.tokens)) * 1e6, 1)) us a token on the schema")
}
