internal import EdgeEngine
internal import EdgeGrammar
internal import EdgePlatform
internal import EdgeTokenizer

/// The grammars used last, of schemas and as such: each is compiled once, and what an engine has learnt of it is found again.
final class GrammarCache: Sendable {
    /// What a grammar is compiled from.
    private enum Source: Equatable {
        case schema(String)
        case grammar(String)
    }

    private let latest = Lock<[(source: Source, constraint: GenerationConstraint)]>([])

    private static let limit = 16

    /// The grammar of a schema.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide` for one that cannot be enforced.
    func constraint(for schema: GenerationSchema) throws(LanguageModelError) -> GenerationConstraint {
        let text = try schema.document().jsonString
        if let known = find(.schema(text)) { return known }
        let grammar: Grammar
        do throws(GrammarError) {
            grammar = try JSONSchema.compile(text, options: .guided)
        } catch {
            throw .unsupportedGenerationGuide(
                .init(message: error.message, place: error.pointer.map { $0.isEmpty ? "the root" : $0 }))
        }
        return keep(grammar, of: .schema(text))
    }

    /// A grammar in GBNF over a vocabulary, always the same one.
    ///
    /// - Throws: `LanguageModelError.invalidOptions`, with line and column.
    func constraint(
        forGrammar text: String, over tokenizer: Tokenizer
    ) throws(LanguageModelError) -> GenerationConstraint {
        if let known = find(.grammar(text)) { return known }
        do throws(GrammarError) {
            return keep(try GBNF.compile(text, vocabulary: GBNF.Vocabulary(tokenizer)), of: .grammar(text))
        } catch {
            throw .invalidOptions("the grammar, \(error)")
        }
    }

    private func keep(_ grammar: Grammar, of source: Source) -> GenerationConstraint {
        let made = GenerationConstraint(grammar)
        return latest.withLock { latest in
            if let known = latest.first(where: { $0.source == source }) { return known.constraint }
            latest.append((source, made))
            if latest.count > Self.limit { latest.removeFirst() }
            return made
        }
    }

    private func find(_ source: Source) -> GenerationConstraint? {
        latest.withLock { latest in
            guard let place = latest.firstIndex(where: { $0.source == source }) else { return nil }
            let entry = latest.remove(at: place)
            latest.append(entry)
            return entry.constraint
        }
    }
}
