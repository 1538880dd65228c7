// Swift never contracts `a * b + c` into a fused operation, so the order written here is the order computed.

extension Deterministic {
    /// The natural logarithm of 2.
    package static let ln2 = 0.6931471805599453
    // ln 2 in two parts; the high one ends in zeros, so that its product with an exponent is exact.
    @inlinable package static var ln2High: Double { 0x1.62e42feep-1 }
    @inlinable package static var ln2Low: Double { 0x1.a39ef35793c76p-33 }

    /// e^x, within 2 units in the last place. Overflows to infinity, underflows through subnormals to zero.
    ///
    /// Inlined into other rooms: a sampler may call it for every token of the vocabulary.
    @inlinable
    @inline(__always)
    package static func exponential(_ x: Double) -> Double {
        guard x > -745.2, x < 709.79 else { return x.isNaN ? x : (x < 0 ? 0 : .infinity) }
        // Adding and taking away 1.5 * 2^52 rounds to a whole number; `rounded()` is a call where SSE4.1 is not assumed.
        let k = (x * 1.4426950408889634 + 0x1.8p52) - 0x1.8p52
        let r = (x - k * ln2High) - k * ln2Low
        // The Taylor series on |r| <= 0.35: the first term left out is below 2^-60.
        var q = 1.0 / 6_227_020_800
        q = q * r + 1.0 / 479_001_600
        q = q * r + 1.0 / 39_916_800
        q = q * r + 1.0 / 3_628_800
        q = q * r + 1.0 / 362_880
        q = q * r + 1.0 / 40_320
        q = q * r + 1.0 / 5_040
        q = q * r + 1.0 / 720
        q = q * r + 1.0 / 120
        q = q * r + 1.0 / 24
        q = q * r + 1.0 / 6
        q = q * r + 0.5
        let y = 1 + (r + r * r * q)
        // |k| <= 1075 after the guards: each half is a normal power of two.
        let exponent = Int(k)
        let half = exponent / 2
        return y * powerOfTwo(half) * powerOfTwo(exponent - half)
    }

    /// 2^exponent, for exponents of normal numbers.
    @inlinable
    @inline(__always)
    package static func powerOfTwo(_ exponent: Int) -> Double {
        Double(bitPattern: UInt64(truncatingIfNeeded: exponent &+ 1023) &<< 52)
    }

    /// The natural logarithm, within 2 units in the last place: minus infinity at zero, NaN below.
    package static func logarithm(_ x: Double) -> Double {
        guard x > 0 else { return x == 0 ? -.infinity : .nan }
        guard x < .infinity else { return x }
        var m = x.significand
        var k = Double(x.exponent)
        if m > 1.4142135623730951 {
            m *= 0.5
            k += 1
        }
        let f = m - 1
        let s = f / (2 + f)
        let z = s * s
        // log(1 + f) = f - f^2/2 + s (f^2/2 + R), with R the tail of the series of 2 artanh s.
        var r = 2.0 / 25
        r = r * z + 2.0 / 23
        r = r * z + 2.0 / 21
        r = r * z + 2.0 / 19
        r = r * z + 2.0 / 17
        r = r * z + 2.0 / 15
        r = r * z + 2.0 / 13
        r = r * z + 2.0 / 11
        r = r * z + 2.0 / 9
        r = r * z + 2.0 / 7
        r = r * z + 2.0 / 5
        r = r * z + 2.0 / 3
        r *= z
        let halfSquare = 0.5 * f * f
        return k * ln2High - ((halfSquare - (s * (halfSquare + r) + k * ln2Low)) - f)
    }
}
