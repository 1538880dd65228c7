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

    /// What a stage of the answer says; nil where it says nothing yet.
    func raw(_ text: String, id: GenerationID) -> GeneratedContent? {
        guard schema != nil else {
            var content = GeneratedContent(.string(text), isComplete: false)
            content.id = id
            return content
        }
        return PartialJSON.content(of: text)?.identified(by: id)
    }

    /// What the whole answer says.
    ///
    /// - Throws: `GeneratedContentError`.
    func whole(_ text: String, id: GenerationID) throws -> GeneratedContent {
        guard schema != nil else { return GeneratedContent(.string(text), id: id) }
        return try GeneratedContent.read(Array(text.utf8)).identified(by: id)
    }
}
