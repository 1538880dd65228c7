import EdgeGGUF
import EdgeGrammar
import EdgeModel
import EdgeTestSupport
import EdgeTokenizer
import Foundation

// Times the masks of constrained decoding over a vocabulary: `edge-masks VOCABULARY.gguf [TOOLS.json …] [--instances DATA]`.
//
// Each schema is walked twice through documents that it allows, drawn token by token from the masks themselves (seeded, and
// leaning towards closing tokens) with a fresh matcher each, so that nothing a walk has learnt helps the next one. Each mask
// of each walk counts. `TOOLS.json` are files of the Berkeley Function-Calling Leaderboard, whose parameters are schemas.
//
// `--instances` walks texts that others wrote, as MaskBench does: each is cut into tokens, the mask before each token is timed, and the
// token must be in it. `DATA` has `json/JSON-Schema-Test-Suite`, `tools/bfcl` and `llama.cpp/vectors/grammar_integration.json`.

struct Random {
    var state: UInt64
    mutating func below(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(truncatingIfNeeded: (state >> 33) % UInt64(max(1, count)))
    }
}

/// The schemas of a file of tools, the first of them.
func schemas(of path: String, limit: Int) -> [String] {
    Array(functions(of: path).flatMap { $0.map { $0.schema.text() } }.prefix(limit))
}

let own = [
    #"{}"#, #"{"type":"string"}"#, #"{"type":"string","maxLength":40}"#,
    #"{"type":"string","pattern":"^[A-Z][a-z]+( [A-Z][a-z]+)*$"}"#,
    #"{"type":"array","items":{"type":"number"}}"#,
    #"{"type":"object","properties":{"name":{"type":"string","maxLength":20},"when":{"type":"string","format":"date-time"},"count":{"type":"integer","minimum":0,"maximum":500},"kind":{"enum":["red","green","blue"]},"tags":{"type":"array","items":{"type":"string","minLength":1},"maxItems":5}},"required":["name","when","kind"]}"#,
    #"{"anyOf":[{"type":"object","properties":{"tool":{"const":"search"},"query":{"type":"string"}},"required":["tool","query"]},{"type":"object","properties":{"tool":{"const":"open"},"page":{"type":"integer"}},"required":["tool","page"]}]}"#,
    ##"{"type":"object","properties":{"value":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}}},"required":["value"]}"##,
]

var (paths, data): ([String], String?) = ([], nil)
var rest = CommandLine.arguments.dropFirst()
while let argument = rest.popFirst() {
    if argument == "--instances" { data = rest.popFirst() } else { paths.append(argument) }
}
guard let vocabulary = paths.first else {
    print("usage: edge-masks VOCABULARY.gguf [TOOLS.json …] [--instances DATA]")
    exit(2)
}
/// Microseconds that this thread has computed: other programs on the machine do not count.
func computed() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}
let tokenizer = try Tokenizer(GGUFFile(path: vocabulary))
var (bytes, ends, isText): ([UInt8], [Int], [Bool]) = ([], [], [])
for id in 0..<Int32(tokenizer.count) {
    let token = tokenizer.bytes(of: id, special: false)
    bytes += token
    ends.append(bytes.count)
    isText.append(!token.isEmpty && !tokenizer.isControl(id))
}
var start = computed()
let tree = VocabularyTree(bytes: bytes, ends: ends, isText: isText, endTokens: tokenizer.endOfGenerationIds)
print(
    "\(tree.tokenCount) tokens, \(tree.nodeCount) nodes at most, tree built in \(Int((computed() - start) / 1_000)) ms")

let all = own + paths.dropFirst().flatMap { schemas(of: $0, limit: 100) }
var (times, compiles): ([Double], [Double]) = ([], [])
var (firsts, slowest, worst): ([Double], String, Double) = ([], "", 0)
var (refused, documents) = (0, 0)
var random = Random(state: 1)
var bits = [UInt64](repeating: 0, count: tree.wordCount)
for schema in all {
    start = computed()
    guard let grammar = try? JSONSchema.compile(schema) else {
        refused += 1
        continue
    }
    compiles.append(computed() - start)
    for _ in 0..<2 {
        var matcher = Matcher(grammar, tree: tree)
        documents += 1
        for step in 0..<200 {
            start = computed()
            guard try matcher.mask(into: &bits) else { break }
            let time = computed() - start
            times.append(time)
            if step == 0 { firsts.append(time) }
            if time > worst { (worst, slowest) = (time, "mask \(step) of \(schema.prefix(200))") }
            if matcher.canEnd, random.below(4) == 0 || step > 100 { break }
            // Every thirtieth token or so closes something, once there is anything to close.
            var choices: [Int32] = []
            for word in bits.indices where bits[word] != 0 {
                for bit in 0..<64 where bits[word] >> UInt64(bit) & 1 != 0 { choices.append(Int32(word * 64 + bit)) }
            }
            choices.removeAll { tree.endTokens.contains($0) }
            let closing =
                random.below(step > 60 ? 2 : 8) == 0
                ? choices.filter {
                    tree.bytes(of: $0).count == 1 && [0x22, 0x5D, 0x7D].contains(tree.bytes(of: $0).first ?? 0)
                } : []
            let pool = closing.isEmpty ? choices : closing
            guard !pool.isEmpty, matcher.accept(pool[random.below(pool.count)]) else { break }
        }
    }
}
func row(_ name: String, _ values: [Double]) {
    let sorted = values.sorted()
    func rank(_ part: Double) -> String {
        String(format: "%.1f", sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))])
    }
    let mean = String(format: "%.1f", sorted.reduce(0, +) / Double(max(1, sorted.count)))
    print("\(name): \(sorted.count), mean \(mean) us, p50 \(rank(0.5)), p99 \(rank(0.99)), worst \(rank(1)) us")
}
print("\(all.count) schemas, \(refused) refused, \(documents) documents")
row("compile", compiles)
row("masks", times)
row("first masks", firsts)
print("slowest: \(slowest)")

guard let data else { exit(0) }
let folder = URL(fileURLWithPath: data)
let instances =
    try calls(in: folder.appendingPathComponent("tools/bfcl"))
    + suite(in: folder.appendingPathComponent("json/JSON-Schema-Test-Suite"))
    + integration(folder.appendingPathComponent("llama.cpp/vectors/grammar_integration.json"))
var isWrong = false
/// The masks of all instances together.
var together: [Double] = []
for source in instances.map(\.source).reduce(into: [String](), { if $0.last != $1 { $0.append($1) } }) {
    (times, compiles, firsts, worst, slowest, refused) = ([], [], [], 0, "", 0)
    var (texts, invalid) = (0, 0)
    for instance in instances where instance.source == source {
        start = computed()
        guard let grammar = try? instance.grammar() else {
            refused += 1
            continue
        }
        compiles.append(computed() - start)
        for text in instance.texts {
            var whole = Matcher(grammar, tree: tree)
            guard whole.accept(bytes: text), whole.canEnd else {
                invalid += 1
                continue
            }
            texts += 1
            var matcher = Matcher(grammar, tree: tree)
            let tokens = tokenizer.encode(bytes: text, addSpecial: false, parseSpecial: false)
            for (step, token) in (tokens + tree.endTokens.prefix(1)).enumerated() {
                start = computed()
                let isOpen = try matcher.mask(into: &bits)
                let time = computed() - start
                times.append(time)
                if step == 0 { firsts.append(time) }
                if time > worst {
                    worst = time
                    slowest = "mask \(step) of \(String(decoding: text.prefix(200), as: UTF8.self)) under "
                    slowest += instance.name.prefix(300)
                }
                let isAllowed = isOpen && bits[Int(token) / 64] >> UInt64(token % 64) & 1 != 0
                if !isAllowed || step < tokens.count && !matcher.accept(token) {
                    isWrong = true
                    let shown = String(decoding: text, as: UTF8.self)
                    print("token \(step) of \(shown) is not allowed under \(instance.name)")
                    break
                }
            }
        }
    }
    together += times
    print(
        "\n\(source): \(compiles.count) schemas, \(refused) refused, \(texts) texts, \(invalid) not allowed as a whole")
    row("compile", compiles)
    row("masks", times)
    row("first masks", firsts)
    print("slowest: \(slowest)")
}
print("")
row("masks of all instances", together)
exit(isWrong ? 1 : 0)
