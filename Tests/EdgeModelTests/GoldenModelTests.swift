import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

/// What `golden/MANIFEST.json` says of one recorded model.
struct GoldenModel: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let file: String
    let arch: String
    let type: String
    let prompt_ids: [Int32]
    let greedy_ids: [Int32]?
    let greedy_margins: [Double]?
    let recommended_nmse: [String: Double]
    let n_ctx: Int
    let observed: Observed?

    /// Of what the recording tried besides.
    struct Observed: Decodable, Sendable {
        let remove_last_then_continue: Removal?
    }
    struct Removal: Decodable, Sendable {
        let removed: Int
        let continuation_ids: [Int32]
    }

    var testDescription: String { name }

    private struct Manifest: Decodable { let models: [Entry] }
    private struct Entry: Decodable {
        let model: GoldenModel?
        init(from decoder: any Decoder) throws { model = try? GoldenModel(from: decoder) }
    }

    private static let everything: [GoldenModel] = {
        guard let url = try? SharedData.url("golden/MANIFEST.json"), let data = try? Data(contentsOf: url),
            let manifest = try? JSONDecoder().decode(Manifest.self, from: data)
        else { return [] }
        return manifest.models.compactMap(\.model)
    }()

    /// The models that generate; all of them can be run.
    static let all = everything.filter { $0.greedy_ids != nil }
    /// Those that only embed.
    static let encoders = everything.filter { $0.greedy_ids == nil }
}

/// Runs ids through a model in the given pieces; the logits of every token, row after row.
///
/// The context has room for what the recordings had: some models turn their heads by it.
func logits(
    _ model: Model, _ ids: [Int32], pieces: [Int], threads: Int = 1, context: Int = 256,
    precision: CachePrecision = .f32, path: ComputePath = .exact
) throws -> [Float] {
    let pass = try ForwardPass(
        model, team: ThreadTeam(threadCount: threads), batchCapacity: pieces.max() ?? 1,
        logitsCapacity: pieces.max() ?? 1, path: path)
    let cache = try model.makeCache(capacity: context, batchCapacity: pass.batchCapacity, precision: precision)
    var result: [Float] = []
    var start = 0
    for piece in pieces {
        pass.run(ids[start..<start + piece], cache: cache, logits: 0..<piece)
        for row in 0..<piece { result += pass.logits.copy(row: row) }
        start += piece
    }
    #expect(start == ids.count)
    return result
}

@Suite("Recorded models", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct GoldenModelTests {
    @Test("Logits are within the recorded tolerance, and split prefill gives the same bits", arguments: GoldenModel.all)
    func logitsAgree(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let greedy = try #require(golden.greedy_ids)
        let ids = golden.prompt_ids + greedy
        let mine = try logits(model, ids, pieces: [ids.count])

        let recorded = try SharedData.floats("golden/logits/\(golden.name).kvf32.f32")
        let limits = golden.recommended_nmse
        let limit = try #require(limits["golden"] ?? limits["golden_f32_math"])
        #expect(nmse(mine[..<recorded.count], recorded) <= limit)
        if let exact = try? SharedData.floats("golden/logits/\(golden.name).exact.f32") {
            let limit = try #require(limits["exact_f32_activations"] ?? limits["exact_f32_math"])
            #expect(nmse(mine[..<exact.count], exact) <= limit)
        }

        for pieces in [[40] + Array(repeating: 1, count: 24), [1, 16, 17, 30], [33, 31]] {
            #expect(try logits(model, ids, pieces: pieces, threads: 3) == mine, "pieces \(pieces)")
        }
        let halves = try logits(model, ids, pieces: [ids.count], precision: .f16)
        #expect(nmse(halves, mine) <= limits["golden_f16_kv"] ?? 2e-5)
    }

    @Test(
        "With int8 activations logits are as close as recorded, and threads and pieces change no bit",
        arguments: GoldenModel.all)
    func int8Agrees(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let ids = golden.prompt_ids + (try #require(golden.greedy_ids))
        let mine = try logits(model, ids, pieces: [ids.count], path: .int8)
        let recorded = try SharedData.floats("golden/logits/\(golden.name).kvf32.f32")
        let limits = golden.recommended_nmse
        // The limit for engines that quantize activations, as the recorded one did; none where weights are floats.
        if let limit = limits["exact_int8_activations"] {
            let exact = try SharedData.floats("golden/logits/\(golden.name).exact.f32")
            let error = nmse(mine[..<exact.count], exact)
            #expect(error <= limit)
            // The recorded engine's own error, but for the chance in which way its scales and ours are rounded.
            #expect(error <= 1.1 * nmse(recorded[..<exact.count], exact))
            // The second term's scale is 254 times finer, its error 254 squared times smaller; some is left to f32.
            let fine = try logits(model, ids, pieces: [ids.count], path: .int16)
            #expect(nmse(fine[..<exact.count], exact) <= limit / 10_000)
        } else {
            let limit = try #require(limits["golden"] ?? limits["golden_f32_math"])
            #expect(nmse(mine[..<recorded.count], recorded) <= limit)
        }
        for pieces in [[40] + Array(repeating: 1, count: 24), [1, 2, 3, 17, 41], [33, 31]] {
            #expect(try logits(model, ids, pieces: pieces, threads: 3, path: .int8) == mine, "pieces \(pieces)")
        }
    }

    @Test("Greedy ids agree where the recorded margin decides", arguments: GoldenModel.all)
    func greedyAgrees(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let greedy = try #require(golden.greedy_ids)
        let margins = try #require(golden.greedy_margins)
        let ids = golden.prompt_ids + greedy
        let all = try logits(model, ids, pieces: [ids.count])
        // The margins that the manifest's rules give: float types must reproduce every id.
        let needed = ["F32", "F16", "BF16"].contains(golden.type) ? 0 : golden.name.contains("moe") ? 1.5 : 0.6
        let vocabulary = model.vocabularySize
        for (step, id) in greedy.enumerated() where margins[step] > needed {
            let row = golden.prompt_ids.count - 1 + step
            let values = all[row * vocabulary..<(row + 1) * vocabulary]
            let best = values.indices.max { values[$0] < values[$1] }.map { $0 - values.startIndex }
            #expect(best == Int(id), "step \(step)")
        }
    }

    @Test("Removing tokens and going on equals never having had them", arguments: GoldenModel.all)
    func removalAgrees(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let ids = golden.prompt_ids
        let removal = try #require(golden.observed?.remove_last_then_continue)
        for path in ComputePath.allCases {
            let pass = try ForwardPass(
                model, team: ThreadTeam(threadCount: 2), batchCapacity: 64, logitsCapacity: 8, path: path)
            // Once with room for every position, once with rings for the layers with a window.
            for batch in [nil, 64] {
                let cache = try model.makeCache(capacity: golden.n_ctx, batchCapacity: batch, precision: .f32)
                pass.run(ids[...], cache: cache, logits: 0..<0)
                try cache.truncate(to: ids.count - removal.removed)
                pass.run(removal.continuation_ids[...], cache: cache, logits: 0..<8)
                let resumed = (0..<8).flatMap { pass.logits.copy(row: $0) }
                let all = ids.dropLast(removal.removed) + removal.continuation_ids
                let fresh = try logits(model, Array(all), pieces: [all.count], path: path)
                #expect(resumed == Array(fresh.suffix(resumed.count)))
                if path == .exact, let recorded = try? SharedData.floats("golden/logits/\(golden.name).rm.f32") {
                    let limits = golden.recommended_nmse
                    #expect(nmse(resumed, recorded) <= limits["golden"] ?? limits["golden_f32_math"] ?? 0)
                }
            }
        }
    }
}

@Suite("The fixture model")
struct FixtureModelTests {
    @Test("Threads and pieces change no bit, and a half-precision cache little")
    func sameBits() throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("one-layer.gguf").path))
        let ids = (0..<70).map { Int32($0 * 37 % 64) }
        let whole = try logits(model, ids, pieces: [70])
        #expect(whole.count == 70 * 64)
        let areFinite = whole.allSatisfy { $0.isFinite }
        #expect(areFinite)
        for (pieces, threads) in [([1, 32, 37], 1), (Array(repeating: 1, count: 70), 2), ([33, 33, 4], 4)] {
            #expect(try logits(model, ids, pieces: pieces, threads: threads) == whole)
        }
        // Keys and values rounded to 11 bits: relative errors of 2^-12, some 6e-8 squared.
        let halves = try logits(model, ids, pieces: [70], precision: .f16)
        #expect(nmse(halves, whole) < 1e-6)
    }

    @Test("An unknown architecture lists those there are, and each key that is needed is named when it is missing")
    func names() throws {
        let file = try GGUFFile(path: fixtures.appendingPathComponent("one-layer.gguf").path)
        func error(without key: String? = nil, architecture: String = "llama") throws -> ModelError? {
            var writer = GGUFWriter()
            for entry in file.metadata.entries where entry.key != key { writer.set(entry.key, entry.value) }
            if key != "general.architecture" { writer.set("general.architecture", .string(architecture)) }
            for tensor in file.tensors { try writer.add(tensor) }
            let changed = try GGUFFile(bytes: ByteView(writer.encoded()), path: "changed")
            do throws(ModelError) {
                _ = try Model(changed)
                return nil
            } catch { return error }
        }
        for name in ["mamba", "", "llama\n\u{0}"] {
            let unknown = try #require(try error(architecture: name))
            #expect(unknown.code == .unsupportedArchitecture && unknown.key == "general.architecture")
            for architecture in Architecture.all { #expect(unknown.message.contains(architecture.name)) }
        }
        for key in [
            "general.architecture", "llama.context_length", "llama.embedding_length", "llama.block_count",
            "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
        ] {
            let missing = try #require(try error(without: key), "\(key)")
            #expect(missing.code == .missingMetadata && missing.key == key && missing.description.contains(key))
        }
        #expect(try error() == nil)
        // The keys of one architecture are not those of another.
        #expect(try error(architecture: "qwen2")?.key?.hasPrefix("qwen2.") == true)
    }

    @Test("A shape that the metadata does not ask for is refused by name")
    func refusals() throws {
        let file = try GGUFFile(path: fixtures.appendingPathComponent("one-layer.gguf").path)
        var writer = try GGUFWriter(copying: file, layout: .current)
        writer.set("llama.feed_forward_length", .uint32(63))
        let changed = try GGUFFile(bytes: ByteView(writer.encoded()), path: "changed")
        do {
            _ = try Model(changed)
            Issue.record("a wrong width was accepted")
        } catch {
            #expect(error.code == .tensorShapeMismatch)
            #expect(error.tensor == "blk.0.ffn_gate.weight")
        }
    }
}
