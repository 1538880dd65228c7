/// How a family of models writes a call of a tool.
package enum ToolFormat: String, Sendable, CaseIterable {
    /// `{"name": …, "parameters": …}` as the whole answer, several with semicolons between them.
    case llama3
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`.
    case hermes
    /// `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`.
    case functionTags
    /// `[TOOL_CALLS][{"name": …, "arguments": …}]`, or `[TOOL_CALLS]NAME[ARGS]{…}`.
    case mistral
    /// `<|tool_call|>[{"name": …, "arguments": …}]<|/tool_call|>`.
    case phi4
    /// `<|tool_call|>[{"name": …, "arguments": …}]`, with no end.
    case granite
    /// `<|START_ACTION|>[{"tool_name": …, "parameters": …}]<|END_ACTION|>`, or a list in a fence after `Action:`.
    case commandR
    /// A JSON object with the name and the arguments, or a list of such, perhaps in a fence.
    case json
}

/// The marks around what a model thinks before it answers.
package struct ReasoningMarks: Sendable, Equatable {
    package var begin: String
    package var end: String
    /// Whether the prompt already ends with the opening mark, so that the answer begins within the thought.
    package var promptBegins: Bool

    package init(begin: String, end: String, promptBegins: Bool = false) {
        self.begin = begin
        self.end = end
        self.promptBegins = promptBegins
    }
}

extension ChatTemplate {
    /// The format of tool calls, read off a rendering of one, or off the template's own words where it renders none.
    package var toolFormat: ToolFormat {
        let call: TemplateValue = [
            "id": "probe0001", "type": "function",
            "function": ["name": "probe_function", "arguments": ["probe_argument": "probe_value"]],
        ]
        let user: TemplateValue = ["role": "user", "content": "probe"]
        let assistant: TemplateValue = ["role": "assistant", "content": "", "tool_calls": [call]]
        let parameters: TemplateValue = [
            "type": "object", "properties": ["probe_argument": ["type": "string", "description": "probe"]],
        ]
        let tool: TemplateValue = [
            "type": "function",
            "function": ["name": "probe_function", "description": "probe", "parameters": parameters],
        ]
        func text(_ messages: [TemplateValue]) -> String? {
            let segments = try? render(messages: messages, tools: [tool], addGenerationPrompt: false)
            return segments?.map(\.text).joined()
        }
        if let before = text([user]), let after = text([user, assistant]) {
            let written = after.dropFirst(before.commonPrefix(with: after))
            // A template that writes calls shows their form there and nowhere else.
            if written.contains("probe_function") { return ToolFormat(of: written, isCall: true) ?? .json }
        }
        return ToolFormat(of: Substring(template.source.text), isCall: false) ?? .json
    }

    /// The marks of reasoning that the template knows, or nil.
    package var reasoning: ReasoningMarks? {
        let known = [
            ("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<|START_THINKING|>", "<|END_THINKING|>"),
            ("<seed:think>", "</seed:think>"), ("<reasoning>", "</reasoning>"),
            ("<|inner_prefix|>", "<|inner_suffix|>"),
        ]
        let source = template.source.text
        guard let (begin, end) = known.first(where: { source.contains($0.1) || source.contains($0.0) }) else {
            return nil
        }
        let prompt = (try? render(messages: [["role": "user", "content": "probe"]]))?.map(\.text).joined() ?? ""
        var trimmed = Substring(prompt)
        while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
        return ReasoningMarks(begin: begin, end: end, promptBegins: trimmed.hasSuffix(begin))
    }
}

extension String {
    /// The number of characters that two texts begin with alike.
    fileprivate func commonPrefix(with other: String) -> Int {
        zip(self, other).prefix { $0 == $1 }.count
    }
}

extension Source {
    /// The template as text.
    var text: String { Text.string(scalars[...]) }
}

extension ToolFormat {
    /// The format that a written call, or the template that would write it, shows by its marks.
    fileprivate init?(of text: Substring, isCall: Bool) {
        if text.contains("[TOOL_CALLS]") {
            self = .mistral
        } else if text.contains("<|START_ACTION|>") || text.contains("Action:") && text.contains("```json") {
            self = .commandR
        } else if text.contains("<|/tool_call|>") {
            self = .phi4
        } else if text.contains("<|tool_call|>") {
            self = .granite
        } else if text.contains("<tool_call>") {
            if text.contains("<function=") {
                self = .functionTags
            } else if !isCall || ToolFormat.opensJSON(text, after: "<tool_call>") {
                self = .hermes
            } else {
                return nil
            }
        } else if text.contains("\"parameters\": "), text.contains("\"name\": "),
            isCall || text.contains("python_tag")
        {
            self = .llama3
        } else {
            return nil
        }
    }

    /// Whether a JSON object or list follows the last occurrence of a mark.
    private static func opensJSON(_ text: Substring, after mark: String) -> Bool {
        let bytes = Array(text.utf8)
        let wanted = Array(mark.utf8)
        var place: Int?
        var start = 0
        while let found = ToolCallReader.find(wanted, in: bytes[...], from: start) {
            place = found
            start = found + wanted.count
        }
        guard place != nil else { return false }
        while start < bytes.count, ToolCallReader.isSpace(bytes[start]) { start += 1 }
        return start < bytes.count && (bytes[start] == UInt8(ascii: "{") || bytes[start] == UInt8(ascii: "["))
    }
}
