/// The normalised mean squared error: sum((x - g)^2) / sum(g^2), infinite when a value is not finite.
public func nmse(_ x: some Collection<Float>, _ golden: some Collection<Float>) -> Double {
    var error = 0.0
    var power = 0.0
    for (a, b) in zip(x, golden) {
        guard a.isFinite else { return .infinity }
        error += (Double(a) - Double(b)) * (Double(a) - Double(b))
        power += Double(b) * Double(b)
    }
    return error / power
}

/// A small seeded generator (SplitMix64) for tests, so that a failure can be repeated from the seed it prints.
public struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    /// A generator whose numbers follow from the seed alone.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}
