internal import EdgeGrammar
internal import EdgeTemplate
internal import EdgeTokenizer

/// What may follow the opening of a call: the name of a tool, arguments that meet its schema, and the family's text around them.
struct ToolGrammar {
    let syntax: ToolSyntax
    let tokenizer: Tokenizer

    /// Calls of one turn at most: a model that finds no end shall.
    private static let maximumCalls = 16

    /// What may follow the opening of a call.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`, for a schema that cannot be enforced.
    func grammar(for use: ToolUse) throws -> Grammar { try Grammar(calls(of: use)) }

    /// An answer that is calls, with their opening, or else what another grammar allows.
    ///
    /// - Throws: as `grammar(for:)`.
    func grammar(for use: ToolUse, or content: Grammar) throws -> Grammar {
        try Grammar(.choice([.grammar(content), .sequence([part(syntax.mark), try calls(of: use)])]))
    }

    /// All calls of a turn, from right behind their mark.
    private func calls(of use: ToolUse) throws -> GrammarPart {
        let calls = try use.tools.map { tool -> GrammarPart in
            do {
                return .sequence([.text(tool.name), try arguments(of: tool)])
            } catch let error as GrammarError {
                throw LanguageModelError.unsupportedGenerationGuide(
                    .init(
                        message: "the arguments of the tool \(tool.name): \(error.message)",
                        place: error.pointer.map { $0.isEmpty ? "the root" : $0 }))
            }
        }
        var parts: [GrammarPart] = []
        // A mark in letters may come with the white space that follows it in one token, or with none.
        let space = syntax.prefix.prefix { $0.isWhitespace }
        parts.append(
            isToken(syntax.mark) || space.isEmpty
                ? part(syntax.prefix)
                : .sequence([.optional(.text(String(space))), part(String(syntax.prefix.dropFirst(space.count)))]))
        let call = GrammarPart.choice(calls)
        parts.append(syntax.join.map { .repeated(call, between: part($0), maximum: Self.maximumCalls) } ?? call)
        parts.append(part(syntax.suffix))
        return .sequence(parts)
    }

    /// Whether JSON is what a schema describes; yes where the schema asks for what no automaton can tell.
    static func accepts(_ json: String, schema: String) -> Bool {
        guard let grammar = try? JSONSchema.compile(schema, options: .validating) else { return true }
        let tree = VocabularyTree(bytes: [], ends: [], isText: [], endTokens: [])
        var matcher = Matcher(grammar, tree: tree)
        return matcher.accept(bytes: json.utf8) && matcher.canEnd
    }

    /// Whether a text is one token.
    func isToken(_ text: String) -> Bool { token(of: text) != nil }

    /// The token that a text is, if it is one.
    func token(of text: String) -> Int32? {
        let fragments = tokenizer.fragments(of: text)
        if fragments.count == 1, case .token(let id) = fragments[0] { return id }
        return nil
    }

    /// All tokens that the syntax names, with their spelling.
    var marks: [Int32: String] {
        var texts = [syntax.mark, syntax.prefix, syntax.middle, syntax.suffix, syntax.join ?? ""] + syntax.otherMarks
        if case .tagged(let before, let middle, let after) = syntax.arguments { texts += [before, middle, after] }
        var marks: [Int32: String] = [:]
        for case .token(let id) in texts.flatMap({ tokenizer.fragments(of: $0) }) {
            marks[id] = String(decoding: tokenizer.bytes(of: id, special: true), as: UTF8.self)
        }
        return marks
    }

    private func part(_ text: String) -> GrammarPart {
        var parts: [GrammarPart] = []
        for fragment in tokenizer.fragments(of: text) {
            switch fragment {
            case .token(let id): parts.append(.mark(id))
            case .text(let text):
                var plain = ""
                for character in text {
                    guard character == ToolSyntax.identifier || character == ToolSyntax.number else {
                        plain.append(character)
                        continue
                    }
                    parts.append(.text(plain))
                    plain = ""
                    let pattern = character == ToolSyntax.number ? "[0-9]" : "[a-zA-Z0-9]{9}"
                    if let grammar = try? GBNF.compile("root ::= \(pattern)") { parts.append(.grammar(grammar)) }
                }
                parts.append(.text(plain))
            }
        }
        return .sequence(parts)
    }

    private func arguments(of tool: ToolUse.Description) throws -> GrammarPart {
        switch syntax.arguments {
        case .json:
            return .sequence([part(syntax.middle), .grammar(try JSONSchema.compile(tool.schema, options: .guided))])
        case .tagged(let before, let middle, let after):
            return .sequence([
                part(syntax.middle), try members(of: tool, before: before, middle: middle, after: after),
            ])
        }
    }

    /// Arguments that stand each between tags: texts as they are, up to the closing tag, other values as JSON. Of what a schema asks of
    /// texts, `enum`, `const` and `maxLength` hold here; the rest is looked at before the call is made.
    private func members(
        of tool: ToolUse.Description, before: String, middle: String, after: String
    ) throws -> GrammarPart {
        let schema = try TemplateValue(json: tool.schema)
        // The schema as a whole has to be one that can be enforced, too.
        _ = try JSONSchema.compile(tool.schema, options: .guided)
        guard case .dict(let properties)? = schema["properties"] else { return .sequence([]) }
        var required: Set<String> = []
        if case .list(let names)? = schema["required"] { required = Set(names.compactMap(\.text)) }
        var parts: [GrammarPart] = []
        for (key, property) in zip(properties.keys, properties.values) {
            let value: GrammarPart
            if property["type"]?.text == "string" {
                if case .list(let choices)? = property["enum"] {
                    value = .sequence([.choice(choices.compactMap(\.text).map { .text($0) }), part(after)])
                } else if let constant = property["const"]?.text {
                    value = .sequence([.text(constant), part(after)])
                } else if tokenizer.fragments(of: after) == [.text(after)] {
                    var maximum: Int?
                    if case .int(let count)? = property["maxLength"], count >= 0 { maximum = count }
                    value = .textUntil(after, maximum: maximum)
                } else {
                    // No text can be taken for a token.
                    value = .sequence([.grammar(try GBNF.compile("root ::= [^\\x00]*")), part(after)])
                }
            } else {
                var members = TemplateValue.Members()
                if case .dict(let own) = property { members = own }
                for name in ["$defs", "definitions"] where members[name] == nil { members[name] = schema[name] }
                value = .sequence([
                    .grammar(try JSONSchema.compile(TemplateValue.dict(members).json, options: .guided)), part(after),
                ])
            }
            let member = GrammarPart.sequence([part(before), .text(key), part(middle), value])
            parts.append(required.contains(key) ? member : .optional(member))
        }
        return .sequence(parts)
    }
}

extension Transcript.ToolDefinition {
    /// Whether arguments, as JSON, are what the schema describes.
    package func accepts(_ arguments: String) -> Bool {
        (try? parameters.jsonSchema()).map { ToolGrammar.accepts(arguments, schema: $0) } ?? false
    }

    /// The tools of a session or an agent, as they are now.
    ///
    /// - Throws: `LanguageModelError.invalidOptions` for a name that cannot be written or is there twice, and what the schema throws.
    package static func all(of tools: [any Tool]) throws -> [Transcript.ToolDefinition] {
        try ToolUse.definitions(tools)
    }
}

extension Tool {
    /// Calls the tool with arguments as content; arguments that are not what it takes are its output.
    ///
    /// - Throws: what the tool throws.
    @concurrent package func called(with content: GeneratedContent) async throws -> String {
        let taken: Arguments
        do {
            taken = try Arguments(content)
        } catch {
            return "Error: the arguments are not what the tool takes: \(error)"
        }
        return try await call(arguments: taken).promptRepresentation.text
    }
}
