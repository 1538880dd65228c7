internal import EdgePlatform
internal import EdgeTemplate
internal import EdgeTokenizer
internal import Foundation

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
    /// What the template does with tools, found out when there are any.
    private let toolWriting = ToolWritingMemory()

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

    /// How calls of tools are written and read; the form that is explained to the model where the template shows none.
    var calls: ToolSyntax { writing?.syntax ?? .generic }

    /// What the template does with tools, if anything that can be used.
    private var writing: ToolWriting? { toolWriting.value { template.toolWriting } }

    /// How the answer to a request is to be read.
    func form(of tools: ToolUse?) -> AnswerForm {
        guard let tools else { return AnswerForm(reasoning: reasoning) }
        let grammar = ToolGrammar(syntax: calls, tokenizer: tokenizer)
        return AnswerForm(
            reasoning: reasoning, calls: calls,
            openings: ([calls.mark] + calls.otherMarks).filter { !$0.isEmpty && !grammar.isToken($0) },
            marks: grammar.marks, isOpened: tools.isRequired, argumentForms: tools.argumentForms)
    }

    /// The ids of a conversation.
    ///
    /// Only what the template itself wrote may become control tokens. A beginning-of-text token that the vocabulary wants is there
    /// once, whether the template writes it or not.
    /// - Parameters:
    ///   - tools: what the model is told that it may call; where it must, the ids end within a call that is open.
    ///   - answers: whether the ids end where the answer is to begin.
    /// - Throws: `LanguageModelError.chatTemplate`.
    func tokens(
        of entries: some Collection<Transcript.Entry>, tools: ToolUse? = nil, answers: Bool, now: TemplateTime
    ) throws(LanguageModelError) -> [Int32] {
        tokens(of: try segments(of: entries, tools: tools, answers: answers, now: now))
    }

    /// The ids of a conversation as `tokens(of:tools:answers:now:)` gives them, and where each comes from.
    func tracedTokens(
        of entries: some Collection<Transcript.Entry>, tools: ToolUse? = nil, answers: Bool, now: TemplateTime
    ) throws(LanguageModelError) -> (ids: [Int32], origins: [OriginRun]) {
        let segments = Self.attributed(try segments(of: entries, tools: tools, answers: answers, now: now))
        let ids = tokens(of: segments)
        return (ids, OriginRun.runs(of: tokenizer.origins(of: ids, in: segments)))
    }

    private func tokens(of segments: [TextSegment]) -> [Int32] {
        let ids = tokenizer.encode(segments: segments, addSpecial: false, marks: marks)
        guard tokenizer.addsBos, let bos = tokenizer.bosId, ids.first != bos else { return ids }
        return [bos] + ids
    }

    /// Says of all text where it comes from. What the template makes of input in its own way, such as the quotes around it, comes from
    /// where the less trusted one of the inputs beside it does.
    private static func attributed(_ segments: [TextSegment]) -> [TextSegment] {
        var segments = segments
        var before = Transcript.Origin.system.code
        for index in segments.indices {
            if segments[index].isTrusted {
                if segments[index].origin == 0 { segments[index].origin = Transcript.Origin.system.code }
            } else if segments[index].origin == 0 {
                let next = segments[(index + 1)...].first { $0.isTrusted || $0.origin != 0 }
                segments[index].origin = max(before, next?.isTrusted == false ? next?.origin ?? 0 : 0)
            } else {
                before = segments[index].origin
            }
        }
        return segments
    }

    /// What the template makes of a conversation.
    private func segments(
        of entries: some Collection<Transcript.Entry>, tools: ToolUse?, answers: Bool, now: TemplateTime
    ) throws(LanguageModelError) -> [TextSegment] {
        var segments: [RenderedSegment]
        do throws(TemplateError) {
            let usesTools = tools != nil || entries.contains { $0.isOfTools }
            let writing = usesTools ? writing : nil
            let messages = ChatMessages(
                takesSystem: takesSystem, takesParts: takesParts, calls: usesTools ? calls : nil,
                callsAreContent: writing?.writesCalls != true, outputsAreContent: writing == nil
            ).messages(of: entries, explanation: writing == nil ? tools?.explanation : nil)
            if let writing, let tools {
                segments = try template.render(
                    messages: messages, tools: tools.values, listing: writing.listing, addGenerationPrompt: answers,
                    now: now)
            } else {
                segments = try template.render(messages: messages, addGenerationPrompt: answers, now: now)
            }
        } catch {
            throw .chatTemplate(.init(error))
        }
        if answers, tools?.isRequired == true { segments.append(RenderedSegment(opening, isTrusted: true)) }
        return segments.map { TextSegment($0.text, isTrusted: $0.isTrusted, origin: $0.origin) }
    }

    /// What opens a call that the model has to make. A thought that the prompt has opened is closed first.
    private var opening: String {
        guard let reasoning, reasoning.promptBegins else { return calls.mark }
        return "\n" + reasoning.end + "\n\n" + calls.mark
    }
}

/// What a template does with tools, found out once.
private final class ToolWritingMemory: Sendable {
    private let known = Lock<ToolWriting??>(nil)

    func value(_ find: () -> ToolWriting?) -> ToolWriting? {
        if let known = known.withLock({ $0 }) { return known }
        let found = find()
        known.withLock { $0 = .some(found) }
        return found
    }
}

/// The chat format of a model, read when it is first asked for: a model that only continues texts needs none.
final class ChatFormatSource: Sendable {
    /// The template's text; nil where the model has none.
    let template: String?
    private let tokenizer: Tokenizer
    private let result = Lock<Result<ChatFormat, LanguageModelError>?>(nil)

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
    /// The ids of a conversation's first turn as the chat template writes it, up to where the answer begins. What looks like a control
    /// token in the texts is not one.
    ///
    /// - Throws: `LanguageModelError` where the model has no template or it refuses this.
    public func promptTokens(for prompt: String, instructions: String? = nil) throws -> [Int] {
        let instructions = instructions.map { [Transcript.Entry.instructions(.init(segments: .text($0)))] } ?? []
        return try chat.format().tokens(
            of: instructions + [.prompt(.init(segments: .text(prompt)))], answers: true, now: .local(Date())
        ).map(Int.init)
    }
}

extension LanguageModelError.TemplateFailure {
    init(_ error: TemplateError) {
        self.init(message: error.message, line: error.line, column: error.column)
    }
}
