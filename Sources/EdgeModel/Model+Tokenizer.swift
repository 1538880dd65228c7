package import EdgeTokenizer

extension Model {
    /// The tokenizer of the file's vocabulary, checked against the embedding.
    ///
    /// - Throws: `ModelError` when the vocabulary is missing, contradicts itself, or has ids that the embedding has no row for.
    package func makeTokenizer() throws(ModelError) -> Tokenizer {
        let tokenizer: Tokenizer
        do throws(TokenizerError) {
            tokenizer = try Tokenizer(Vocabulary(file))
        } catch {
            throw ModelError(error)
        }
        guard tokenizer.count <= vocabularySize else {
            throw ModelError(
                .invalidVocabulary, "\(tokenizer.count) tokens, but only \(vocabularySize) rows of token_embd.weight",
                key: "tokenizer.ggml.tokens")
        }
        return tokenizer
    }
}
