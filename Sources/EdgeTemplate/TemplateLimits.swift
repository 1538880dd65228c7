/// What one template may cost at most.
package struct TemplateLimits: Sendable {
    /// Work units of a rendering: one for an expression, statement or element, one for sixteen characters.
    package var steps: Int
    /// Further work units for each value of the input, so that a long conversation is not refused.
    package var stepsPerInputValue: Int
    /// Levels of nesting while reading a template.
    package var syntaxDepth: Int
    /// Levels of nesting while rendering, macros that call macros included.
    package var renderDepth: Int
    /// Characters of a template.
    package var sourceLength: Int
    /// Characters of a text or of the output, beyond eight times those of the input.
    package var textLength: Int

    package init(
        steps: Int = 200_000, stepsPerInputValue: Int = 200, syntaxDepth: Int = 200, renderDepth: Int = 200,
        sourceLength: Int = 1 << 18, textLength: Int = 1 << 20
    ) {
        self.steps = steps
        self.stepsPerInputValue = stepsPerInputValue
        self.syntaxDepth = syntaxDepth
        self.renderDepth = renderDepth
        self.sourceLength = sourceLength
        self.textLength = textLength
    }

    package static let standard = TemplateLimits()
}
