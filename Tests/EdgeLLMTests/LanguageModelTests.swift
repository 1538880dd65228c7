import EdgeLLM
import Foundation
import Synchronization
import Testing

/// Models of somebody else's, written with nothing but the public API.
@Suite("Models of your own") struct LanguageModelTests {
    private typealias Event = LanguageModelExecutorGenerationChannel.Event

    /// Sends what a test wants for each request.
    private struct Remote: LanguageModel {
        struct Executor: LanguageModelExecutor {
            struct Configuration: Hashable, Sendable {
                var fails = false
            }
            struct Unreachable: Error {}

            let seen: Seen

            init(configuration: Configuration) throws {
                if configuration.fails { throw Unreachable() }
                seen = Seen()
            }

            func prewarm(model: Remote, transcript: Transcript) {
                model.log.withLock { $0.prewarmed.append(transcript.map(\.text)) }
            }

            func respond(
                to request: LanguageModelExecutorGenerationRequest, model: Remote,
                streamingInto channel: LanguageModelExecutorGenerationChannel
            ) async throws {
                let round = model.log.withLock {
                    $0.requests.append(request)
                    $0.channels.append(channel)
                    return $0.requests.count - 1
                }
                seen.count.withLock { $0 += 1 }
                for event in model.answers[min(round, model.answers.count - 1)] { await channel.send(event) }
            }
        }

        /// What one executor has seen.
        final class Seen: Sendable {
            let count = Mutex(0)
        }

        struct Log: Sendable {
            var requests: [LanguageModelExecutorGenerationRequest] = []
            var channels: [LanguageModelExecutorGenerationChannel] = []
            var prewarmed: [[String]] = []
        }

        final class Kept: Sendable {
            private let log = Mutex(Log())
            func withLock<Value: Sendable>(_ body: (inout Log) -> sending Value) -> Value {
                log.withLock { log in body(&log) }
            }
        }

        let log = Kept()
        var capabilities = LanguageModelCapabilities([.toolCalling, .guidedGeneration, .reasoning])
        var executorConfiguration = Executor.Configuration()
        var answers: [[Event]]
    }

    struct Add: Tool {
        struct Arguments: Generable {
            var left: Int
            var right: Int
            static var generationSchema: GenerationSchema {
                GenerationSchema(
                    type: Self.self,
                    properties: [.init(name: "left", type: Int.self), .init(name: "right", type: Int.self)])
            }
            init(_ content: GeneratedContent) throws {
                left = try content.value(forProperty: "left")
                right = try content.value(forProperty: "right")
            }
            var generatedContent: GeneratedContent {
                GeneratedContent(properties: ["left": left, "right": right])
            }
        }
        let name = "add"
        let description = "Adds"
        func call(arguments: Arguments) async throws -> String { "\(arguments.left + arguments.right)" }
    }

    private static func call(_ id: String, _ arguments: String, name: String = "add") -> Event {
        .toolCalls(action: .toolCall(id: id, name: name, action: .appendArguments(arguments, tokenCount: 2)))
    }

    @Test("Words and thoughts are streamed, and tokens are counted where nothing says them")
    func words() async throws {
        let model = Remote(answers: [
            [
                .reasoning(action: .appendText("so", tokenCount: 3)),
                .response(action: .appendText("a", tokenCount: 1)),
                .response(action: .appendText("", tokenCount: 1)), .response(action: .appendText("é", tokenCount: 2)),
            ],
            [
                .response(action: .appendText("b", tokenCount: 9)),
                .response(
                    action: .updateUsage(
                        input: .init(totalTokenCount: 10, cachedTokenCount: 4),
                        output: .init(totalTokenCount: 1, reasoningTokenCount: 0))),
                .response(
                    action: .updateUsage(
                        input: .init(totalTokenCount: 20, cachedTokenCount: 5),
                        output: .init(totalTokenCount: 2, reasoningTokenCount: 1))),
                .finished(.maximumTokens),
            ],
        ])
        let session = LanguageModelSession(model: model, instructions: "Be brief.")
        var events: [LanguageModelSession.Event] = []
        for try await event in session.streamEvents(to: "x") { events.append(event) }
        let first = Usage(
            input: .init(totalTokenCount: 0, cachedTokenCount: 0),
            output: .init(totalTokenCount: 7, reasoningTokenCount: 3))
        #expect(
            events == [.reasoning("so"), .text("a"), .text("é"), .usage(first), .finished(.endOfTurn)])
        #expect(session.transcript.map(\.text) == ["Be brief.", "x", "so", "aé"])
        let second = try await session.respond(to: "y")
        #expect(second.content == "b" && second.finishReason == .maximumTokens)
        #expect(second.usage.input == .init(totalTokenCount: 20, cachedTokenCount: 5))
        #expect(second.usage.output.totalTokenCount == 2 && second.usage.totalTokenCount == 22)
        #expect(session.usage.output.totalTokenCount == 9 && session.usage.output.reasoningTokenCount == 4)
        // What comes when the round is over is dropped.
        for channel in model.log.withLock({ $0.channels }) {
            await channel.send(.response(action: .appendText("late", tokenCount: 1)))
        }
        #expect(session.transcript.count == 6 && session.transcript.last?.text == "b")
        #expect(session.usage.output.totalTokenCount == 9)
    }

    @Test("Calls come in pieces, side by side, and are told when they are whole")
    func tools() async throws {
        let model = Remote(answers: [
            [
                Self.call("1", #"{"left": 1, "#), Self.call("2", #"{"left": 10,"#), Self.call("1", #""right": 2}"#),
                Self.call("2", #" "right": 20}"#), Self.call("3", #"{"left": 5"#), Self.call("4", ""),
                Self.call("5", #"{"left": "}"}"#), Self.call("6", "{}", name: "subtract"),
            ],
            [.response(action: .appendText("done", tokenCount: 1))],
        ])
        let session = LanguageModelSession(model: model, tools: [Add()])
        var told: [String] = []
        var whole: Set<String> = []
        for try await event in session.streamEvents(to: "x") {
            switch event {
            case .partialToolCall(let call):
                // Of each only what is its own, and nothing after the whole.
                #expect(!whole.contains(call.id) && !call.arguments.isComplete)
                let left: Int? = try call.arguments.partialValue(forProperty: "left")
                #expect(left == nil || left == ["1": 1, "2": 10][call.id])
            case .toolCall(let call):
                told.append(call.id)
                whole.insert(call.id)
            case .toolOutput(let output): told.append("\(output.callID): \(output.segments.text.prefix(6))")
            case .text(let text): told.append(text)
            default: break
            }
        }
        #expect(
            told == [
                "1", "2", "5", "6", "3", "4", "1: 3", "2: 30", "3: Error:", "4: Error:", "5: Error:", "6: Error:",
                "done",
            ])
        let requests = model.log.withLock { $0.requests }
        #expect(requests.count == 2 && Set(requests.map(\.id)).count == 2)
        #expect(requests[0].enabledToolDefinitions.map(\.name) == ["add"])
        #expect(requests[0].enabledToolDefinitions[0].parameters == Add.Arguments.generationSchema)
        #expect(requests[1].transcript.count == 8 && session.transcript.count == 9)
        #expect(session.usage.output.totalTokenCount == 17)
    }

    @Test("What a model sends into the channel of an earlier round reaches no later one")
    func stale() async throws {
        struct Late: Tool {
            let name = "late"
            let description = ""
            let model: Remote
            func call(arguments: Add.Arguments) async throws -> String {
                let channel = model.log.withLock { $0.channels[0] }
                await channel.send(.response(action: .appendText("late", tokenCount: 1)))
                await channel.send(LanguageModelTests.call("x", "{}"))
                return "sent"
            }
        }
        let model = Remote(answers: [
            [Self.call("1", #"{"left": 1, "right": 2}"#, name: "late")],
            [.response(action: .appendText("done", tokenCount: 1))],
        ])
        let session = LanguageModelSession(model: model, tools: [Late(model: model)])
        #expect(try await session.respond(to: "x").content == "done")
        #expect(session.transcript.map(\.text).suffix(2) == ["sent", "done"] && session.transcript.count == 4)
    }

    @Test("A model from a file answers without a session too, and is not confused with another")
    func alone() async throws {
        let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        func load() async throws -> GGUFLanguageModel {
            try await GGUFLanguageModel(
                contentsOf: bundled, options: .init(contextSize: 256, threadCount: 1, chatTemplate: template))
        }
        let (model, other) = (try await load(), try await load())
        #expect(model.capabilities.contains(.toolCalling) && !model.capabilities.contains(.reasoning))
        let executor = GGUFLanguageModel.Executor(configuration: model.executorConfiguration)
        let transcript = Transcript(entries: [.prompt(.init(segments: .text("The brakes?")))])
        executor.prewarm(model: model, transcript: transcript)
        let options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 12)
        let request = LanguageModelExecutorGenerationRequest(transcript: transcript, generationOptions: options)
        let got = Mutex<[Event]>([])
        let channel = LanguageModelExecutorGenerationChannel { event in got.withLock { $0.append(event) } }
        try await executor.respond(to: request, model: model, streamingInto: channel)
        var text = ""
        var usage: Usage?
        for event in got.withLock({ $0 }) {
            if case .response(action: .appendText(let piece, _)) = event { text += piece }
            if case .usage(let said) = event { usage = said }
        }
        let answer = try await LanguageModelSession(model: model).respond(to: "The brakes?", options: options)
        #expect(text == answer.content && got.withLock { $0.last } == .finished(answer.finishReason))
        #expect(usage?.output == answer.usage.output && (usage?.input.cachedTokenCount ?? 0) > 0)
        await #expect(throws: LanguageModelError.self) {
            try await executor.respond(to: request, model: other, streamingInto: channel)
        }
    }

    @Test("A schema is handed over, and an answer that it forbids is an error even where it decodes")
    func guided() async throws {
        let schema = try GenerationSchema(jsonSchema: #"{"type": "integer", "maximum": 5}"#)
        let model = Remote(
            answers: ["3", "6", "true", "[1"].map { [.response(action: .appendText($0, tokenCount: 1))] })
        let session = LanguageModelSession(model: model)
        #expect(try await session.respond(to: "x", schema: schema).content.value(Int.self) == 3)
        #expect(model.log.withLock { $0.requests[0].schema } == schema)
        for _ in 0..<2 {
            await #expect {
                try await session.respond(to: "x", schema: schema)
            } throws: { error in
                if case LanguageModelError.constraintFailed = error { true } else { false }
            }
        }
        await #expect(throws: GeneratedContentError.self) { try await session.respond(to: "x", schema: schema) }
        #expect(session.transcript.count == 2)
    }

    @Test(
        "What a model cannot do is refused before it is asked",
        arguments: [LanguageModelCapabilities.Capability.toolCalling, .guidedGeneration])
    func capabilities(_ missing: LanguageModelCapabilities.Capability) async throws {
        let model = Remote(
            capabilities: .init(LanguageModelCapabilities.Capability.allCases.filter { $0 != missing }),
            answers: [[.response(action: .appendText("1", tokenCount: 1))]])
        let session = LanguageModelSession(model: model, tools: missing == .toolCalling ? [Add()] : [])
        await #expect {
            try await session.respond(to: "x", generating: Int.self)
        } throws: { error in
            guard case LanguageModelError.unsupportedCapability(let failure) = error else { return false }
            return failure.capability == missing && failure.message.contains(missing.rawValue)
        }
        #expect(model.log.withLock { $0.requests.isEmpty } && session.transcript.isEmpty && !session.isResponding)
        // What needs it not goes on.
        let options = GenerationOptions(toolCallingMode: .disallowed)
        #expect(try await session.respond(to: "x", options: options).content == "1")
        #expect(throws: LanguageModelError.self) { try session.tokenCount(for: "x") }
    }

    @Test("An executor that cannot be made fails the first request, and prewarming does nothing")
    func unreachable() async throws {
        let model = Remote(executorConfiguration: .init(fails: true), answers: [[]])
        let session = LanguageModelSession(model: model)
        session.prewarm()
        await #expect(throws: Remote.Executor.Unreachable.self) { try await session.respond(to: "x") }
        #expect(session.transcript.isEmpty && model.log.withLock { $0.prewarmed.isEmpty })
    }

    @Test("Prewarming hands over the conversation, with a prefix as its last prompt")
    func prewarm() async throws {
        let model = Remote(answers: [[.response(action: .appendText("1", tokenCount: 1))]])
        let session = LanguageModelSession(model: model, instructions: "Be brief.")
        session.prewarm()
        session.prewarm(promptPrefix: Prompt("What"))
        try await session.respond(to: "What now?")
        #expect(model.log.withLock { $0.prewarmed } == [["Be brief."], ["Be brief.", "What"]])
    }

    @Test("Counts that make no sense do no harm")
    func counts() async throws {
        let usage = Usage(
            input: .init(totalTokenCount: .max, cachedTokenCount: .min),
            output: .init(totalTokenCount: .max, reasoningTokenCount: -1))
        let model = Remote(answers: [
            [
                .response(action: .appendText("a", tokenCount: .max)),
                .reasoning(action: .appendText("b", tokenCount: .max)), Self.call("1", #"{"left": 1, "right": 2}"#),
                .usage(usage),
            ],
            [
                .response(action: .appendText("c", tokenCount: .max)),
                .response(action: .appendText("d", tokenCount: .max)),
            ],
        ])
        let session = LanguageModelSession(model: model, tools: [Add()])
        let answer = try await session.respond(to: "x", options: GenerationOptions(maximumResponseTokens: 5))
        #expect(answer.finishReason == .maximumTokens && answer.usage.output.totalTokenCount == .max)
        #expect(answer.usage.input.cachedTokenCount == 0)
        try await session.respond(to: "y")
        #expect(session.usage.totalTokenCount == .max)
    }
}
