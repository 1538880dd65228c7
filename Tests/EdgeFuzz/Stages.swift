import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeSampling
import EdgeTokenizer

/// Something to do with a file that parsed, such as loading the model and running a token.
///
/// It may throw: an error is a refusal and counts as a good answer. It may not crash, hang or take much memory.
/// The number it returns only keeps the work from being dropped.
struct Stage: Sendable {
    let name: String
    let run: @Sendable (GGUFFile) throws -> Int
}

/// What happens to each file after the reader accepted it, in order, until one refuses.
let stages: [Stage] = [
    Stage(name: "touch") { file in try touch(file) },
    Stage(name: "tokenize") { file in try tokenize(file) },
    Stage(name: "generate") { file in try generate(file) },
]

/// Reads all a file promises: every value, every array in every way, every byte of every tensor, and writes it again.
func touch(_ file: GGUFFile) throws -> Int {
    var sum = 0
    for entry in file.metadata.entries {
        sum &+= entry.key.utf8.count &+ entry.fileOffset
        sum &+= (entry.value.int ?? 0) &+ (entry.value.text?.utf8.count ?? 0) &+ (entry.value.bool == true ? 1 : 0)
        if let array = entry.value.array { sum &+= touch(array) }
        _ = try? file.metadata.ints(entry.key)
        _ = try? file.metadata.packedStrings(entry.key)
    }
    var covered = 0
    for tensor in file.tensors {
        let bytes = tensor.bytes
        for index in 0..<bytes.count { sum &+= Int(bytes[index]) }
        covered += bytes.count
        guard file.tensor(named: tensor.name)?.fileOffset == tensor.fileOffset,
            tensor.type.byteCount(valueCount: tensor.valueCount) == bytes.count
        else { throw Contradiction("tensor \(tensor.name) is not what the directory says") }
    }
    guard covered <= file.byteCount else { throw Contradiction("tensors have more bytes than the file") }

    // What was accepted can be written, and the result means the same.
    let copy = try GGUFFile(bytes: ByteView(GGUFWriter(copying: file, layout: file.layout).encoded()), path: "copy")
    guard copy.metadata.count == file.metadata.count, copy.tensors.count == file.tensors.count,
        zip(copy.tensors, file.tensors).allSatisfy({ $0.storedBytes.hasSameBytes(as: $1.storedBytes) }),
        zip(copy.metadata.entries, file.metadata.entries).allSatisfy({ $0.value == $1.value })
    else { throw Contradiction("a written copy differs") }
    return sum
}

private func touch(_ array: GGUFArray) -> Int {
    var sum = array.count
    sum &+= array.ints()?.reduce(0, &+) ?? 0
    sum &+= array.int32s()?.count ?? 0
    sum &+= array.floats()?.count ?? 0
    sum &+= array.doubles()?.count ?? 0
    sum &+= array.bools()?.count ?? 0
    sum &+= array.strings()?.reduce(0) { $0 &+ $1.utf8.count } ?? 0
    if let packed = try? array.packedStrings() { sum &+= packed.bytes.count }
    for inner in array.arrays() ?? [] { sum &+= touch(inner) }
    return sum
}

/// Loads the vocabulary, which a file need not have, and sends texts through it and back.
func tokenize(_ file: GGUFFile) throws -> Int {
    guard file["tokenizer.ggml.model"] != nil else { return 0 }
    let tokenizer = try Tokenizer(file)
    var sum = 0
    for text in ["", "a cab to ken12", "  Zündkerze\n\n0x0A <s>", "\u{1F697}\u{301}\u{0}"] {
        for parseSpecial in [false, true] {
            let ids = tokenizer.encode(text, addSpecial: true, parseSpecial: parseSpecial)
            guard ids.count <= 4 * text.utf8.count + 8, ids.allSatisfy({ $0 >= 0 && $0 < tokenizer.count }) else {
                throw Contradiction("\(text.debugDescription) became the ids \(ids)")
            }
            var decoder = StreamingDecoder(tokenizer)
            let streamed = ids.map { decoder.append($0) }.joined() + decoder.finish()
            guard streamed == tokenizer.decode(ids) else {
                throw Contradiction("\(ids) streamed is \(streamed.debugDescription)")
            }
            sum &+= streamed.utf8.count
        }
    }
    return sum
}

private let team = try? ThreadTeam(threadCount: 1)

/// Loads the model, runs a short prompt in two pieces and chooses a token; an encoder embeds short texts.
func generate(_ file: GGUFFile) throws -> Int {
    let model = try Model(file)
    let tokenizer = try model.makeTokenizer()
    guard let team else { throw Contradiction("no thread") }
    let last = Int32(clamping: min(tokenizer.count, model.vocabularySize) - 1)
    guard model.generates else {
        return try Encoder(model, team: team, tokenCapacity: 3).embed([[0, last], [last], [0]]).count
    }
    let pass = try ForwardPass(model, team: team, batchCapacity: 3)
    let cache = try model.makeCache(capacity: 8, precision: .f16)
    pass.run([0, last, 0], cache: cache, logits: 2..<3)
    pass.run([last], cache: cache, logits: 0..<1)
    var sampler = try Sampler(SamplingParameters(), vocabularySize: model.vocabularySize)
    var outcome: Result<Int32, any Error> = .success(0)
    pass.logits.withSpan(row: 0) { logits in
        do { outcome = .success(try sampler.sample(logits)) } catch { outcome = .failure(error) }
    }
    let id = try outcome.get()
    guard id >= 0, id < model.vocabularySize else { throw Contradiction("token \(id) was chosen") }
    return Int(id)
}

/// An answer of the code under test that cannot be right: ends the run as a crash does.
struct Contradiction: Error {
    let message: String
    init(_ message: String) { self.message = message }
}
