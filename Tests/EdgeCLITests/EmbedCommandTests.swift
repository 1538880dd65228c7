import EdgeTestSupport
import Foundation
import Testing

@Suite("The command embed", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct EmbedCommandTests {
    @Test("json, csv and raw hold the same vectors, from arguments, a file or a pipe; refusals say what is wrong")
    func formats() throws {
        let folder = FileManager.default.temporaryDirectory
        let url = folder.appendingPathComponent("edge-embed-\(UUID()).gguf")
        let list = folder.appendingPathComponent("edge-embed-\(UUID()).txt")
        defer { for url in [url, list] { try? FileManager.default.removeItem(at: url) } }
        try Data(SmallEncoder().encoded()).write(to: url)
        try "brake fluid\n\noil is low\n".write(to: list, atomically: true, encoding: .utf8)
        let model = url.path
        let json = try EdgeLLMCommand.run("embed", "-m", model, "brake fluid", "oil is low")
        #expect(json.code == 0 && json.errors.isEmpty)
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let vectors = try #require(object["embeddings"] as? [[Double]])
        #expect(vectors.count == 2 && vectors[0].count == 8 && object["pooling"] as? String == "mean")
        #expect(object["texts"] as? [String] == ["brake fluid", "oil is low"])
        let csv = try EdgeLLMCommand.run("embed", "-m", model, "--format", "csv", "-f", list.path)
        let rows = csv.output.split(separator: "\n").map { $0.split(separator: ",").compactMap { Float($0) } }
        #expect(rows == vectors.map { $0.map { Float($0) } })
        // Raw bytes are no text, so they go to a file by way of a shell's redirection: here their number must do.
        let (process, stdin, stdout, _) = EdgeLLMCommand.process(["embed", "-m", model, "--format", "raw"])
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data("brake fluid\noil is low\n".utf8))
        try stdin.fileHandleForWriting.close()
        let raw = [UInt8](try stdout.fileHandleForReading.readToEnd() ?? Data())
        process.waitUntilExit()
        let floats = stride(from: 0, to: raw.count, by: 4).map { place in
            Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(raw[place + $1]) << (8 * UInt32($1)) })
        }
        #expect(floats == rows.flatMap { $0 })
        let cosines = try EdgeLLMCommand.run(
            "embed", "-m", model, "--similarity", "--format", "csv", "oil", "oil", "brake")
        let matrix = cosines.output.split(separator: "\n").map { $0.split(separator: ",").compactMap { Float($0) } }
        #expect(matrix.count == 3 && matrix[0][1] > 0.999 && matrix[0][2] == matrix[2][0] && matrix[0][2] < 0.999)

        let long = Array(repeating: "oil", count: 40).joined(separator: " ")
        let refused = try EdgeLLMCommand.run("embed", "-m", model, long)
        #expect(refused.code == 64 && refused.errors.contains("42 tokens") && refused.output.isEmpty)
        #expect(try EdgeLLMCommand.run("embed", "-m", model, "--truncate", long).code == 0)
        #expect(try EdgeLLMCommand.run("embed", "-m", model, input: "\n\n").code == 64)
        #expect(try EdgeLLMCommand.run("embed", "-m", model, "--pooling", "max", "a").code == 64)
        #expect(try EdgeLLMCommand.run("embed", "-m", list.path, "a").code == 65)
        #expect(
            try EdgeLLMCommand.run("embed", "-m", model, "--no-normalize", "--repeats", "2", "a").output.contains(
                "median"))
    }
}
