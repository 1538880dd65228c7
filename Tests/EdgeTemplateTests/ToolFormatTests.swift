import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("Tool formats")
struct ToolFormatTests {
    @Test(
        "Calls are read from what each family writes",
        arguments: [
            (ToolFormat.llama3, #"{"name": "f", "parameters": {"a": 1}}"#),
            (.llama3, #"<|python_tag|>{"name":"f","parameters":{"a":1}}"#),
            (.hermes, "x <tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>"),
            (.functionTags, "x <tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"),
            (.mistral, #"x [TOOL_CALLS][{"name": "f", "arguments": {"a": 1}}]"#),
            (.mistral, #"x [TOOL_CALLS]f[ARGS]{"a": 1}"#),
            (.phi4, #"x <|tool_call|>[{"name": "f", "arguments": {"a": 1}}]<|/tool_call|>"#),
            (.granite, #"x <|tool_call|>[{"name": "f", "arguments": "{\"a\": 1}"}]"#),
            (.commandR, #"x <|START_ACTION|>[{"tool_name": "f", "parameters": {"a": 1}}]<|END_ACTION|>"#),
            (.commandR, "x Action: ```json\n[{\"tool_name\": \"f\", \"parameters\": {\"a\": 1}}]```"),
            (.json, "```json\n{\"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}\n```"),
        ])
    func calls(format: ToolFormat, text: String) {
        let answer = ChatAnswer(text, format: format)
        #expect(answer.toolCalls == [ToolCall(name: "f", arguments: ["a": 1])], "\(text)")
        #expect(answer.content == (text.hasPrefix("x") ? "x" : ""), "\(text)")
    }

    @Test("Several calls are read in their order")
    func several() {
        let call = #"{"name": "f", "parameters": {}}"#
        #expect(ChatAnswer("\(call); \(call)", format: .llama3).toolCalls.count == 2)
        let hermes = "<tool_call>\(call)</tool_call>\n<tool_call>\(call)</tool_call>"
        #expect(ChatAnswer(hermes, format: .hermes).toolCalls.count == 2)
        #expect(ChatAnswer("<|tool_call|>[\(call), \(call)]", format: .granite).toolCalls.count == 2)
    }

    @Test("What is no whole call stays in the content", arguments: ToolFormat.allCases)
    func damaged(format: ToolFormat) {
        let texts = [
            "plain", "", "<tool_call>{\"name\": \"f\"", "[TOOL_CALLS]", "<|tool_call|>[{}]", "<|START_ACTION|>[",
            "Action:",
            "{\"a\": 1}", "{", "<tool_call><function=f><parameter=a>", "[TOOL_CALLS]f[ARGS]{", "```json", "[]",
        ]
        for text in texts {
            let answer = ChatAnswer(text, format: format)
            #expect(answer.toolCalls.isEmpty && answer.content == text, "\(text)")
        }
    }

    @Test("Reasoning is taken from the answer")
    func reasoning() {
        let marks = ReasoningMarks(begin: "<think>", end: "</think>")
        let answer = ChatAnswer("<think>\na\n</think>\n\nb", format: .json, reasoning: marks)
        #expect(answer == ChatAnswer("b", reasoning: "a"))
        #expect(ChatAnswer("a b", format: .json, reasoning: marks).reasoning == nil)
        let open = ReasoningMarks(begin: "<think>", end: "</think>", promptBegins: true)
        #expect(ChatAnswer("a</think>b", format: .json, reasoning: open) == ChatAnswer("b", reasoning: "a"))
        #expect(ChatAnswer("a", format: .json, reasoning: open) == ChatAnswer("", reasoning: "a"))
    }

    @Test("The format is found in a template")
    func detection() throws {
        let start = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}"
        let end = "{% endfor %}{% endfor %}"
        let call = #"{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments|tojson }}}"#
        func format(_ written: String) throws -> ToolFormat { try ChatTemplate(start + written + end).toolFormat }
        #expect(try format("<tool_call>\(call)</tool_call>") == .hermes)
        #expect(try format("[TOOL_CALLS][\(call)]") == .mistral)
        #expect(try format("<|tool_call|>[\(call)]<|/tool_call|>") == .phi4)
        #expect(try format("<|tool_call|>[\(call)]") == .granite)
        #expect(try format(call.replacing("arguments\":", with: "parameters\":")) == .llama3)
        #expect(try format(call) == .json)
        #expect(try format("<tool_call>{{ c.function.name }}<arg>") == .json)
    }

    @Test(
        "The families of the collection are told apart", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"),
        arguments: [
            ("meta-llama-Llama-3.2-3B-Instruct", ToolFormat.llama3, nil), ("Qwen-Qwen3-0.6B", .hermes, "<think>"),
            ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", .hermes, nil), ("Qwen3-Coder", .functionTags, nil),
            ("mistralai-Mistral-Nemo-Instruct-2407", .mistral, nil), ("google-gemma-2-2b-it", .json, nil),
            ("ibm-granite-granite-3.3-2B-Instruct", .granite, "<think>"), ("ibm-granite-granite-4.1", .hermes, nil),
            ("CohereForAI-c4ai-command-r7b-12-2024-tool_use", .commandR, "<|START_THINKING|>"),
            ("CohereForAI-c4ai-command-r-plus-tool_use", .commandR, nil), ("GLM-4.6", .json, "<think>"),
        ])
    func families(name: String, format: ToolFormat, marks: String?) throws {
        let template = try ChatTemplate(
            try TemplateVectorTests.source("llama.cpp/models/templates/\(name).jinja"), bosToken: "<s>",
            eosToken: "</s>")
        #expect(template.toolFormat == format)
        #expect(template.reasoning?.begin == marks)
    }
}

extension ChatAnswer {
    fileprivate init(_ content: String, reasoning: String?) {
        self.init(content, format: .mistral)
        self.reasoning = reasoning
    }
}
