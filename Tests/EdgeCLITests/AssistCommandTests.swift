import EdgeTestSupport
import Foundation
import Testing

@Suite("The assistant's commands", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct AssistCommandTests {
    private static let template = """
        {{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}
        {% for tool in tools or [] %}{{ tool.function.name }}: {{ tool.function.description }}
        {% endfor %}{% else %}{{ m.role }}: {{ m.content }}{% for call in m.tool_calls or [] %}<tool_call>\
        {"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}
        {% endif %}{% endfor %}
        """

    @Test("A question about a simulated car is answered, logged and done again, on every instruction set")
    func assist() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-assist-\(UUID())")
        let docs = folder.appendingPathComponent("manual")
        try FileManager.default.createDirectory(at: docs, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        try Data("# Lamps\n\n## Engine lamp\n\nA flashing engine lamp means a misfire.\n".utf8)
            .write(to: docs.appendingPathComponent("lamps.md"))
        try Data(Self.template.utf8).write(to: folder.appendingPathComponent("template"))
        let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path
        let common = [
            "-m", model, "--chat-template", path("template"), "-c", "3072", "-n", "40", "--scenario", "misfire",
            "--docs",
            docs.path, "--log", path("log"), "--unchecked-numbers",
        ]
        let asked = try EdgeLLMCommand.run(arguments: ["assist"] + common + ["Why is the engine lamp flashing?"])
        // What this model says is chance; 2 is that it gives no answer.
        #expect(asked.code == 0 || asked.code == 2, "\(asked.errors)")
        #expect(asked.errors.contains("found [1] Lamps > Engine lamp") && asked.errors.contains("memory"))
        let conversation = try EdgeLLMCommand.run(
            arguments: ["assist"] + common,
            input: "Is it hot?\n/help\n/forget\n\nHow is the oil?\n/quit\nNever asked.\n")
        #expect(conversation.code == 0 && conversation.output.contains("/quit"), "\(conversation.errors)")

        let again = try EdgeLLMCommand.run("replay", path("log"), "-m", model, "-t", "2", "--times", "3")
        #expect(
            again.code == 0 && again.output.contains("3 questions: every byte is the same, 3 times"), "\(again.output)")
        for set in ["portable", "avx2", "avxvnni", "neon"] {
            let (process, _, stdout, stderr) = EdgeLLMCommand.process(["replay", path("log"), "-m", model])
            process.environment = ProcessInfo.processInfo.environment.merging(["EDGE_LLM_ISA": set]) { $1 }
            try process.run()
            let output = String(decoding: try stdout.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            let errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            // A set that this processor does not have is refused.
            if process.terminationStatus == 64, set != "portable", errors.contains(set) { continue }
            #expect(
                process.terminationStatus == 0 && output.contains("every byte is the same"),
                "\(set): \(output)\(errors)")
        }

        // Another file of other weights, a damaged line, a change that cannot be.
        #expect(try EdgeLLMCommand.run("replay", path("log"), "-m", model, "--change", "9=x").code == 64)
        #expect(try EdgeLLMCommand.run("replay", path("log"), "-m", model, "--change", "x").code == 64)
        #expect(try EdgeLLMCommand.run("replay", path("none"), "-m", model).code == 65)
        var lines = try String(contentsOfFile: path("log"), encoding: .utf8).split(separator: "\n").map(String.init)
        lines[5] = lines[5].replacingOccurrences(of: "tokens", with: "tokenz")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: folder.appendingPathComponent("damaged"))
        let damaged = try EdgeLLMCommand.run("replay", path("damaged"), "-m", model)
        #expect(damaged.code == 65 && damaged.errors.contains("line 6"), "\(damaged.errors)")
        // Other options make another agent, which does not write into this log.
        #expect(try EdgeLLMCommand.run(arguments: ["assist"] + common + ["-k", "1", "x"]).code == 64)
    }

    @Test("What cannot be is refused in one line")
    func refusals() throws {
        let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path
        #expect(try EdgeLLMCommand.run("assist", "-m", model, "x").code == 65)
        #expect(try EdgeLLMCommand.run("assist", "-m", model, "--scenario", "flying", "x").code == 64)
        #expect(try EdgeLLMCommand.run("assist", "-m", model, "--scenario", "misfire", "--can", "can0", "x").code == 64)
        #expect(try EdgeLLMCommand.run("assist", "-m", model, "--dbc", "x.dbc", "x").code == 64)
        let template = FileManager.default.temporaryDirectory.appendingPathComponent("edge-template-\(UUID())")
        defer { try? FileManager.default.removeItem(at: template) }
        try Data(Self.template.utf8).write(to: template)
        let missing = try EdgeLLMCommand.run(
            "assist", "-m", model, "--chat-template", template.path, "--can", "nosuchcan7", "x")
        #expect(
            missing.code == 64 && (missing.errors.contains("nosuchcan7") || missing.errors.contains("no CAN")),
            "\(missing.errors)")
        #expect(
            try EdgeLLMCommand.run("assist", "-m", model, "--chat-template", template.path, "--docs", "/nowhere", "x")
                .code
                == 65)
    }
}
