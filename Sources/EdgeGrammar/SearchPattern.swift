/// A regular expression to be searched for in short texts, in time linear in their length whatever the expression.
///
/// The expressions are those of JSON Schema's `pattern`: alternation, groups, classes, repetition and anchors, without lookaround and back
/// references.
package struct SearchPattern: Sendable {
    private let automaton: ScalarAutomaton

    /// Compiles an expression.
    ///
    /// - Throws: `GrammarError` for what is not well formed, not supported or too large.
    package init(_ pattern: String) throws(GrammarError) {
        automaton = try Regex.searching(pattern, limits: GrammarLimits())
    }

    /// Whether the expression matches somewhere in the text.
    package func isFound(in text: String) -> Bool { automaton.matches(text.unicodeScalars.map(\.value)) }
}
