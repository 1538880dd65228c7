extension Deterministic {
    /// e^x, within 2 units in the last place; 0 below -745, infinity above 709.79, NaN for NaN.
    ///
    /// x = n ln 2 + r (Cody and Waite 1980), then the Taylor series of e^r, whose remainder is below 2^-58.
    package static func exponential(_ x: Double) -> Double {
        guard x == x else { return x }
        if x > 709.782_712_893_384 { return .infinity }
        if x < -745.133_219_101_941_2 { return 0 }
        let n = (x * 1.442_695_040_888_963_4).rounded()
        // ln 2 in two parts; the first has 33 bits, so n times it is exact.
        let r = (x - n * 0x1.62E42FEEp-1) - n * 0x1.A39EF35793C76p-33
        var sum = 1.0
        for k in stride(from: 14.0, through: 1, by: -1) { sum = 1 + r * sum / k }
        // Two steps, since 2^n alone may overflow or vanish where the product does not.
        let first = (n / 2).rounded(.down)
        return sum * Double(sign: .plus, exponent: Int(first), significand: 1)
            * Double(sign: .plus, exponent: Int(n - first), significand: 1)
    }

    /// The natural logarithm, within 2 units in the last place away from 1; -infinity for 0, NaN below 0.
    ///
    /// x = 2^n m with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m - 1) / (m + 1)) by its series, whose remainder is below 2^-58.
    package static func logarithm(_ x: Double) -> Double {
        guard x > 0 else { return x == 0 ? -.infinity : .nan }
        guard x.isFinite else { return x }
        var n = Double(x.exponent)
        var m = x.significand
        if m > 1.414_213_562_373_095 {
            m /= 2
            n += 1
        }
        let z = (m - 1) / (m + 1)
        let square = z * z
        var sum = 0.0
        for k in stride(from: 23.0, through: 3, by: -2) { sum = square * (1 / k + sum) }
        return n * 0x1.62E42FEEp-1 + (2 * z + (2 * z * sum + n * 0x1.A39EF35793C76p-33))
    }
}
