import EdgeTestSupport
import Foundation
import Testing

@Suite("The command convert", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct ConvertCommandTests {
    private let models = fixtures.appendingPathComponent("convert/models", isDirectory: true)

    /// A folder that the body may fill.
    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-convert-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    /// A Llama of 64 rows with a tokenizer, from two fixtures.
    private func complete(in folder: URL) throws -> URL {
        let model = folder.appendingPathComponent("tiny")
        try FileManager.default.copyItem(at: models.appendingPathComponent("bert"), to: model)
        let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oil", "is", "low", "##er"]
        try words.joined(separator: "\n").write(
            to: model.appendingPathComponent("vocab.txt"), atomically: true, encoding: .utf8)
        return model
    }

    @Test("The file it writes can be inspected and used, and is as large as its type says")
    func writes() throws {
        try withFolder { folder in
            let model = try complete(in: folder).path
            var sizes: [String: Int] = [:]
            for type in ["stored", "f32", "f16", "q8_0"] {
                let file = folder.appendingPathComponent("\(type).gguf").path
                let outcome = try EdgeLLMCommand.run("convert", model, file, "--type", type)
                #expect(outcome.code == 0 && outcome.output.isEmpty)
                #expect(outcome.errors.hasPrefix("edge-llm: wrote \(file): bert, "))
                sizes[type] = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
                let vectors = try EdgeLLMCommand.run("embed", "-m", file, "--pooling", "mean", "oil is lower")
                #expect(vectors.code == 0 && vectors.output.contains("embeddings"), "\(vectors.errors)")
            }
            let order = try ["q8_0", "f16", "f32"].map { try #require(sizes[$0]) }
            #expect(order == order.sorted() && Set(order).count == 3)
            #expect(
                try EdgeLLMCommand.run("inspect", folder.appendingPathComponent("stored.gguf").path).output.contains(
                    "tiny"))
        }
    }

    @Test("Notes are told, a tokenizer can be left out, and a name can be given")
    func options() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("out.gguf").path
            let model = models.appendingPathComponent("llama3").path
            let missing = try EdgeLLMCommand.run("convert", model, file)
            #expect(missing.code == 65 && missing.errors.contains("tokenizer.json"))
            let outcome = try EdgeLLMCommand.run("convert", model, file, "--no-tokenizer", "--name", "Little one")
            #expect(outcome.code == 0)
            #expect(try EdgeLLMCommand.run("inspect", file).output.contains("Little one"))
        }
    }

    @Test("What goes wrong is one line, and no file is left")
    func refusals() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("out.gguf").path
            let model = models.appendingPathComponent("llama").path
            let cases: [([String], Int32, String)] = [
                ([folder.path, file], 65, "config.json"), ([model], 64, "output"),
                ([model, file, "--type", "q9"], 64, "q9"), ([model, file, "-t", "0"], 64, "0 threads"),
                ([models.appendingPathComponent("gptq-shuffled").path, file, "--no-tokenizer"], 65, "desc_act"),
                ([model, folder.appendingPathComponent("none/out.gguf").path, "--no-tokenizer"], 74, "none/out.gguf"),
            ]
            for (arguments, code, part) in cases {
                let outcome = try EdgeLLMCommand.run(arguments: ["convert"] + arguments)
                #expect(outcome.code == code, "\(arguments): \(outcome.errors)")
                #expect(
                    outcome.errors.split(separator: "\n").count == 1 && outcome.errors.contains(part),
                    "\(outcome.errors)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
