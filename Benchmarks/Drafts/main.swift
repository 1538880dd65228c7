import EdgeEngine
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgeSampling
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Synchronization

// What drafts from the context gain: `edge-drafts MODEL.gguf DATA [--rounds N] [--tokens N] [--texts N] [--threads N] [--own]`.
//
// An answer that others wrote is given token by token as if the model had chosen it, with drafts and without in turns, so that the work is
// real and the weights may be random: sentences quoted from a passage (XQuAD), an edited file (chat templates of which one is a later
// version of the other), and, where drafts have nothing to find, another passage. With `--own` the model speaks for itself about the same
// passages. Each figure is the median over the texts of the ratio of seconds from the first token to the last, of medians over rounds;
// with one thread, of processor time.

var paths: [String] = []
var (rounds, tokenLimit, textLimit, isOwn) = (3, 160, 16, false)
var threads: Int?
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    switch argument {
    case "--rounds": rounds = rest.popFirst().flatMap { Int($0) } ?? rounds
    case "--tokens": tokenLimit = rest.popFirst().flatMap { Int($0) } ?? tokenLimit
    case "--texts": textLimit = rest.popFirst().flatMap { Int($0) } ?? textLimit
    case "--threads": threads = rest.popFirst().flatMap { Int($0) }
    case "--own": isOwn = true
    default: paths.append(argument)
    }
}
guard paths.count == 2 else {
    print("usage: edge-drafts MODEL.gguf DATA [--rounds N] [--tokens N] [--texts N] [--threads N] [--own]")
    exit(2)
}
let model = try Model(GGUFFile(path: paths[0]))
let tokenizer = try model.makeTokenizer()
let folder = URL(fileURLWithPath: paths[1])

struct Work {
    let kind: String
    let prompt: String
    let answer: String
}

func passages(_ limit: Int) throws -> [Work] {
    func string(_ value: PlainJSON?) -> String {
        if case .string(let scalars)? = value { String(String.UnicodeScalarView(scalars)) } else { "" }
    }
    func list(_ value: PlainJSON?) -> [PlainJSON] { if case .array(let items)? = value { items } else { [] } }
    let json = try PlainJSON([UInt8](Data(contentsOf: folder.appendingPathComponent("rag/xquad/xquad.en.json"))))
    let paragraphs = list(json["data"]).compactMap { list($0["paragraphs"]).first }
    return paragraphs.prefix(limit).enumerated().flatMap { index, paragraph -> [Work] in
        let context = string(paragraph["context"])
        guard let question = list(paragraph["qas"]).first else { return [] }
        let span = string(list(question["answers"]).first?["text"])
        let sentences = context.split(separator: ". ").map { $0 + "." }
        let other = string(paragraphs[(index + 1) % paragraphs.count]["context"])
        let asked = "Passage: \(context)\n\nQuestion: \(string(question["question"]))\nAnswer:"
        let quoted = sentences.first { $0.contains(span) } ?? ""
        guard !quoted.isEmpty else { return [] }
        return [
            Work(kind: "quoted", prompt: asked, answer: " \(span). The passage says: \"\(quoted)\""),
            Work(kind: "nothing to find", prompt: asked, answer: " " + other),
        ]
    }
}

func edits(_ limit: Int) throws -> [Work] {
    let pairs = [
        ("meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct"),
        ("meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.1-8B-Instruct"),
        ("Qwen-QwQ-32B", "Qwen-Qwen2.5-7B-Instruct"), ("Qwen-Qwen2.5-7B-Instruct", "Qwen-QwQ-32B"),
        ("Qwen-Qwen3-0.6B", "Qwen-QwQ-32B"), ("deepseek-ai-DeepSeek-V4", "deepseek-ai-DeepSeek-V4-Flash-0731"),
    ]
    return try pairs.prefix(limit).map { before, after in
        func text(_ name: String) throws -> String {
            try String(
                contentsOf: folder.appendingPathComponent("llama.cpp/models/templates/\(name).jinja"), encoding: .utf8)
        }
        return Work(
            kind: "an edited file",
            prompt:
                "Change this file as agreed.\n```\n\(String(try text(before).prefix(6_000)))\n```\nThe new file:\n```\n",
            answer: try text(after))
    }
}

/// Seconds that this process has computed: with one thread, what other programs do does not count.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

let works = try passages(textLimit) + edits(textLimit)
let engine = try Engine(
    model: model, tokenizer: tokenizer, contextSize: isOwn ? 512 : 3_072, threadCount: threads, precision: .f16)
let context = try await engine.makeContext()
let record = Mutex(GenerationStatistics())
var figures: [String: [(ratio: Double, drafted: Int, accepted: Int, tokens: Int)]] = [:]
var kinds: [String] = []
for work in works where !(isOwn && work.kind == "nothing to find") {
    var prompt = tokenizer.encode(work.prompt, addSpecial: true, parseSpecial: false)
    let script = tokenizer.encode(work.answer, addSpecial: false, parseSpecial: false).prefix(tokenLimit)
    if isOwn { prompt = Array(prompt.prefix(512 - tokenLimit)) }
    guard prompt.count + script.count < engine.contextSize else { continue }
    for temperature in isOwn ? [0, 0.8] : [0.0] {
        var times: [[Double]] = [[], []]
        var statistics = GenerationStatistics()
        for round in 0...rounds {
            for drafts in [false, true] {
                var sampling = SamplingParameters.greedy
                sampling.temperature = temperature
                sampling.seed = 1
                var request = GenerationRequest(
                    prompt: prompt, sampling: sampling, maximumTokens: isOwn ? tokenLimit : script.count,
                    ignoresEnd: true)
                request.speculates = drafts
                if !isOwn { request.script = Array(script) }
                let start = processorSeconds()
                try await engine.generate(request, in: context) { event in
                    if case .finished(_, let statistics) = event { record.withLock { $0 = statistics } }
                }
                let seen = record.withLock { $0 }
                if drafts { statistics = seen }
                // The first round computes the prompt.
                if round > 0 {
                    times[drafts ? 1 : 0].append(threads == 1 ? processorSeconds() - start : seen.decodeSeconds)
                }
            }
        }
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        let kind = isOwn ? "\(work.kind), own words at temperature \(temperature)" : work.kind
        if figures[kind] == nil { kinds.append(kind) }
        figures[kind, default: []].append(
            (
                median(times[1]) / median(times[0]), statistics.draftedTokenCount, statistics.acceptedTokenCount,
                statistics.generatedTokenCount
            ))
    }
}
for kind in kinds {
    let found = figures[kind] ?? []
    let ratios = found.map(\.ratio).sorted()
    let (drafted, accepted) = found.reduce((0, 0)) { ($0.0 + $1.drafted, $0.1 + $1.accepted) }
    let tokens = found.reduce(0) { $0 + $1.tokens }
    func text(_ value: Double) -> String { String(format: "%.3f", value) }
    print(
        "\(kind): \(found.count) texts, \(tokens) tokens, \(drafted) drafted, \(accepted) of them right "
            + "(\(100 * accepted / max(1, drafted)) %); time \(text(ratios[ratios.count / 2])) of that without drafts "
            + "(\(text(ratios[0])) to \(text(ratios[ratios.count - 1])))")
}
