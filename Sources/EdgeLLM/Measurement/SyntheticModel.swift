internal import EdgeGGUF
internal import EdgeSynthesis
public import Foundation

/// A model of a published shape with random weights: as large and as fast as the real one, and in need of no download. What it says
/// means nothing.
///
/// ```swift
/// let synthetic = SyntheticModel("llama-3.2-1b:Q4_K_M")
/// try synthetic?.write(to: url)
/// ```
public struct SyntheticModel: Sendable, CustomStringConvertible {
    private let model: EdgeSynthesis.SyntheticModel

    /// A model described as `SHAPE:TYPE`, such as `llama-3.2-1b:Q4_K_M`; nil for a shape or type that is not known.
    ///
    /// `SHAPE/N` is the shape with one layer in N and at most 16,384 tokens. `SHAPE@llama` has the sizes in a file of
    /// architecture `llama`, to see beside it what the architecture's own steps cost.
    public init?(_ description: String) {
        guard let model = EdgeSynthesis.SyntheticModel(description) else { return nil }
        self.model = model
    }

    /// The names of the shapes.
    public static let shapes = ModelShape.all.map(\.name)

    /// The names of the types of weights.
    public static let quantizations = QuantizationMix.all.map(\.name)

    /// What the model was described as.
    public var description: String { model.name }

    /// Weights it has.
    public var parameterCount: Int { model.weightCount }

    /// Writes the file. The same description gives the same bytes.
    ///
    /// - Parameter vocabulary: a GGUF file whose vocabulary the model gets, so that it can be given texts; nil for none.
    /// - Throws: `ModelLoadingError`, with the code `invalidVocabulary` where the vocabulary has more tokens than the shape.
    public func write(to url: URL, vocabulary: URL? = nil) throws {
        try ModelLoadingError.reporting(url.path) {
            let file = try vocabulary.map { try GGUFFile(path: $0.path) }
            let room = model.shape.vocabularySize
            if let file, let tokens = file["tokenizer.ggml.tokens"]?.array?.count, tokens > room {
                throw ModelLoadingError(
                    code: .invalidVocabulary,
                    message: "\(file.path): \(tokens) tokens, but \(model.name) has room for \(room)")
            }
            try model.write(to: url.path, vocabulary: file)
        }
    }
}
