package import EdgePlatform
package import EdgeTokenizer

/// Tells how well documents answer a query, by reading each beside the query: a BERT with a head for classification.
///
/// A pair becomes `[CLS] query [SEP] document [SEP]`, or what else the vocabulary puts around texts. All tokens are of kind 0, as in
/// llama.cpp. Not for several threads at once.
package final class Reranker {
    package let encoder: Encoder
    private let tokenizer: Tokenizer

    /// Allocates the buffers.
    ///
    /// - Parameter tokenCapacity: the longest pair; the positions that the model knows bound it too.
    /// - Throws: `ModelError.unsupportedArchitecture` for a model that gives no scores, `insufficientMemory`.
    package init(
        _ model: Model, tokenizer: Tokenizer, team: ThreadTeam, tokenCapacity: Int = 512, path: ComputePath = .int8
    ) throws(ModelError) {
        encoder = try Encoder(model, team: team, tokenCapacity: tokenCapacity, pooling: .rank, path: path)
        self.tokenizer = tokenizer
    }

    /// One score for each document, in their order; the higher, the better. They are the model's own numbers, of any sign.
    ///
    /// - Throws: `EncoderError` with the document's index, before anything is computed.
    package func score(query: String, documents: [String]) throws(EncoderError) -> [Float] {
        let query = tokenizer.encode(query, addSpecial: false, parseSpecial: false)
        let pairs = documents.map {
            tokenizer.pair(query, tokenizer.encode($0, addSpecial: false, parseSpecial: false))
        }
        return try encoder.embed(pairs, normalized: false).map { $0.first ?? .nan }
    }
}

extension Tokenizer {
    /// Two texts as one input: what the vocabulary puts before the first, between them, and behind the second.
    fileprivate func pair(_ first: [Int32], _ second: [Int32]) -> [Int32] {
        // BERT closes with its separator; others with the end token and, between the texts, the separator besides.
        let isBERT = addsSep && !addsEos
        let end = addsEos ? eosId ?? sepId : nil
        let separator = addsSep ? sepId : nil
        let middle = [end, separator].compactMap(\.self)
        return [addsBos ? bosId : nil].compactMap(\.self) + first + middle + second
            + [isBERT ? separator : end].compactMap(\.self)
    }
}
