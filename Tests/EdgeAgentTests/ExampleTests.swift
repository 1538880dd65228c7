import EdgeAgent
import EdgeTestSupport
import Foundation
import Testing

// The example of Sources/EdgeAgent/README.md.

struct ReadDepth: Tool {
    struct Arguments: Generable {
        let tank: String
        init(_ content: GeneratedContent) throws { tank = try content.value(forProperty: "tank") }
        var generatedContent: GeneratedContent { GeneratedContent(properties: ["tank": tank]) }
        static var generationSchema: GenerationSchema {
            GenerationSchema(type: Self.self, properties: [.init(name: "tank", type: String.self)])
        }
    }
    let name = "read_depth"
    let description = "reads how full a tank is"
    func call(arguments: Arguments) async throws -> String { "\(arguments.tank): 1.8 m" }
}

@Suite("The example") struct ExampleTests {
    private func userAgrees(to call: AgentCall) async -> Bool { false }

    @Test("It does what it says")
    func example() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-agent-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("# Tanks\n\nA tank is full at 2 m.\n".utf8).write(to: folder.appendingPathComponent("tanks.md"))
        let logFile = folder.appendingPathComponent("log.jsonl")
        let model = ScriptedModel([
            .calls([("read_depth", #"{"tank": "left"}"#)]), .text("No: it has 1.8 m of 2 m [1]."),
        ])
        func print(_ items: Any..., terminator: String = "") { shown += items.map { "\($0)" }.joined() }
        var shown = ""

        let manual = try await PassageStore(at: nil)
        try await manual.index(folder: folder)
        var options = AgentOptions(instructions: "Answer from the passages and the tools only.")
        options.policy = AgentPolicy(["read_depth": .reads(failureForm: "{tank}: not read, {reason}")])
        let agent = try Agent(
            model: model, tools: [ReadDepth()], retriever: manual, options: options, log: AgentLog(writingTo: logFile)
        ) { call in await userAgrees(to: call) ? .approve : .deny() }
        for try await event in agent.ask("Is the left tank full?") {
            if case .text(let text) = event { print(text, terminator: "") }
            if case .finished(let result) = event { print(result.citations, result.failures) }
        }

        #expect(shown.hasPrefix("No: it has 1.8 m of 2 m [1].") && shown.contains("tanks.md"))
        #expect(try AgentLogReader(contentsOf: logFile).head == agent.log?.head)
    }
}
