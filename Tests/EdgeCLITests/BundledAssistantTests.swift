import EdgeTestSupport
import Foundation
import Testing

@Suite(
    "The bundled assistant", .enabled(if: FileManager.default.isExecutableFile(atPath: EdgeLLMCommand.url.path)))
struct BundledAssistantTests {
    private let model = fixtures.appendingPathComponent("edge-assistant.gguf").path

    @Test("The question of `make demo`: passages are found, the car is asked, what it says is told, a passage is cited")
    func demo() throws {
        let result = try EdgeLLMCommand.run(
            "assist", "-m", model, "--docs", fixtures.appendingPathComponent("manual").path, "--scenario", "misfire",
            "Why is the engine light flashing and the car vibrating?")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("found [1] Warning lamps > Engine lamp flashing"))
        #expect(result.errors.contains("calls read_fault_codes"))
        #expect(result.errors.contains(#"calls read_signal {"signal": "misfires"}"#), "\(result.errors)")
        #expect(result.output.contains("P0301 misfire in cylinder 1 (active)"), "\(result.output)")
        #expect(result.output.contains("["), "\(result.output)")
    }

    @Test("The weights are those that were certified, and the certificate tells of the tasks")
    func certificate() throws {
        #expect(try EdgeLLMCommand.run("verify", model).code == 0)
        let shown = try EdgeLLMCommand.run("inspect", model)
        #expect(shown.output.contains("Tasks held2000.jsonl (") && shown.output.contains("right tools"))
    }

    @Test("A live signal that is asked for in other words is read and told")
    func reading() throws {
        let result = try EdgeLLMCommand.run(
            "assist", "-m", model, "--docs", fixtures.appendingPathComponent("manual").path, "--scenario",
            "overheating",
            "How hot is the engine?")
        #expect(result.code == 0 && result.errors.contains(#"calls read_signal {"signal": "coolant temperature"}"#))
        #expect(result.output.contains("which is high (normal 70 to 110 °C)"), "\(result.output)")
    }

    @Test("On 60 held-out cases it is as good as was recorded, on any processor")
    func heldOut() throws {
        let folder = fixtures.appendingPathComponent("assistant")
        let result = try EdgeLLMCommand.run(
            "eval-tasks", "-m", model, "--json", folder.appendingPathComponent("held.jsonl").path)
        #expect(result.code == 0, "\(result.errors)")
        let recorded = try String(contentsOf: folder.appendingPathComponent("held.json"), encoding: .utf8)
        #expect(
            result.output.trimmingCharacters(in: .whitespacesAndNewlines)
                == recorded.trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
