internal import EdgeTemplate

/// Turns the entries of a transcript into the messages that templates know.
struct ChatMessages {
    /// Whether the template writes what a system message says; else it goes to the head of the first prompt.
    let takesSystem: Bool
    /// Whether the template wants contents as lists of parts.
    let takesParts: Bool
    /// How calls of tools are written.
    let calls: ToolSyntax?
    /// Whether calls are written into the content of a message, because the template would not write them.
    let callsAreContent: Bool
    /// Whether outputs of tools are told as a user's message.
    let outputsAreContent: Bool

    private struct Building {
        var messages: [TemplateValue.Members] = []
        var instructions: [String] = []
        var thought: String?
    }

    /// - Parameter explanation: what the model is told of its tools, where the template does not tell.
    func messages(of entries: some Collection<Transcript.Entry>, explanation: String?) -> [TemplateValue] {
        var building = Building()
        if let explanation { building.instructions = [explanation] }
        for entry in entries { add(entry, to: &building) }
        if takesSystem { flushSystem(&building) }
        if !building.instructions.isEmpty {
            building.messages.append(message("user", building.instructions.joined(separator: "\n\n")))
        }
        return building.messages.map { .dict($0) }
    }

    private func message(_ role: String, _ text: String) -> TemplateValue.Members {
        ["role": .literal(role), "content": content(.string(text))]
    }

    private func content(_ text: TemplateValue) -> TemplateValue {
        takesParts ? [["type": "text", "text": text]] : text
    }

    /// Instructions and the explanation of the tools are one system message, before all others.
    private func flushSystem(_ building: inout Building) {
        guard !building.instructions.isEmpty else { return }
        building.messages.append(message("system", building.instructions.joined(separator: "\n\n")))
        building.instructions = []
    }

    private func add(_ entry: Transcript.Entry, to building: inout Building) {
        switch entry {
        case .instructions(let entry):
            // The explanation follows what the model is told about its part.
            building.instructions.insert(entry.segments.text, at: max(0, building.instructions.count - 1))
            if takesSystem { flushSystem(&building) }
        case .prompt(let entry):
            if takesSystem { flushSystem(&building) }
            let own = [entry.segments.text, entry.responseFormat?.promptText].compactMap(\.self)
            let text = (building.instructions + own).joined(separator: "\n\n")
            building.instructions = []
            addUser(text, to: &building)
        case .reasoning(let entry): building.thought = entry.segments.text
        case .toolCalls(let entry): add(entry.calls, to: &building)
        case .toolOutput(let entry):
            if outputsAreContent {
                addUser("Result of \(entry.toolName): \(entry.segments.text)", to: &building)
            } else {
                var members = message("tool", entry.segments.text)
                members["name"] = .string(entry.toolName)
                members["tool_call_id"] = .string(entry.callID)
                building.messages.append(members)
            }
        case .response(let entry):
            var text = entry.segments.text
            // An answer that a limit left out: templates want words of the model before the user's next.
            if text.isEmpty, let last = building.messages.last, last["role"]?.text == "tool" || outputsAreContent {
                text = "(no answer)"
            }
            addAssistant(message("assistant", text), to: &building)
        }
    }

    /// A user's words; some templates want the model to speak in between, so what follows the user's is joined to it.
    private func addUser(_ text: String, to building: inout Building) {
        if outputsAreContent, let last = building.messages.last, last["role"]?.text == "user", calls != nil {
            let before = plainText(of: last["content"])
            building.messages[building.messages.count - 1]["content"] = content(.string(before + "\n" + text))
        } else {
            building.messages.append(message("user", text))
        }
    }

    private func addAssistant(_ members: TemplateValue.Members, to building: inout Building) {
        var members = members
        if let thought = building.thought { members["reasoning_content"] = .string(thought) }
        building.thought = nil
        building.messages.append(members)
    }

    private func add(_ made: [Transcript.ToolCall], to building: inout Building) {
        // Words before calls are of the same message.
        var words = ""
        var thought = building.thought
        if let last = building.messages.last, last["role"]?.text == "assistant", last["tool_calls"] == nil,
            thought == nil
        {
            words = plainText(of: last["content"])
            thought = last["reasoning_content"]?.text
            building.messages.removeLast()
        }
        building.thought = thought
        var members = message("assistant", words)
        if callsAreContent, let calls {
            members["content"] = content(
                .mixed((words.isEmpty ? [] : [.init(words + "\n", isTrusted: false)]) + calls.segments(of: made)))
        } else {
            members["tool_calls"] = .list(made.map(Self.call))
        }
        addAssistant(members, to: &building)
    }

    private func plainText(of content: TemplateValue?) -> String {
        if case .list(let parts)? = content { return parts.compactMap { $0["text"]?.text }.joined() }
        return content?.text ?? ""
    }

    private static func call(_ call: Transcript.ToolCall) -> TemplateValue {
        let arguments = (try? TemplateValue(json: call.arguments)) ?? .string(call.arguments)
        return [
            "id": .string(call.id), "type": "function",
            "function": ["name": .string(call.toolName), "arguments": arguments],
        ]
    }
}

extension ToolSyntax {
    /// Calls as the model writes them. The marks are the program's, names and arguments are not.
    func segments(of calls: [Transcript.ToolCall]) -> [RenderedSegment] {
        var segments: [RenderedSegment] = []
        func add(_ text: String, _ call: Transcript.ToolCall, _ index: Int) {
            segments.append(
                .init(
                    text.replacing(String(Self.identifier), with: call.id)
                        .replacing(String(Self.number), with: "\(index)"), isTrusted: true))
        }
        for (index, call) in calls.enumerated() {
            if index == 0 { add(mark + prefix, call, index) } else { add(join ?? suffix + mark + prefix, call, index) }
            segments.append(.init(call.toolName, isTrusted: false))
            add(middle, call, index)
            segments.append(.init(call.arguments, isTrusted: false))
        }
        if let last = calls.last { add(suffix, last, calls.count - 1) }
        return segments
    }
}

extension Transcript.Entry {
    /// Whether it is a call of a tool or what came of one.
    var isOfTools: Bool {
        switch self {
        case .toolCalls, .toolOutput: true
        default: false
        }
    }
}
