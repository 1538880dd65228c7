/// The form of values that a model may generate; as `Codable`, a JSON Schema.
///
/// Properties come in the order of their declaration. A schema is put together from types when it is used, so types may contain
/// themselves.
public struct GenerationSchema: Sendable {
    let node: SchemaNode

    init(node: SchemaNode) { self.node = node }

    /// A structure.
    public init(type: any Generable.Type, description: String? = nil, properties: [Property]) {
        node = .object(.init(type, description), properties)
    }

    /// One of several texts.
    public init(type: any Generable.Type, description: String? = nil, anyOf choices: [String]) {
        node = .strings(description, choices)
    }

    /// One of several types.
    public init(type: any Generable.Type, description: String? = nil, anyOf types: [any Generable.Type]) {
        node = .union(.init(type, description), description, types.map { .type($0) })
    }

    /// One of several cases: a structure with one property, whose name is the case and whose value is a structure of the payload —
    /// what `Codable` makes of an enumeration.
    public init(type: any Generable.Type, description: String? = nil, cases: [Case]) {
        let name = SchemaNode.Name(type, nil)
        node = .union(
            .init(type, description), description,
            cases.map { one in
                let payload = SchemaNode.object(name, one.properties)
                return .object(
                    name, [Property(name: one.name, description: one.description, node: payload, isOptional: false)])
            })
    }

    /// A schema put together at run time.
    ///
    /// - Parameter dependencies: schemas that are referred to by name. Those inside of the root may be referred to as well.
    /// - Throws: `SchemaError`; `LanguageModelError.unsupportedGenerationGuide` for a guide that makes no sense.
    public init(root: DynamicGenerationSchema, dependencies: [DynamicGenerationSchema]) throws {
        node = .document(try DynamicSchemaReader.document(root, dependencies))
    }

    /// A schema from the text of a JSON Schema, whose properties keep their order.
    ///
    /// - Throws: `GeneratedContentError` where it is no JSON. What the keywords ask for is looked at when the schema is used.
    public init(jsonSchema text: String) throws {
        node = .document(try GeneratedContent.read(Array(text.utf8)))
    }

    /// The schema as JSON Schema (2020-12), as it is enforced and shown to the model.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    public func jsonSchema() throws -> String { try document().jsonString }

    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    func document() throws(LanguageModelError) -> GeneratedContent { try SchemaWriter.document(of: self) }

    /// A property of a structure.
    public struct Property: Sendable {
        let name: String
        let description: String?
        let node: SchemaNode
        let isOptional: Bool

        init(name: String, description: String?, node: SchemaNode, isOptional: Bool) {
            self.name = name
            self.description = description
            self.node = node
            self.isOptional = isOptional
        }

        /// A property that is always there.
        @_disfavoredOverload
        public init<Value: Generable>(
            name: String, description: String? = nil, type: Value.Type, guides: [GenerationGuide<Value>] = []
        ) {
            self.init(
                name: name, description: description, node: .guided(.type(type), guides.map(\.rule)), isOptional: false)
        }

        /// A property that the model may leave out.
        public init<Value: Generable>(
            name: String, description: String? = nil, type: Value?.Type, guides: [GenerationGuide<Value>] = []
        ) {
            self.init(
                name: name, description: description, node: .guided(.type(Value.self), guides.map(\.rule)),
                isOptional: true)
        }

        /// A text that all the expressions match as a whole.
        public init<Output>(
            name: String, description: String? = nil, type: String.Type, guides: [Regex<Output>]
        ) {
            self.init(name: name, description: description, type: type, guides: guides.map { .pattern($0) })
        }

        /// A text that all the expressions match as a whole, or that the model leaves out.
        public init<Output>(
            name: String, description: String? = nil, type: String?.Type, guides: [Regex<Output>]
        ) {
            self.init(name: name, description: description, type: type, guides: guides.map { .pattern($0) })
        }
    }

    /// A case of an enumeration with payloads.
    public struct Case: Sendable {
        let name: String
        let description: String?
        let properties: [Property]

        /// A case.
        ///
        /// - Parameter properties: the payload; a value without a label is called `_0`, or as many as stand before it.
        public init(name: String, description: String? = nil, properties: [Property] = []) {
            self.name = name
            self.description = description
            self.properties = properties
        }
    }

    /// Why schemas put together at run time do not fit together.
    public enum SchemaError: Error, Sendable, Equatable, CustomStringConvertible {
        /// What is wrong, in words.
        public struct Context: Sendable, Equatable {
            /// The words.
            public var debugDescription: String
            /// A context.
            public init(debugDescription: String) { self.debugDescription = debugDescription }
        }

        /// Two schemas have the same name.
        case duplicateType(schema: String?, type: String, context: Context)
        /// A structure has two properties of the same name.
        case duplicateProperty(schema: String, property: String, context: Context)
        /// There is nothing to choose from.
        case emptyTypeChoices(schema: String, context: Context)
        /// Names that no schema has.
        case undefinedReferences(schema: String?, references: [String], context: Context)

        /// What is wrong, in one line.
        public var description: String {
            switch self {
            case .duplicateType(_, _, let context), .duplicateProperty(_, _, let context),
                .emptyTypeChoices(_, let context), .undefinedReferences(_, _, let context):
                context.debugDescription
            }
        }
    }
}

extension GenerationSchema: CustomDebugStringConvertible {
    /// The schema as JSON.
    public var debugDescription: String {
        do {
            return try document().jsonString
        } catch {
            return error.description
        }
    }
}

extension GenerationSchema: Equatable {
    /// Whether both say the same.
    public static func == (one: GenerationSchema, other: GenerationSchema) -> Bool {
        one.debugDescription == other.debugDescription
    }
}
