import EdgeLLM
import Foundation

@main
struct Example {
    static func main() async {
        do {
            let arguments = CommandLine.arguments.dropFirst()
            try await run(
                model: arguments.first ?? "Fixtures/edge-car-1m.gguf",
                question: arguments.dropFirst().first ?? "The engine light flashes and the car shakes. Why?")
        } catch {
            FileHandle.standardError.write(Data("edge-example: \(error)\n".utf8))
            exit(1)
        }
    }

    static func run(model path: String, question: String) async throws {
        let session = LanguageModelSession(
            model: try await load(path), tools: [LookUpCode(), ClearCodes()],
            instructions: "You help in a workshop. Be brief.")
        // Looking up is harmless; deleting is not, and nobody is here to ask.
        session.setToolApproval { call in
            call.toolName == "clear_codes" ? .deny(reason: "Nobody agreed.") : .execute
        }
        var options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 120)
        options.toolCallingMode = .required
        options.local.maximumToolRounds = 2

        print("> \(question)")
        for try await event in session.streamEvents(to: question, options: options) {
            switch event {
            case .text(let piece): print(piece, terminator: "")
            case .toolCall(let call): print("[calls \(call)]")
            case .toolOutput(let output): print("[\(output.toolName): \(output)]")
            case .finished(let reason): print("\n[\(reason.rawValue)]")
            case .partialToolCall, .reasoning, .usage: break
            }
        }

        options.toolCallingMode = .disallowed
        let report = try await session.respond(
            to: "Write the line for the book.", generating: Report.self, options: options)
        print("\(report.content.summary) | \(report.content.urgency) | \(report.content.hours) h")
        print(
            "[\(report.usage.output.totalTokenCount) tokens, \(report.usage.input.cachedTokenCount) of the prompt already there]"
        )
    }

    /// The model; one without a template, such as the bundled one, gets a plain one and room for the tools.
    static func load(_ path: String) async throws -> GGUFLanguageModel {
        let url = URL(fileURLWithPath: path)
        let model = try await GGUFLanguageModel(contentsOf: url)
        if model.chatTemplate != nil { return model }
        let plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
        return try await GGUFLanguageModel(contentsOf: url, options: .init(contextSize: 2048, chatTemplate: plain))
    }
}
