import EdgeLLM
import EdgeTemplate
import Foundation
import Synchronization
import Testing

/// The contract of tools, on a scripted model.
@Suite("Tools") struct ToolTests {
    struct City: Generable {
        var city: String
        init(city: String) { self.city = city }
        init(_ content: GeneratedContent) throws { city = try content.value(forProperty: "city") }
        var generatedContent: GeneratedContent { GeneratedContent(properties: ["city": city]) }
        static var generationSchema: GenerationSchema {
            GenerationSchema(type: City.self, properties: [.init(name: "city", type: String.self)])
        }
    }

    struct Failure: Error {}

    /// A tool that does what the test says.
    final class Weather: Tool {
        let name = "weather"
        let description = "The weather of a city"
        let reads = Mutex(0)
        let running = Mutex((now: 0, most: 0))
        private let body: @Sendable (City) async throws -> String

        init(_ body: @escaping @Sendable (City) async throws -> String = { "sun in \($0.city)" }) { self.body = body }

        var parameters: GenerationSchema {
            reads.withLock { $0 += 1 }
            return City.generationSchema
        }

        func call(arguments: City) async throws -> String {
            running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            defer { running.withLock { $0.now -= 1 } }
            return try await body(arguments)
        }
    }

    private static let hermes = AnswerForm(
        calls: ToolSyntax(
            mark: "<tool_call>", prefix: "\n{\"name\": \"", middle: "\", \"arguments\": ", suffix: "}\n</tool_call>",
            join: "}\n</tool_call>\n<tool_call>\n{\"name\": \""))

    private static func call(_ city: String, name: String = "weather") -> String {
        "<tool_call>\n{\"name\": \"\(name)\", \"arguments\": {\"city\": \"\(city)\"}}\n</tool_call>"
    }

    private func session(_ answers: [[String]], _ tools: [any Tool], form: AnswerForm = hermes)
        -> (LanguageModelSession, ScriptedModel)
    {
        let executor = ScriptedModel(answers: answers, form: form)
        return (LanguageModelSession(model: executor, tools: tools, transcript: Transcript()), executor)
    }

    private func outputs(_ session: LanguageModelSession) -> [String] {
        session.transcript.compactMap { if case .toolOutput(let output) = $0 { output.segments.text } else { nil } }
    }

    @Test("A call is made, its output is told, and the answer follows", arguments: [true, false])
    func oneCall(isCut: Bool) async throws {
        let tool = Weather()
        let text = "Let me look.\n" + Self.call("Rome")
        let pieces = isCut ? text.map { String($0) } : [text]
        let (session, executor) = session([pieces, ["It ", "shines."]], [tool])
        let answer = try await session.respond(to: "weather in Rome?")
        #expect(answer.content == "Let me look.\n\nIt shines." && answer.finishReason == .endOfTurn)
        guard case .prompt = session.transcript[0], case .response(let words) = session.transcript[1],
            case .toolCalls(let calls) = session.transcript[2], case .toolOutput(let output) = session.transcript[3],
            case .response(let last) = session.transcript[4], session.transcript.count == 5
        else {
            Issue.record("\(session.transcript)")
            return
        }
        #expect(words.segments.text == "Let me look." && words.finishReason == nil)
        #expect(calls.calls.count == 1 && calls.calls[0].toolName == "weather")
        #expect(calls.calls[0].arguments == #"{"city": "Rome"}"#)
        #expect(calls.calls[0].id.count == 9 && output.callID == calls.calls[0].id)
        #expect(output.toolName == "weather" && output.segments.text == "sun in Rome")
        #expect(last.segments.text == "It shines." && last.finishReason == .endOfTurn)
        #expect(answer.transcriptEntries.map(\.id) == session.transcript.dropFirst().map(\.id))
        #expect(executor.state.withLock { $0.prompts.last } == Array(session.transcript.prefix(4)))
        #expect(answer.usage.output.totalTokenCount == pieces.count + 2)
        // Read for every request.
        #expect(tool.reads.withLock { $0 } == 2)
        let data = try JSONEncoder().encode(session.transcript)
        #expect(try JSONDecoder().decode(Transcript.self, from: data) == session.transcript)
    }

    @Test("Calls of one turn run at the same time, and their outputs stand in call order, in every form of request")
    func several() async throws {
        let gate = Mutex(0)
        let tool = Weather { city in
            gate.withLock { $0 += 1 }
            // Each waits for both.
            while gate.withLock({ $0 }) < 2 { try await Task.sleep(for: .milliseconds(1)) }
            if city.city == "a" { try await Task.sleep(for: .milliseconds(20)) }
            return city.city
        }
        let script = [[Self.call("a") + "\n" + Self.call("b")], ["done"]]
        let (one, _) = session(script, [tool])
        #expect(try await one.respond(to: "x").content == "done")
        #expect(outputs(one) == ["a", "b"] && tool.running.withLock { $0.most } == 2)

        gate.withLock { $0 = 0 }
        let (two, _) = session(script, [tool])
        var snapshots: [String] = []
        for try await snapshot in two.streamResponse(to: "x") { snapshots.append(snapshot.content) }
        #expect(snapshots.last == "done" && outputs(two) == ["a", "b"])

        gate.withLock { $0 = 0 }
        let (three, _) = session(script, [tool])
        var kinds: [String] = []
        for try await event in three.streamEvents(to: "x") {
            switch event {
            case .text(let text): kinds.append(text)
            case .reasoning: kinds.append("reasoning")
            case .partialToolCall: break
            case .toolCall(let call): kinds.append("call \(call.arguments)")
            case .toolOutput(let output): kinds.append("output \(output.segments.text)")
            case .usage: kinds.append("usage")
            case .finished(let reason): kinds.append("\(reason)")
            }
        }
        #expect(
            kinds == [
                #"call {"city": "a"}"#, #"call {"city": "b"}"#, "output a", "output b", "done", "usage", "endOfTurn",
            ])
    }

    @Test("A call is told of while it is written, in every form, and once more when it is whole", arguments: 0..<4)
    func growing(_ number: Int) async throws {
        let tagged = ToolSyntax(
            mark: "<tool_call>", prefix: "\n<function=", middle: "",
            arguments: .tagged(before: ">\n<parameter=", middle: ">\n", after: "\n</parameter"),
            suffix: ">\n</function>\n</tool_call>")
        let (form, before, value, after): (AnswerForm, String, [String], String) =
            switch number {
            case 0: (Self.hermes, Self.call(""), [], "")
            case 1: (AnswerForm(calls: .generic), String(Self.call("").dropFirst(12).dropLast(13)), [], "")
            case 2:
                (
                    AnswerForm(calls: .init(mark: "[TOOL_CALLS]", prefix: "", middle: "[ARGS]", suffix: "")),
                    "[TOOL_CALLS]weather[ARGS]{\"city\": \"\"}", [], ""
                )
            default:
                (
                    AnswerForm(calls: tagged, argumentForms: ["weather": ["city": .text]]),
                    "<tool_call>\n<function=weather>\n<parameter=city>\n", ["R", "o\n", "m", "e"],
                    "\n</parameter>\n</function>\n</tool_call>"
                )
            }
        // JSON is cut within the text of the city.
        let place = before.range(of: "\"\"")?.lowerBound
        let opening = place.map { before[...$0] } ?? before[...]
        let pieces =
            [String(opening)] + (place == nil ? value : ["R", "o\\n", "m", "e"])
            + [place.map { String(before[before.index(after: $0)...]) } ?? after]
        // Of the tagged form a line break is held back until it is known not to belong to the end.
        let stages =
            ["", "R", place == nil ? "Ro" : "Ro\n", "Ro\nm", "Ro\nme"].map {
                "{\"city\": \"\($0.replacing("\n", with: "\\n"))\"}"
            }
        let seen = Mutex<[String]>([])
        let model = ScriptedModel(answers: [pieces, ["done"]], form: form) { count in
            guard count <= stages.count else { return }
            let isSeen = try await eventually { seen.withLock { $0.last } == stages[count - 1] }
            #expect(isSeen, "\(seen.withLock { $0 })")
        }
        let session = LanguageModelSession(model: model, tools: [Weather()])
        var ids: Set<String> = []
        var whole: [Transcript.ToolCall] = []
        for try await event in session.streamEvents(to: "x") {
            switch event {
            case .partialToolCall(let call):
                #expect(call.toolName == "weather" && !call.arguments.isComplete && whole.isEmpty)
                ids.insert(call.id)
                let city: String? = try call.arguments.partialValue(forProperty: "city")
                #expect(city.map { "Ro\nme".hasPrefix($0) } != false)
                seen.withLock { seen in
                    if seen.last != call.arguments.jsonString { seen.append(call.arguments.jsonString) }
                }
            case .toolCall(let call): whole.append(call)
            default: break
            }
        }
        #expect(seen.withLock { $0.filter { $0 != "{}" } } == stages)
        #expect(whole.count == 1 && whole.map(\.id) == Array(ids))
        #expect(try GeneratedContent(json: whole[0].arguments).value(forProperty: "city") == "Ro\nme")
        #expect(outputs(session) == ["sun in Ro\nme"])
    }

    @Test("Unknown names, damaged and unfit arguments go back to the model")
    func unknown() async throws {
        let tool = Weather()
        let (session, _) = session(
            [
                [Self.call("a", name: "wether")],
                ["<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"a"],
                ["<tool_call>{\"name\": \"weather\", \"arguments\": {\"town\": \"a\"}}</tool_call>"], ["sorry"],
            ], [tool])
        #expect(try await session.respond(to: "x").content == "sorry")
        let told = outputs(session)
        #expect(told.count == 3 && told.allSatisfy { $0.hasPrefix("Error: ") })
        #expect(told.first?.contains("wether") == true && told.first?.contains("weather") == true)
        #expect(tool.running.withLock { $0.most } == 0)
    }

    @Test("A failing tool fails the turn, or is reported to the model")
    func failing() async throws {
        let tool = Weather { _ in throw Failure() }
        let (one, _) = session([[Self.call("a")], ["done"]], [tool])
        do {
            try await one.respond(to: "x")
            Issue.record("no error")
        } catch let error as LanguageModelSession.ToolCallError {
            #expect(error.underlyingError is Failure && error.tool.name == "weather")
        }
        #expect(one.transcript.isEmpty && !one.isResponding)
        let (two, _) = session([[Self.call("a")], ["done"]], [tool])
        two.toolFailurePolicy = .reportToModel
        #expect(try await two.respond(to: "x").content == "done")
        #expect(outputs(two).first?.contains("Failure") == true)
    }

    @Test("Calls are allowed, denied, answered or stopped by the program")
    func approval() async throws {
        let tool = Weather()
        let script = [[Self.call("a") + Self.call("b") + Self.call("c")], ["done"]]
        let (one, _) = session(script, [tool])
        let asked = Mutex<[String]>([])
        one.setToolApproval { call in
            asked.withLock { $0.append(call.arguments) }
            switch call.arguments {
            case #"{"city": "a"}"#: return .deny(reason: "no a")
            case #"{"city": "b"}"#: return .provide("given b")
            default: return .execute
            }
        }
        #expect(try await one.respond(to: "x").content == "done")
        let told = outputs(one)
        #expect(told.count == 3 && told[0].contains("no a") && told[1] == "given b" && told[2] == "sun in c")
        #expect(asked.withLock { $0 } == ["a", "b", "c"].map { "{\"city\": \"\($0)\"}" })

        let (two, executor) = session(script, [tool])
        two.setToolApproval { $0.arguments.contains("b") ? .stop : .execute }
        let answer = try await two.respond(to: "x")
        #expect(answer.finishReason == .toolStop && answer.content == "")
        #expect(executor.state.withLock { $0.prompts.count } == 1)
        #expect(outputs(two).count == 3 && outputs(two).allSatisfy { $0.contains("not called") })
        two.setToolApproval(nil)
        try await two.respond(to: "y")
    }

    @Test("Rounds are capped")
    func rounds() async throws {
        let tool = Weather()
        let (session, executor) = session([[Self.call("a")]], [tool])
        let answer = try await session.respond(to: "x")
        #expect(answer.finishReason == .toolLimit && executor.state.withLock { $0.prompts.count } == 9)
        #expect(outputs(session).count == 9 && outputs(session).last?.contains("not called") == true)
        var options = GenerationOptions()
        options.local.maximumToolRounds = 0
        #expect(try await session.respond(to: "x", options: options).finishReason == .toolLimit)
        #expect(executor.state.withLock { $0.prompts.count } == 10)
    }

    @Test("The limit of tokens is one for all rounds, and a cut call is not made")
    func budget() async throws {
        let tool = Weather()
        let pieces = Self.call("a").map { String($0) }
        let (one, executor) = session([pieces, ["1", "2", "3"]], [tool])
        let answer = try await one.respond(
            to: "x", options: GenerationOptions(maximumResponseTokens: pieces.count + 2))
        #expect(answer.content == "12" && answer.finishReason == .maximumTokens)
        #expect(executor.state.withLock { $0.prompts.count } == 2)
        let (two, _) = session([pieces, ["done"]], [tool])
        let cut = try await two.respond(
            to: "x", options: GenerationOptions(maximumResponseTokens: pieces.count - 20))
        #expect(cut.finishReason == .maximumTokens && tool.running.withLock { $0.most } == 1)
        #expect(!cut.content.contains("done"))
    }

    @Test("Modes: required begins within a call, disallowed tells of no tools, and required needs tools")
    func modes() async throws {
        let tool = Weather()
        let inside = String(Self.call("a").dropFirst("<tool_call>".count))
        let (one, executor) = session([[inside], ["done"]], [tool])
        #expect(
            try await one.respond(to: "x", options: GenerationOptions(toolCallingMode: .required)).content == "done")
        #expect(executor.state.withLock { $0.modes } == [.required, .allowed])
        let (two, other) = session([[Self.call("a")]], [tool])
        #expect(
            try await two.respond(to: "x", options: GenerationOptions(toolCallingMode: .disallowed)).content
                == Self.call("a"))
        #expect(other.state.withLock { $0.tools } == [[]])
        let (three, _) = session([["x"]], [])
        await #expect(throws: LanguageModelError.self) {
            try await three.respond(to: "x", options: GenerationOptions(toolCallingMode: .required))
        }
        #expect(three.transcript.isEmpty)
    }

    @Test("Names that cannot be written, or are there twice, are refused")
    func names() async throws {
        struct Odd: Tool {
            let name: String
            let description = ""
            func call(arguments: City) async throws -> String { "" }
        }
        for tools in [[Odd(name: "")], [Odd(name: "a b")], [Odd(name: "\"")], [Odd(name: "a"), Odd(name: "a")]] {
            let (session, executor) = session([["x"]], tools)
            await #expect(throws: LanguageModelError.self) { try await session.respond(to: "x") }
            #expect(executor.state.withLock { $0.prompts.isEmpty } && session.transcript.isEmpty)
        }
    }

    @Test("Cancelling cancels the tools, and does not wait for one that does not heed it", arguments: [true, false])
    func cancelling(heeds: Bool) async throws {
        let cancelled = Mutex(false)
        let release = Mutex(false)
        let tool = Weather { _ in
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                cancelled.withLock { $0 = true }
                if heeds { throw error }
            }
            while !release.withLock({ $0 }) { await Task.yield() }
            return ""
        }
        let (session, _) = session([[Self.call("a")], ["done"]], [tool])
        let task = Task { try await session.respond(to: "x") }
        #expect(try await eventually { tool.running.withLock { $0.now == 1 } })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!session.isResponding && session.transcript.isEmpty)
        #expect(try await eventually { cancelled.withLock { $0 } })
        // The next answer does not wait either.
        #expect(try await session.respond(to: "y").content == "done")
        release.withLock { $0 = true }
        #expect(try await eventually { tool.running.withLock { $0.now == 0 } })
    }

    @Test("Arguments that the schema forbids go back to the model, even where they decode")
    func schema() async throws {
        struct Count: Tool {
            struct Arguments: ConvertibleFromGeneratedContent {
                let count: Int
                init(_ content: GeneratedContent) throws { count = try content.value(forProperty: "count") }
            }
            let name = "count"
            let description = ""
            let parameters: GenerationSchema
            func call(arguments: Arguments) async throws -> String { "counted \(arguments.count)" }
        }
        let schema = try GenerationSchema(
            jsonSchema:
                #"{"type": "object", "properties": {"count": {"type": "integer", "maximum": 5}}, "required": ["count"]}"#
        )
        func call(_ count: Int) -> String {
            "<tool_call>\n{\"name\": \"count\", \"arguments\": {\"count\": \(count)}}\n</tool_call>"
        }
        let (session, _) = session([[call(6) + call(5)], ["done"]], [Count(parameters: schema)])
        try await session.respond(to: "x")
        let told = outputs(session)
        #expect(told.count == 2 && told[0].hasPrefix("Error: ") && told[1] == "counted 5")
    }

    @Test("Kept transcripts hold no call without its output")
    func preserved() async throws {
        let tool = Weather { if $0.city == "b" { throw Failure() } else { "sun" } }
        let (session, _) = session([[Self.call("a")], ["and ", Self.call("b")]], [tool])
        session.transcriptErrorHandlingPolicy = .preserveTranscript
        await #expect(throws: LanguageModelSession.ToolCallError.self) { try await session.respond(to: "x") }
        #expect(session.transcript.map(\.text) == ["x", #"{"city": "a"}"#, "sun", "and"])
    }
}
