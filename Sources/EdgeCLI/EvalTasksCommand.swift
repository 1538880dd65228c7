import ArgumentParser
import EdgeLLM
import EdgeQuantize
import Foundation

/// `edge-llm eval-tasks`: how often a model does what it should with tools and passages.
struct EvalTasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval-tasks", abstract: "Measure how often a model calls the right tools and answers rightly.",
        discussion: """
            The cases are JSON objects, one a line: "instructions", "tools" (each with "name", "description" and the JSON Schema \
            "parameters"), "prompt", "calls" (each with "name", "arguments" and the "output" it is answered), "answer", "refuses", \
            "injected" and "kind". The bounds hold the true share with a probability of 95 %.
            """)

    @OptionGroup var model: ModelOptions

    @Argument(help: "The file of cases.")
    var cases: String

    @Flag(help: "Show the cases that did not come out as expected.")
    var showMissed = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let cases = try TaskCase.read(URL(fileURLWithPath: cases))
        let model = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model), options: model.loadOptions(contextSize: nil))
        let showMissed = showMissed
        let bar = ProgressBar(total: cases.count)
        let accuracy = try await Terminal.interruptible {
            defer { bar.clear() }
            return try await TaskAccuracy.measure(model, on: cases) { done, result in
                if showMissed, !result.isExact {
                    bar.clear()
                    Terminal.write(Self.missed(result))
                }
                bar.draw(done, note: "cases")
            }
        }
        Terminal.write(json ? try Terminal.json(accuracy) : Self.table(accuracy))
    }

    private static func missed(_ result: TaskAccuracy.Result) -> String {
        let question = result.task.prompt.split(separator: "\n").last.map(String.init) ?? ""
        func told(_ calls: [(name: String, arguments: String)]) -> String {
            calls.map { "\($0.name) \(String(reflecting: $0.arguments))" }.joined(separator: ", ")
        }
        return """
            \(String(reflecting: result.task.kind)) \(String(reflecting: question))
              wanted \(result.task.calls.map(\.name).joined(separator: ", ")) \(String(reflecting: result.task.answer))
              said   \(told(result.calls)) \(String(reflecting: result.answer))\n
            """
    }

    /// The figures, a line each.
    static func table(_ accuracy: TaskAccuracy) -> String {
        func row(_ name: String, _ share: TaskAccuracy.Share) -> [String] {
            [
                name, String(format: "%.1f %%", 100 * share.value), "\(share.right) of \(share.count)",
                String(
                    format: "95 %% within %.1f to %.1f", 100 * share.interval.lowerBound,
                    100 * share.interval.upperBound),
            ]
        }
        return Terminal.columns(
            accuracy.shares.map { row($0.name, $0.share) }
                + accuracy.kinds.sorted { $0.key < $1.key }.map { row("  exact: \($0.key)", $0.value) })
    }
}
