/// What a chat template does with tools, found by rendering small conversations and looking for what they hold.
package struct ToolWriting: Sendable, Equatable {
    /// The form of a call.
    package var format: ToolFormat
    /// Whether the prompt lists the tools that `tools` holds.
    package var listsTools: Bool
    /// Whether it writes the calls of a message.
    package var writesCalls: Bool
    /// Whether it takes a message with two calls.
    package var writesSeveralCalls: Bool
    /// Whether it writes messages of the role `tool`.
    package var writesOutputs: Bool
    /// A call between marks as the template writes it: what stands before the name, between name and arguments, and after them.
    package var example: String

    /// Whether calls can be written and read the way the model was trained for.
    package var isNative: Bool { format != .json && listsTools && writesOutputs }
}

extension ChatTemplate {
    /// What the template does with tools. Renders a handful of small conversations.
    package var toolWriting: ToolWriting {
        let name = "probe_function"
        let value = "probe_value"
        let output = "probe_output"
        func call(_ id: String) -> TemplateValue {
            [
                "id": .string(id), "type": "function",
                "function": ["name": .string(name), "arguments": ["probe_argument": .string(value)]],
            ]
        }
        func result(_ id: String) -> TemplateValue {
            ["role": "tool", "name": .string(name), "tool_call_id": .string(id), "content": .string(output)]
        }
        let user: TemplateValue = ["role": "user", "content": "probe"]
        let tool: TemplateValue = [
            "type": "function",
            "function": [
                "name": .string(name), "description": "probe",
                "parameters": [
                    "type": "object", "properties": ["probe_argument": ["type": "string", "description": "probe"]],
                    "required": ["probe_argument"],
                ],
            ],
        ]
        func text(_ messages: [TemplateValue], tools: [TemplateValue] = [tool], answers: Bool = false) -> String? {
            (try? render(messages: messages, tools: tools, addGenerationPrompt: answers))?.map(\.text).joined()
        }
        func assistant(_ calls: [TemplateValue]) -> TemplateValue {
            ["role": "assistant", "content": "", "tool_calls": .list(calls)]
        }
        func occurrences(of word: String, in text: String?) -> Int {
            (text ?? "").split(separator: word, omittingEmptySubsequences: false).count - 1
        }
        let asked = text([user])
        let called = text([user, assistant([call("probe0001")])])
        let twice = text([user, assistant([call("probe0001"), call("probe0002")])])
        let answered = text([user, assistant([call("probe0001")]), result("probe0001")], answers: true)
        return ToolWriting(
            format: toolFormat, listsTools: asked?.contains(name) == true,
            writesCalls: occurrences(of: value, in: called) == 1, writesSeveralCalls: occurrences(of: value, in: twice) == 2,
            writesOutputs: answered?.contains(output) == true,
            example: (called ?? "").dropFirst(zip(asked ?? "", called ?? "").prefix { $0 == $1 }.count).description)
    }
}
