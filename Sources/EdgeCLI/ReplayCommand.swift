import ArgumentParser
import EdgeAgent
import Foundation

/// `edge-llm replay`: does again what a log says.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Do again what a log of edge-llm assist says, and compare every byte.",
        discussion: """
            What tools said, what was found and what was approved is taken from the log; the model does everything else anew. Exit code 1 says \
            that something came out differently; a damaged log is code 65, with the line. With --change, the run with another result is \
            shown, and where it goes another way; --results lists what can be changed.
            """)

    @Argument(help: "The log.") var log: String

    @OptionGroup var model: ModelOptions

    @Option(
        help: ArgumentHelp(
            "What a tool is to have said instead: the number of the call, and the text. May be repeated.",
            valueName: "n=text"))
    var change: [ResultChange] = []

    @Flag(help: "List the results of calls with their numbers, and end.")
    var results = false

    @Option(help: "How often it is done; stops at the first difference.")
    var times = 1

    func validate() throws {
        if !(1...1_000_000).contains(times) { throw ValidationError("--times must be 1 to 1000000.") }
        if Set(change.map(\.number)).count < change.count { throw ValidationError("--change names a call twice.") }
    }

    func run() async throws {
        let replay: AgentReplay
        do {
            replay = try AgentReplay(AgentLogReader(contentsOf: URL(fileURLWithPath: log)))
        } catch let error as AgentError {
            throw Failure.Message("\(log): \(error)", code: Failure.badFile)
        }
        if results {
            for output in replay.results {
                Terminal.write(
                    "\(output.call.number)  \(output.call.tool) \(output.call.arguments)\n   \(output.text)\n")
            }
            return
        }
        let loaded = try await GGUFLanguageModel(
            contentsOf: URL(fileURLWithPath: model.model),
            options: replay.loadOptions(model.loadOptions(contextSize: nil)))
        let changes = Dictionary(change.map { ($0.number, $0.text) }) { first, _ in first }
        let times = times
        let report = try await Terminal.interruptible {
            var report = try await replay.run(model: loaded, changes: changes)
            for _ in 1..<max(2, times) where times > 1 && report.isIdentical {
                let seconds = report.seconds
                report = try await replay.run(model: loaded, changes: changes)
                report.seconds += seconds
            }
            return report
        }
        show(report, isChanged: !changes.isEmpty)
        if !report.isIdentical, changes.isEmpty { throw ExitCode(1) }
    }

    private func show(_ report: AgentReplayReport, isChanged: Bool) {
        let count = report.answers.count
        let size = "\(report.lineCount) lines, \(count) question\(count == 1 ? "" : "s")"
        let time = String(format: "%.2f s", report.seconds)
        if report.isIdentical {
            let often = times > 1 ? ", \(times) times" : ""
            return Terminal.write("\(size): every byte is the same\(often) (\(time))\n")
        }
        guard let divergence = report.divergence else {
            return Terminal.write("\(size): nothing goes another way (\(time))\n")
        }
        let token = divergence.token.map { ", token \($0)" } ?? ""
        Terminal.write(
            "\(size): differs from line \(divergence.line) on, \(divergence.replayedKind)\(token) (\(time))\n")
        Terminal.write("in the log: \(divergence.recorded)\nnow:        \(divergence.replayed)\n")
        for answer in report.answers where answer.recorded != answer.replayed {
            Terminal.write("\nquestion:   \(answer.question)\n")
            Terminal.write("in the log: \(answer.recorded?.content ?? "not finished")\n")
            Terminal.write("now:        \(answer.replayed?.content ?? "not finished")\n")
        }
    }
}

/// `2=coolant temperature: not read, bus off`.
struct ResultChange: ExpressibleByArgument {
    let number: Int
    let text: String

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="), let number = Int(argument[..<sign]), number > 0 else {
            return nil
        }
        self.number = number
        text = String(argument[argument.index(after: sign)...])
    }
}
