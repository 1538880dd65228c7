/// A Jinja template, read once and rendered as often as wanted.
package struct Template: Sendable {
    let source: Source
    let names: NameTable
    let statements: [Statement]
    let limits: TemplateLimits

    /// - Throws: `TemplateError`, with line and column.
    package init(_ text: String, limits: TemplateLimits = .standard) throws(TemplateError) {
        guard text.utf8.count <= limits.sourceLength else {
            throw TemplateError(.tooLong, "the template is longer than \(limits.sourceLength) bytes")
        }
        var parser = try Parser(Source(text), limits: limits)
        statements = try parser.template()
        source = parser.source
        names = parser.names
        self.limits = limits
    }

    /// The text that the template makes of a context, in segments that say where it comes from.
    ///
    /// - Parameters:
    ///   - now: what `strftime_now` reads.
    package func render(
        _ context: TemplateValue.Members, now: TemplateTime = .epoch
    ) throws(TemplateError) -> [RenderedSegment] {
        var renderer = Renderer(self, now: now)
        try renderer.load(context)
        try renderer.run()
        return RenderedSegment.segments(of: renderer.output)
    }

    /// The names that the template looks up or gives to something.
    package var mentionedNames: [String] { names.strings.dropFirst(Keyword.allCases.count).map { $0 } }
}

/// A stretch of rendered text.
package struct RenderedSegment: Sendable, Equatable {
    package var text: String
    /// True where the characters were written in the template, false where they came with the input.
    package var isTrusted: Bool
    /// The number that the caller gave the text, 1 to 127; 0 for what has none, such as the template's own text.
    package var origin: UInt8

    package init(_ text: String, isTrusted: Bool, origin: UInt8 = 0) {
        self.text = text
        self.isTrusted = isTrusted
        self.origin = origin
    }

    static func segments(of units: [UInt32]) -> [RenderedSegment] {
        var segments: [RenderedSegment] = []
        var start = 0
        while start < units.count {
            let mark = units[start] & Text.markMask
            var end = start + 1
            while end < units.count, units[end] & Text.markMask == mark { end += 1 }
            segments.append(
                RenderedSegment(
                    Text.string(units[start..<end]), isTrusted: mark & Text.trustBit != 0,
                    origin: UInt8(truncatingIfNeeded: (mark & ~Text.trustBit) >> Text.originShift)))
            start = end
        }
        return segments
    }
}
