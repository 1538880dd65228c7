/// What a chat template does with tools, found by rendering small conversations and looking for what they hold.
package struct ToolWriting: Sendable, Equatable {
    /// How the template is told of the tools.
    package enum Listing: Sendable, Equatable {
        /// By the variable `tools`, as transformers does.
        case variable
        /// By the variable `xml_tools`.
        case xmlTools
        /// By the member `tools` of the system message, as JSON text.
        case systemMember
    }

    package var syntax: ToolSyntax
    package var listing: Listing
    /// Whether the template writes the calls of a message; else they are written into its content.
    package var writesCalls: Bool
}

extension ChatTemplate {
    /// What the template does with tools; nil where it shows no form of calls that can be both written and read, so that the tools
    /// have to be explained to the model. Renders a dozen small conversations.
    package var toolWriting: ToolWriting? {
        typealias Probe = ToolSyntaxReader
        let user: TemplateValue = ["role": "user", "content": "probe"]
        guard let listing = listings.first(where: { render(listing: $0, [user])?.contains(Probe.name) == true }) else {
            return nil
        }
        func text(_ messages: [TemplateValue], answers: Bool = false) -> String? {
            render(listing: listing, messages, answers: answers)
        }
        func call(_ id: String, _ arguments: TemplateValue) -> TemplateValue {
            ["id": .string(id), "type": "function", "function": ["name": .string(Probe.name), "arguments": arguments]]
        }
        func calling(_ calls: [TemplateValue]) -> [TemplateValue] {
            [user, ["role": "assistant", "content": "", "tool_calls": .list(calls)]]
        }
        let small: TemplateValue = [Probe.key: .string(Probe.value)]
        let large: TemplateValue = [Probe.key: .string(Probe.value), Probe.otherKey: .string(Probe.otherValue)]
        let one = calling([call(Probe.ids[0], small)])
        let output = "probe_output"
        let result: TemplateValue = [
            "role": "tool", "name": .string(Probe.name), "tool_call_id": .string(Probe.ids[0]),
            "content": .string(output),
        ]
        guard text(one + [result], answers: true)?.contains(output) == true else { return nil }

        let prompt = (text([user]) ?? "", text([user], answers: true) ?? "")
        func answer(_ messages: [TemplateValue]) -> String? {
            text(messages).map { self.answer(in: $0, before: prompt.0, asking: prompt.1) }
        }
        let content = "probe_content"
        if let written = answer(one), written.contains(Probe.value) {
            let plain = answer([user, ["role": "assistant", "content": .string(content)]]).map {
                (text: $0, content: content)
            }
            guard
                var syntax = Probe.syntax(
                    one: written, other: answer(calling([call(Probe.ids[0], large)])),
                    two: answer(calling([call(Probe.ids[0], small), call(Probe.ids[1], small)])), plain: plain,
                    eosToken: eosToken)
            else { return nil }
            let tag = "<|python_tag|>"
            if syntax.mark.isEmpty, template.source.text.contains(tag) { syntax.otherMarks = [tag] }
            return ToolWriting(syntax: syntax, listing: listing, writesCalls: true)
        }
        return ToolSyntax.mentioned(in: template.source.text).map {
            ToolWriting(syntax: $0, listing: listing, writesCalls: false)
        }
    }

    private var listings: [ToolWriting.Listing] { [.variable, .xmlTools, .systemMember] }

    private func render(
        listing: ToolWriting.Listing, _ messages: [TemplateValue], answers: Bool = false
    ) -> String? {
        let tool: TemplateValue = [
            "type": "function",
            "function": [
                "name": .string(ToolSyntaxReader.name), "description": "probe",
                "parameters": [
                    "type": "object",
                    "properties": ["listed_argument": ["type": "string", "description": "probe"]],
                    "required": ["listed_argument"],
                ],
            ],
        ]
        let segments = try? render(messages: messages, tools: [tool], listing: listing, addGenerationPrompt: answers)
        return segments?.map(\.text).joined()
    }

    /// What stands in a conversation where the answer does, without the thought that a template may put before it.
    private func answer(in text: String, before: String, asking: String) -> String {
        func shared(_ one: some StringProtocol, _ other: some StringProtocol) -> Int {
            zip(one, other).prefix { $0 == $1 }.count
        }
        var rest = text.dropFirst(shared(before, text))
        // A prompt may open a thought where an answer that is known has none: then they part within a mark.
        let opening = asking.dropFirst(shared(before, asking))
        var common = opening.prefix(shared(opening, rest))
        if common.count < opening.count {
            while let last = common.last, last != "\n", last != ">" { common.removeLast() }
        }
        rest = rest.dropFirst(common.count)
        if let marks = reasoning, let end = rest.firstRange(of: marks.end),
            !rest[..<end.lowerBound].contains(ToolSyntaxReader.name)
        {
            rest = rest[end.upperBound...]
        }
        return String(rest)
    }

    /// The prompt for a conversation with tools, of which the template is told in its own way.
    ///
    /// - Throws: as `render(messages:tools:addGenerationPrompt:variables:now:)`.
    package func render(
        messages: [TemplateValue], tools: [TemplateValue], listing: ToolWriting.Listing,
        addGenerationPrompt: Bool = true, now: TemplateTime = .epoch
    ) throws(TemplateError) -> [RenderedSegment] {
        if tools.isEmpty {
            return try render(messages: messages, addGenerationPrompt: addGenerationPrompt, now: now)
        }
        var messages = messages
        var variables = TemplateValue.Members()
        switch listing {
        case .variable:
            return try render(messages: messages, tools: tools, addGenerationPrompt: addGenerationPrompt, now: now)
        case .xmlTools: variables["xml_tools"] = .list(tools)
        case .systemMember:
            var system: TemplateValue.Members = ["role": "system", "content": ""]
            if case .dict(let first)? = messages.first, first["role"]?.text == "system" {
                system = first
                messages.removeFirst()
            }
            system["tools"] = .string(TemplateValue.list(tools.map { $0["function"] ?? $0 }).json)
            messages.insert(.dict(system), at: 0)
        }
        return try render(
            messages: messages, addGenerationPrompt: addGenerationPrompt, variables: variables, now: now)
    }
}
