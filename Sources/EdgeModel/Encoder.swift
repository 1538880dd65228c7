package import EdgeKernels
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
    /// For texts of up to `shortLength` tokens, where int8 alone would leave too much noise.
    private let shortPass: ForwardPass?
    /// What is added to the weights of the one pass and of the other.
    private var stack: AdapterStack?
    private var shortStack: AdapterStack?

    /// The noise of int8 activations averages out over a text's tokens. On MiniLM (q8_0) the cosine to the f32 model's vector
    /// is 0.9997 for 8 tokens, but 0.9983 for 2 (of which the weights cost 0.0004).
    private static let shortLength = 8

    /// Allocates the buffers.
    ///
    /// - Parameters:
    ///   - tokenCapacity: the longest text; the positions that the model knows bound it too.
    ///   - pooling: by default the file's own; where it states none, the mean for encoders and the last token for others.
    /// - Throws: `ModelError.insufficientMemory`.
    package init(
        _ model: Model, team: ThreadTeam, tokenCapacity: Int = 512, pooling: Pooling? = nil, path: ComputePath = .int8,
        floatKernels: Kernels = .chosen
    ) throws(ModelError) {
        self.model = model
        let shape = model.hyperparameters
        self.pooling = pooling ?? shape.pooling ?? (shape.isCausal ? .last : .mean)
        self.tokenCapacity = max(1, min(tokenCapacity, model.maximumPositions))
        pass = try ForwardPass(
            model, team: team, batchCapacity: self.tokenCapacity, pooling: self.pooling, path: path,
            floatKernels: floatKernels)
        shortPass =
            path == .int8
            ? try ForwardPass(
                model, team: team, batchCapacity: min(64, self.tokenCapacity), pooling: self.pooling, path: .int16,
                floatKernels: floatKernels)
            : nil
    }

    /// Changes what is added to the weights from now on; none gives the model's own vectors again.
    ///
    /// - Throws: `ModelError` as `ForwardPass.makeStack(_:)`.
    package func apply(_ adapters: [AppliedAdapter]) throws(ModelError) {
        let stacks = (try pass.makeStack(adapters), try shortPass?.makeStack(adapters))
        (stack, shortStack) = stacks
    }

    /// Values of one vector; of rerankers the scores of one text.
    package var width: Int {
        pooling == .rank ? model.hyperparameters.labelCount : model.hyperparameters.embeddingLength
    }

    /// Bytes of all buffers.
    package var byteCount: Int { pass.byteCount + (shortPass?.byteCount ?? 0) }

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
        var result = Array(repeating: [Float](), count: texts.count)
        let shortLength = shortPass == nil ? 0 : Self.shortLength
        let isShort = { (text: [Int32]) in text.count <= shortLength }
        run(texts.indices.filter { !isShort(texts[$0]) }, of: texts, pass, normalized: normalized, into: &result)
        if let shortPass {
            run(
                texts.indices.filter { isShort(texts[$0]) }, of: texts, shortPass, normalized: normalized, into: &result
            )
        }
        return result
    }

    /// Runs the texts of those indices, as many at once as fit.
    private func run(
        _ indices: [Int], of texts: [[Int32]], _ pass: ForwardPass, normalized: Bool, into result: inout [[Float]]
    ) {
        var batch: [[Int32]] = []
        var start = 0
        while start < indices.count {
            batch.removeAll(keepingCapacity: true)
            var tokens = 0
            while start + batch.count < indices.count,
                tokens + texts[indices[start + batch.count]].count <= pass.batchCapacity
            {
                tokens += texts[indices[start + batch.count]].count
                batch.append(texts[indices[start + batch.count]])
            }
            pass.run(texts: batch[...], adapters: pass === shortPass ? shortStack : stack)
            var row = 0
            for (offset, text) in batch.enumerated() {
                let count = pooling == .none ? text.count : 1
                result[indices[start + offset]] = vectors(pass.embeddings, row..<row + count, normalized: normalized)
                row += count
            }
            start += batch.count
        }
    }

    private func vectors(_ rows: Rows, _ range: Range<Int>, normalized: Bool) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(range.count * width)
        for row in range {
            if normalized { rows.normalize(row: row) }
            values += rows.copy(row: row).prefix(width)
        }
        return values
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
