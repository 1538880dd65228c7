import EdgeTestSupport
import Foundation
import Testing

@Suite("The command chat", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct ChatCommandTests {
    private let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path

    /// A folder with a template for the bundled model, which has none of its own.
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-chat-\(UUID())")
        init() throws {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            try "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: ".write(
                to: url.appendingPathComponent("template.jinja"), atomically: true, encoding: .utf8)
        }
        deinit { try? FileManager.default.removeItem(at: url) }
        func path(_ name: String) -> String { url.appendingPathComponent(name).path }
        var template: String { path("template.jinja") }
    }

    private func chat(_ folder: Folder, _ lines: [String], _ more: [String] = []) throws -> EdgeLLMCommand.Outcome {
        let arguments =
            ["chat", "-m", model, "--chat-template", folder.template, "--temp", "0", "-n", "12", "--ignore-eos"] + more
        let (process, stdin, stdout, stderr) = EdgeLLMCommand.process(arguments)
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(lines.map { $0 + "\n" }.joined().utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        let errors = try stderr.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return EdgeLLMCommand.Outcome(
            code: process.terminationReason == .exit ? process.terminationStatus : -1,
            output: String(decoding: output, as: UTF8.self), errors: String(decoding: errors, as: UTF8.self))
    }

    private func texts(_ path: String) throws -> [String] {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
        let entries = (object as? [String: Any])?["entries"] as? [[String: Any]] ?? []
        return entries.map { entry in
            let segments = entry["segments"] as? [[String: String]] ?? []
            return "\(entry["kind"] as? String ?? "?"): " + segments.compactMap { $0["text"] }.joined()
        }
    }

    @Test("A conversation from a pipe: answers to standard output, saved and gone on with")
    func conversation() throws {
        let folder = try Folder()
        let saved = folder.path("talk.json")
        let first = try chat(
            folder,
            [
                "/system You know cars.", "The engine light is on.", "And the\\", "brakes?", "//help me", "",
                "/save \(saved)",
                "/stats",
            ])
        #expect(first.code == 0, "\(first.errors)")
        #expect(first.errors.contains("saved 7 entries"))
        for part in ["last answer", "12 tokens", "all answers", "36 tokens", "of 512 tokens"] {
            #expect(first.output.contains(part), "\(part) in \(first.output)")
        }
        let entries = try texts(saved)
        #expect(entries.count == 7 && entries[0] == "instructions: You know cars.")
        #expect(entries[3] == "prompt: And the\nbrakes?" && entries[5] == "prompt: /help me")
        for index in [2, 4, 6] { #expect(first.output.contains(entries[index].dropFirst("response: ".count))) }

        // The same next answer from the file as from the conversation that wrote it.
        let here = try chat(folder, ["Brake fluid", "Tyres", "/save \(saved)"])
        let there = try chat(folder, ["/load \(saved)", "Oil", "/save \(folder.path("b.json"))"])
        let straight = try chat(folder, ["Brake fluid", "Tyres", "Oil", "/save \(folder.path("c.json"))"])
        #expect([here, there, straight].allSatisfy { $0.code == 0 })
        #expect(try texts(folder.path("b.json")) == texts(folder.path("c.json")))
        let option = try chat(folder, ["Oil", "/save \(folder.path("d.json"))"], ["--load", saved])
        #expect(option.code == 0)
        #expect(try texts(folder.path("d.json")) == texts(folder.path("c.json")))
    }

    @Test("A damaged file is an error that leaves the conversation as it was; the rest is done and the code says so")
    func damage() throws {
        let folder = try Folder()
        try #"{"version": 9, "entries": []}"#.write(toFile: folder.path("bad.json"), atomically: true, encoding: .utf8)
        let outcome = try chat(
            folder,
            ["Tyres", "/load \(folder.path("bad.json"))", "/load", "/nonsense", "/save \(folder.path("a.json"))"])
        #expect(outcome.code == 65)
        #expect(outcome.errors.contains("version 9") && outcome.errors.contains("/nonsense is no command"))
        #expect(try texts(folder.path("a.json")).count == 2)
        #expect(outcome.errors.split(separator: "\n").filter { $0.hasPrefix("edge-llm: ") }.count == 3)
        #expect(try chat(folder, ["Tyres", "/save /nowhere/at/all.json"]).code == 74)
        #expect(try chat(folder, [], ["--load", folder.path("missing.json")]).code == 65)
    }

    @Test("/clear forgets all but the part; a prompt that does not fit is refused and leaves no trace")
    func clear() throws {
        let folder = try Folder()
        let outcome = try chat(
            folder,
            [
                "Tyres", "/clear", String(repeating: "The engine light. ", count: 400), "Oil",
                "/save \(folder.path("a.json"))",
            ],
            ["--system", "You know cars."])
        #expect(outcome.code == 64 && outcome.errors.contains("the context holds 512"))
        let entries = try texts(folder.path("a.json"))
        #expect(entries.count == 3 && entries[0] == "instructions: You know cars." && entries[1] == "prompt: Oil")
    }

    @Test("Wrong usage, and a model without a template, end at once in one line")
    func refusals() throws {
        let bare = try EdgeLLMCommand.run("chat", "-m", model, input: "Hi\n")
        #expect(bare.code == 65 && bare.errors.contains("--chat-template") && bare.output.isEmpty)
        #expect(bare.errors.split(separator: "\n").count == 1)
        #expect(try EdgeLLMCommand.run("chat", "-m", model, "-n", "0").code == 64)
        let folder = try Folder()
        try "{% if %}".write(toFile: folder.template, atomically: true, encoding: .utf8)
        let broken = try EdgeLLMCommand.run("chat", "-m", model, "--chat-template", folder.template, input: "")
        #expect(broken.code == 64 && broken.errors.contains("line 1, column"))
        #expect(try EdgeLLMCommand.run("run", "-m", model, "--chat", "-p", "x").code == 64)
        #expect(try EdgeLLMCommand.run("run", "-m", model, "--system", "s", "-p", "x").code == 64)
    }

    private static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test("In a terminal: keys, history, Ctrl-C at an answer and at the prompt, Ctrl-D", .enabled(if: python != nil))
    func terminal() throws {
        let folder = try Folder()
        let script = packageRoot.appendingPathComponent("Tests/Terminal/chat.py").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = [script, EdgeLLMCommand.url.path, model, folder.template, folder.path("talk.json")]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }
}
