/// How a JSON Schema becomes a grammar: which of the texts that it allows are offered.
package struct SchemaOptions: Sendable {
    /// Dialects of JSON Schema.
    package enum Draft: Sendable, Equatable { case draft7, draft2020 }
    /// Space between the tokens of JSON.
    package enum Whitespace: Sendable, Equatable {
        /// None at all: the longest forced stretches.
        case none
        /// At most one space in each place.
        case single
        /// One space behind each comma and colon and none elsewhere, as Python and models write it: long forced stretches.
        case spaced
        /// Any run of space, tab and line ends, as JSON allows, also around the document.
        case any
    }
    /// The order of an object's members.
    package enum KeyOrder: Sendable, Equatable {
        /// As `properties` lists them, others after them; no key twice.
        case declared
        case any
    }

    /// The dialect where `$schema` names none.
    package var draft = Draft.draft2020
    package var whitespace = Whitespace.single
    package var keyOrder = KeyOrder.declared
    /// Whether strings may spell any character as an escape and numbers may have any form; else only what is needed:
    /// escapes of what cannot be written raw, no exponents, no `-0`, no `.0` where an integer is asked for, and at most
    /// `maximumDigits` digits before and behind the point.
    package var everySpelling = false
    package var maximumDigits = 16
    /// Whether `format` is enforced; else it is an annotation. Formats that JSON Schema does not define never count.
    package var assertsFormats = true
    /// Whether an object with declared properties and no word about others has no others.
    package var closesObjects = true
    /// Whether keywords of one type alone, without `type`, mean that type.
    package var infersType = true
    /// Keywords that the caller knows and accepts not to be enforced.
    package var ignoredKeywords: Set<String> = []
    package var limits = GrammarLimits()

    /// What a model should write: a part of what the schema allows, in one spelling.
    package static let generating = SchemaOptions()

    /// The same with one way of spacing: keys and punctuation need no choice.
    package static let guided: SchemaOptions = {
        var options = SchemaOptions()
        options.whitespace = .spaced
        return options
    }()

    /// Everything that the schema allows, in any order and spelling, formats as annotations.
    package static let validating: SchemaOptions = {
        var options = SchemaOptions()
        options.whitespace = .any
        options.keyOrder = .any
        options.everySpelling = true
        options.assertsFormats = false
        options.closesObjects = false
        options.infersType = false
        return options
    }()

    package init() {}
}
