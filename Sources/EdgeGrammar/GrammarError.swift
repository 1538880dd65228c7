/// Why a schema or a grammar was refused; thrown before the first token.
package struct GrammarError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of defect it is.
    package enum Kind: Sendable, Equatable {
        /// The schema is not JSON text.
        case malformedJSON
        /// A keyword has a value that the specification does not allow.
        case malformedSchema
        /// The text breaks the notation of GBNF, or of a regular expression.
        case malformedGrammar
        /// It has a meaning, but an automaton cannot enforce it exactly.
        case unsupported
        /// Nothing can match it.
        case unsatisfiable
        /// It would need more than the limits allow.
        case tooLarge
        /// A rule begins with itself.
        case leftRecursion
    }

    package var kind: Kind
    package var message: String
    /// JSON Pointer to the keyword, where the source is a schema.
    package var pointer: String?
    /// Line and column from 1, where the source is a GBNF text.
    package var line: Int?
    package var column: Int?

    package init(_ kind: Kind, _ message: String, pointer: String? = nil, line: Int? = nil, column: Int? = nil) {
        self.kind = kind
        self.message = message
        self.pointer = pointer
        self.line = line
        self.column = column
    }

    package var description: String {
        if let pointer { return "\(message) (at \(pointer.isEmpty ? "the root" : pointer))" }
        if let line, let column { return "\(line):\(column): \(message)" }
        return message
    }
}

/// Bounds on what a source may cost; crossing one is a `tooLarge` error.
package struct GrammarLimits: Sendable {
    /// Length of a source in bytes.
    package var sourceBytes = 4 << 20
    /// Nesting of a source: JSON values, groups of a regular expression or of a GBNF rule.
    package var nesting = 128
    /// Values of a JSON text: each needs memory many times its length in the text.
    package var values = Int.max
    /// States of the compiled machine.
    package var states = 300_000
    /// States of one string's automaton, in characters.
    package var stringStates = 20_000
    /// Rules: distinct conjunctions of schemas, or rules of a GBNF text.
    package var rules = 10_000
    /// Alternatives of one array or object once its conditions are multiplied out.
    package var alternatives = 256
    /// Nested calls while matching; a document nested deeper is not offered.
    package var stackDepth = 1_000
    /// Parses followed at once while matching.
    package var parses = 2_000
    /// Parses followed in one call, over all bytes that it looks at: the bound on the time of a mask.
    package var parsesPerCall = 2_000_000
    /// Memory that a matcher may remember of the automaton it has unrolled, in bytes.
    package var cacheBytes = 24 << 20

    package init() {}
}
