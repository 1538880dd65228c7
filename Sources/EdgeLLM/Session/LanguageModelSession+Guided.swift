extension LanguageModelSession {
    // MARK: Types

    /// Answers a prompt with a value of a type: what the model can say is limited to it, token by token.
    ///
    /// - Parameter includeSchemaInPrompt: whether the model is told the schema, behind the prompt. It is enforced either way.
    /// - Throws: as for a text; `LanguageModelError.unsupportedGenerationGuide` before the first token where the schema cannot be
    ///   enforced, `incompleteContent` where the answer is cut before the value is whole, and what the type's initialiser throws.
    @discardableResult
    public nonisolated(nonsending) func respond<Content: Generable>(
        to prompt: Prompt, generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) async throws -> Response<Content> {
        try Task.checkCancellation()
        return try await streamResponse(
            to: prompt, generating: type, includeSchemaInPrompt: includeSchemaInPrompt, options: options
        ).collect()
    }

    /// Answers a prompt with a value of a type.
    ///
    /// - Throws: as for a `Prompt`.
    @_disfavoredOverload @discardableResult
    public nonisolated(nonsending) func respond<Content: Generable>(
        to prompt: String, generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) async throws -> Response<Content> {
        try await respond(
            to: Prompt(prompt), generating: type, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt put together from parts with a value of a type.
    ///
    /// - Throws: as for a `Prompt`, and what the builder throws.
    @discardableResult
    public nonisolated(nonsending) func respond<Content: Generable>(
        generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init(), @PromptBuilder prompt: () throws -> Prompt
    ) async throws -> Response<Content> {
        try await respond(
            to: prompt(), generating: type, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt with a value of a type, in snapshots of what is known of it so far.
    ///
    /// - Parameter includeSchemaInPrompt: whether the model is told the schema, behind the prompt. It is enforced either way.
    public func streamResponse<Content: Generable>(
        to prompt: Prompt, generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) -> ResponseStream<Content> {
        let form = ResponseForm(type.generationSchema, isShown: includeSchemaInPrompt, of: type)
        return ResponseStream(begin(prompt, options, form: form), form: form)
    }

    /// Answers a prompt with a value of a type, in snapshots of what is known of it so far.
    @_disfavoredOverload
    public func streamResponse<Content: Generable>(
        to prompt: String, generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) -> ResponseStream<Content> {
        streamResponse(
            to: Prompt(prompt), generating: type, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt put together from parts with a value of a type, in snapshots of what is known of it so far.
    public func streamResponse<Content: Generable>(
        generating type: Content.Type = Content.self, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init(), @PromptBuilder prompt: () throws -> Prompt
    ) rethrows -> ResponseStream<Content> {
        streamResponse(
            to: try prompt(), generating: type, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    // MARK: Schemas

    /// Answers a prompt with content that a schema allows.
    ///
    /// - Parameter includeSchemaInPrompt: whether the model is told the schema, behind the prompt. It is enforced either way.
    /// - Throws: as for a text; `LanguageModelError.unsupportedGenerationGuide` before the first token where the schema cannot be
    ///   enforced, `incompleteContent` where the answer is cut before the value is whole, and what the type's initialiser throws.
    @discardableResult
    public nonisolated(nonsending) func respond(
        to prompt: Prompt, schema: GenerationSchema, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) async throws -> Response<GeneratedContent> {
        try Task.checkCancellation()
        return try await streamResponse(
            to: prompt, schema: schema, includeSchemaInPrompt: includeSchemaInPrompt, options: options
        ).collect()
    }

    /// Answers a prompt with content that a schema allows.
    ///
    /// - Throws: as for a `Prompt`.
    @_disfavoredOverload @discardableResult
    public nonisolated(nonsending) func respond(
        to prompt: String, schema: GenerationSchema, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) async throws -> Response<GeneratedContent> {
        try await respond(
            to: Prompt(prompt), schema: schema, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt put together from parts with content that a schema allows.
    ///
    /// - Throws: as for a `Prompt`, and what the builder throws.
    @discardableResult
    public nonisolated(nonsending) func respond(
        schema: GenerationSchema, includeSchemaInPrompt: Bool = true, options: GenerationOptions = .init(),
        @PromptBuilder prompt: () throws -> Prompt
    ) async throws -> Response<GeneratedContent> {
        try await respond(
            to: prompt(), schema: schema, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt with content that a schema allows, in snapshots of what is known of it so far.
    ///
    /// - Parameter includeSchemaInPrompt: whether the model is told the schema, behind the prompt. It is enforced either way.
    public func streamResponse(
        to prompt: Prompt, schema: GenerationSchema, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) -> ResponseStream<GeneratedContent> {
        let form = ResponseForm(schema, isShown: includeSchemaInPrompt, of: GeneratedContent.self)
        return ResponseStream(begin(prompt, options, form: form), form: form)
    }

    /// Answers a prompt with content that a schema allows, in snapshots of what is known of it so far.
    @_disfavoredOverload
    public func streamResponse(
        to prompt: String, schema: GenerationSchema, includeSchemaInPrompt: Bool = true,
        options: GenerationOptions = .init()
    ) -> ResponseStream<GeneratedContent> {
        streamResponse(
            to: Prompt(prompt), schema: schema, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }

    /// Answers a prompt put together from parts with content that a schema allows, in snapshots of what is known of it so far.
    public func streamResponse(
        schema: GenerationSchema, includeSchemaInPrompt: Bool = true, options: GenerationOptions = .init(),
        @PromptBuilder prompt: () throws -> Prompt
    ) rethrows -> ResponseStream<GeneratedContent> {
        streamResponse(
            to: try prompt(), schema: schema, includeSchemaInPrompt: includeSchemaInPrompt, options: options)
    }
}
