import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("What templates do with tools")
struct ToolWritingTests {
    private static let hermes =
        #"<tool_call>\n{"name": "NAME", "arguments": {…}}\n</tool_call>\n<tool_call>\n{"name": "NAME", "arguments": {…}}\n</tool_call>"#
    private static let functions =
        #"<tool_call>\n<function=NAME>\n<parameter=KEY>\n…\n</parameter>\n</function>\n</tool_call>\n"#
        + #"<tool_call>\n<function=NAME>\n<parameter=KEY>\n…\n</parameter>\n</function>\n</tool_call>"#
    private static let keys =
        #"<tool_call>NAME\n<arg_key>KEY</arg_key>\n<arg_value>…</arg_value>\n</tool_call>\n"#
        + #"<tool_call>NAME\n<arg_key>KEY</arg_key>\n<arg_value>…</arg_value>\n</tool_call>"#
    private static let actions =
        #"<|START_ACTION|>[\n    {"tool_call_id": "NUMBER", "tool_name": "NAME", "parameters": {…}},\n"#
        + #"    {"tool_call_id": "NUMBER", "tool_name": "NAME", "parameters": {…}}\n]<|END_ACTION|>"#
    private static let list =
        #"[{"name": "NAME", "arguments": {…}}, {"name": "NAME", "arguments": {…}}]"#
    private static let llama = #"{"name": "NAME", "parameters": {…}}"#

    /// Every template of the collection. Those that show no form in which calls can be told from other text, or one that is not
    /// read yet, have the tools explained to them.
    private static let known: [String: String] = [
        "Apertus-8B-Instruct": #"<|tools_prefix|>[{"NAME": {…}}, {"NAME": {…}}]<|tools_suffix|>"#,
        "Apriel-1.6-15b-Thinker-fixed": "<tool_calls>" + list + "</tool_calls>",
        "Bielik-11B-v3.0-Instruct": hermes, "Cohere2MoE": actions,
        "CohereForAI-c4ai-command-r-plus-tool_use": "explained",
        "CohereForAI-c4ai-command-r7b-12-2024-tool_use": actions, "GLM-4.6": keys, "GigaChat3-10B-A1.8B": "explained",
        "HuggingFaceTB-SmolLM3-3B": "explained", "LFM2-8B-A1B": "explained", "LFM2.5-Instruct": "explained",
        "MiMo-VL": hermes,
        "MiniMax-M1":
            #"<tool_calls>\n{"name": "NAME", "arguments": {…}}\n{"name": "NAME", "arguments": {…}}\n</tool_calls>"#,
        "MiniMax-M2":
            #"<minimax:tool_call>\n<invoke name="NAME">\n<parameter name="KEY">…</parameter>\n</invoke>\n"#
            + #"<invoke name="NAME">\n<parameter name="KEY">…</parameter>\n</invoke>\n</minimax:tool_call>"#,
        "MiniMax-M3": "explained", "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": functions,
        "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": hermes,
        "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": hermes, "Qwen-QwQ-32B": hermes,
        "Qwen-Qwen2.5-7B-Instruct": hermes, "Qwen-Qwen3-0.6B": hermes, "Qwen3-Coder": functions,
        "Reka-Edge": hermes.replacing(#"</tool_call>\n"#, with: "</tool_call>"),
        "StepFun3.5-Flash": functions.replacing(#"</tool_call>\n"#, with: "</tool_call>"),
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "explained", "deepseek-ai-DeepSeek-V3.2": "explained",
        "deepseek-ai-DeepSeek-V4-Flash-0731": "explained", "deepseek-ai-DeepSeek-V4": "explained",
        "google-gemma-2-2b-it": "explained", "google-gemma-4-31B-it-interleaved": "explained",
        "ibm-granite-granite-3.3-2B-Instruct": "<|tool_call|>" + list + ", written by us",
        "ibm-granite-granite-4.1": hermes,
        "inclusionai-ling-3.0-flash": keys, "llama-cpp-rwkv-world": "explained",
        "meetkai-functionary-medium-v3.1": "<function=NAME>{…}</function><function=NAME>{…}</function>",
        "meetkai-functionary-medium-v3.2": "explained",
        "meta-llama-Llama-3.1-8B-Instruct": llama + " or <|python_tag|>",
        "meta-llama-Llama-3.2-3B-Instruct": llama, "meta-llama-Llama-3.3-70B-Instruct": llama + " or <|python_tag|>",
        "microsoft-Phi-3.5-mini-instruct": "explained",
        "mistralai-Ministral-3-14B-Reasoning-2512": "[TOOL_CALLS]NAME[ARGS]{…}[TOOL_CALLS]NAME[ARGS]{…}",
        "mistralai-Mistral-Nemo-Instruct-2407":
            #"[TOOL_CALLS][{"name": "NAME", "arguments": {…}, "id": "ID"}, {"name": "NAME", "arguments": {…}, "id": "ID"}]"#,
        "moonshotai-Kimi-K2": "explained", "muse-glimmer": "explained", "openai-gpt-oss-120b": "explained",
        "openbmb-MiniCPM5-1B":
            #"<function name="NAME"><param name="KEY">…</param></function>\n<function name="NAME"><param name="KEY">…</param></function>"#,
        "poolside-Laguna-XS.2": keys,
    ]

    @Test(
        "Each template of the collection is found to be what it is",
        .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
    func collection() throws {
        let folder = try SharedData.url("llama.cpp/models/templates")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix("jinja") }
        #expect(files.count == Self.known.count)
        for file in files.sorted() {
            let name = String(file.dropLast(6))
            let source = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            let template = try ChatTemplate(source, bosToken: "<s>", eosToken: "</s>")
            #expect(Self.summary(of: template).replacing("\n", with: #"\n"#) == Self.known[name], "\(name)")
        }
    }

    /// The form of two calls, and what is particular about it.
    private static func summary(of template: ChatTemplate) -> String {
        guard let writing = template.toolWriting else { return "explained" }
        let syntax = writing.syntax
        var arguments = "{…}"
        if case .tagged(let before, let middle, let after) = syntax.arguments {
            arguments = before + "KEY" + middle + "…" + after
        }
        var text = syntax.mark + syntax.prefix + "NAME" + syntax.middle + arguments
        if let join = syntax.join { text += join + "NAME" + syntax.middle + arguments }
        text += syntax.suffix
        text = text.replacing(String(ToolSyntax.identifier), with: "ID").replacing(
            String(ToolSyntax.number), with: "NUMBER")
        if !syntax.otherMarks.isEmpty { text += " or \(syntax.otherMarks[0])" }
        if !writing.writesCalls { text += ", written by us" }
        if writing.listing != .variable { text += ", \(writing.listing)" }
        return text
    }

    @Test("Forms that no template of the collection has are told as well")
    func others() throws {
        let phi = """
            {% for m in messages %}{% if m['role'] == 'system' and 'tools' in m and m['tools'] is not none %}\
            {{ '<|system|>' + m['content'] + '<|tool|>' + m['tools'] + '<|/tool|><|end|>' }}{% else %}\
            {{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}\
            {% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}{# <|tool_call|> <|/tool_call|> #}
            """
        #expect(
            Self.summary(of: try ChatTemplate(phi))
                == #"<|tool_call|>[{"name": "NAME", "arguments": {…}}, {"name": "NAME", "arguments": {…}}]<|/tool_call|>, written by us, systemMember"#
        )
        let smol = """
            {% if xml_tools %}In <tool_call></tool_call> tags: {% for t in xml_tools %}{{ t | string }}{% endfor %}{% endif %}\
            {% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
            {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}
            """
        #expect(Self.summary(of: try ChatTemplate(smol)).hasSuffix("</tool_call>, written by us, xmlTools"))
        #expect(try ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}").toolWriting == nil)
        #expect(try ChatTemplate("{{ raise_exception('no') }}").toolWriting == nil)
        #expect(try ChatTemplate("").toolWriting == nil)
    }
}
