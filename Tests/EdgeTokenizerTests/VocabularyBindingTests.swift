import EdgeGGUF
import EdgeModel
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTokenizer

/// `tokenizer.ggml.*` of a file, right and wrong.
@Suite("Vocabulary in a file")
struct VocabularyBindingTests {
    private static func read(_ change: (inout GGUFWriter) -> Void) throws -> Vocabulary {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("llama"))
        writer.set("tokenizer.ggml.model", .string("llama"))
        writer.set("tokenizer.ggml.tokens", .array(GGUFArray(["<unk>", "<s>", "</s>", "a", "\u{2581}a"])))
        change(&writer)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf").path
        try writer.write(to: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try Vocabulary(GGUFFile(path: path))
    }

    @Test("What a file leaves out stays open, what it says is read")
    func values() throws {
        let bare = try Self.read { _ in }
        #expect(
            bare.scores == nil && bare.types == nil && bare.merges == nil && bare.bosId == nil && bare.addBos == nil)
        #expect(try Tokenizer(bare).encode("a", addSpecial: true, parseSpecial: false) == [1, 4])
        let full = try Self.read {
            $0.set("tokenizer.ggml.scores", .array(GGUFArray([0, 0, 0, -1, -2] as [Int32])))
            $0.set("tokenizer.ggml.token_type", .array(GGUFArray([2, 3, 3, 1, .max] as [Int64])))
            $0.set("tokenizer.ggml.bos_token_id", .uint32(.max))
            $0.set("tokenizer.ggml.prefix_token_id", .uint32(3))
            $0.set("tokenizer.ggml.add_bos_token", .bool(false))
            $0.set("tokenizer.ggml.precompiled_charsmap", .array(GGUFArray([-1, 2] as [Int8])))
        }
        #expect(full.scores == [0, 0, 0, -1, -2] && full.types == [2, 3, 3, 1, .max])
        #expect(full.bosId == Int(UInt32.max) && full.fimPreId == 3 && full.addBos == false)
        #expect(full.precompiledCharsmap == [255, 2])
        #expect(try Tokenizer(full).encode("a", addSpecial: true, parseSpecial: false) == [4])
    }

    @Test(
        "A key of the wrong type is an error",
        arguments: [
            "model", "tokens", "scores", "token_type", "merges", "bos_token_id", "add_bos_token",
            "precompiled_charsmap",
            "pre",
        ])
    func wrongType(_ key: String) {
        for value in [GGUFValue.float32(1), .array(GGUFArray([GGUFArray(["a"])]))] {
            #expect(throws: GGUFError.self) { try Self.read { $0.set("tokenizer.ggml." + key, value) } }
        }
    }
}
