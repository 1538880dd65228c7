/// A value in the form of JSON: what a model generates, and what typed values are made from.
///
/// Properties keep their order. Numbers keep all their digits: what is read as `Int` or `Decimal` was never a `Double`.
public struct GeneratedContent: Sendable {
    /// What a value is.
    public enum Kind: Sendable, Equatable {
        /// Nothing.
        case null
        /// True or false.
        case bool(Bool)
        /// A number, rounded to the nearest `Double`; read it with `value(_:)` to have it exact.
        case number(Double)
        /// A text.
        case string(String)
        /// Values in order.
        case array([GeneratedContent])
        /// Named values; `orderedKeys` has each name once, in order.
        case structure(properties: [String: GeneratedContent], orderedKeys: [String])
    }

    enum Storage: Sendable, Equatable {
        case null
        case bool(Bool)
        case number(ExactNumber)
        case string(String)
        case array([GeneratedContent])
        case structure([String: GeneratedContent], [String])
    }

    let storage: Storage
    /// The name of the value while it is being generated; nil for one that no model is writing.
    public var id: GenerationID?
    /// False for a value, or part of one, that is still being written.
    public internal(set) var isComplete = true

    init(_ storage: Storage, id: GenerationID? = nil, isComplete: Bool = true) {
        self.storage = storage
        self.id = id
        self.isComplete = isComplete
    }

    /// A value of a kind. A number that is not finite becomes null, as JSON has no word for it; a name that `orderedKeys` lacks
    /// stands behind the others, in alphabetical order.
    public init(kind: Kind, id: GenerationID? = nil) {
        switch kind {
        case .null: self.init(Storage.null, id: id)
        case .bool(let value): self.init(.bool(value), id: id)
        case .number(let value): self.init(ExactNumber("\(value)").map { .number($0) } ?? .null, id: id)
        case .string(let value): self.init(.string(value), id: id)
        case .array(let elements): self.init(.array(elements), id: id)
        case .structure(let properties, let orderedKeys):
            var seen: Set<String> = []
            let listed = orderedKeys.filter { properties[$0] != nil && seen.insert($0).inserted }
            let others = properties.keys.filter { !seen.contains($0) }.sorted()
            self.init(.structure(properties, listed + others), id: id)
        }
    }

    /// What the value is.
    public var kind: Kind {
        switch storage {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let number): .number(number.double)
        case .string(let text): .string(text)
        case .array(let elements): .array(elements)
        case .structure(let properties, let keys): .structure(properties: properties, orderedKeys: keys)
        }
    }

    /// The content of a value.
    public init(_ value: some ConvertibleToGeneratedContent) { self = value.generatedContent }

    /// The content of a value, under a name.
    public init(_ value: some ConvertibleToGeneratedContent, id: GenerationID) {
        self = value.generatedContent
        self.id = id
    }

    /// A structure; of properties with the same name the last one counts.
    public init(properties: KeyValuePairs<String, any ConvertibleToGeneratedContent>, id: GenerationID? = nil) {
        self.init(properties: properties.map { ($0.key, $0.value) }, id: id) { $1 }
    }

    /// A structure.
    ///
    /// - Parameter combine: what becomes of properties with the same name.
    public init(
        properties: some Sequence<(String, any ConvertibleToGeneratedContent)>, id: GenerationID? = nil,
        uniquingKeysWith combine: (GeneratedContent, GeneratedContent) throws -> some ConvertibleToGeneratedContent
    ) rethrows {
        var made: [String: GeneratedContent] = [:]
        var keys: [String] = []
        for (key, value) in properties {
            if let known = made[key] {
                made[key] = try combine(known, value.generatedContent).generatedContent
            } else {
                made[key] = value.generatedContent
                keys.append(key)
            }
        }
        self.init(.structure(made, keys), id: id)
    }

    /// An array.
    public init(elements: some Sequence<any ConvertibleToGeneratedContent>, id: GenerationID? = nil) {
        self.init(.array(elements.map(\.generatedContent)), id: id)
    }

    // MARK: Reading

    /// The value as a type.
    ///
    /// - Throws: `GeneratedContentError`, or what the type's initialiser throws.
    public func value<Value: ConvertibleFromGeneratedContent>(_ type: Value.Type = Value.self) throws -> Value {
        try Value(self)
    }

    /// A property as a type.
    ///
    /// - Throws: `GeneratedContentError` where there is no such property or it has another form; else what the type throws.
    public func value<Value: ConvertibleFromGeneratedContent>(
        _ type: Value.Type = Value.self, forProperty property: String
    ) throws -> Value {
        guard let content = try properties[property] else {
            throw GeneratedContentError(.missingProperty, "there is no property \"\(property)\"", property: property)
        }
        return try Self.read(content, property)
    }

    /// A property as a type; nil where it is missing or null.
    ///
    /// - Throws: as for a property that must be there, where this is no structure or the property has another form.
    public func value<Value: ConvertibleFromGeneratedContent>(
        _ type: Value?.Type = Value?.self, forProperty property: String
    ) throws -> Value? {
        guard let content = try properties[property], content.storage != .null else { return nil }
        return try Self.read(content, property)
    }

    /// A property of a value that is still being written: nil where it is missing or null, and where what there is makes no value
    /// yet. For types that are a `PartiallyGenerated`.
    ///
    /// - Throws: `GeneratedContentError` where this is no structure; what the type throws for a property that is whole.
    public func partialValue<Value: ConvertibleFromGeneratedContent>(
        _ type: Value.Type = Value.self, forProperty property: String
    ) throws -> Value? {
        guard let content = try properties[property], content.storage != .null else { return nil }
        do {
            return try Self.read(content, property)
        } catch  where !content.isComplete {
            return nil
        }
    }

    /// The case of an enumeration with payloads: the name and the value of the one property; see
    /// `GenerationSchema.init(type:description:cases:)`.
    ///
    /// - Throws: `GeneratedContentError` where this is no structure with one property.
    public func caseAndPayload() throws -> (name: String, payload: GeneratedContent) {
        let properties = try properties
        guard properties.count == 1, let (name, payload) = properties.first else {
            throw GeneratedContentError(
                .typeMismatch, "a structure with one property is needed, but there are \(properties.count)")
        }
        return (name, payload)
    }

    private static func read<Value: ConvertibleFromGeneratedContent>(
        _ content: GeneratedContent, _ property: String
    ) throws -> Value {
        do {
            return try Value(content)
        } catch let error as GeneratedContentError {
            throw error.inside(property)
        }
    }

    private var properties: [String: GeneratedContent] {
        get throws(GeneratedContentError) {
            guard case .structure(let properties, _) = storage else { throw mismatch("a structure") }
            return properties
        }
    }

    /// The error of a value that has another form than it should.
    func mismatch(_ wanted: String) -> GeneratedContentError {
        let name =
            switch storage {
            case .null: "null"
            case .bool: "a Boolean"
            case .number(let number): "the number \(number.spelling.prefix(40))"
            case .string: "a string"
            case .array: "an array"
            case .structure: "a structure"
            }
        return GeneratedContentError(.typeMismatch, "\(wanted) is needed, but there is \(name)")
    }

    /// The same value with names for all its parts, derived from one name.
    func identified(by id: GenerationID) -> GeneratedContent {
        var made = self
        switch storage {
        case .array(let elements):
            made = GeneratedContent(
                .array(elements.enumerated().map { $1.identified(by: id.part("\($0)")) }), isComplete: isComplete)
        case .structure(let properties, let keys):
            let named = properties.map { ($0.key, $0.value.identified(by: id.part($0.key))) }
            made = GeneratedContent(
                .structure(Dictionary(named) { first, _ in first }, keys), isComplete: isComplete)
        default: break
        }
        made.id = id
        return made
    }
}

extension GeneratedContent: Equatable {
    /// Whether the values are the same; names and completeness do not count, the order of properties does not either.
    public static func == (one: GeneratedContent, other: GeneratedContent) -> Bool {
        if case .structure(let left, _) = one.storage, case .structure(let right, _) = other.storage {
            return left == right
        }
        return one.storage == other.storage
    }
}

extension GeneratedContent: CustomDebugStringConvertible {
    /// The value as JSON.
    public var debugDescription: String { jsonString }
}

/// Why content could not be read.
public struct GeneratedContentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Sendable, Equatable {
        /// The text is not JSON, nor the beginning of one.
        case malformedJSON
        /// The text is longer, or nests deeper, than is read.
        case tooLarge
        /// A property is missing.
        case missingProperty
        /// A value has another form than the type needs.
        case typeMismatch
        /// A number does not fit the type.
        case numberOutOfRange
        /// A value is none of those that the type has.
        case unknownValue
    }

    /// The kind of failure.
    public var code: Code
    /// What is wrong.
    public var message: String
    /// The place: names and places of arrays, outermost first, with dots between them.
    public var property: String?

    /// An error, for initialisers of your own types.
    public init(_ code: Code, _ message: String, property: String? = nil) {
        self.code = code
        self.message = message
        self.property = property
    }

    /// What is wrong and where, in one line.
    public var description: String {
        property.map { "generated content, \($0): \(message)" } ?? "generated content: \(message)"
    }

    func inside(_ name: String) -> GeneratedContentError {
        GeneratedContentError(code, message, property: property.map { "\(name).\($0)" } ?? name)
    }
}
