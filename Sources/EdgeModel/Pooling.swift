/// How the vectors of a text's tokens become one vector: GGUF's `pooling_type`.
package enum Pooling: Int, Sendable, CaseIterable {
    /// They stay one for each token.
    case none = 0
    /// Their mean (Reimers and Gurevych 2019).
    case mean = 1
    /// That of the first token, BERT's `[CLS]`.
    case first = 2
    /// That of the last token, which in a causal model has seen all others.
    case last = 3
    /// A classification of the first token's vector: scores in place of a vector, as rerankers give them.
    case rank = 4
}
