public import Foundation

/// What the values of a type may be, beyond its form. A model can generate nothing that breaks a guide; one that cannot be enforced
/// fails the request with `LanguageModelError.unsupportedGenerationGuide` before the first token.
public struct GenerationGuide<Value>: Sendable {
    let rule: GuideRule
}

/// A guide as keywords of JSON Schema.
indirect enum GuideRule: Sendable {
    case keyword(String, GeneratedContent)
    case element(GuideRule)
    case both(GuideRule, GuideRule)
    case unenforceable(String)

    /// A keyword with a number, which must be one.
    static func bound(_ keyword: String, _ value: some ConvertibleToGeneratedContent) -> GuideRule {
        let content = value.generatedContent
        if case .number = content.storage { return .keyword(keyword, content) }
        return .unenforceable("\(keyword) is no finite number")
    }

    static func count(_ keyword: String, _ count: Int) -> GuideRule {
        count < 0 ? .unenforceable("\(keyword) is \(count); a count is 0 or more") : bound(keyword, count)
    }
}

extension GenerationGuide where Value == String {
    /// Only this text.
    public static func constant(_ value: String) -> GenerationGuide<String> {
        GenerationGuide(rule: .keyword("const", value.generatedContent))
    }

    /// One of these texts.
    public static func anyOf(_ values: [String]) -> GenerationGuide<String> {
        GenerationGuide(
            rule: values.isEmpty
                ? .unenforceable("anyOf names no text")
                : .keyword(
                    "enum",
                    Set(values).count == values.count
                        ? values.generatedContent : Self.unique(values).generatedContent))
    }

    private static func unique(_ values: [String]) -> [String] {
        var seen: Set<String> = []
        return values.filter { seen.insert($0).inserted }
    }

    /// Texts that the expression matches as a whole. Lookaround, back references and word boundaries cannot be enforced, nor can
    /// expressions put together with `RegexBuilder`.
    public static func pattern<Output>(_ regex: Regex<Output>) -> GenerationGuide<String> {
        guard let pattern = regex._literalPattern else {
            return GenerationGuide(
                rule: .unenforceable("the pattern was not written as a literal or a string, so it cannot be read"))
        }
        return GenerationGuide(rule: wholePattern(pattern))
    }

    /// Texts that the regular expression, in the notation of ECMAScript that JSON Schema uses, matches as a whole.
    public static func pattern(_ pattern: String) -> GenerationGuide<String> {
        GenerationGuide(rule: wholePattern(pattern))
    }

    private static func wholePattern(_ pattern: String) -> GuideRule {
        .keyword("pattern", "^(?:\(pattern))$".generatedContent)
    }
}

/// A number that a guide can bound.
public protocol GuidableNumber: Generable, Comparable {}
extension Int: GuidableNumber {}
extension Float: GuidableNumber {}
extension Double: GuidableNumber {}
extension Decimal: GuidableNumber {}

extension GenerationGuide where Value: GuidableNumber {
    /// At least this.
    public static func minimum(_ value: Value) -> GenerationGuide { GenerationGuide(rule: .bound("minimum", value)) }

    /// At most this.
    public static func maximum(_ value: Value) -> GenerationGuide { GenerationGuide(rule: .bound("maximum", value)) }

    /// In this range, both ends included.
    public static func range(_ range: ClosedRange<Value>) -> GenerationGuide {
        GenerationGuide(rule: .both(.bound("minimum", range.lowerBound), .bound("maximum", range.upperBound)))
    }
}

extension GenerationGuide {
    /// At least this many elements.
    public static func minimumCount<Element>(_ count: Int) -> GenerationGuide where Value == [Element] {
        GenerationGuide(rule: .count("minItems", count))
    }

    /// At most this many elements.
    public static func maximumCount<Element>(_ count: Int) -> GenerationGuide where Value == [Element] {
        GenerationGuide(rule: .count("maxItems", count))
    }

    /// As many elements as the range says.
    public static func count<Element>(_ range: ClosedRange<Int>) -> GenerationGuide where Value == [Element] {
        GenerationGuide(rule: .both(.count("minItems", range.lowerBound), .count("maxItems", range.upperBound)))
    }

    /// Exactly this many elements.
    public static func count<Element>(_ count: Int) -> GenerationGuide where Value == [Element] {
        GenerationGuide(rule: .both(.count("minItems", count), .count("maxItems", count)))
    }

    /// What holds for each element.
    public static func element<Element>(_ guide: GenerationGuide<Element>) -> GenerationGuide where Value == [Element] {
        GenerationGuide(rule: .element(guide.rule))
    }
}

/// In `@Guide` nothing says what the elements are. The schema says it; there the guides above are found.
extension GenerationGuide where Value == [Never] {
    /// At least this many elements.
    public static func minimumCount(_ count: Int) -> GenerationGuide<[Never]> {
        GenerationGuide(rule: .count("minItems", count))
    }

    /// At most this many elements.
    public static func maximumCount(_ count: Int) -> GenerationGuide<[Never]> {
        GenerationGuide(rule: .count("maxItems", count))
    }

    /// As many elements as the range says.
    public static func count(_ range: ClosedRange<Int>) -> GenerationGuide<[Never]> {
        GenerationGuide(rule: .both(.count("minItems", range.lowerBound), .count("maxItems", range.upperBound)))
    }

    /// Exactly this many elements.
    @_disfavoredOverload
    public static func count(_ count: Int) -> GenerationGuide<[Never]> {
        GenerationGuide(rule: .both(.count("minItems", count), .count("maxItems", count)))
    }
}
