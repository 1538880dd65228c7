import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@Suite("Layers with a window", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct WindowTests {
    private static let windowed = GoldenModel.all.filter {
        ["gemma2", "gemma3-default-pattern", "gemma3-pattern3-linear8", "olmo3-swa-yarn"].contains($0.name)
    }

    @Test(
        "Layers with a window hold it and a batch, give the bits of a full cache, and refuse to go back too far",
        arguments: windowed)
    func rings(golden: GoldenModel) throws {
        let model = try Model(GGUFFile(path: SharedData.url("golden/" + golden.file).path))
        let ids = (golden.prompt_ids + (golden.greedy_ids ?? [])).map { $0 } + golden.prompt_ids + golden.prompt_ids
        let pass = try ForwardPass(
            model, team: ThreadTeam(threadCount: 2), batchCapacity: ids.count, logitsCapacity: ids.count)
        for precision in CachePrecision.allCases {
            let full = try model.makeCache(capacity: 256, precision: precision)
            let rings = try model.makeCache(capacity: 256, batchCapacity: 20, precision: precision)
            // What a token sees before a batch of 20, and the batch, lie in two blocks of 32 wherever they begin.
            for (layer, shape) in zip(rings.layers, model.hyperparameters.layers) where shape.window > 0 {
                #expect(layer.blockCount == 2)
            }
            #expect(rings.byteCount < full.byteCount)
            pass.run(ids[...], cache: full, logits: 0..<ids.count)
            let whole = (0..<ids.count).map { pass.logits.copy(row: $0) }
            for piece in [[20], [1], [7, 20, 13, 1, 1, 5]] {
                rings.removeAll()
                var start = 0
                var turn = 0
                while start < ids.count {
                    let count = min(piece[turn % piece.count], ids.count - start)
                    pass.run(ids[start..<start + count], cache: rings, logits: 0..<count)
                    for row in 0..<count { #expect(pass.logits.copy(row: row) == whole[start + row]) }
                    // A step back and forth that the windows still allow.
                    if turn % 5 == 4, rings.canTruncate(to: start + 1) {
                        try rings.truncate(to: start + 1)
                        start += 1
                    } else {
                        start += count
                    }
                    turn += 1
                }
            }
            let firstHeld = (ids.count - 1) / 32 * 32 - 32
            #expect(rings.firstHeld == firstHeld)
            do {
                try rings.truncate(to: 60)
                Issue.record("went back to positions that are gone")
            } catch {
                #expect(error == .dropped(requested: 60, firstHeld: firstHeld))
            }
            #expect(rings.count == ids.count)
        }
    }

    @Test("An unknown architecture and a missing key are errors that name them")
    func refusals() throws {
        let file = try GGUFFile(path: SharedData.url("golden/models/gemma2.gguf").path)
        func changed(_ edit: (inout GGUFWriter) -> Void) throws -> GGUFFile {
            var writer = try GGUFWriter(copying: file, layout: .current)
            edit(&writer)
            return try GGUFFile(bytes: ByteView(writer.encoded()), path: "changed")
        }
        do {
            _ = try Model(changed { $0.set("general.architecture", .string("gemma9")) })
            Issue.record("an unknown architecture was accepted")
        } catch let error as ModelError {
            #expect(error.code == .unsupportedArchitecture)
            for architecture in Architecture.all { #expect(error.message.contains(architecture.name)) }
        }
        do {
            // The keys are now those of another family.
            _ = try Model(changed { $0.set("general.architecture", .string("starcoder2")) })
            Issue.record("missing keys were accepted")
        } catch let error as ModelError {
            #expect(error.code == .missingMetadata)
            #expect(error.key?.hasPrefix("starcoder2.") == true)
        }
    }
}
