internal import EdgeKernels
internal import EdgePlatform

/// Adapters in use, made ready for one pass: what each matrix product adds, in the order in which the adapters were given.
///
/// y = W x, then for one adapter after the other y += B (s A x). The products are those of f32 activations, whatever the path of
/// the weights is: an adapter's part has the same bits for any number of threads and any cut of the prompt. Adapters of scale 0 are
/// left out. All memory is taken here, none when a token runs. Used by one pass at a time.
package final class AdapterStack {
    package let adapters: [AppliedAdapter]
    let layers: [LayerAdaptation]
    /// What logits gain.
    let output: AdaptedPhase
    private let embeddings: [(factors: EmbeddingFactors, scale: Float)]
    /// s A x: a row for each token, or with experts for each token and expert, and columns for each adapter of one phase.
    private let hidden: Rows

    /// Nothing to add: no adapter, or all at scale 0.
    var isEmpty: Bool { active == 0 }
    private let active: Int
    private let model: Model

    /// Whether it was made for this model and at least so many rows.
    func fits(_ other: Model, rowCount: Int) -> Bool { other === model && (isEmpty || rowCount <= hidden.rowCount) }

    /// - Parameters:
    ///   - rowCount: the most rows that are multiplied at once.
    /// - Throws: `ModelError.adapterMismatch` for an adapter of another model or a scale that is no number, `insufficientMemory`.
    init(_ adapters: [AppliedAdapter], model: Model, rowCount: Int) throws(ModelError) {
        for applied in adapters {
            guard applied.adapter.model === model else {
                throw ModelError(.adapterMismatch, "an adapter that was loaded for another model cannot be applied")
            }
            guard applied.scale.isFinite else {
                throw ModelError(.adapterMismatch, "a scale of \(applied.scale) is not finite")
            }
        }
        self.adapters = adapters
        self.model = model
        let active = adapters.filter { $0.scale != 0 }
        self.active = active.count
        let targets = AdapterTargets(model)
        layers = targets.layers.map { LayerAdaptation($0, active) }
        output = AdaptedPhase([.init(tensor: AdapterTargets.output)], active, ofTiedOutput: targets.isTied)
        embeddings = active.compactMap { applied in
            applied.adapter.embedding.map { ($0, $0.scale * applied.scale) }
        }
        let columns =
            layers.flatMap(\.phases).map(\.columnCount) + [output.columnCount] + embeddings.map(\.factors.a.columnCount)
        do throws(PlatformError) {
            hidden = try Rows(rowCount: active.isEmpty ? 0 : rowCount, columnCount: columns.max() ?? 0)
        } catch {
            throw ModelError(.insufficientMemory, "no memory for \(active.count) adapters: \(error)")
        }
    }

    /// Adds to a token's embedding.
    func addEmbedding(of token: Int, row: Int, to residual: Rows, scratch: Rows, worker: Int) {
        for index in embeddings.indices {
            let factors = embeddings[index].factors
            factors.a.decode(row: token, into: hidden, at: row)
            hidden.multiply(row: row, columns: 0..<factors.a.columnCount, by: embeddings[index].scale)
            factors.b.multiply(
                hidden, tokens: row..<row + 1, rows: 0..<factors.b.rowCount, into: residual, outputColumn: 0,
                accumulating: true, scratch: scratch, worker: worker)
        }
    }

    /// Tokens, and rows of A, that one ticket covers.
    private static let tile = (tokens: 64, rows: 32)

    /// One thread's part of s A x for the first rows of x. What reads it must wait at a barrier.
    func shrink(_ phase: AdaptedPhase, _ x: Rows, count: Int, scratch: Rows, _ worker: TeamWorker) {
        let tokenTiles = (count + Self.tile.tokens - 1) / Self.tile.tokens
        var ticket = worker.nextTicket()
        var first = 0
        for index in phase.inputs.indices {
            let rank = phase.inputs[index].a[0].rowCount
            let rowTiles = (rank + Self.tile.rows - 1) / Self.tile.rows
            while ticket < first + rowTiles * tokenTiles {
                let row = (ticket - first) % rowTiles * Self.tile.rows
                let token = (ticket - first) / rowTiles * Self.tile.tokens
                shrink(
                    phase.inputs[index], expert: 0, x, tokens: token..<min(count, token + Self.tile.tokens),
                    rows: row..<min(rank, row + Self.tile.rows), scratch: scratch, worker: worker.index)
                ticket = worker.nextTicket()
            }
            first += rowTiles * tokenTiles
        }
    }

    /// The same for the rows of one expert, by one thread.
    func shrink(_ phase: AdaptedPhase, expert: Int, _ x: Rows, tokens: Range<Int>, scratch: Rows, worker: Int) {
        for index in phase.inputs.indices {
            shrink(
                phase.inputs[index], expert: expert, x, tokens: tokens, rows: 0..<phase.inputs[index].a[0].rowCount,
                scratch: scratch, worker: worker)
        }
    }

    private func shrink(
        _ input: AdaptedPhase.Input, expert: Int, _ x: Rows, tokens: Range<Int>, rows: Range<Int>, scratch: Rows,
        worker: Int
    ) {
        let column = input.column + rows.lowerBound
        input.a[expert].multiply(
            x, tokens: tokens, rows: rows, into: hidden, outputColumn: column, scratch: scratch, worker: worker)
        for token in tokens { hidden.multiply(row: token, columns: column..<column + rows.count, by: input.scale) }
    }

    /// y += B (s A x), adapter after adapter, for some rows of one of the phase's matrices.
    func expand(
        _ terms: [AdaptedPhase.Term], expert: Int = 0, tokens: Range<Int>, rows: Range<Int>, into y: Rows,
        scratch: Rows, worker: Int
    ) {
        for index in terms.indices {
            terms[index].b[expert].multiply(
                hidden, inputColumn: terms[index].column, tokens: tokens, rows: rows, into: y,
                outputColumn: rows.lowerBound, accumulating: true, scratch: scratch, worker: worker)
        }
    }
}

/// What adapters add to the matrices of one phase, which read the same activations.
struct AdaptedPhase {
    /// Columns of h = scale A x, A by expert.
    struct Input {
        let a: [Matrix]
        let scale: Float
        let column: Int
    }

    /// What is added: B times some columns of h.
    struct Term {
        let b: [Matrix]
        let column: Int
    }

    private(set) var inputs: [Input] = []
    /// By matrix, adapter after adapter.
    private(set) var terms: [[Term]]
    /// Columns of h, each input's on a border of 16.
    private(set) var columnCount = 0

    var isEmpty: Bool { inputs.isEmpty }

    /// - Parameter ofTiedOutput: whether the embedding's factors are meant.
    init(_ parts: [AdapterTargets.Part], _ adapters: [AppliedAdapter], ofTiedOutput: Bool = false) {
        terms = Array(repeating: [], count: parts.count)
        for applied in adapters {
            // Parts of one tensor share its A.
            var columns: [String: Int] = [:]
            for (index, part) in parts.enumerated() {
                guard
                    let factors = ofTiedOutput
                        ? applied.adapter.embedding?.output : applied.adapter.factors[part.tensor]
                else { continue }
                let column = columns[part.tensor] ?? columnCount
                if columns.updateValue(column, forKey: part.tensor) == nil {
                    inputs.append(Input(a: factors.a, scale: factors.scale * applied.scale, column: column))
                    columnCount += (factors.rank + 15) / 16 * 16
                }
                let b = part.rows.map { rows in factors.b.compactMap { $0.slice(rows: rows) } } ?? factors.b
                terms[index].append(Term(b: b, column: column))
            }
        }
    }
}

/// What adapters add in one layer.
final class LayerAdaptation {
    /// Of queries, keys and values.
    let attention: AdaptedPhase
    let attentionOutput: AdaptedPhase
    let router: AdaptedPhase
    /// Of the gate, where there is one, and what it multiplies.
    let feedForward: AdaptedPhase
    let down: AdaptedPhase

    init(_ layer: AdapterTargets.Layer, _ adapters: [AppliedAdapter]) {
        attention = AdaptedPhase([layer.query, layer.key, layer.value], adapters)
        attentionOutput = AdaptedPhase([layer.attentionOutput], adapters)
        router = AdaptedPhase(layer.router.map { [$0] } ?? [], adapters)
        // Without a gate its place stays empty, so that both kinds count alike.
        feedForward = AdaptedPhase([layer.gate ?? .init(tensor: ""), layer.up], adapters)
        down = AdaptedPhase([layer.down], adapters)
    }

    var phases: [AdaptedPhase] { [attention, attentionOutput, router, feedForward, down] }
}
