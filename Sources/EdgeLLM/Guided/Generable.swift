/// A type that can be made from content.
public protocol ConvertibleFromGeneratedContent: SendableMetatype {
    /// A value from content.
    ///
    /// - Throws: an error where the content has another form, such as `GeneratedContentError`.
    init(_ content: GeneratedContent) throws
}

/// A type that content can be made from. As a prompt or as instructions it is its JSON, a string its text.
public protocol ConvertibleToGeneratedContent: InstructionsRepresentable, PromptRepresentable {
    /// The content.
    var generatedContent: GeneratedContent { get }
}

extension ConvertibleToGeneratedContent {
    /// The content as JSON.
    public var promptRepresentation: Prompt { return Prompt(text: generatedContent.jsonString) }
    /// The content as JSON.
    public var instructionsRepresentation: Instructions { return Instructions(text: generatedContent.jsonString) }
}

/// A type whose values a model can generate.
///
/// ```swift
/// struct Fault: Generable {
///     var part: String
///     var severity: Int
///
///     static var generationSchema: GenerationSchema {
///         GenerationSchema(
///             type: Self.self,
///             properties: [
///                 .init(name: "part", description: "What is broken", type: String.self),
///                 .init(name: "severity", type: Int.self, guides: [.range(1...5)]),
///             ])
///     }
///     init(_ content: GeneratedContent) throws {
///         part = try content.value(forProperty: "part")
///         severity = try content.value(forProperty: "severity")
///     }
///     var generatedContent: GeneratedContent {
///         GeneratedContent(properties: ["part": part, "severity": severity])
///     }
/// }
/// ```
///
/// An `enum` of strings that is `CaseIterable` needs no more than to say that it conforms.
public protocol Generable: ConvertibleFromGeneratedContent, ConvertibleToGeneratedContent {
    /// What a value is while it is being generated: usually a structure of the same properties, all optional.
    ///
    /// It is made from what there is so far; stages of an answer that make none are passed over. So a type without one of its own
    /// shows up once all it needs is there, its last part perhaps still growing.
    associatedtype PartiallyGenerated: ConvertibleFromGeneratedContent = Self

    /// The form of the values.
    static var generationSchema: GenerationSchema { get }
}

extension Generable where Self: RawRepresentable & CaseIterable, RawValue == String {
    /// One of the raw values.
    public static var generationSchema: GenerationSchema {
        GenerationSchema(type: Self.self, anyOf: allCases.map(\.rawValue))
    }

    /// The case with this raw value.
    ///
    /// - Throws: `GeneratedContentError` where there is none.
    public init(_ content: GeneratedContent) throws {
        let name = try String(content)
        guard let value = Self(rawValue: name) else {
            throw GeneratedContentError(.unknownValue, "\"\(name.prefix(80))\" is no \(Self.self)")
        }
        self = value
    }

    /// The raw value.
    public var generatedContent: GeneratedContent { rawValue.generatedContent }
}
