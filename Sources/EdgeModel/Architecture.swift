package import EdgeKernels

/// What makes one architecture differ from the others: all that the shared forward pass asks about a family.
///
/// Everything a file states itself (sizes, biases, fused tensors, tied output, experts, frequency factors) is read from the file;
/// here stands only what its readers are expected to know. The default of each field is Llama's; `Families.swift` lists them.
package struct Architecture: Sendable {
    /// `general.architecture`.
    package var name: String

    // MARK: Norms

    package enum NormKind: Sendable {
        /// By the root mean square: `attention.layer_norm_rms_epsilon`.
        case rootMeanSquare
        /// By mean and variance, usually with a bias: `attention.layer_norm_epsilon`.
        case layer
    }
    package var norm: NormKind = .rootMeanSquare

    /// Where the norms of a branch (attention, or feed-forward) stand; f is the branch, n and m are norms.
    package enum NormPlacement: Sendable {
        /// x + f(n(x)).
        case before
        /// x + m(f(n(x))).
        case beforeAndAfter
        /// x + m(f(x)).
        case after
        /// m(x + f(x)).
        case afterSum
    }
    package var normPlacement: NormPlacement = .before

    /// How queries and keys are normalised before they are turned.
    package enum HeadNorm: Sendable { case none, eachHead, allHeads }
    package var headNorm: HeadNorm = .none

    // MARK: Attention

    /// The components that rotary embedding turns together; nil for positions that are learned vectors.
    package var rotaryPairs: RotaryPairs? = .adjacent
    /// Of so many layers the last turns nothing.
    package var unrotatedPeriod: Int?
    /// Whether YaRN's ramp and magnitude, and a temperature of attention that grows with the position, are read from the file.
    package var readsYarnDetails = false

    /// Which layers see a window of `attention.sliding_window` positions only; others ignore that key.
    package enum Windows: Sendable {
        case none
        case allLayers
        /// Of so many layers the last sees everything, unless the file has another `attention.sliding_window_pattern`.
        case allButLast(of: Int, defaultWindow: Int = 0)
    }
    package var windows: Windows = .none

    /// How layers with a window turn their heads.
    package enum WindowedRotary: Sendable {
        case likeOthers
        /// Without scaling; the base is `rope.freq_base_swa`, or the one given here, or that of the other layers.
        case unscaled(base: Float?)
    }
    package var windowedRotary: WindowedRotary = .likeOthers

    /// Bound of the scores by tanh, if the file has no other `attn_logit_softcapping`; nil for none.
    package var attentionSoftCap: Float?
    /// A model of so many layers divides scores by √(embedding length / heads) instead of √(head size). Files do not say so.
    package var blockCountOfWidthScale: Int?

    // MARK: Feed-forward

    package var activation: Activation = .silu
    /// Whether the activation of one matrix multiplies the output of another, or stands alone.
    package var isGated = true

    // MARK: Input and output

    /// Whether embeddings are multiplied by √(embedding length).
    package var scalesEmbedding = false
    /// Whether the file states multipliers: of embeddings, of each branch, of attention scores, and a divisor of logits.
    package var readsMultipliers = false
    /// Bound of the logits by tanh, if the file has no other `final_logit_softcapping`; 0 for none unless it has; nil for never.
    package var logitSoftCap: Float?
    /// Whether the model has no output matrix, sees whole texts, and normalises its embeddings.
    package var isEncoder = false

    /// The architecture of that name.
    package static func named(_ name: String) -> Architecture? { all.first { $0.name == name } }
}
