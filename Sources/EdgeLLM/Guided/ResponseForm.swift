/// What an answer must be.
struct ResponseForm: Sendable {
    /// Nil for text.
    let schema: GenerationSchema?
    /// What the prompt says about it.
    let shown: Transcript.ResponseFormat?
    private let decode: @Sendable (GeneratedContent) throws -> Void

    /// Any text.
    static let text = ResponseForm(schema: nil, shown: nil) { _ in }

    private init(
        schema: GenerationSchema?, shown: Transcript.ResponseFormat?,
        decode: @escaping @Sendable (GeneratedContent) throws -> Void
    ) {
        self.schema = schema
        self.shown = shown
        self.decode = decode
    }

    /// JSON that a schema allows, and that makes a value of a type.
    init<Content: Generable>(_ schema: GenerationSchema, isShown: Bool, of type: Content.Type) {
        self.init(schema: schema, shown: isShown ? .init(schema: schema) : nil) { _ = try Content($0) }
    }

    /// Makes sure that a whole answer is a whole value.
    ///
    /// - Parameter isEnforced: whether the model could write nothing that the schema forbids.
    /// - Throws: `LanguageModelError.incompleteContent`; what the type's initialiser throws; `LanguageModelError.constraintFailed` for
    ///   what the schema forbids.
    func check(_ text: String, _ reason: FinishReason, isEnforced: Bool = true) throws {
        guard let schema else { return }
        guard reason == .endOfTurn else {
            throw LanguageModelError.incompleteContent(.init(text: text, finishReason: reason))
        }
        try decode(GeneratedContent.read(Array(text.utf8)))
        if !isEnforced, !ToolGrammar.accepts(text, schema: try schema.jsonSchema()) {
            throw LanguageModelError.constraintFailed("the model's answer is not what the schema describes")
        }
    }

    /// What the whole answer says.
    ///
    /// - Throws: `GeneratedContentError`.
    func whole(_ text: String, id: GenerationID) throws -> GeneratedContent {
        guard schema != nil else { return GeneratedContent(.string(text), id: id) }
        return try GeneratedContent.read(Array(text.utf8)).identified(by: id)
    }
}

/// The stages of an answer, for one reader.
struct ResponseStages {
    private let id: GenerationID
    /// Nil for text.
    private var partial: PartialContent?
    /// Bytes of content seen.
    private var seen = 0

    init(_ form: ResponseForm, id: GenerationID) {
        self.id = id
        partial = form.schema.map { _ in PartialContent(id: id) }
    }

    /// What there is by now; nil where that is no more than before, or says nothing yet.
    mutating func next(of turn: Turn) -> GeneratedContent? {
        if partial == nil {
            let content = turn.content
            guard content.utf8.count > seen else { return nil }
            seen = content.utf8.count
            return GeneratedContent(.string(content), id: id, isComplete: false)
        }
        let more = turn.content(from: seen)
        guard !more.isEmpty else { return nil }
        seen += more.utf8.count
        partial?.append(more)
        return partial?.content
    }
}
