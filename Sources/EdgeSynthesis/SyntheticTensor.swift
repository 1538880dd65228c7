internal import EdgeQuant

/// A tensor to be written, without its values.
struct SyntheticTensor {
    enum Values {
        /// Normally distributed, so that a product is as large as its input.
        case matrix
        /// Small ones, as biases have.
        case bias
        case ones
    }

    let name: String
    let type: GGMLType
    /// Columns first.
    let dimensions: [Int]
    let values: Values
}

extension SyntheticModel {
    /// All tensors in the order of the file.
    func tensors() -> [SyntheticTensor] {
        let width = shape.embeddingLength
        let output = mix.output(columns: width)
        var list = [matrix("token_embd", output, [width, shape.vocabularySize])]
        if !shape.isTied { list.append(matrix("output", output, [width, shape.vocabularySize])) }
        list += norm("output_norm", width)
        for layer in 0..<shape.blockCount { list += tensors(ofLayer: layer) }
        return list
    }

    private func tensors(ofLayer layer: Int) -> [SyntheticTensor] {
        let block = "blk.\(layer)."
        let width = shape.embeddingLength
        let queries = shape.headCount * shape.headSize
        let keys = shape.keyValueHeadCount * shape.headSize
        var list = layout.norms.flatMap { norm(block + $0, width) }
        switch layout.headNorm {
        case .none: break
        case .eachHead:
            list += norm(block + "attn_q_norm", shape.headSize) + norm(block + "attn_k_norm", shape.headSize)
        case .allHeads: list += norm(block + "attn_q_norm", queries) + norm(block + "attn_k_norm", keys)
        }

        func add(_ kind: LayerMatrix, _ columns: Int, _ rows: Int, experts: Int? = nil) {
            let type = mix.type(kind, layer: layer, of: shape.blockCount, columns: columns)
            let name = block + kind.rawValue
            list.append(
                matrix(name + (experts == nil ? "" : "_exps"), type, [columns, rows] + (experts.map { [$0] } ?? [])))
            let hasBias =
                switch layout.biases {
                case .none: false
                case .attentionInputs: [.query, .key, .value].contains(kind)
                case .everywhere: true
                }
            if hasBias {
                list.append(SyntheticTensor(name: name + ".bias", type: .f32, dimensions: [rows], values: .bias))
            }
        }
        if layout.isFused {
            add(.queryKeyValue, width, queries + 2 * keys)
        } else {
            add(.query, width, queries)
            add(.key, width, keys)
            add(.value, width, keys)
        }
        add(.attentionOutput, queries, width)
        let count = shape.experts?.count
        let inner = shape.experts?.feedForwardLength ?? shape.feedForwardLength
        if let count { list.append(matrix(block + "ffn_gate_inp", .f32, [width, count])) }
        if layout.isGated, !layout.isFused { add(.gate, width, inner, experts: count) }
        add(.up, width, layout.isFused ? 2 * inner : inner, experts: count)
        add(.down, inner, width, experts: count)
        return list
    }

    private func matrix(_ name: String, _ type: GGMLType, _ dimensions: [Int]) -> SyntheticTensor {
        SyntheticTensor(name: name + ".weight", type: type, dimensions: dimensions, values: .matrix)
    }

    private func norm(_ name: String, _ count: Int) -> [SyntheticTensor] {
        let weight = SyntheticTensor(name: name + ".weight", type: .f32, dimensions: [count], values: .ones)
        guard layout.hasLayerNorms else { return [weight] }
        return [weight, SyntheticTensor(name: name + ".bias", type: .f32, dimensions: [count], values: .bias)]
    }
}
