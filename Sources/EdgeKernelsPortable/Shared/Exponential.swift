/// e^x in each lane, within 2 units in the last place, the same bits on every platform.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite, "Software Manual for the Elementary Functions", 1980), then the Taylor
/// series of e^r to the seventh power, whose remainder is below 2^-29. Results under the smallest normal number are 0;
/// above the largest finite one, infinity; NaN stays NaN.
@inline(__always)
func exponential(_ x: Lanes) -> Lanes {
    // Clamped so that n fits the exponent field; the true answers beyond are put in at the end.
    let clamped = x.replacing(with: 89, where: x .> 89).replacing(with: -88, where: x .< -88)
    let shifter = Lanes(repeating: 12_582_912)  // 1.5 * 2^23: adding it rounds to an integer
    let shifted = clamped * 1.442_695_04 + shifter
    let n = shifted - shifter
    // ln 2 in two parts; the first has so few bits that n times it is exact.
    let r = (clamped - n * 0.693_359_375) - n * -2.121_944_4e-4
    var series = r * (1.0 / 5040) + (1.0 / 720)
    series = series * r + (1.0 / 120)
    series = series * r + (1.0 / 24)
    series = series * r + (1.0 / 6)
    series = series * r + 0.5
    series = series * r + 1
    series = series * r + 1
    // Two steps of scaling, since 2^n alone may overflow where the product does not.
    let exponent = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- unsafeBitCast(shifter, to: SIMD16<Int32>.self)
    let first = exponent &>> 1
    let second = exponent &- first
    let scaled = series * powerOfTwo(first) * powerOfTwo(second)
    let infinity = Lanes(repeating: .infinity)
    var result = scaled.replacing(with: infinity, where: x .> 88.722_839)
    result = result.replacing(with: 0, where: x .< -87.336_544)
    return result.replacing(with: x, where: x .!= x)
}

@inline(__always)
private func powerOfTwo(_ exponent: SIMD16<Int32>) -> Lanes {
    unsafeBitCast((exponent &+ 127) &<< 23, to: Lanes.self)
}

/// e^x for one number, by the same steps as for sixteen.
@inline(__always)
func exponential(_ x: Float) -> Float { exponential(Lanes(repeating: x))[0] }

/// x / (1 + e^-x), the sigmoid linear unit.
@inline(__always)
func silu(_ x: Lanes) -> Lanes { x / (1 + exponential(-x)) }

/// cap * tanh(x / cap), with tanh y = 1 - 2 / (e^2y + 1).
@inline(__always)
func softCapped(_ x: Lanes, _ cap: Float) -> Lanes { cap * (1 - 2 / (exponential(2 * (x / cap)) + 1)) }

/// GELU by tanh. (1 + tanh u) / 2 is 1 / (1 + e^-2u), which loses no digits where tanh u comes near -1.
@inline(__always)
func gelu(_ x: Lanes) -> Lanes {
    let u = x * (0.797_884_56 + 0.035_677_407 * x * x)
    return x / (1 + exponential(-2 * u))
}
