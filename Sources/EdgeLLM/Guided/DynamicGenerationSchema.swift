/// A part of a schema that is put together at run time; `GenerationSchema(root:dependencies:)` makes a schema of it.
public struct DynamicGenerationSchema: Sendable {
    indirect enum Form: Sendable {
        case object([Property])
        case choices([DynamicGenerationSchema])
        case strings([String])
        case array(DynamicGenerationSchema, Int?, Int?)
        case node(SchemaNode)
        case reference
    }

    /// The name it can be referred to by; empty for one that has none.
    let name: String
    let description: String?
    let form: Form

    private init(_ name: String, _ description: String?, _ form: Form) {
        self.name = name
        self.description = description
        self.form = form
    }

    /// A structure.
    public init(name: String, description: String? = nil, properties: [Property]) {
        self.init(name, description, .object(properties))
    }

    /// One of several schemas.
    public init(name: String, description: String? = nil, anyOf choices: [DynamicGenerationSchema]) {
        self.init(name, description, .choices(choices))
    }

    /// One of several texts.
    public init(name: String, description: String? = nil, anyOf choices: [String]) {
        self.init(name, description, .strings(choices))
    }

    /// Values of one schema, as many as the bounds say.
    public init(
        arrayOf itemSchema: DynamicGenerationSchema, minimumElements: Int? = nil, maximumElements: Int? = nil
    ) {
        self.init("", nil, .array(itemSchema, minimumElements, maximumElements))
    }

    /// The values of a type.
    public init<Value: Generable>(type: Value.Type, guides: [GenerationGuide<Value>] = []) {
        self.init("", nil, .node(.guided(.type(type), guides.map(\.rule))))
    }

    /// The schema with a name.
    public init(referenceTo name: String) { self.init(name, nil, .reference) }

    /// A property of a structure.
    public struct Property: Sendable {
        let name: String
        let description: String?
        let schema: DynamicGenerationSchema
        let isOptional: Bool

        /// A property.
        ///
        /// - Parameter isOptional: whether the model may leave it out.
        public init(name: String, description: String? = nil, schema: DynamicGenerationSchema, isOptional: Bool = false)
        {
            self.name = name
            self.description = description
            self.schema = schema
            self.isOptional = isOptional
        }
    }
}

/// Puts dynamic schemas together: each that has a name becomes a definition.
struct DynamicSchemaReader {
    private let rootName: String?
    /// The definition of each name that has been met, in a schema or a reference.
    private var keys: [String: String] = [:]
    private var defined: Set<String> = []
    private var references: [String] = []
    private var writer = SchemaWriter()

    private static let depthLimit = 100

    private init(rootName: String?) { self.rootName = rootName }

    /// - Throws: `GenerationSchema.SchemaError`, `LanguageModelError.unsupportedGenerationGuide`.
    static func document(
        _ root: DynamicGenerationSchema, _ dependencies: [DynamicGenerationSchema]
    ) throws -> GeneratedContent {
        var reader = DynamicSchemaReader(rootName: root.name.isEmpty ? nil : root.name)
        var content = try reader.write(root, depth: 0, isRoot: true)
        for dependency in dependencies { _ = try reader.write(dependency, depth: 0, isRoot: false) }
        let missing = reader.references.filter { !reader.defined.contains($0) }
        guard missing.isEmpty else {
            throw GenerationSchema.SchemaError.undefinedReferences(
                schema: reader.rootName, references: missing,
                context: .init(debugDescription: "no schema is named \(missing.joined(separator: ", "))"))
        }
        if reader.references.contains(root.name) {
            let key = reader.key(root.name)
            reader.writer.definitions[key] = content
            content = SchemaWriter.reference(key)
        }
        guard !reader.writer.definitions.isEmpty else { return content }
        var whole = ContentBuilder(content)
        whole["$defs"] = reader.writer.definitions.content
        return whole.content
    }

    private mutating func key(_ name: String) -> String {
        if let known = keys[name] { return known }
        let key = writer.freshName(name)
        keys[name] = key
        return key
    }

    private mutating func write(
        _ schema: DynamicGenerationSchema, depth: Int, isRoot: Bool
    ) throws -> GeneratedContent {
        guard depth <= Self.depthLimit else {
            throw LanguageModelError.unsupportedGenerationGuide(.init(message: "the schema is too deep"))
        }
        let isNamed: Bool
        switch schema.form {
        case .reference:
            references.append(schema.name)
            return SchemaWriter.reference(key(schema.name))
        case .node(let node): return try writer.write(node, depth: depth)
        case .array(let items, let minimum, let maximum):
            var made = ContentBuilder()
            made["type"] = "array".generatedContent
            made["items"] = try write(items, depth: depth + 1, isRoot: false)
            if let minimum { made["minItems"] = minimum.generatedContent }
            if let maximum { made["maxItems"] = maximum.generatedContent }
            return made.content
        case .object, .choices, .strings: isNamed = !schema.name.isEmpty
        }
        if isNamed, !defined.insert(schema.name).inserted {
            throw GenerationSchema.SchemaError.duplicateType(
                schema: rootName, type: schema.name,
                context: .init(debugDescription: "two schemas are named \(schema.name)"))
        }
        let content = try write(schema.form, of: schema, depth: depth)
        guard isNamed, !isRoot else { return content }
        let key = key(schema.name)
        writer.definitions[key] = content
        return SchemaWriter.reference(key)
    }

    private mutating func write(
        _ form: DynamicGenerationSchema.Form, of schema: DynamicGenerationSchema, depth: Int
    ) throws -> GeneratedContent {
        var made = ContentBuilder()
        if let description = schema.description { made["description"] = description.generatedContent }
        func checkChoices(_ isEmpty: Bool) throws {
            guard isEmpty else { return }
            throw GenerationSchema.SchemaError.emptyTypeChoices(
                schema: schema.name, context: .init(debugDescription: "\(schema.name) has nothing to choose from"))
        }
        switch form {
        case .object(let properties):
            var written: [GenerationSchema.Property] = []
            var seen: Set<String> = []
            for property in properties {
                guard seen.insert(property.name).inserted else {
                    throw GenerationSchema.SchemaError.duplicateProperty(
                        schema: schema.name, property: property.name,
                        context: .init(
                            debugDescription: "\(schema.name) has two properties named \(property.name)"))
                }
                written.append(
                    .init(
                        name: property.name, description: property.description,
                        node: .written(try write(property.schema, depth: depth + 1, isRoot: false)),
                        isOptional: property.isOptional))
            }
            return try writer.write(written, into: made, of: schema.name, depth: depth)
        case .choices(let choices):
            try checkChoices(choices.isEmpty)
            made["anyOf"] = GeneratedContent(
                .array(try choices.map { try write($0, depth: depth + 1, isRoot: false) }))
        case .strings(let choices):
            try checkChoices(choices.isEmpty)
            made["type"] = "string".generatedContent
            made["enum"] = choices.generatedContent
        case .array, .node, .reference: break
        }
        return made.content
    }
}
