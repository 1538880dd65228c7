import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

/// Runs ids through a model with adapters in the given pieces; the logits of every token, row after row.
private func logits(
    _ model: Model, _ ids: [Int32], adapters: [AppliedAdapter], pieces: [Int]? = nil, threads: Int = 1,
    path: ComputePath = .exact
) throws -> [Float] {
    let pieces = pieces ?? [ids.count]
    let pass = try ForwardPass(
        model, team: ThreadTeam(threadCount: threads), batchCapacity: pieces.max() ?? 1,
        logitsCapacity: pieces.max() ?? 1, path: path)
    let stack = try pass.makeStack(adapters)
    let cache = try model.makeCache(capacity: 256, batchCapacity: pass.batchCapacity, precision: .f32)
    var result: [Float] = []
    var start = 0
    for piece in pieces {
        pass.run(ids[start..<start + piece], cache: cache, logits: 0..<piece, adapters: stack)
        for row in 0..<piece { result += pass.logits.copy(row: row) }
        start += piece
    }
    return result
}

private func load(_ adapter: SmallAdapter, _ model: Model) throws -> LoRAAdapter {
    try LoRAAdapter(GGUFFile(bytes: ByteView(adapter.encoded(for: model.file)), path: "adapter"), for: model)
}

private func merged(_ model: Model, _ adapters: [(SmallAdapter, Float)]) throws -> Model {
    try Model(GGUFFile(bytes: ByteView(SmallAdapter.merged(model.file, adapters)), path: "merged"))
}

private func small(_ type: GGMLType = .f32, experts: Int = 0, layers: Int = 2, width: Int = 32) throws -> Model {
    var small = SmallModel(type: type, experts: experts)
    small.layers = layers
    small.width = max(width, type.blockLength)
    small.heads = 4
    return try Model(GGUFFile(bytes: ByteView(small.encoded()), path: "small"))
}

/// Ids from a vocabulary, the same each time.
private func ids(_ model: Model, _ count: Int = 40) -> [Int32] {
    (0..<count).map { Int32($0 * 37 % model.vocabularySize) }
}

@Suite("LoRA adapters")
struct LoRATests {
    @Test(
        "An adapter gives what merging it into the weights in double precision gives",
        arguments: [GGMLType.f32, .f16, .bf16, .q8_0, .q4_0, .q4K], [0, 4])
    func mergedAgrees(type: GGMLType, experts: Int) throws {
        let model = try small(type, experts: experts)
        let ids = ids(model)
        let base = try logits(model, ids, adapters: [])
        for (factorType, rank, alpha) in [(.f32, 4, 8), (.f16, 3, 0), (.bf16, 1, 16), (.q8_0, 32, 64)]
            as [(GGMLType, Int, Float)]
        {
            let adapter = SmallAdapter(rank: rank, alpha: alpha, type: factorType)
            let mine = try logits(model, ids, adapters: [AppliedAdapter(load(adapter, model))])
            let wanted = try logits(merged(model, [(adapter, 1)]), ids, adapters: [])
            #expect(nmse(mine, wanted) < 1e-10, "\(type.name), \(factorType.name)")
            #expect(nmse(mine, base) > 1e-3, "the adapter does nothing")
        }
    }

    @Test("Several adapters add up, each at its scale, also below 0; one at 0 changes no bit")
    func several() throws {
        for experts in [0, 4] {
            let model = try small(experts: experts)
            let ids = ids(model)
            // One for everything, one for some, one of another rank that shares a matrix with both.
            let first = SmallAdapter()
            let second = SmallAdapter(rank: 7, alpha: 0, type: .f16, seed: 2) { $0.contains("attn") }
            let third = SmallAdapter(rank: 17, alpha: 5, seed: 3) {
                $0.hasSuffix("attn_k.weight") || $0.contains("down")
            }
            let scaled: [(SmallAdapter, Float)] = [(first, 0.5), (second, -1.5), (third, 2)]
            let loaded = try scaled.map { AppliedAdapter(try load($0.0, model), scale: $0.1) }
            let mine = try logits(model, ids, adapters: loaded)
            #expect(try nmse(mine, logits(merged(model, scaled), ids, adapters: [])) < 1e-10)

            let silent = AppliedAdapter(loaded[1].adapter, scale: 0)
            #expect(try logits(model, ids, adapters: loaded + [silent]) == mine)
            #expect(try logits(model, ids, adapters: [silent]) == logits(model, ids, adapters: []))
            // Forth and back: twice the same adapter at opposite scales, but for rounding.
            let other = AppliedAdapter(loaded[0].adapter, scale: -0.5)
            let none = try logits(model, ids, adapters: [])
            #expect(try nmse(logits(model, ids, adapters: [loaded[0], other]), none) < 1e-10)
        }
    }

    @Test(
        "Threads and pieces change no bit, on any path; the base has its bits again afterwards",
        arguments: ComputePath.allCases)
    func sameBits(path: ComputePath) throws {
        for (type, experts) in [(.f32, 0), (.q4_0, 0), (.q8_0, 4), (.q4K, 0)] as [(GGMLType, Int)] {
            let model = try small(type, experts: experts)
            let ids = ids(model, 90)
            let adapters = try [
                AppliedAdapter(load(SmallAdapter(rank: 31, alpha: 40), model)),
                AppliedAdapter(load(SmallAdapter(rank: 5, type: .f16, seed: 9), model), scale: -0.25),
            ]
            let mine = try logits(model, ids, adapters: adapters, path: path)
            for (pieces, threads) in [
                ([90], 3), (Array(repeating: 1, count: 90), 2), ([2, 3, 17, 64, 4], 2), ([33, 57], 4),
            ] {
                let other = try logits(model, ids, adapters: adapters, pieces: pieces, threads: threads, path: path)
                #expect(other == mine, "\(type.name), \(threads) threads, pieces \(pieces)")
            }
            // One pass that switches with each token.
            let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 2), batchCapacity: 8, path: path)
            let stack = try pass.makeStack(adapters)
            let plain = try model.makeCache(capacity: 32, batchCapacity: 8, precision: .f32)
            let changed = try model.makeCache(capacity: 32, batchCapacity: 8, precision: .f32)
            let base = try logits(model, ids, adapters: [], path: path)
            let width = model.vocabularySize
            for index in 0..<20 {
                pass.run(ids[index...index], cache: plain, logits: 0..<1)
                #expect(pass.logits.copy(row: 0) == Array(base[index * width..<(index + 1) * width]))
                pass.run(ids[index...index], cache: changed, logits: 0..<1, adapters: stack)
                #expect(pass.logits.copy(row: 0) == Array(mine[index * width..<(index + 1) * width]))
            }
        }
    }

    @Test("Logits are those of llama.cpp with the same adapters")
    func llamaCppAgrees() throws {
        struct Golden: Decodable {
            struct Run: Decodable {
                struct Use: Decodable {
                    let name: String
                    let scale: Float
                    init(from decoder: any Decoder) throws {
                        var values = try decoder.unkeyedContainer()
                        name = try values.decode(String.self)
                        scale = try values.decode(Float.self)
                    }
                }
                let adapters: [Use]
                let rows: [Int]
            }
            let ids: [Int32]
            let positions: [Int]
            let columns: Int
            let runs: [Run]
        }
        let folder = fixtures.appendingPathComponent("golden")
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: folder.appendingPathComponent("lora.json")))
        let rows = try SharedData.floats(at: folder.appendingPathComponent("lora.f32"))
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        #expect(golden.columns == model.vocabularySize && golden.runs.count == 4)
        let base = try logits(model, golden.ids, adapters: [])
        for run in golden.runs {
            let adapters = try run.adapters.map { use in
                let path = folder.appendingPathComponent(use.name + ".gguf").path
                return AppliedAdapter(try LoRAAdapter(GGUFFile(path: path), for: model), scale: use.scale)
            }
            let mine = try logits(model, golden.ids, adapters: adapters)
            for (position, row) in zip(golden.positions, run.rows) {
                let width = golden.columns
                let wanted = rows[row * width..<(row + 1) * width]
                let here = position * width..<(position + 1) * width
                #expect(nmse(mine[here], wanted) <= 1e-10)
                #expect(nmse(base[here], wanted) > 1e-3)
            }
        }
    }

    // MARK: Refusals

    private func refusal(_ model: Model, _ edit: (inout GGUFWriter) throws -> Void) throws -> ModelError? {
        let made = try GGUFFile(bytes: ByteView(SmallAdapter().encoded(for: model.file)), path: "adapter")
        var writer = GGUFWriter()
        for entry in made.metadata.entries { writer.set(entry.key, entry.value) }
        try edit(&writer)
        if try GGUFFile(bytes: ByteView(writer.encoded()), path: "adapter").tensors.isEmpty {
            for tensor in made.tensors { try writer.add(tensor) }
        }
        let file = try GGUFFile(bytes: ByteView(writer.encoded()), path: "adapter")
        do throws(ModelError) {
            _ = try LoRAAdapter(file, for: model)
            return nil
        } catch {
            return error
        }
    }

    @Test("Files that are no adapters of this model are refused by key")
    func keys() throws {
        let model = try small()
        for (key, value, code) in [
            ("general.type", .string("model"), .invalidMetadata),
            ("adapter.type", .string("loha"), .invalidMetadata),
            ("adapter.lora.alpha", .float32(.nan), .invalidMetadata),
            ("adapter.lora.alpha", .float32(.infinity), .invalidMetadata),
            ("adapter.lora.alpha", .string("8"), .invalidMetadata),
            ("general.architecture", .string("qwen2"), .adapterMismatch),
            ("adapter.alora.invocation_tokens", .array(GGUFArray([1, 2] as [Int32])), .adapterMismatch),
        ] as [(String, GGUFValue, ModelError.Code)] {
            let error = try #require(try refusal(model) { $0.set(key, value) }, "\(key)")
            #expect(error.code == code && error.key == key, "\(error)")
        }
        #expect(try refusal(model) { _ in } == nil)
        do {
            _ = try LoRAAdapter(model.file, for: model)
            Issue.record("a model was taken for an adapter")
        } catch {
            #expect(error.code == .missingMetadata && error.key == "general.type")
        }
    }

    @Test("Tensors that do not fit are refused by name")
    func tensors() throws {
        let model = try small(experts: 4)
        let target = "blk.0.attn_k.weight"
        // Inputs 32, outputs 16.
        for (name, a, b, code) in [
            (target, [31, 4], [4, 16], .tensorShapeMismatch), (target, [32, 4], [4, 15], .tensorShapeMismatch),
            (target, [32, 4], [5, 16], .tensorShapeMismatch), (target, [4, 32], [16, 4], .tensorShapeMismatch),
            (target, [32, 4, 2], [4, 16, 2], .tensorShapeMismatch),
            (target, [32, 33], [33, 16], .tensorShapeMismatch),
            ("token_embd.weight", [32, 4], [4, model.vocabularySize], .tensorShapeMismatch),
            ("blk.0.ffn_up_exps.weight", [32, 4], [4, 32], .tensorShapeMismatch),
            ("blk.0.ffn_up_exps.weight", [32, 4, 3], [4, 32, 3], .tensorShapeMismatch),
            ("blk.2.attn_k.weight", [32, 4], [4, 16], .adapterMismatch),
            ("blk.0.attn_norm.weight", [32, 4], [4, 1], .adapterMismatch),
            ("output.weight", [32, 4], [4, model.vocabularySize], .adapterMismatch),
        ] as [(String, [Int], [Int], ModelError.Code)] {
            let error = try #require(
                try refusal(model) { writer in
                    for (suffix, dimensions) in [(".lora_a", a), (".lora_b", b)] {
                        let count = dimensions.reduce(1, *)
                        try writer.add(
                            name: name + suffix, type: .f32, dimensions: dimensions,
                            bytes: Array(repeating: 0, count: 4 * count))
                    }
                }, "\(name) \(a) \(b)")
            #expect(error.code == code && error.tensor?.hasPrefix(name) == true, "\(a) \(b): \(error)")
        }
        for (name, missing, code) in [
            (target + ".lora_a", target + ".lora_b", .missingTensor),
            (target + ".lora_b", target + ".lora_a", .missingTensor),
            (target, target, .adapterMismatch), ("blk.0.attn_norm.weight", "blk.0.attn_norm.weight", .adapterMismatch),
        ] as [(String, String, ModelError.Code)] {
            let error = try #require(
                try refusal(model) {
                    try $0.add(name: name, type: .f32, dimensions: [32, 1], bytes: Array(repeating: 0, count: 128))
                })
            #expect(error.code == code && error.tensor == missing, "\(error)")
        }
        let integers = try #require(
            try refusal(model) { writer in
                try writer.add(
                    name: target + ".lora_a", type: .i8, dimensions: [32, 1], bytes: Array(repeating: 0, count: 32))
                try writer.add(
                    name: target + ".lora_b", type: .f32, dimensions: [1, 16], bytes: Array(repeating: 0, count: 64))
            })
        #expect(integers.code == .unsupportedTensorType && integers.tensor == target + ".lora_a")
    }

    @Test("No tensors, a rank of 0, a tensor twice, another model's adapter, a scale that is no number")
    func others() throws {
        let model = try small()
        var writer = GGUFWriter()
        for (key, value) in [("general.architecture", "llama"), ("general.type", "adapter"), ("adapter.type", "lora")] {
            writer.set(key, .string(value))
        }
        do {
            _ = try LoRAAdapter(GGUFFile(bytes: ByteView(writer.encoded()), path: "empty"), for: model)
            Issue.record("an empty adapter was accepted")
        } catch let error as ModelError {
            #expect(error.code == .adapterMismatch)
        }
        // The reader's own: dimensions of 0, and names that come twice, are refused before any adapter is seen.
        let name = "blk.0.attn_q.weight.lora_a"
        let whole = try SmallAdapter().encoded(for: model.file)
        var twice = whole
        let other = Array("blk.1.attn_q.weight.lora_a".utf8)
        let place = try #require(whole.indices.first { whole[$0...].starts(with: other) })
        twice.replaceSubrange(place..<place + other.count, with: Array(name.utf8))
        var hollow = whole
        let first = try #require(whole.indices.first { whole[$0...].starts(with: Array(name.utf8)) })
        // After the name: the number of dimensions in 4 bytes, the inputs and the rank in 8 each.
        hollow.replaceSubrange(
            first + name.utf8.count + 12..<first + name.utf8.count + 20, with: Array(repeating: 0, count: 8))
        for bytes in [twice, hollow] {
            #expect(throws: GGUFError.self) { try GGUFFile(bytes: ByteView(bytes), path: "damaged") }
        }

        let adapter = try load(SmallAdapter(), model)
        let same = try small()
        let pass = try ForwardPass(same, team: ThreadTeam(threadCount: 1), batchCapacity: 1)
        for applied in [AppliedAdapter(adapter), AppliedAdapter(try load(SmallAdapter(), same), scale: .nan)] {
            do {
                _ = try pass.makeStack([applied])
                Issue.record("was accepted")
            } catch {
                #expect(error.code == .adapterMismatch)
            }
        }
    }

    @Test("Damaged adapters end in a typed error or in numbers", arguments: UInt64(1)...4)
    func damaged(seed: UInt64) throws {
        let model = try small(experts: 2, layers: 1, width: 8)
        let whole = try SmallAdapter(rank: 2, type: .f16).encoded(for: model.file)
        let header = try #require(GGUFFile(bytes: ByteView(whole), path: "whole").tensors.first).fileOffset
        var random = SplitMix(seed: seed)
        var ran = 0
        let pass = try ForwardPass(model, team: ThreadTeam(threadCount: 1), batchCapacity: 4)
        let cache = try model.makeCache(capacity: 4, precision: .f16)
        for _ in 0..<400 {
            var bytes = whole
            for _ in 0...Int(random.next() % 3) {
                let limit = random.next() % 8 == 0 ? whole.count : header
                bytes[Int(random.next() % UInt64(limit))] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let file = try? GGUFFile(bytes: ByteView(bytes), path: "damaged"),
                let adapter = try? LoRAAdapter(file, for: model)
            else { continue }
            let stack = try pass.makeStack([AppliedAdapter(adapter)])
            cache.removeAll()
            pass.run([1, 2, 3, 1], cache: cache, logits: 3..<4, adapters: stack)
            ran += 1
        }
        #expect(ran > 10)
    }
}

@Suite("LoRA adapters of every family", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct LoRAFamilyTests {
    @Test("An adapter gives what merging it gives", arguments: GoldenModel.all.filter { $0.type == "F32" })
    func families(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        // Small enough that a model of experts chooses the same ones with weights that differ in the last bit.
        var adapter = SmallAdapter(rank: 3, alpha: 2)
        adapter.size = 0.02
        let applied = try AppliedAdapter(load(adapter, model), scale: 1.5)
        let ids = golden.prompt_ids
        let mine = try logits(model, ids, adapters: [applied])
        let wanted = try logits(merged(model, [(adapter, 1.5)]), ids, adapters: [])
        #expect(nmse(mine, wanted) < 1e-9)
        #expect(try nmse(logits(model, ids, adapters: []), wanted) > 1e-5)
        #expect(try logits(model, ids, adapters: [applied], pieces: [7, 1, 32], threads: 3) == mine)
    }

    @Test("So it does for encoders", arguments: GoldenModel.encoders)
    func encoders(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let adapter = SmallAdapter(rank: 3, alpha: 2)
        let texts = [golden.prompt_ids, Array(golden.prompt_ids.prefix(3))]
        let other = try merged(model, [(adapter, 1)])
        let team = try ThreadTeam(threadCount: 2)
        for path in ComputePath.allCases {
            let encoder = try Encoder(model, team: team, pooling: .mean, path: path)
            let base = try encoder.embed(texts, normalized: false)
            try encoder.apply([AppliedAdapter(load(adapter, model))])
            let mine = try encoder.embed(texts, normalized: false)
            let wanted = try Encoder(other, team: team, pooling: .mean, path: path).embed(texts, normalized: false)
            for index in texts.indices {
                #expect(nmse(mine[index], wanted[index]) < 1e-9)
                #expect(nmse(base[index], wanted[index]) > 1e-4)
            }
            try encoder.apply([])
            #expect(try encoder.embed(texts, normalized: false) == base)
        }
    }
}
