import EdgeAgent
import Foundation

/// A question on its way through an agent, as the terminal shows it.
struct AssistScreen {
    private let agent: Agent

    init(_ agent: Agent) { self.agent = agent }

    /// Answers a question and shows what happens.
    ///
    /// - Throws: what the agent throws.
    func answer(_ question: String) async throws -> AgentResult {
        let start = ContinuousClock.now
        let screen = ChatScreen()
        var firstText: Double?
        var result: AgentResult?
        var isOpen = false
        func note(_ text: String) {
            if isOpen { screen.end() }
            isOpen = false
            Terminal.note(Self.line(text))
        }
        for try await event in agent.ask(question) {
            switch event {
            case .passages(let found):
                for (index, passage) in found.enumerated() {
                    note("  found [\(index + 1)] \(Self.place(passage.passage))")
                }
            case .call(let call): note("  calls \(call.tool) \(call.arguments)")
            case .output(let output): note("        \(output.text)")
            case .text(let text):
                if firstText == nil { firstText = Terminal.seconds(since: start) }
                isOpen = true
                screen.write(text)
            case .withheld: note("  the rest of the answer is withheld")
            case .finished(let whole): result = whole
            case .state: break
            }
        }
        guard let result else { throw CancellationError() }
        if result.refusal != nil, !isOpen { screen.write(result.content) }
        screen.end()
        show(result, firstText: firstText, seconds: Terminal.seconds(since: start))
        return result
    }

    private func show(_ result: AgentResult, firstText: Double?, seconds: Double) {
        if let failure = result.searchFailure { Terminal.note("  no passages: \(Self.line(failure))") }
        var known: Set<Int> = []
        for citation in result.citations where known.insert(citation.number).inserted {
            Terminal.note("  [\(citation.number)] \(Self.place(citation.passage))")
        }
        for failure in result.failures { Terminal.note("  failed: \(Self.line(failure))") }
        var parts = Self.steps(result.steps)
        let usage = result.usage
        parts.append(
            "prompt \(usage.input.totalTokenCount) tokens, \(usage.input.cachedTokenCount) of them known")
        parts.append(
            String(
                format: "wrote %d tokens at %.1f tok/s", usage.output.totalTokenCount, usage.decodeTokensPerSecond))
        if let firstText { parts.append(String(format: "first words after %.0f ms", firstText * 1000)) }
        parts.append(String(format: "total %.0f ms", seconds * 1000))
        if let memory = ProcessMemory.peakByteCount { parts.append("memory \(Terminal.size(memory))") }
        Terminal.note("[" + parts.joined(separator: " | ") + "]")
    }

    /// What each step took; those of one kind in a row together.
    private static func steps(_ steps: [AgentStep]) -> [String] {
        var sums: [AgentStep] = []
        for step in steps where step.state != .observe {
            if sums.last?.state == step.state {
                sums[sums.count - 1].seconds += step.seconds
            } else {
                sums.append(step)
            }
        }
        return sums.map { String(format: "\($0.state.rawValue) %.1f ms", $0.seconds * 1000) }
    }

    static func loaded(_ seconds: Double) -> String { String(format: "[loaded in %.0f ms]", seconds * 1000) }

    private static func place(_ passage: Passage) -> String {
        let headings = passage.headings.joined(separator: " > ")
        let page = passage.page.map { ", page \($0)" } ?? ""
        return line((headings.isEmpty ? "" : headings + " - ") + passage.source + page)
    }

    /// One line that moves no cursor, whatever a document or a tool holds.
    static func line(_ text: String) -> String {
        String(
            text.split(whereSeparator: \.isNewline).joined(separator: " ").map {
                $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? "\u{FFFD}" : $0
            })
    }
}
