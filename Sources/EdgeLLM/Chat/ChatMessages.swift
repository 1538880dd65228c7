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

    /// Text that knows where it comes from.
    private typealias Words = [RenderedSegment]

    private struct Building {
        var messages: [TemplateValue.Members] = []
        var instructions: [Words] = []
        var thought: Words?
    }

    /// - Parameter explanation: what the model is told of its tools, where the template does not tell.
    func messages(of entries: some Collection<Transcript.Entry>, explanation: String?) -> [TemplateValue] {
        var building = Building()
        if let explanation { building.instructions = [.of(explanation, .system)] }
        for entry in entries { add(entry, to: &building) }
        if takesSystem { flushSystem(&building) }
        if !building.instructions.isEmpty {
            building.messages.append(message("user", Self.paragraphs(building.instructions)))
        }
        return building.messages.map { .dict($0) }
    }

    private func message(_ role: String, _ words: Words) -> TemplateValue.Members {
        ["role": .literal(role), "content": content(.mixed(words))]
    }

    /// Texts with a blank line between them.
    private static func paragraphs(_ texts: [Words]) -> Words {
        Words(texts.joined(separator: Words.of("\n\n", .system)))
    }

    private func content(_ text: TemplateValue) -> TemplateValue {
        takesParts ? [["type": "text", "text": text]] : text
    }

    /// Instructions and the explanation of the tools are one system message, before all others.
    private func flushSystem(_ building: inout Building) {
        guard !building.instructions.isEmpty else { return }
        building.messages.append(message("system", Self.paragraphs(building.instructions)))
        building.instructions = []
    }

    private func add(_ entry: Transcript.Entry, to building: inout Building) {
        switch entry {
        case .instructions(let entry):
            // The explanation follows what the model is told about its part.
            building.instructions.insert(
                entry.segments.words(.system), at: max(0, building.instructions.count - 1))
            if takesSystem { flushSystem(&building) }
        case .prompt(let entry):
            if takesSystem { flushSystem(&building) }
            let own = [entry.segments.words(.user), entry.responseFormat.map { .of($0.promptText, .system) }]
            let words = Self.paragraphs(building.instructions + own.compactMap(\.self))
            building.instructions = []
            addUser(words, to: &building)
        case .reasoning(let entry): building.thought = entry.segments.words(.model)
        case .toolCalls(let entry): add(entry.calls, to: &building)
        case .toolOutput(let entry):
            if outputsAreContent {
                addUser(
                    .of("Result of \(entry.toolName): ", .system) + entry.segments.words(.tool), to: &building)
            } else {
                var members = message("tool", entry.segments.words(.tool))
                members["name"] = .string(entry.toolName)
                members["tool_call_id"] = .string(entry.callID)
                building.messages.append(members)
            }
        case .response(let entry):
            var words = entry.segments.words(.model)
            // An answer that a limit left out: templates want words of the model before the user's next.
            if words.allSatisfy(\.text.isEmpty), let last = building.messages.last,
                last["role"]?.text == "tool" || outputsAreContent
            {
                words = .of("(no answer)", .system)
            }
            addAssistant(message("assistant", words), to: &building)
        }
    }

    /// A user's words; some templates want the model to speak in between, so what follows the user's is joined to it.
    private func addUser(_ words: Words, to building: inout Building) {
        if outputsAreContent, let last = building.messages.last, last["role"]?.text == "user", calls != nil {
            building.messages[building.messages.count - 1]["content"] = content(
                .mixed(self.words(of: last["content"]) + .of("\n", .system) + words))
        } else {
            building.messages.append(message("user", words))
        }
    }

    private func addAssistant(_ members: TemplateValue.Members, to building: inout Building) {
        var members = members
        if let thought = building.thought { members["reasoning_content"] = .mixed(thought) }
        building.thought = nil
        building.messages.append(members)
    }

    private func add(_ made: [Transcript.ToolCall], to building: inout Building) {
        // Words before calls are of the same message.
        var words: Words = []
        var thought = building.thought
        if let last = building.messages.last, last["role"]?.text == "assistant", last["tool_calls"] == nil,
            thought == nil
        {
            words = self.words(of: last["content"])
            if case .mixed(let known)? = last["reasoning_content"] { thought = known }
            building.messages.removeLast()
        }
        building.thought = thought
        var members = message("assistant", words)
        if callsAreContent, let calls {
            members["content"] = content(
                .mixed(
                    (words.allSatisfy(\.text.isEmpty) ? [] : words + .of("\n", .model)) + calls.segments(of: made)))
        } else {
            members["tool_calls"] = .list(made.map(Self.call))
        }
        addAssistant(members, to: &building)
    }

    private func words(of content: TemplateValue?) -> Words {
        switch content {
        case .list(let parts)?: parts.flatMap { words(of: $0["text"]) }
        case .mixed(let words)?: words
        default: []
        }
    }

    private static func call(_ call: Transcript.ToolCall) -> TemplateValue {
        let arguments = (try? TemplateValue(json: call.arguments)) ?? .string(call.arguments)
        return [
            "id": .string(call.id), "type": "function",
            "function": [
                "name": .mixed(.of(call.toolName, .model)), "arguments": arguments.marked(.model),
            ],
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
            segments += .of(call.toolName, .model)
            add(middle, call, index)
            segments += .of(call.arguments, .model)
        }
        if let last = calls.last { add(suffix, last, calls.count - 1) }
        return segments
    }
}

extension [RenderedSegment] {
    /// A text of one origin. It is input: nothing in it is a control token.
    static func of(_ text: String, _ origin: Transcript.Origin) -> [RenderedSegment] {
        [RenderedSegment(text, isTrusted: false, origin: origin.code)]
    }
}

extension [Transcript.Segment] {
    /// The text of all stretches.
    ///
    /// - Parameter own: where a stretch comes from that does not say.
    fileprivate func words(_ own: Transcript.Origin) -> [RenderedSegment] {
        flatMap { segment -> [RenderedSegment] in
            switch segment {
            case .text(let segment): .of(segment.content, segment.origin ?? own)
            }
        }
    }
}

extension TemplateValue {
    /// The same with all texts of this origin.
    func marked(_ origin: Transcript.Origin) -> TemplateValue {
        switch self {
        case .string(let text): return .mixed(.of(text, origin))
        case .list(let elements): return .list(elements.map { $0.marked(origin) })
        case .dict(let members):
            var marked = Members()
            for (key, value) in zip(members.keys, members.values) { marked[key] = value.marked(origin) }
            return .dict(marked)
        default: return self
        }
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
