/// The chat template of a model: a conversation in, the prompt out.
package struct ChatTemplate: Sendable {
    package let template: Template
    private let bosToken: String
    let eosToken: String

    /// Roles of messages, which count as the program's own words: templates make control tokens of them.
    package static let roles: Set<String> = [
        "system", "developer", "user", "assistant", "tool", "function", "ipython", "environment", "context",
        "documents",
    ]

    /// - Throws: `TemplateError` where the template is not well formed.
    package init(
        _ source: String, bosToken: String = "", eosToken: String = "", limits: TemplateLimits = .standard
    ) throws(TemplateError) {
        template = try Template(source, limits: limits)
        self.bosToken = bosToken
        self.eosToken = eosToken
    }

    /// The prompt for a conversation.
    ///
    /// - Parameters:
    ///   - messages: objects with `role`, `content` and whatever else the template reads, such as `tool_calls`.
    ///   - tools: the tools as JSON schemas; with none, the template sees no `tools`.
    ///   - addGenerationPrompt: whether the prompt ends where the answer is to begin.
    ///   - variables: further variables; they come before those that this type sets.
    ///   - now: what `strftime_now` reads.
    /// - Throws: `TemplateError`; with code `raised` where the template refuses the conversation.
    package func render(
        messages: [TemplateValue], tools: [TemplateValue] = [], addGenerationPrompt: Bool = true,
        variables: TemplateValue.Members = .init(), now: TemplateTime = .epoch
    ) throws(TemplateError) -> [RenderedSegment] {
        var context = TemplateValue.Members()
        context["messages"] = .list(messages.map(ChatTemplate.trustingRole))
        context["tools"] = tools.isEmpty ? .null : .list(tools)
        context["add_generation_prompt"] = .bool(addGenerationPrompt)
        context["bos_token"] = .literal(bosToken)
        context["eos_token"] = .literal(eosToken)
        for (name, value) in zip(variables.keys, variables.values) { context[name] = value }
        return try template.render(context, now: now)
    }

    /// The message with its role trusted if it is a known one, so that no input can be taken for it.
    private static func trustingRole(_ message: TemplateValue) -> TemplateValue {
        guard case .dict(var members) = message, let role = members["role"]?.text, roles.contains(role) else {
            return message
        }
        members["role"] = .literal(role)
        return .dict(members)
    }
}
