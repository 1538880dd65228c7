import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation

// Prints a hash of the logits of a small model of every tensor type, and fails where threads, the cut of the prompt or the way to
// the same context change a bit; with `--hashes` prints the hashes alone, with `--part 1/2` of every
// other model. `Tests/EdgeBits/check` compares the lines of different instruction sets.

/// FNV-1a over the bits of all logits.
func hash(_ logits: [Float]) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for logit in logits {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            hash ^= UInt64(logit.bitPattern >> shift & 0xFF)
            hash &*= 0x100_0000_01B3
        }
    }
    return hash
}

/// The logits of all tokens, the prompt run in the given pieces.
func logits(
    _ model: Model, _ ids: [Int32], pieces: [Int], threads: Int, precision: CachePrecision, adapters: [AppliedAdapter]
) throws -> [Float] {
    let pass = try ForwardPass(
        model, team: ThreadTeam(threadCount: threads), batchCapacity: ids.count, logitsCapacity: ids.count)
    let stack = try pass.makeStack(adapters)
    let cache = try model.makeCache(capacity: ids.count + 8, precision: precision)
    var result: [Float] = []
    var start = 0
    for piece in pieces {
        // Something else first, taken back: it must leave no trace.
        pass.run(ids[0..<min(5, ids.count)], cache: cache, logits: 0..<0, adapters: stack)
        try cache.truncate(to: start)
        pass.run(ids[start..<start + piece], cache: cache, logits: 0..<piece, adapters: stack)
        for row in 0..<piece { result += pass.logits.copy(row: row) }
        start += piece
    }
    return result
}

func check(_ model: SmallModel, name: String, adapters: [SmallAdapter] = []) throws -> Bool {
    let loaded = try Model(GGUFFile(bytes: ByteView(model.encoded()), path: name))
    let applied = try adapters.map { adapter in
        let file = try GGUFFile(bytes: ByteView(adapter.encoded(for: loaded.file)), path: "adapter")
        return AppliedAdapter(try LoRAAdapter(file, for: loaded), scale: 0.75)
    }
    let count = 75
    let ids = (0..<count).map { Int32($0 * 7 % loaded.vocabularySize) }
    var same = true
    for precision in CachePrecision.allCases {
        let whole = try logits(loaded, ids, pieces: [count], threads: 1, precision: precision, adapters: applied)
        guard whole.allSatisfy(\.isFinite) else {
            print("\(name) \(precision): logits are not finite")
            return false
        }
        print("\(name) \(precision) \(String(hash(whole), radix: 16))")
        if CommandLine.arguments.contains("--hashes") { continue }
        for (pieces, threads) in [
            ([count], 2), ([count], 3), (Array(repeating: 1, count: count), 1), (Array(repeating: 1, count: count), 2),
            ([2, 3, 4, 16, 17, 33], 2), ([64, 11], 3),
        ] {
            let other = try logits(
                loaded, ids, pieces: pieces, threads: threads, precision: precision, adapters: applied)
            guard other.map(\.bitPattern) == whole.map(\.bitPattern) else {
                print("\(name) \(precision): other bits with \(threads) threads and pieces \(pieces)")
                same = false
                continue
            }
        }
    }
    return same
}

/// What is checked: a model of each type, experts, heads of an odd size, and adapters.
func candidates() -> [(name: String, model: SmallModel, adapters: [SmallAdapter])] {
    var all: [(name: String, model: SmallModel, adapters: [SmallAdapter])] = []
    for type in SmallModel.weightTypes {
        var model = SmallModel(type: type)
        model.layers = 2
        model.width = 256
        model.heads = 4
        all.append((type.name, model, []))
    }
    var experts = SmallModel(type: .q4K, experts: 4)
    experts.layers = 2
    all.append(("Q4_K experts", experts, []))
    var narrow = SmallModel(type: .f16)
    narrow.width = 72
    narrow.heads = 6
    all.append(("F16 heads of 12", narrow, []))
    let adapters = [
        SmallAdapter(rank: 32, type: .q8_0), SmallAdapter(rank: 5, type: .f16, seed: 2), SmallAdapter(rank: 3, seed: 3),
    ]
    all.append(("Q4_K experts with adapters", experts, adapters))
    return all
}

/// Of `--part I/N`: I and N, so that N processes do the work of one.
func part() -> (number: Int, count: Int)? {
    guard let index = CommandLine.arguments.firstIndex(of: "--part") else { return (1, 1) }
    let numbers = CommandLine.arguments.dropFirst(index + 1).first?.split(separator: "/").compactMap { Int($0) } ?? []
    guard numbers.count == 2, numbers[0] >= 1, numbers[0] <= numbers[1] else { return nil }
    return (numbers[0], numbers[1])
}

do {
    guard let part = part() else {
        print("--part needs two numbers, such as 1/2")
        exit(64)
    }
    FileHandle.standardError.write(Data("instruction set: \(Kernels.chosen.name)\n".utf8))
    var same = true
    for (index, candidate) in candidates().enumerated() where index % part.count == part.number - 1 {
        if try !check(candidate.model, name: candidate.name, adapters: candidate.adapters) { same = false }
    }
    exit(same ? 0 : 1)
} catch {
    print("FAILED: \(error)")
    exit(1)
}
