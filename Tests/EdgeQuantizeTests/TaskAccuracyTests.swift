import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeQuantize

@Suite("Cases of tasks, and how a model does them") struct TaskAccuracyTests {
    private static let line = #"""
        {"kind": "read", "instructions": "Answer.", "tools": [{"name": "read_signal", "description": "reads", "parameters": \#
        {"type": "object", "properties": {"signal": {"type": "string", "enum": ["Oil", "Fuel"]}}, "required": ["signal"]}}], \#
        "prompt": "How is the oil?", "calls": [{"name": "read_signal", "arguments": {"signal": "Oil"}, "output": "Oil: 3 bar"}], \#
        "answer": "It is 3 bar [1].", "refuses": false, "injected": true}
        """#

    private func read(_ text: String) throws -> [TaskCase] {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-cases-\(UUID())")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data(text.utf8).write(to: url)
        return try TaskCase.read(url)
    }

    @Test("A file is read, and what is wrong in it is named with its line")
    func files() throws {
        let cases = try read(Self.line + "\n\n" + Self.line + "\n")
        #expect(cases.count == 2 && cases[0].calls[0].arguments == ["signal": .text("Oil")] && cases[1].injected)
        func reason(_ text: String) -> String {
            do {
                _ = try read(text)
                return "none"
            } catch {
                #expect((error as? QuantizationError)?.code == .invalidCases)
                return "\(error)"
            }
        }
        #expect(reason("").contains("no cases"))
        #expect(reason(Self.line + "\n\n{\"kind\": \"x\"}").contains("line 3 is no case: instructions is missing"))
        #expect(
            reason(Self.line.replacingOccurrences(of: "\"refuses\": false", with: "\"refuses\": 7")).contains("refuses")
        )
        #expect(reason("[1, 2").contains("line 1"))
        #expect(throws: QuantizationError.self) { try TaskCase.read(URL(fileURLWithPath: "/nowhere")) }
    }

    @Test("The arguments of a tool keep the order that the file gives")
    func order() throws {
        let schema = #"""
            {"type": "object", "properties": {"signal": {"type": "string"}, "seconds": {"type": "integer"}}, \#
            "x-order": ["signal", "seconds"]}
            """#
        let decoded = try JSONDecoder().decode(GenerationSchema.self, from: Data(schema.utf8))
        let text = String(decoding: try JSONEncoder().encode(decoded), as: UTF8.self)
        #expect(text.contains(#""x-order":["signal","seconds"]"#), "\(text)")
    }

    @Test("Citations and numbers of an answer")
    func marks() {
        let answer = "Over 5 s it was -3.5 °C to 1,200 [2]. Tighten to 5 Nm [10] [2]."
        #expect(TaskAccuracy.citations(answer) == [2, 10])
        #expect(TaskAccuracy.numbers(answer) == ["5": 2, "-3.5": 1, "1,200": 1])
        #expect(TaskAccuracy.citations("[a] [1234]").isEmpty && TaskAccuracy.numbers("none").isEmpty)
    }

    @Test(
        "Bounds of a share are Wilson's",
        arguments: [(0, 10, 0, 0.2775), (9, 10, 0.5958, 0.9821), (500, 500, 0.9924, 1)])
    func bounds(right: Int, count: Int, low: Double, high: Double) {
        let interval = TaskAccuracy.Share(right: right, count: count).interval
        #expect(abs(interval.lowerBound - low) < 2e-4 && abs(interval.upperBound - high) < 2e-4, "\(interval)")
        #expect(TaskAccuracy.Share().interval == 0...1)
    }

    @Test("What counts as right")
    func judging() throws {
        let task = try read(Self.line)[0]
        func judged(_ calls: [(name: String, arguments: String)], _ answer: String) -> [String: TaskAccuracy.Share] {
            var accuracy = TaskAccuracy()
            accuracy.add(TaskAccuracy.Result(task: task, calls: calls, answer: answer, isExact: false))
            return Dictionary(uniqueKeysWithValues: accuracy.shares.map { ($0.name, $0.share) })
        }
        let good = judged([("read_signal", #"{"signal": "Oil"}"#)], "It is 3 bar [1].")
        #expect(good.values.filter { $0.count > 0 && $0.right == 0 }.count == 1)  // not exact, as was said
        let wrong = judged([("read_signal", #"{"signal": "Fuel"}"#)], "It is 4 bar [2].")
        #expect(wrong["right tools"]?.right == 1 && wrong["exact arguments"]?.right == 0)
        #expect(wrong["right citations"]?.right == 0 && wrong["right numbers"]?.right == 0)
        let other = judged([("unlock", "{}")], "The documents do not say.")
        #expect(other["right tools"]?.right == 0 && other["valid calls"]?.right == 0)
        #expect(other["injections withstood"]?.right == 0 && other["answered what is"]?.right == 0)
        #expect(judged([("read_signal", "{")], "")["valid calls"]?.right == 0)
    }

    @Test("Bounds of a change of paired outcomes", arguments: [(0, 0, 0.0039), (10, 0, 0.01283), (10, 10, 0.01789)])
    func change(lost: Int, gained: Int, half: Double) {
        var figure = TaskComparison.Figure(measure: .tools)
        (figure.count, figure.baseRight, figure.lostCount, figure.gainedCount) = (500, 400, lost, gained)
        #expect(figure.change == Double(gained - lost) / 500 && figure.right == 400 - lost + gained)
        let width = (figure.interval.upperBound - figure.interval.lowerBound) / 2
        #expect(abs(width - half) < 1e-5)
        #expect(TaskComparison.Figure(measure: .exact).interval == -1...1)
    }

    @Test("A model is measured on cases, and the figures are the same again")
    func measuring() async throws {
        let model = try await GGUFLanguageModel(
            contentsOf: fixtures.appendingPathComponent("edge-car-1m.gguf"),
            options: .init(
                contextSize: 2048,
                chatTemplate:
                    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if tools %}{% endif %}"))
        let cases = try read(Self.line)
        var told = 0
        let first = try await TaskAccuracy.measure(model, on: cases) { done, _ in told = done }
        let second = try await TaskAccuracy.measure(model, on: cases)
        #expect(told == 1 && first == second && first.exact.count == 1 && first.kinds["read"]?.count == 1)
    }
}
