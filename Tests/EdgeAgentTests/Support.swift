import EdgeAgent
import EdgeTestSupport
import Foundation
import Synchronization

/// A model that says in each round what the test wants of it.
final class ScriptedModel: LanguageModel {
    enum Reply: Sendable {
        case text(String)
        case calls([(String, String)])
        case words(String, [(String, String)])
        case hang
        case fail
        case cut(String)
    }

    struct Failure: Error {}

    struct Executor: LanguageModelExecutor {
        struct Configuration: Hashable, Sendable {}
        init(configuration: Configuration) {}
        func prewarm(model: ScriptedModel, transcript: Transcript) {}
        func respond(
            to request: LanguageModelExecutorGenerationRequest, model: ScriptedModel,
            streamingInto channel: LanguageModelExecutorGenerationChannel
        ) async throws {
            model.requests.withLock { $0.append(request) }
            switch model.script(request) {
            case .text(let text): await Self.say(text, channel)
            case .words(let text, let calls):
                await Self.say(text, channel)
                await Self.call(calls, channel)
            case .calls(let calls): await Self.call(calls, channel)
            case .hang: try await Task.sleep(for: .seconds(600))
            case .fail: throw Failure()
            case .cut(let text):
                await Self.say(text, channel)
                await channel.send(.finished(.maximumTokens))
            }
        }

        /// In pieces of three characters, so that words and numbers are cut anywhere.
        private static func say(_ text: String, _ channel: LanguageModelExecutorGenerationChannel) async {
            var rest = text[...]
            while !rest.isEmpty {
                await channel.send(.response(action: .appendText(String(rest.prefix(3)), tokenCount: 1)))
                rest = rest.dropFirst(3)
            }
        }

        private static func call(_ calls: [(String, String)], _ channel: LanguageModelExecutorGenerationChannel) async {
            for (index, call) in calls.enumerated() {
                await channel.send(
                    .toolCalls(
                        action: .toolCall(
                            id: "x\(index)\(UUID())", name: call.0, action: .appendArguments(call.1, tokenCount: 5))))
            }
        }
    }

    let requests = Mutex<[LanguageModelExecutorGenerationRequest]>([])
    private let script: @Sendable (LanguageModelExecutorGenerationRequest) -> Reply

    init(_ script: @escaping @Sendable (LanguageModelExecutorGenerationRequest) -> Reply) { self.script = script }

    /// Replies one after the other, the last again and again; a new question, which has no outputs yet, begins anew.
    convenience init(_ replies: [Reply]) {
        self.init { request in
            let round = request.transcript.filter { if case .toolCalls = $0 { true } else { false } }.count
            return replies[min(round, replies.count - 1)]
        }
    }

    let capabilities = LanguageModelCapabilities([.toolCalling])
    var executorConfiguration: Executor.Configuration { .init() }
}

/// A tool with a schema of the test's own.
struct TestTool: Tool {
    struct Arguments: ConvertibleFromGeneratedContent {
        let content: GeneratedContent
        init(_ content: GeneratedContent) throws { self.content = content }
    }

    let name: String
    let description = "does something"
    let parameters: GenerationSchema
    let body: @Sendable (GeneratedContent) async throws -> String

    init(
        _ name: String, schema: String = #"{"type":"object","properties":{},"additionalProperties":false}"#,
        _ body: @escaping @Sendable (GeneratedContent) async throws -> String
    ) throws {
        self.name = name
        parameters = try GenerationSchema(jsonSchema: schema)
        self.body = body
    }

    func call(arguments: Arguments) async throws -> String { try await body(arguments.content) }

    static let signalSchema =
        #"{"type":"object","properties":{"signal":{"type":"string","enum":["CoolantTemp","OilTemp"]}},"required":["signal"],"additionalProperties":false}"#
    static let textSchema =
        #"{"type":"object","properties":{"text":{"type":"string"}},"required":["text"],"additionalProperties":false}"#
}

/// Finds what it was given.
struct FixedRetriever: Retriever {
    var found: [ScoredPassage]
    var failure: (any Error)?

    init(_ texts: [String], failure: (any Error)? = nil) {
        found = texts.enumerated().map { index, text in
            ScoredPassage(
                passage: Passage(
                    id: Int64(index + 1), source: "manual.md", headings: ["Engine", "Part \(index + 1)"], text: text),
                score: 1 / Double(index + 1))
        }
        self.failure = failure
    }

    func passages(for query: String, limit: Int) async throws -> [ScoredPassage] {
        if let failure { throw failure }
        return Array(found.prefix(limit))
    }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String
}

/// A template that tells of tools and writes calls, as the bundled assistant's does.
let assistantTemplate = """
    {{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}System: {{ message.content }}
    {% if tools %}Tools:
    {% for tool in tools %}{{ tool.function.name }}({{ tool.function.parameters.properties | join(', ') }}): \
    {{ tool.function.description }}
    {% endfor %}{% endif %}{% elif message.role == 'user' %}User: {{ message.content }}
    {% elif message.role == 'tool' %}Tool: {{ message.content }}
    {% else %}Assistant: {{ message.content }}{% for call in message.tool_calls or [] %}<tool_call>\
    {"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}
    {% endif %}{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}
    """

let carModel = fixtures.appendingPathComponent("edge-car-1m.gguf")

func loadedModel(threads: Int = 1, contextSize: Int = 1024) async throws -> GGUFLanguageModel {
    try await GGUFLanguageModel(
        contentsOf: carModel,
        options: .init(contextSize: contextSize, threadCount: threads, chatTemplate: assistantTemplate))
}

/// The events of a run.
func events(of run: AgentRun) async throws -> [AgentEvent] {
    var events: [AgentEvent] = []
    for try await event in run { events.append(event) }
    return events
}

extension [AgentEvent] {
    var text: String { compactMap { if case .text(let text) = $0 { text } else { nil } }.joined() }
    var states: [AgentState] { compactMap { if case .state(let state) = $0 { state } else { nil } } }
    var result: AgentResult? { compactMap { if case .finished(let result) = $0 { result } else { nil } }.last }
}

/// Options of quick tests: tools read, times are short.
func quickOptions(_ change: (inout AgentOptions) -> Void = { _ in }) -> AgentOptions {
    var options = AgentOptions(instructions: "You are the assistant. Answer from the passages and the tools only.")
    options.policy = AgentPolicy(fallback: .reads())
    options.failureMarks = ["Error:", "not read"]
    change(&options)
    return options
}
