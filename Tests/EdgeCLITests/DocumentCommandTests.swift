import EdgeTestSupport
import Foundation
import Testing

@Suite(
    "The commands for documents", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct DocumentCommandTests {
    @Test("Documents are indexed, searched, evaluated, packed and asked; refusals say what is wrong")
    func documents() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-docs-\(UUID())")
        let docs = folder.appendingPathComponent("manual")
        try FileManager.default.createDirectory(at: docs, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        try Data("# Tyres\nThe tyres need 2.4 bar.\n".utf8).write(to: docs.appendingPathComponent("tyres.md"))
        try Data("P0301 - Cylinder 1 Misfire\nP0302 - Cylinder 2 Misfire\n".utf8)
            .write(to: docs.appendingPathComponent("codes.txt"))
        try Data([0, 1, 2]).write(to: docs.appendingPathComponent("broken.txt"))
        try Data(SmallEncoder().encoded()).write(to: folder.appendingPathComponent("encoder.gguf"))

        let first = try EdgeLLMCommand.run("index", docs.path, "--docs", path("store"), "--json")
        #expect(first.code == 0 && first.output.contains("\"indexedCount\":2"))
        #expect(first.errors.contains("not indexed: manual/broken.txt") && first.errors.contains("--embedder"))
        let again = try EdgeLLMCommand.run(
            "index", docs.path, "--docs", path("store"), "--embedder", path("encoder.gguf"), "--json")
        #expect(again.code == 0 && again.output.contains("\"unchangedCount\":2"))
        #expect(again.output.contains("\"embeddedCount\":2"))

        let found = try EdgeLLMCommand.run(
            "ask", "-m", "none", "--docs", path("store"), "--search-only", "-k", "1", "what is P0302")
        #expect(found.code == 0 && found.output.contains("manual/codes.txt, bytes 0 to 53"))

        let judged = #"[{"query": "pressure of tyres", "answers": [{"source": "tyres.md", "quote": "2.4 bar"}]}]"#
        try Data(judged.utf8).write(to: folder.appendingPathComponent("judged.json"))
        let evaluation = try EdgeLLMCommand.run(
            "eval-retrieval", "--docs", path("store"), "--judged", path("judged.json"), "--mode", "lexical", "--json")
        #expect(evaluation.code == 0 && evaluation.output.contains("\"hitAt1\":1"))

        #expect(try EdgeLLMCommand.run("pack-docs", "--docs", path("store"), "-o", path("pack")).code == 0)
        #expect(try EdgeLLMCommand.run("pack-docs", "--docs", path("store"), "-o", path("pack")).code == 64)

        try Data("{{ bos_token }}{% for m in messages %}{{ m.content }}\n{% endfor %}".utf8)
            .write(to: folder.appendingPathComponent("template"))
        let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path
        let asked = try EdgeLLMCommand.run(
            "ask", "-m", model, "--chat-template", path("template"), "-c", "2048", "-n", "40", "--docs", path("pack"),
            "--json", "what pressure do the tyres need")
        // What this model says is chance; 2 is that the documents do not say.
        #expect(asked.code == 0 || asked.code == 2, "\(asked.errors)")
        #expect(asked.output.contains("\"outcome\":") && asked.output.contains("\"timeToFirstTokenSeconds\":"))

        // With what the model computed ahead; another model is refused then, and a damaged pack named.
        try Data("what pressure do the tyres need\n".utf8).write(to: folder.appendingPathComponent("questions"))
        let warmed = try EdgeLLMCommand.run(
            "warm-docs", "-m", model, "--chat-template", path("template"), "-c", "2048", "--docs", path("store"),
            "--embedder", path("encoder.gguf"), "--prefix-cache", path("cache"), "-f", path("questions"), "--apart")
        #expect(warmed.code == 0 && warmed.errors.contains("1 beginnings kept"), "\(warmed.errors)")
        let packed = try EdgeLLMCommand.run(
            "pack-docs", "--docs", path("store"), "-m", model, "-c", "2048", "--prefix-cache", path("cache"), "-o",
            path("warm"))
        #expect(packed.code == 0 && packed.errors.contains("1 beginnings"), "\(packed.errors)")
        #expect(try EdgeLLMCommand.run("pack-docs", "--check", path("warm")).code == 0)
        let warm = try EdgeLLMCommand.run(
            "ask", "-m", model, "--chat-template", path("template"), "-c", "2048", "-n", "40", "--docs", path("warm"),
            "--embedder", path("encoder.gguf"), "--reuse", "0.1", "--reuse-by", "farthest", "--json",
            "what pressure do the tyres need")
        #expect(warm.code == 0 || warm.code == 2, "\(warm.errors)")
        // The same but for one weight.
        var weights = try Data(contentsOf: URL(fileURLWithPath: model))
        weights[weights.count - 100] ^= 1
        let other = path("other")
        try weights.write(to: URL(fileURLWithPath: other))
        let refused = try EdgeLLMCommand.run("ask", "-m", other, "--docs", path("warm"), "x")
        #expect(refused.code == 65 && refused.errors.contains("another model"), "\(refused.errors)")
        #expect(
            try EdgeLLMCommand.run("ask", "-m", other, "--docs", path("warm"), "--search-only", "P0302").code == 0)
        var bytes = try Data(contentsOf: folder.appendingPathComponent("warm"))
        bytes[100] ^= 1
        try bytes.write(to: folder.appendingPathComponent("damaged"))
        let damaged = try EdgeLLMCommand.run("pack-docs", "--check", path("damaged"))
        #expect(damaged.code == 65 && damaged.errors.contains("'store'"))
        #expect(try EdgeLLMCommand.run("pack-docs", "--check", path("store")).code == 65)
        #expect(try EdgeLLMCommand.run("pack-docs", "--check", path("warm"), "-o", path("x")).code == 64)

        #expect(try EdgeLLMCommand.run("ask", "-m", model, "--docs", path("none"), "x").code == 65)
        #expect(try EdgeLLMCommand.run("index", path("nowhere"), "--docs", path("store")).code == 65)
        #expect(try EdgeLLMCommand.run("eval-retrieval", "--docs", path("store")).code == 64)
        #expect(try EdgeLLMCommand.run("ask", "-m", model, "--docs", model, "x").code == 65)
        #expect(
            try EdgeLLMCommand.run("index", docs.path, "--docs", path("store"), "--embedder", path("none")).code == 65)
    }

    @Test("The embedder that is known by name is kept; where it cannot be fetched, that is said and words are searched")
    func knownEmbedder() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-embedder-\(UUID())")
        let (docs, cache) = (folder.appendingPathComponent("manual"), folder.appendingPathComponent("cache"))
        let programs = folder.appendingPathComponent("bin")
        for made in [docs, programs] {
            try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("# Tyres\nThe tyres need 2.4 bar.\n".utf8).write(to: docs.appendingPathComponent("tyres.md"))
        // A Python whose pip has no network.
        let python = programs.appendingPathComponent("python3")
        try Data("#!/bin/sh\necho 'no route to host' >&2\nexit 1\n".utf8).write(to: python)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python.path)
        let environment = [
            "EDGE_LLM_CACHE": cache.path,
            "PATH": programs.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? ""),
        ]
        func run(_ arguments: String...) throws -> EdgeLLMCommand.Outcome {
            try EdgeLLMCommand.run(arguments: arguments, environment: environment)
        }
        func index(_ name: String) throws -> EdgeLLMCommand.Outcome {
            try run(
                "index", docs.path, "--docs", folder.appendingPathComponent(name).path, "--embedder",
                "all-MiniLM-L6-v2",
                "--json")
        }
        let without = try index("words")
        #expect(without.code == 0 && without.output.contains("\"embeddedCount\":0"), "\(without)")
        #expect(without.errors.contains("no route to host") && without.errors.contains("word for word only"))
        let refused = try run("fetch-embedder")
        #expect(refused.code == 65 && refused.output.isEmpty && refused.errors.contains("no route to host"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).isEmpty)

        let kept = cache.appendingPathComponent("all-MiniLM-L6-v2-f16.gguf")
        try Data(SmallEncoder().encoded()).write(to: kept)
        let with = try index("vectors")
        #expect(with.code == 0 && with.output.contains("\"embeddedCount\":1"), "\(with)")
        #expect(try run("fetch-embedder").output == kept.path + "\n")
    }

    @Test("A pack whose writer is killed is not there, or whole", arguments: 0..<8)
    func killed(round: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-docs-\(UUID())")
        let docs = folder.appendingPathComponent("manual")
        try FileManager.default.createDirectory(at: docs, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        let text = (0..<3000).map { "Part \($0) is checked after \($0 * 7) kilometres.\n\n" }.joined()
        try Data(text.utf8).write(to: docs.appendingPathComponent("parts.txt"))
        #expect(try EdgeLLMCommand.run("index", docs.path, "--docs", path("store")).code == 0)
        let (process, stdin, _, _) = EdgeLLMCommand.process(["pack-docs", "--docs", path("store"), "-o", path("pack")])
        try process.run()
        try stdin.fileHandleForWriting.close()
        // From before the command has begun to after it has ended.
        usleep(UInt32(round) * 12_000)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        if FileManager.default.fileExists(atPath: path("pack")) {
            #expect(try EdgeLLMCommand.run("pack-docs", "--check", path("pack")).code == 0)
        } else {
            // Whatever was left is in nobody's way.
            #expect(try EdgeLLMCommand.run("pack-docs", "--docs", path("store"), "-o", path("pack")).code == 0)
        }
    }
}
