import EdgeTestSupport
import Foundation
import Testing

@Suite("edge-llm plan") struct PlanCommandTests {
    private let model = fixtures.appendingPathComponent("edge-car-1m.gguf").path

    private struct Report: Decodable {
        struct Plan: Decodable {
            let contextSize: Int
            let cachePrecision: String
            let weights, cache, activations, scratch: Int
            let streamedWeights, spilledCache: Int?
        }
        let plan: Plan
        let total: Int
        let measured: Int?
        let alternatives: [Plan]?
    }

    @Test("It says what the parts take, and running the model takes about that")
    func plan() throws {
        let text = try EdgeLLMCommand.run("plan", "-m", model, "--context", "512", "-t", "1")
        #expect(text.code == 0 && text.output.contains("context 512, cache f16, batch 512, 1 threads"))
        let outcome = try EdgeLLMCommand.run(
            "plan", "-m", model, "-c", "4096", "--cache-type", "q8_0", "-t", "1", "--measure", "--json")
        #expect(outcome.code == 0)
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        let plan = report.plan
        #expect(plan.contextSize == 4096 && plan.cachePrecision == "q8_0")
        #expect(report.total == plan.weights + plan.cache + plan.activations + plan.scratch)
        // A small process: what the runtime and the allocator take besides shows.
        let measured = try #require(report.measured)
        #expect(abs(measured - report.total) < 2 << 20, "\(measured) of \(report.total)")
    }

    @Test("Less memory for weights and for keys and values is what the process takes, and the rest is in files")
    func files() throws {
        let outcome = try EdgeLLMCommand.run(
            "plan", "-m", model, "-c", "8192", "-b", "64", "-t", "1", "--weight-memory", "1M", "--cache-memory", "3M",
            "--measure", "--json")
        #expect(outcome.code == 0)
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        let plan = report.plan
        #expect(plan.weights <= 1 << 20 && plan.cache == 3 << 20)
        #expect(plan.streamedWeights ?? 0 > 1 << 20 && plan.spilledCache ?? 0 > 3 << 20)
        let measured = try #require(report.measured)
        #expect(measured - report.total < 2 << 20, "\(measured) of \(report.total)")
        for (option, value) in [("--weight-memory", "10K"), ("--cache-memory", "10K")] {
            let outcome = try EdgeLLMCommand.run("plan", "-m", model, option, value)
            #expect(outcome.code == 65 && outcome.errors.contains("not possible"))
        }
        #expect(try EdgeLLMCommand.run("plan", "-m", model, "--weight-memory", "0").code == 64)
        #expect(try EdgeLLMCommand.run("plan", "-m", model, "--spill-directory", "/tmp").code == 64)
    }

    @Test("What does not fit ends with code 65 and names what would")
    func limit() throws {
        let outcome = try EdgeLLMCommand.run(
            "plan", "-m", model, "-c", "8192", "-t", "1", "--memory-limit", "12M", "--json")
        #expect(outcome.code == 65 && outcome.errors.contains("what fits"))
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.alternatives?.isEmpty == false)
        #expect(try EdgeLLMCommand.run("plan", "-m", model, "--memory-limit", "0").code == 64)
        #expect(try EdgeLLMCommand.run("plan", "-m", model, "-c", "0").code == 64)
    }
}
