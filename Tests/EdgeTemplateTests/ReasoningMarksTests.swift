import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("Marks in templates")
struct ReasoningMarksTests {
    @Test(
        "The marks of thoughts are found in the templates of the collection",
        .enabled(if: SharedData.isPresent, "\(SharedData.reason)"),
        arguments: [
            ("meta-llama-Llama-3.2-3B-Instruct", String?.none), ("Qwen-Qwen3-0.6B", "<think>"),
            ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", nil), ("Qwen3-Coder", nil),
            ("mistralai-Mistral-Nemo-Instruct-2407", nil), ("google-gemma-2-2b-it", nil),
            ("ibm-granite-granite-3.3-2B-Instruct", "<think>"), ("ibm-granite-granite-4.1", nil),
            ("CohereForAI-c4ai-command-r7b-12-2024-tool_use", "<|START_THINKING|>"),
            ("CohereForAI-c4ai-command-r-plus-tool_use", nil), ("GLM-4.6", "<think>"),
        ])
    func families(name: String, marks: String?) throws {
        let template = try ChatTemplate(
            try TemplateVectorTests.source("llama.cpp/models/templates/\(name).jinja"), bosToken: "<s>",
            eosToken: "</s>")
        #expect(template.reasoning?.begin == marks)
    }

    @Test("A prompt that ends within a thought is known")
    func openThoughts() throws {
        let closed = try ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}{# <think> #}")
        #expect(closed.reasoning == ReasoningMarks(begin: "<think>", end: "</think>"))
        let open = try ChatTemplate("{{ messages[0].content }}{% if add_generation_prompt %}<think>\n{% endif %}")
        #expect(open.reasoning == ReasoningMarks(begin: "<think>", end: "</think>", promptBegins: true))
        #expect(try ChatTemplate("{{ messages[0].content }}").reasoning == nil)
    }

    @Test("The form of calls is told from marks that a template only speaks of")
    func mentioned() {
        func mark(_ source: String) -> String? { ToolSyntax.mentioned(in: source).map { $0.mark + $0.suffix } }
        #expect(mark("put it into <tool_call></tool_call>") == "<tool_call>}\n</tool_call>")
        #expect(mark("<tool_call><function=NAME>") == nil)
        #expect(mark("<|tool_call|>[...]<|/tool_call|>") == "<|tool_call|>}]<|/tool_call|>")
        #expect(mark("<|tool_call|>[...]") == "<|tool_call|>}]")
        for source in ["", "[TOOL_CALLS]<tool_call>", "<|START_ACTION|><tool_call>", "Action: ```json <tool_call>"] {
            #expect(mark(source) == nil, "\(source)")
        }
    }
}
