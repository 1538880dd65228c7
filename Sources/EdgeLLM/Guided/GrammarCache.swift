internal import EdgeEngine
internal import EdgeGrammar
internal import Synchronization

/// The grammars of the schemas used last: a schema is compiled once, and what an engine has learnt of it is found again.
final class GrammarCache: Sendable {
    private let latest = Mutex<[(schema: String, constraint: GenerationConstraint)]>([])

    private static let limit = 16

    /// The grammar of a schema.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide` for one that cannot be enforced.
    func constraint(for schema: GenerationSchema) throws(LanguageModelError) -> GenerationConstraint {
        let text = try schema.document().jsonString
        if let known = find(text) { return known }
        let grammar: Grammar
        do throws(GrammarError) {
            grammar = try JSONSchema.compile(text, options: .guided)
        } catch {
            throw .unsupportedGenerationGuide(
                .init(message: error.message, place: error.pointer.map { $0.isEmpty ? "the root" : $0 }))
        }
        let made = GenerationConstraint(grammar)
        return latest.withLock { latest in
            if let known = latest.first(where: { $0.schema == text }) { return known.constraint }
            latest.append((text, made))
            if latest.count > Self.limit { latest.removeFirst() }
            return made
        }
    }

    private func find(_ text: String) -> GenerationConstraint? {
        latest.withLock { latest in
            guard let place = latest.firstIndex(where: { $0.schema == text }) else { return nil }
            let entry = latest.remove(at: place)
            latest.append(entry)
            return entry.constraint
        }
    }
}
