package import EdgeGGUF
package import EdgeTokenizer

extension Tokenizer {
    /// The tokenizer that a file describes; of a model or of a vocabulary alone.
    ///
    /// - Throws: `ModelError` when the vocabulary is missing, of an unknown kind, or contradicts itself.
    package convenience init(_ file: GGUFFile) throws(ModelError) {
        let vocabulary: Vocabulary
        do throws(GGUFError) { vocabulary = try Vocabulary(file) } catch { throw ModelError(error) }
        do throws(TokenizerError) { try self.init(vocabulary) } catch { throw ModelError(error) }
    }
}

extension Model {
    /// The tokenizer of the file's vocabulary, checked against the embedding.
    ///
    /// - Throws: `ModelError` when the vocabulary is missing, contradicts itself, or has ids that the embedding has no row for.
    package func makeTokenizer() throws(ModelError) -> Tokenizer {
        let tokenizer = try Tokenizer(file)
        guard tokenizer.count <= vocabularySize else {
            throw ModelError(
                .invalidVocabulary, "\(tokenizer.count) tokens, but only \(vocabularySize) rows of token_embd.weight",
                key: "tokenizer.ggml.tokens")
        }
        return tokenizer
    }
}

extension ModelError {
    fileprivate init(_ error: TokenizerError) {
        let code: Code =
            switch error.code {
            case .unknownModel, .unknownPreTokenizer: .unsupportedTokenizer
            case .missing: .missingMetadata
            case .invalid: .invalidVocabulary
            }
        self.init(code, error.message, key: error.key)
    }
}
