import EdgeEngine
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeSampling
import EdgeTokenizer
import Foundation
import Synchronization

// What sessions gain from a common cache: the time to the first token of a long prompt when nobody has computed it, when another
// session has, and when it comes from a file; and the tokens a second of several sessions at the same time. Ids are arbitrary:
// arithmetic takes the same time for all. Arguments: a model, for a synthetic one a vocabulary file, the tokens of the prompt, and
// the cache's precision.

func first(_ engine: Engine, _ prompt: [Int32], _ context: GenerationContext, count: Int = 1) async throws -> Double {
    let start = Clock.nanoseconds
    var request = GenerationRequest(prompt: prompt, sampling: .greedy, maximumTokens: count, ignoresEnd: true)
    request.speculates = false
    try await engine.generate(request, in: context) { _ in }
    return Clock.seconds(from: start)
}

func line(_ name: String, _ seconds: Double, of cold: Double) {
    print(
        String(
            format: "%@: %.4f s, %.2f %% of cold, %.0f times sooner", name, seconds, 100 * seconds / cold,
            cold / seconds))
}

guard CommandLine.arguments.count >= 2 else {
    print("usage: edge-sessions MODEL.gguf [VOCABULARY.gguf [PROMPT [PRECISION]]]")
    exit(64)
}
let arguments = CommandLine.arguments
let model = try Model(GGUFFile(path: arguments[1]))
let tokenizer = try arguments.count > 2 ? Tokenizer(GGUFFile(path: arguments[2])) : model.makeTokenizer()
let length = arguments.count > 3 ? Int(arguments[3]) ?? 2000 : 2000
let precision = arguments.count > 4 ? CachePrecision(rawValue: arguments[4]) ?? .f16 : .f16
func makeEngine() throws -> Engine {
    try Engine(
        model: model, tokenizer: tokenizer, contextSize: length + 256, threadCount: nil, precision: precision)
}
let prompt = (0..<length).map { Int32(truncatingIfNeeded: $0 &* 7919 % min(model.vocabularySize, tokenizer.count)) }

// For `kills.py` and `fulldisk.py`: saves again and again until it is killed or refused, or restores and says what was found.
if let mode = arguments.firstIndex(where: { $0 == "--saving" || $0 == "--restoring" }), arguments.count > mode + 1 {
    let (engine, path) = (try makeEngine(), arguments[mode + 1])
    if arguments[mode] == "--restoring" {
        let (context, info) = try await engine.restore(from: path)
        let seconds = try await first(engine, prompt, context)
        print("restored \(info.count) bytes, first token after \(seconds) s")
        exit(0)
    }
    let context = try await engine.makeContext()
    try await engine.prefill(prompt, in: context)
    do {
        for round in 0... { try await engine.save(context, info: Array(repeating: 7, count: round % 5000), to: path) }
    } catch let error as SavedContextError {
        print("\(error.code): \(error)")
        exit(3)
    }
}

let engine = try makeEngine()
let context = try await engine.makeContext()
let cold = try await first(engine, prompt, context)
line("cold, \(length) tokens", cold, of: cold)
line("the same session again", try await first(engine, prompt, context), of: cold)
line("a second session", try await first(engine, prompt, engine.makeContext()), of: cold)
line(
    "a session with another last token", try await first(engine, prompt.dropLast() + [5], engine.makeContext()),
    of: cold)

let path = FileManager.default.temporaryDirectory.appendingPathComponent("edge-sessions-\(getpid())").path
defer { unlink(path) }
var start = Clock.nanoseconds
try await engine.save(context, info: [], to: path)
let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
print(String(format: "saved %.1f MB in %.3f s", Double(size) / 1e6, Clock.seconds(from: start)))
let other = try makeEngine()
start = Clock.nanoseconds
let restored = try await other.restore(from: path).context
line("restoring", Clock.seconds(from: start), of: cold)
line("first token after restoring", try await first(other, prompt, restored), of: cold)

// Sessions that have nothing in common, each with a short prompt.
var alone = 0.0
for count in [1, 2, 4, 8] {
    var best = 0.0
    for round in 0..<3 {
        let contexts = try await (0..<count).asyncMap { _ in try await engine.makeContext() }
        for (index, context) in contexts.enumerated() {
            try await engine.prefill([Int32(10 + index + 100 * round)] + prompt.prefix(31), in: context)
        }
        let tokens = 24
        start = Clock.nanoseconds
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, context) in contexts.enumerated() {
                let own = [Int32(10 + index + 100 * round)] + prompt.prefix(31)
                group.addTask { _ = try await first(engine, own, context, count: tokens) }
            }
            try await group.waitForAll()
        }
        best = max(best, Double(count * tokens) / Clock.seconds(from: start))
    }
    if count == 1 { alone = best }
    print(String(format: "%d sessions at once: %.1f tokens a second, %.2f times one", count, best, best / alone))
}

// A newcomer with a prompt while others generate: when its first token is there, and how long the others wait for theirs meanwhile.
let newcomer = [Int32(7)] + prompt.prefix(255)
let lonely = try await first(engine, newcomer, engine.makeContext())
engine.releaseUnusedCache()
let gaps = Gaps()
let talking = (0..<3).map { index in
    Task {
        let own = [Int32(900 + index)] + prompt.prefix(31)
        var request = GenerationRequest(prompt: own, sampling: .greedy, maximumTokens: 400, ignoresEnd: true)
        request.speculates = false
        try await engine.generate(request, in: engine.makeContext()) { _ in if index == 0 { gaps.note() } }
    }
}
while gaps.longest.count < 8 { try await Task.sleep(for: .milliseconds(10)) }
let usual = gaps.restart()
let shared = try await first(engine, newcomer, engine.makeContext())
print(
    String(
        format:
            "256 tokens while 3 sessions generate: first token after %.2f s (%.2f alone); theirs come %.0f ms apart "
            + "at most meanwhile (%.0f before)", shared, lonely, 1000 * gaps.restart(), 1000 * usual))
for task in talking { task.cancel() }

/// The longest time between two tokens.
final class Gaps: Sendable {
    private let state = Mutex<(last: UInt64?, longest: Double, count: Int)>((nil, 0, 0))

    var longest: (seconds: Double, count: Int) { state.withLock { ($0.longest, $0.count) } }

    func note() {
        state.withLock { state in
            let now = Clock.nanoseconds
            if let last = state.last { state.longest = max(state.longest, Clock.seconds(from: last)) }
            state.last = now
            state.count += 1
        }
    }

    /// The longest so far, forgotten.
    func restart() -> Double {
        state.withLock { state in
            defer { state.longest = 0 }
            return state.longest
        }
    }
}

extension Range<Int> {
    /// The results of a closure, one after the other.
    func asyncMap<T>(_ body: (Int) async throws -> T) async rethrows -> [T] {
        var result: [T] = []
        for index in self { result.append(try await body(index)) }
        return result
    }
}
