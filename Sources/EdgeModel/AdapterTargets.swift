internal import EdgeGGUF
internal import EdgeKernels

/// The tensors of a model that an adapter can change: those that the pass multiplies with, by name.
struct AdapterTargets {
    static let embedding = "token_embd.weight"
    static let output = "output.weight"

    /// A tensor, or some of its rows: what one matrix of the pass is.
    struct Part {
        let tensor: String
        var rows: Range<Int>?
    }

    /// Those of one layer.
    struct Layer {
        let query, key, value, attentionOutput: Part
        let router: Part?
        let gate: Part?
        let up, down: Part

        fileprivate var all: [Part] {
            [query, key, value, attentionOutput, up, down] + [router, gate].compactMap(\.self)
        }
    }

    let layers: [Layer]
    /// Whether logits are computed with the embedding.
    let isTied: Bool
    private let model: Model
    private let names: Set<String>

    init(_ model: Model) {
        self.model = model
        layers = model.weights.layers.indices.map { Layer(model, index: $0) }
        isTied = model.weights.output != nil && model.file.tensor(named: Self.output) == nil
        var names = Set(layers.flatMap(\.all).map(\.tensor))
        names.insert(Self.embedding)
        if model.weights.output != nil { names.insert(Self.output) }
        self.names = names
    }

    /// Inputs and outputs of a tensor, and with experts their number.
    func shape(of tensor: String) throws(ModelError) -> [Int] {
        guard let dimensions = model.file.tensor(named: tensor)?.dimensions else {
            throw ModelError(
                .adapterMismatch, "the model has no such tensor; the adapter was made for another one", tensor: tensor)
        }
        guard names.contains(tensor) else {
            throw ModelError(.adapterMismatch, "no adapter can change this tensor at run time", tensor: tensor)
        }
        return dimensions
    }

    /// A rank as a file has it, bounded so that no file can ask for more memory than the model's own shape does.
    func rank(_ rank: Int, _ tensor: GGUFTensor) throws(ModelError) -> Int {
        let shape = model.hyperparameters
        let limit = max(shape.embeddingLength, shape.feedForwardLength, shape.headCount * shape.headSize)
        guard (1...limit).contains(rank) else {
            throw ModelError(
                .tensorShapeMismatch,
                "a rank of \(rank) is more than the \(limit) columns of the model's widest matrix",
                tensor: tensor.name)
        }
        return rank
    }
}

extension AdapterTargets.Layer {
    fileprivate init(_ model: Model, index: Int) {
        typealias Part = AdapterTargets.Part
        let block = "blk.\(index)."
        let layer = model.weights.layers[index]
        func has(_ name: String) -> Bool { model.file.tensor(named: block + name + ".weight") != nil }
        func part(_ name: String, _ rows: Range<Int>? = nil) -> Part {
            Part(tensor: block + name + ".weight", rows: rows)
        }
        if has("attn_qkv") {
            let queries = layer.query.matrix.rowCount
            let keys = layer.key.matrix.rowCount
            query = part("attn_qkv", 0..<queries)
            key = part("attn_qkv", queries..<queries + keys)
            value = part("attn_qkv", queries + keys..<queries + 2 * keys)
        } else {
            query = part("attn_q")
            key = part("attn_k")
            value = part("attn_v")
        }
        attentionOutput = part("attn_output")
        switch layer.feedForward {
        case .experts:
            router = part("ffn_gate_inp")
            gate = part("ffn_gate_exps")
            up = part("ffn_up_exps")
            down = part("ffn_down_exps")
        case .dense(let gateLinear, let upLinear, _):
            router = nil
            down = part("ffn_down")
            let inner = upLinear.matrix.rowCount
            if gateLinear != nil, !has("ffn_gate") {
                gate = part("ffn_up", 0..<inner)
                up = part("ffn_up", inner..<2 * inner)
            } else {
                gate = gateLinear == nil ? nil : part("ffn_gate")
                up = part("ffn_up")
            }
        }
    }
}
