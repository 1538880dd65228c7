public import Foundation

extension GeneratedContent: Generable {
    /// Any value at all.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .any) }
    /// Itself.
    public init(_ content: GeneratedContent) throws { self = content }
    /// Itself.
    public var generatedContent: GeneratedContent { self }
}

extension String: Generable {
    /// Any string.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("string")) }
    /// The text.
    ///
    /// - Throws: `GeneratedContentError` where the content is no string.
    public init(_ content: GeneratedContent) throws {
        guard case .string(let value) = content.storage else { throw content.mismatch("a string") }
        self = value
    }
    /// The text.
    public var generatedContent: GeneratedContent { GeneratedContent(.string(self)) }
}

extension Bool: Generable {
    /// True or false.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("boolean")) }
    /// The value.
    ///
    /// - Throws: `GeneratedContentError` where the content is no Boolean.
    public init(_ content: GeneratedContent) throws {
        guard case .bool(let value) = content.storage else { throw content.mismatch("true or false") }
        self = value
    }
    /// The value.
    public var generatedContent: GeneratedContent { GeneratedContent(.bool(self)) }
}

extension Int: Generable {
    /// Any whole number.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("integer")) }
    /// The number, exact.
    ///
    /// - Throws: `GeneratedContentError` where the content is no whole number or too large.
    public init(_ content: GeneratedContent) throws {
        guard case .number(let number) = content.storage else { throw content.mismatch("a whole number") }
        guard let value = Int(number.spelling) else { throw content.outOfRange("a whole number of 64 bits") }
        self = value
    }
    /// The number.
    public var generatedContent: GeneratedContent { GeneratedContent(number: "\(self)") }
}

extension Double: Generable {
    /// Any number.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("number")) }
    /// The nearest number.
    ///
    /// - Throws: `GeneratedContentError` where the content is no number or too large.
    public init(_ content: GeneratedContent) throws {
        guard case .number(let number) = content.storage else { throw content.mismatch("a number") }
        guard let value = Double(number.spelling), value.isFinite else { throw content.outOfRange("a Double") }
        self = value
    }
    /// The number; null where it is not finite, as JSON has no word for it.
    public var generatedContent: GeneratedContent { GeneratedContent(number: "\(self)") }
}

extension Float: Generable {
    /// Any number.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("number")) }
    /// The nearest number.
    ///
    /// - Throws: `GeneratedContentError` where the content is no number or too large.
    public init(_ content: GeneratedContent) throws {
        guard case .number(let number) = content.storage else { throw content.mismatch("a number") }
        guard let value = Float(number.spelling), value.isFinite else { throw content.outOfRange("a Float") }
        self = value
    }
    /// The number; null where it is not finite, as JSON has no word for it.
    public var generatedContent: GeneratedContent { GeneratedContent(number: "\(self)") }
}

extension Decimal: Generable {
    /// Any number.
    public static var generationSchema: GenerationSchema { GenerationSchema(node: .primitive("number")) }
    /// The number, exact.
    ///
    /// - Throws: `GeneratedContentError` where the content is no number, or has more digits than a `Decimal`.
    public init(_ content: GeneratedContent) throws {
        guard case .number(let number) = content.storage else { throw content.mismatch("a number") }
        // Foundation rounds what it cannot hold, and says nothing: what comes back must be what was read.
        guard let value = Decimal(string: number.spelling, locale: Locale(identifier: "en_US_POSIX")),
            ExactNumber("\(value)") == number
        else { throw content.outOfRange("a Decimal") }
        self = value
    }
    /// The number; null where it is not a number.
    public var generatedContent: GeneratedContent { GeneratedContent(number: "\(self)") }
}

extension Array: ConvertibleFromGeneratedContent where Element: ConvertibleFromGeneratedContent {
    /// The elements; one that is still being written is left out until it makes a value.
    ///
    /// - Throws: `GeneratedContentError` where the content is no array; what a whole element throws.
    public init(_ content: GeneratedContent) throws {
        guard case .array(let elements) = content.storage else { throw content.mismatch("an array") }
        self = try elements.enumerated().compactMap { index, element in
            do {
                return try Element(element)
            } catch  where !element.isComplete {
                return nil
            } catch let error as GeneratedContentError {
                throw error.inside("\(index)")
            }
        }
    }
}

extension Array: ConvertibleToGeneratedContent where Element: ConvertibleToGeneratedContent {
    /// The elements.
    public var generatedContent: GeneratedContent { GeneratedContent(.array(map(\.generatedContent))) }
}

extension Array: Generable where Element: Generable {
    /// As many elements as are there, the last of them perhaps unfinished.
    public typealias PartiallyGenerated = [Element.PartiallyGenerated]
    /// Any number of elements.
    public static var generationSchema: GenerationSchema {
        GenerationSchema(node: .array(.type(Element.self), nil, nil))
    }
}

extension Optional: ConvertibleFromGeneratedContent where Wrapped: ConvertibleFromGeneratedContent {
    /// Nil for null, else the value.
    ///
    /// - Throws: what the type throws.
    public init(_ content: GeneratedContent) throws {
        self = content.storage == .null ? nil : try Wrapped(content)
    }
}

extension Optional: InstructionsRepresentable where Wrapped: ConvertibleToGeneratedContent {}
extension Optional: PromptRepresentable where Wrapped: ConvertibleToGeneratedContent {}

extension Optional: ConvertibleToGeneratedContent where Wrapped: ConvertibleToGeneratedContent {
    /// Null for nil.
    public var generatedContent: GeneratedContent {
        self?.generatedContent ?? GeneratedContent(GeneratedContent.Storage.null)
    }
}

extension Optional: Generable where Wrapped: Generable {
    /// What the value is while it is being generated.
    public typealias PartiallyGenerated = Wrapped.PartiallyGenerated
    /// The value, or null.
    public static var generationSchema: GenerationSchema {
        GenerationSchema(node: .union(nil, nil, [.type(Wrapped.self), .primitive("null")]))
    }
}

extension GeneratedContent {
    /// A number as Swift spells it; null for what JSON cannot write.
    init(number spelling: String) { self.init(ExactNumber(spelling).map { .number($0) } ?? .null) }

    fileprivate func outOfRange(_ type: String) -> GeneratedContentError {
        var shown = ""
        if case .number(let number) = storage { shown = number.spelling }
        return GeneratedContentError(.numberOutOfRange, "\(shown.prefix(40)) does not fit \(type)")
    }
}
