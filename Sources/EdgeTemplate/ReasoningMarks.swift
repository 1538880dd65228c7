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

extension Source {
    /// The template as text.
    var text: String { Text.string(scalars[...]) }
}
