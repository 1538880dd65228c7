/// A schema before it is written: types are looked into only then, so that they may contain themselves.
indirect enum SchemaNode: Sendable {
    /// A type that has a definition of its own where it is part of another.
    struct Name: Sendable {
        let type: any Generable.Type
        let description: String?

        init(_ type: any Generable.Type, _ description: String?) {
            self.type = type
            self.description = description
        }
    }

    case any
    case primitive(String)
    case strings(String?, [String])
    case array(SchemaNode, Int?, Int?)
    case object(Name, [GenerationSchema.Property])
    case union(Name?, String?, [SchemaNode])
    case type(any Generable.Type)
    case guided(SchemaNode, [GuideRule])
    case document(GeneratedContent)
    /// A part that is written already, of the same document.
    case written(GeneratedContent)
}

/// A structure in the making.
struct ContentBuilder {
    private var properties: [String: GeneratedContent] = [:]
    private(set) var keys: [String] = []

    init() {}

    /// Starts from a structure; from nothing where it is none.
    init(_ content: GeneratedContent) {
        if case .structure(let properties, let keys) = content.storage {
            (self.properties, self.keys) = (properties, keys)
        }
    }

    subscript(key: String) -> GeneratedContent? {
        get { properties[key] }
        set {
            if properties[key] == nil { keys.append(key) }
            properties[key] = newValue
        }
    }

    var isEmpty: Bool { keys.isEmpty }
    var content: GeneratedContent { GeneratedContent(.structure(properties, keys)) }
}

/// Writes a schema as JSON Schema: each structure that is part of another is defined once, under `$defs`.
struct SchemaWriter {
    private var names: [ObjectIdentifier: String] = [:]
    private var taken: Set<String> = []
    /// Types that have been referred to.
    private var used: Set<ObjectIdentifier> = []
    var definitions = ContentBuilder()
    private var documents = 0
    private var size = 0

    /// Parts at most, over all types.
    private static let sizeLimit = 20_000
    /// Types within types at most.
    private static let depthLimit = 100

    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`.
    static func document(of schema: GenerationSchema) throws(LanguageModelError) -> GeneratedContent {
        if case .document(let document) = schema.node { return document }
        var writer = SchemaWriter()
        var root: GeneratedContent
        if let type = schema.node.type {
            let name = writer.name(type)
            root = try writer.write(schema.node, depth: 0)
            if writer.used.contains(ObjectIdentifier(type)) {
                writer.definitions[name] = root
                root = Self.reference(name)
            }
        } else {
            root = try writer.write(schema.node, depth: 0)
        }
        guard !writer.definitions.isEmpty else { return root }
        var whole = ContentBuilder(root)
        whole["$defs"] = writer.definitions.content
        return whole.content
    }

    static func reference(_ name: String) -> GeneratedContent {
        var made = ContentBuilder()
        made["$ref"] = "#/$defs/\(name)".generatedContent
        return made.content
    }

    private mutating func name(_ type: any Generable.Type) -> String {
        let name = freshName(String(describing: type))
        names[ObjectIdentifier(type)] = name
        return name
    }

    /// A name of letters and digits that no other definition has.
    mutating func freshName(_ wanted: String) -> String {
        let plain = String(wanted.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        var (name, count) = (plain, 1)
        while !taken.insert(name).inserted {
            count += 1
            name = "\(plain)\(count)"
        }
        return name
    }

    private static func failure(_ message: String, in place: String? = nil) -> LanguageModelError {
        .unsupportedGenerationGuide(.init(message: message, place: place))
    }

    mutating func write(_ node: SchemaNode, depth: Int) throws(LanguageModelError) -> GeneratedContent {
        size += 1
        guard size <= Self.sizeLimit, depth <= Self.depthLimit else {
            throw Self.failure("the schema is too large or too deep")
        }
        var made = ContentBuilder()
        switch node {
        case .any: break
        case .primitive(let type): made["type"] = type.generatedContent
        case .strings(let description, let choices):
            if let description { made["description"] = description.generatedContent }
            guard !choices.isEmpty else { throw Self.failure("there is nothing to choose from") }
            made["type"] = "string".generatedContent
            made["enum"] = choices.generatedContent
        case .array(let element, let minimum, let maximum):
            made["type"] = "array".generatedContent
            made["items"] = try write(element, depth: depth + 1)
            if let minimum { made["minItems"] = minimum.generatedContent }
            if let maximum { made["maxItems"] = maximum.generatedContent }
        case .object(let name, let properties):
            if let description = name.description { made["description"] = description.generatedContent }
            return try write(properties, into: made, of: "\(name.type)", depth: depth)
        case .union(_, let description, let choices):
            if let description { made["description"] = description.generatedContent }
            guard !choices.isEmpty else { throw Self.failure("there is nothing to choose from") }
            var written: [GeneratedContent] = []
            for choice in choices { written.append(try write(choice, depth: depth + 1)) }
            made["anyOf"] = GeneratedContent(.array(written))
        case .type(let type): return try write(type, depth: depth)
        case .guided(let inner, let rules):
            var content = try write(inner, depth: depth)
            for rule in rules { content = try Self.apply(rule, to: content) }
            return content
        case .written(let content): return content
        case .document(let document):
            // A resource of its own, so that its references stay within.
            made = ContentBuilder(document)
            if made["$id"] == nil, made["$defs"] != nil || made["definitions"] != nil || made["$ref"] != nil {
                documents += 1
                made["$id"] = "edge:schema\(documents)".generatedContent
            }
        }
        return made.content
    }

    mutating func write(
        _ properties: [GenerationSchema.Property], into given: ContentBuilder, of type: String, depth: Int
    ) throws(LanguageModelError) -> GeneratedContent {
        var made = given
        made["type"] = "object".generatedContent
        var written = ContentBuilder()
        for property in properties {
            guard written[property.name] == nil else {
                throw Self.failure("there are two properties of this name", in: "\(type).\(property.name)")
            }
            var inner: GeneratedContent
            do throws(LanguageModelError) {
                inner = try write(property.node, depth: depth + 1)
            } catch {
                throw error.inside("\(type).\(property.name)")
            }
            if let description = property.description {
                var described = ContentBuilder()
                described["description"] = description.generatedContent
                if case .structure(let members, let keys) = inner.storage {
                    for key in keys where key != "description" { described[key] = members[key] }
                }
                inner = described.content
            }
            written[property.name] = inner
        }
        made["properties"] = written.content
        made["required"] = properties.filter { !$0.isOptional }.map(\.name).generatedContent
        made["additionalProperties"] = false.generatedContent
        return made.content
    }

    private mutating func write(_ type: any Generable.Type, depth: Int) throws(LanguageModelError) -> GeneratedContent {
        let id = ObjectIdentifier(type)
        if let name = names[id] {
            used.insert(id)
            return Self.reference(name)
        }
        let name = name(type)
        let node = type.generationSchema.node
        let content = try write(node, depth: depth + 1)
        guard node.type != nil || used.contains(id) else {
            names[id] = nil
            taken.remove(name)
            return content
        }
        definitions[name] = content
        return Self.reference(name)
    }

    /// Adds a guide's keywords; a second one of the same name goes into `allOf`.
    static func apply(_ rule: GuideRule, to content: GeneratedContent) throws(LanguageModelError) -> GeneratedContent {
        var made = ContentBuilder(content)
        switch rule {
        case .keyword(let keyword, let value):
            if made[keyword] == nil {
                made[keyword] = value
            } else {
                var other = ContentBuilder()
                other[keyword] = value
                var all: [GeneratedContent] = []
                if case .array(let known)? = made["allOf"]?.storage { all = known }
                made["allOf"] = GeneratedContent(.array(all + [other.content]))
            }
        case .both(let one, let other): return try apply(other, to: apply(one, to: content))
        case .element(let inner): made["items"] = try apply(inner, to: made["items"] ?? ContentBuilder().content)
        case .unenforceable(let message): throw failure(message)
        }
        return made.content
    }
}

extension SchemaNode {
    /// The type that has a definition of its own.
    fileprivate var type: (any Generable.Type)? {
        switch self {
        case .object(let name, _): name.type
        case .union(let name, _, _): name?.type
        default: nil
        }
    }
}

extension LanguageModelError {
    /// The same, with the place that a guide is at, if it had none.
    fileprivate func inside(_ place: String) -> LanguageModelError {
        guard case .unsupportedGenerationGuide(var failure) = self, failure.place == nil else { return self }
        failure.place = place
        return .unsupportedGenerationGuide(failure)
    }
}
