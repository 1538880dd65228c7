/// In what numbers matrix products are computed.
package enum ComputePath: Sendable, CaseIterable {
    /// Weights decoded to f32 and activations left alone: slow, and what int8 is measured against.
    case exact
    /// Activations quantized to int8 where weights come in blocks; integer sums exact, scales in f32.
    case int8
    /// Activations as the sum of two int8 terms: nearly exact, at twice the cost of one.
    case int16
}
