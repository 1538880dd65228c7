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
// `edge-guided MODEL.gguf [VOCABULARY.gguf] [--tokens N] [--rounds N]`. A synthetic model (`edge-llm synth`) has no vocabulary of its
// own: it is given one of the same size. Each figure is the median of the rounds, of seconds from the first token to the last; the last
// one is the mean time spent on masks and forced stretches.

var paths: [String] = []
var (tokenCount, rounds) = (96, 5)
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    switch argument {
    case "--tokens": tokenCount = rest.popFirst().flatMap { Int($0) } ?? tokenCount
    case "--rounds": rounds = rest.popFirst().flatMap { Int($0) } ?? rounds
    default: paths.append(argument)
    }
}
guard let path = paths.first else {
    print("usage: edge-guided MODEL.gguf [VOCABULARY.gguf] [--tokens N] [--rounds N]")
    exit(2)
}
let model = try Model(GGUFFile(path: path))
let tokenizer = try paths.count > 1 ? Tokenizer(GGUFFile(path: paths[1])) : model.makeTokenizer()
let engine = try Engine(model: model, tokenizer: tokenizer, contextSize: 1_024, threadCount: nil, precision: .f16)

let call =
    #"{"type":"object","properties":{"tool":{"const":"schedule_maintenance_appointment"},"arguments":{"type":"object","properties":{"vehicle_identification":{"type":"integer","minimum":1000,"maximum":9999},"preferred_location":{"enum":["north workshop","south workshop"]},"requires_replacement_car":{"type":"boolean"},"priority":{"enum":["low","high"]},"estimated_duration_minutes":{"type":"integer","minimum":10,"maximum":99}},"required":["vehicle_identification","preferred_location","requires_replacement_car","priority","estimated_duration_minutes"]}},"required":["tool","arguments"]}"#
let cases: [(name: String, schema: String?)] = [
    ("any text", nil), ("a string, nothing forced", #"{"type":"string","minLength":5000}"#),
    ("an array of strings", #"{"type":"array","items":{"type":"string","minLength":3},"minItems":1000}"#),
    ("a tool call", call), ("the likeliest text", nil), ("the same with drafts", nil),
]
let constraints = try cases.map {
    try $0.schema.map { GenerationConstraint(try JSONSchema.compile($0, options: .guided)) }
}
let prompt = tokenizer.encode("The engine light is on.", addSpecial: true, parseSpecial: false)
let record = Mutex<GenerationStatistics>(GenerationStatistics())
var times = [[Double]](repeating: [], count: cases.count)
var following = [Double](repeating: 0, count: cases.count)
var counts = [(tokens: Int, forced: Int, accepted: Int)](repeating: (0, 0, 0), count: cases.count)
let context = try await engine.makeContext()
for round in 0...rounds {
    for index in cases.indices {
        var sampling = SamplingParameters()
        sampling.seed = UInt64(round)
        sampling.temperature = 0.8
        sampling.topK = 40
        var request = GenerationRequest(
            prompt: prompt, sampling: sampling, maximumTokens: tokenCount, ignoresEnd: true,
            constraint: constraints[index])
        if index > 3 { request.sampling.temperature = 0 }
        request.speculates = index > 4
        try await engine.generate(request, in: context) { event in
            if case .finished(_, let statistics) = event { record.withLock { $0 = statistics } }
        }
        let statistics = record.withLock { $0 }
        // The first round makes the vocabulary's tree and warms up.
        guard round > 0, statistics.generatedTokenCount > 1 else { continue }
        times[index].append(statistics.decodeSeconds / Double(statistics.generatedTokenCount - 1))
        counts[index].accepted += statistics.acceptedTokenCount
        following[index] += statistics.constraintSeconds
        counts[index].tokens += statistics.generatedTokenCount
        counts[index].forced += statistics.forcedTokenCount
    }
}
var plain = 0.0
for index in cases.indices where !times[index].isEmpty {
    let median = times[index].sorted()[times[index].count / 2]
    if index == 0 { plain = median }
    print(
        "\(cases[index].name): \(String(format: "%.3f", median * 1e3)) ms a token, "
            + "\(String(format: "%.3f", median / plain)) of any text's; \(counts[index].tokens) tokens, "
            + "\(counts[index].forced) forced, \(counts[index].accepted) drafted; "
            + "\(String(format: "%.1f", following[index] / Double(counts[index].tokens) * 1e6)) us a token on the schema"
    )
}
