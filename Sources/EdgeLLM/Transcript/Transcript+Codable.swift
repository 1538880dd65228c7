extension Transcript: Codable {
    /// The version of the written form. Readers refuse what is newer than they are.
    static let version = 1

    private enum Key: String, CodingKey { case version, entries }

    /// Reads what `encode(to:)` wrote.
    ///
    /// - Throws: `DecodingError` that says which entry is damaged, or that the form is of another version.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let version = try container.decode(Int.self, forKey: .version)
        guard version == Transcript.version else {
            throw DecodingError.dataCorruptedError(
                forKey: .version, in: container,
                debugDescription: "a transcript of version \(version), but this library reads version \(Self.version)")
        }
        entries = try container.decode([Entry].self, forKey: .entries)
    }

    /// Writes `{"version": 1, "entries": [{"kind": "prompt", "id": …, "segments": [{"text": …}]}, …]}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(Transcript.version, forKey: .version)
        try container.encode(entries, forKey: .entries)
    }
}

extension Transcript.Entry: Codable {
    private enum Kind: String, Codable {
        case instructions, prompt, reasoning, toolCalls, toolOutput, response
    }

    private enum Key: String, CodingKey {
        case kind, id, segments, calls, callID, toolName, finishReason, responseFormat
    }

    /// Reads one entry.
    ///
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let id = try container.decode(String.self, forKey: .id)
        func segments() throws -> [Transcript.Segment] {
            try container.decode([Transcript.Segment].self, forKey: .segments)
        }
        switch try container.decode(Kind.self, forKey: .kind) {
        case .instructions: self = .instructions(.init(id: id, segments: try segments()))
        case .prompt:
            self = .prompt(
                .init(
                    id: id, segments: try segments(),
                    responseFormat: try container.decodeIfPresent(
                        Transcript.ResponseFormat.self, forKey: .responseFormat)))
        case .reasoning: self = .reasoning(.init(id: id, segments: try segments()))
        case .toolCalls:
            self = .toolCalls(.init(id: id, calls: try container.decode([Transcript.ToolCall].self, forKey: .calls)))
        case .toolOutput:
            self = .toolOutput(
                .init(
                    id: id, callID: try container.decode(String.self, forKey: .callID),
                    toolName: try container.decode(String.self, forKey: .toolName), segments: try segments()))
        case .response:
            self = .response(
                .init(
                    id: id, segments: try segments(),
                    finishReason: try container.decodeIfPresent(FinishReason.self, forKey: .finishReason)))
        }
    }

    /// Writes one entry.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: .id)
        switch self {
        case .instructions(let entry):
            try container.encode(Kind.instructions, forKey: .kind)
            try container.encode(entry.segments, forKey: .segments)
        case .prompt(let entry):
            try container.encode(Kind.prompt, forKey: .kind)
            try container.encode(entry.segments, forKey: .segments)
            try container.encodeIfPresent(entry.responseFormat, forKey: .responseFormat)
        case .reasoning(let entry):
            try container.encode(Kind.reasoning, forKey: .kind)
            try container.encode(entry.segments, forKey: .segments)
        case .toolCalls(let entry):
            try container.encode(Kind.toolCalls, forKey: .kind)
            try container.encode(entry.calls, forKey: .calls)
        case .toolOutput(let entry):
            try container.encode(Kind.toolOutput, forKey: .kind)
            try container.encode(entry.callID, forKey: .callID)
            try container.encode(entry.toolName, forKey: .toolName)
            try container.encode(entry.segments, forKey: .segments)
        case .response(let entry):
            try container.encode(Kind.response, forKey: .kind)
            try container.encode(entry.segments, forKey: .segments)
            try container.encodeIfPresent(entry.finishReason, forKey: .finishReason)
        }
    }
}

extension Transcript.Segment: Codable {
    private enum Key: String, CodingKey { case text, origin }

    /// Reads one stretch.
    ///
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        self = .text(
            .init(
                content: try container.decode(String.self, forKey: .text),
                origin: try container.decodeIfPresent(Transcript.Origin.self, forKey: .origin)))
    }

    /// Writes one stretch.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .text(let segment):
            try container.encode(segment.content, forKey: .text)
            try container.encodeIfPresent(segment.origin, forKey: .origin)
        }
    }
}

extension Transcript.ResponseFormat: Codable {
    private enum Key: String, CodingKey { case schema }

    /// Reads a form.
    ///
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        do {
            schema = try GenerationSchema(jsonSchema: container.decode(String.self, forKey: .schema))
        } catch let error as GeneratedContentError {
            throw DecodingError.dataCorruptedError(
                forKey: .schema, in: container, debugDescription: error.description)
        }
    }

    /// Writes the schema as a text, so that a model that reads the conversation again reads the same bytes.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`, `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(schema.jsonSchema(), forKey: .schema)
    }
}
