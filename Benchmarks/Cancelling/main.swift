import EdgeLLM
import Foundation

// Times how soon a session that is computing a long prompt gives in to a cancellation: `edge-cancel MODEL.gguf [--tokens N] [--rounds N]
// [--threads N]`. The model needs a vocabulary; `edge-llm synth --vocabulary` gives one to random weights. Each round asks a fresh
// session, cancels its task at a random moment of the prompt, and waits until the call has thrown.

var path: String?
var (tokenCount, rounds, threads) = (4_000, 50, 2)
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    switch argument {
    case "--tokens": tokenCount = rest.popFirst().flatMap { Int($0) } ?? tokenCount
    case "--rounds": rounds = rest.popFirst().flatMap { Int($0) } ?? rounds
    case "--threads": threads = rest.popFirst().flatMap { Int($0) } ?? threads
    default: path = argument
    }
}
guard let path else {
    print("usage: edge-cancel MODEL.gguf [--tokens N] [--rounds N] [--threads N]")
    exit(2)
}
let template = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
let model = try await GGUFLanguageModel(
    contentsOf: URL(fileURLWithPath: path),
    options: .init(contextSize: tokenCount + 256, threadCount: threads, chatTemplate: template))
// Numbers are some tokens each in any vocabulary.
var prompt = ""
var number = 0
while model.tokenCount(for: prompt) < tokenCount {
    for _ in 0..<50 {
        prompt += "The value \(number * 7_919 % 10_007) is on. "
        number += 1
    }
}
prompt = try model.tokenizer.decode(Array(model.tokenizer.encode(prompt).dropFirst().prefix(tokenCount - 8)))

/// Seconds that the whole prompt takes: nothing is cancelled after it.
let whole = try await {
    let session = LanguageModelSession(model: model)
    let answer = try await session.respond(to: prompt, options: GenerationOptions(maximumResponseTokens: 1))
    return answer.usage.timeToFirstToken
}()
var delays: [Double] = []
var random = SystemRandomNumberGenerator()
for round in 0..<rounds {
    let session = LanguageModelSession(model: model)
    // Another beginning each time: what an earlier session computed would be found.
    let asked = "\(round). " + prompt
    let task = Task { try await session.respond(to: asked).content }
    try await Task.sleep(for: .seconds(Double.random(in: 0.02...0.95, using: &random) * whole))
    let start = ContinuousClock.now
    task.cancel()
    let result = await task.result
    let delay = start.duration(to: .now) / .milliseconds(1)
    guard case .failure(is CancellationError) = result else {
        print("a request was not cancelled: \(result)")
        exit(1)
    }
    delays.append(delay)
}
delays.sort()
print(
    "\(tokenCount) tokens, \(model.threadCount) threads: the prompt takes \(String(format: "%.1f", whole)) s; "
        + "\(delays.count) cancellations returned after \(String(format: "%.1f", delays[delays.count / 2])) ms (median), "
        + "\(String(format: "%.1f", delays[delays.count - 1])) ms (worst)")
