internal import EdgeTemplate
internal import EdgeTokenizer
internal import Foundation
internal import Synchronization

/// How a model wants a conversation written: its template, read and probed once, with what that means for its vocabulary.
struct ChatFormat: Sendable {
    let template: ChatTemplate
    let tokenizer: Tokenizer
    let reasoning: ReasoningMarks?
    /// Whether the template writes what a system message says; else it goes to the head of the first prompt.
    private let takesSystem: Bool
    /// Whether the template wants contents as lists of parts.
    private let takesParts: Bool
    /// User-defined tokens that the template writes and input must not spell.
    private let marks: Set<Int32>
    /// Control tokens that the reader of an answer has to see.
    let shownTokens: Set<Int32>

    /// - Throws: `TemplateError` where the template is not well formed.
    init(_ source: String, tokenizer: Tokenizer) throws(TemplateError) {
        func spelling(_ id: Int32?) -> String {
            id.map { String(decoding: tokenizer.bytes(of: $0, special: true), as: UTF8.self) } ?? ""
        }
        let template = try ChatTemplate(
            source, bosToken: spelling(tokenizer.bosId), eosToken: spelling(tokenizer.eosId))
        self.template = template
        self.tokenizer = tokenizer
        reasoning = template.reasoning
        marks = tokenizer.marks(in: source)
        shownTokens = Set([reasoning?.begin, reasoning?.end].compactMap { $0.flatMap { tokenizer.id(of: $0) } })

        let probe = "EdgeProbe"
        func shows(_ messages: [TemplateValue]) -> Bool {
            ((try? template.render(messages: messages)) ?? []).contains { $0.text.contains(probe) }
        }
        let parts: TemplateValue = [["type": "text", "text": .string(probe)]]
        takesParts =
            !shows([["role": "user", "content": .string(probe)]]) && shows([["role": "user", "content": parts]])
        takesSystem = shows([
            ["role": "system", "content": takesParts ? parts : .string(probe)],
            ["role": "user", "content": takesParts ? [["type": "text", "text": "a"]] : "a"],
        ])
    }

    /// The ids of a conversation.
    ///
    /// Only what the template itself wrote may become control tokens. A beginning-of-text token that the vocabulary wants is there
    /// once, whether the template writes it or not.
    /// - Parameters:
    ///   - answers: whether the ids end where the answer is to begin.
    /// - Throws: `LanguageModelError.chatTemplate`.
    func tokens(
        of entries: some Collection<Transcript.Entry>, answers: Bool, now: TemplateTime
    ) throws(LanguageModelError) -> [Int32] {
        let segments: [RenderedSegment]
        do throws(TemplateError) {
            segments = try template.render(
                messages: messages(of: entries), addGenerationPrompt: answers, now: now)
        } catch {
            throw .chatTemplate(.init(error))
        }
        let ids = tokenizer.encode(
            segments: segments.map { TextSegment($0.text, isTrusted: $0.isTrusted) }, addSpecial: false, marks: marks)
        guard tokenizer.addsBos, let bos = tokenizer.bosId, ids.first != bos else { return ids }
        return [bos] + ids
    }

    /// The entries as the messages that templates know.
    private func messages(of entries: some Collection<Transcript.Entry>) -> [TemplateValue] {
        var messages: [TemplateValue] = []
        var instructions: [String] = []
        var thought: String?
        func message(_ role: String, _ text: String) -> TemplateValue.Members {
            [
                "role": .literal(role),
                "content": takesParts ? [["type": "text", "text": .string(text)]] : .string(text),
            ]
        }
        for entry in entries {
            switch entry {
            case .instructions(let entry):
                if takesSystem {
                    messages.append(.dict(message("system", entry.segments.text)))
                } else {
                    instructions.append(entry.segments.text)
                }
            case .prompt(let entry):
                let parts = [entry.segments.text, entry.responseFormat?.promptText].compactMap(\.self)
                messages.append(.dict(message("user", (instructions + parts).joined(separator: "\n\n"))))
                instructions = []
            case .reasoning(let entry): thought = entry.segments.text
            case .toolCalls(let entry):
                var members = message("assistant", "")
                members["tool_calls"] = .list(entry.calls.map(Self.call))
                if let thought { members["reasoning_content"] = .string(thought) }
                thought = nil
                messages.append(.dict(members))
            case .toolOutput(let entry):
                var members = message("tool", entry.segments.text)
                members["name"] = .string(entry.toolName)
                members["tool_call_id"] = .string(entry.callID)
                messages.append(.dict(members))
            case .response(let entry):
                var members = message("assistant", entry.segments.text)
                if let thought { members["reasoning_content"] = .string(thought) }
                thought = nil
                messages.append(.dict(members))
            }
        }
        if !instructions.isEmpty { messages.append(.dict(message("user", instructions.joined(separator: "\n\n")))) }
        return messages
    }

    private static func call(_ call: Transcript.ToolCall) -> TemplateValue {
        let arguments = (try? TemplateValue(json: call.arguments)) ?? .string(call.arguments)
        return [
            "id": .string(call.id), "type": "function",
            "function": ["name": .string(call.toolName), "arguments": arguments],
        ]
    }
}

/// The chat format of a model, read when it is first asked for: a model that only continues texts needs none.
final class ChatFormatSource: Sendable {
    /// The template's text; nil where the model has none.
    let template: String?
    private let tokenizer: Tokenizer
    private let result = Mutex<Result<ChatFormat, LanguageModelError>?>(nil)

    init(template: String?, tokenizer: Tokenizer) {
        self.template = template
        self.tokenizer = tokenizer
    }

    /// - Throws: `LanguageModelError.missingChatTemplate`, or `chatTemplate` where it is not well formed.
    func format() throws(LanguageModelError) -> ChatFormat {
        let known = result.withLock { $0 }
        if let known { return try known.get() }
        let read: Result<ChatFormat, LanguageModelError>
        if let template {
            do throws(TemplateError) {
                read = .success(try ChatFormat(template, tokenizer: tokenizer))
            } catch {
                read = .failure(.chatTemplate(.init(error)))
            }
        } else {
            read = .failure(.missingChatTemplate)
        }
        result.withLock { $0 = read }
        return try read.get()
    }
}

extension GGUFLanguageModel {
    /// The ids of a conversation's first turn, up to where the answer begins.
    ///
    /// - Throws: `LanguageModelError` where the model has no template or it refuses this.
    package func chatTokens(system: String?, prompt: String) throws(LanguageModelError) -> [Int32] {
        let instructions = system.map { [Transcript.Entry.instructions(.init(segments: .text($0)))] } ?? []
        return try chat.format().tokens(
            of: instructions + [.prompt(.init(segments: .text(prompt)))], answers: true, now: .local(Date()))
    }
}

extension LanguageModelError.TemplateFailure {
    init(_ error: TemplateError) {
        self.init(message: error.message, line: error.line, column: error.column)
    }
}
