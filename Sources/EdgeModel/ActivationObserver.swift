package import EdgeKernels

/// What matrices of a model read.
package enum ActivationInput: Sendable {
    /// Queries, keys and values.
    case attention
    case attentionOutput
    /// The gate and the way up, and with experts the router.
    case feedForward
    case down
    /// An expert's gate and way up, and its way down.
    case expert
    case expertDown
    /// The matrix of logits.
    case output
}

/// Looks on while a pass computes: at the activations that each matrix is multiplied with.
package protocol ActivationObserver: AnyObject {
    /// Some rows that are about to be multiplied, by one thread of the pass while the others wait for none.
    ///
    /// - Parameters:
    ///   - layer: the layer, the number of layers for the output.
    ///   - rows: of `x`, a token each; with experts those of one expert.
    ///   - expert: 0 where there are none.
    func observe(_ input: ActivationInput, layer: Int, _ x: Rows, rows: Range<Int>, expert: Int)
}
