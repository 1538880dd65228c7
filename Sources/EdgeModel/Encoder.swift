internal import EdgeKernels
package import EdgePlatform

/// Turns texts into vectors: with encoders such as BERT, or with decoders trained for it.
///
/// Texts run side by side in one batch, each as long as it is: no padding, and the vector of a text does not depend on a single
/// bit of the others. Not for several threads at once.
package final class Encoder {
    package let model: Model
    package let pooling: Pooling
    /// The most tokens of one text, and of all that run together.
    package let tokenCapacity: Int
    private let pass: ForwardPass

    /// Allocates the buffers.
    ///
    /// - Parameters:
    ///   - tokenCapacity: the longest text; the positions that the model knows bound it too.
    ///   - pooling: by default the file's own; where it states none, the mean for encoders and the last token for others.
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        _ model: Model, team: ThreadTeam, tokenCapacity: Int = 512, pooling: Pooling? = nil, path: ComputePath = .int8
    ) throws(ModelError) {
        self.model = model
        let shape = model.hyperparameters
        self.pooling = pooling ?? shape.pooling ?? (shape.isCausal ? .last : .mean)
        self.tokenCapacity = max(1, min(tokenCapacity, model.maximumPositions))
        pass = try ForwardPass(
            model, team: team, batchCapacity: self.tokenCapacity, pooling: self.pooling, path: path)
    }

    /// Values of one vector.
    package var width: Int { model.hyperparameters.embeddingLength }

    /// Bytes of all buffers.
    package var byteCount: Int { pass.byteCount }

    /// The vectors of texts given as ids, in their order; without pooling the vectors of a text's tokens one after the other.
    ///
    /// - Parameters:
    ///   - texts: whole inputs, with whatever tokens the model wants around a text.
    ///   - normalized: whether each vector is divided by its length, so that a dot product is a cosine.
    /// - Throws: `EncoderError`, before anything is computed.
    package func embed(_ texts: [[Int32]], normalized: Bool = true) throws(EncoderError) -> [[Float]] {
        for (index, text) in texts.enumerated() {
            guard !text.isEmpty else { throw EncoderError(.emptyText, text: index) }
            guard text.count <= tokenCapacity else {
                throw EncoderError(.textTooLong(tokens: text.count, limit: tokenCapacity), text: index)
            }
            if let bad = text.first(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
                throw EncoderError(.invalidToken(bad), text: index)
            }
        }
        var result: [[Float]] = []
        result.reserveCapacity(texts.count)
        var start = 0
        while start < texts.count {
            var end = start
            var tokens = 0
            while end < texts.count, tokens + texts[end].count <= tokenCapacity {
                tokens += texts[end].count
                end += 1
            }
            pass.run(texts: texts[start..<end])
            collect(texts[start..<end], normalized: normalized, into: &result)
            start = end
        }
        return result
    }

    private func collect(_ texts: ArraySlice<[Int32]>, normalized: Bool, into result: inout [[Float]]) {
        var row = 0
        for text in texts {
            let count = pooling == .none ? text.count : 1
            if normalized { for index in row..<row + count { pass.embeddings.normalize(row: index) } }
            var vector: [Float] = []
            vector.reserveCapacity(count * width)
            for index in row..<row + count { vector += pass.embeddings.copy(row: index) }
            result.append(vector)
            row += count
        }
    }
}

/// Why texts cannot be embedded, and which of them.
package struct EncoderError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        case emptyText
        case textTooLong(tokens: Int, limit: Int)
        case invalidToken(Int32)
    }

    package let code: Code
    /// The text's index.
    package let text: Int

    package init(_ code: Code, text: Int) {
        self.code = code
        self.text = text
    }

    package var description: String {
        switch code {
        case .emptyText: "text \(text) has no tokens"
        case .textTooLong(let tokens, let limit): "text \(text) has \(tokens) tokens; at most \(limit) fit"
        case .invalidToken(let id): "text \(text): the vocabulary has no token \(id)"
        }
    }
}
