/// Elementary functions in plain double arithmetic with a fixed order of operations, so that their bits are the same on every
/// platform: the C library's are not.
///
/// `public` only so that its `package` members can be inlined into other rooms; no product exports it.
public enum Deterministic {
    /// Sine and cosine of x radians, within 2 units in the last place of a double for |x| below 2^20.
    ///
    /// x is reduced by multiples of pi/2 held in three parts of 33 bits (Cody and Waite 1980), then the Taylor series on
    /// |r| <= pi/4: the first term left out is below 2^-57. Larger arguments lose accuracy gradually; NaN and infinity give NaN.
    package static func sineAndCosine(_ x: Double) -> (sine: Double, cosine: Double) {
        guard x.magnitude < 1e9 else {
            // Beyond that no bit of a float position times a frequency means anything.
            return x.isFinite ? (0, 1) : (.nan, .nan)
        }
        let quadrant = (x * 0.636_619_772_367_581_4).rounded()
        let r = ((x - quadrant * halfPi.0) - quadrant * halfPi.1) - quadrant * halfPi.2
        let square = r * r
        var sine = sineSeries[sineSeries.count - 1]
        for coefficient in sineSeries.dropLast().reversed() { sine = sine * square + coefficient }
        sine = r + r * square * sine
        var cosine = cosineSeries[cosineSeries.count - 1]
        for coefficient in cosineSeries.dropLast().reversed() { cosine = cosine * square + coefficient }
        cosine = 1 - (0.5 * square - square * square * cosine)
        switch Int(quadrant) & 3 {
        case 0: return (sine, cosine)
        case 1: return (cosine, -sine)
        case 2: return (-sine, -cosine)
        default: return (-cosine, sine)
        }
    }

    /// pi/2 = the sum of the three; the first two have 33 significant bits, so their products with a quadrant are exact.
    private static let halfPi = (
        0x1.921FB544p+0,
        0x1.0B4611A6p-34, 0x1.3198A2E037073p-69
    )

    /// -1/3!, 1/5!, … of sin r = r + r^3 (…)
    private static let sineSeries: [Double] = series(firstFactorial: 3, sign: -1)
    /// 1/4!, -1/6!, … of cos r = 1 - r^2/2 + r^4 (…)
    private static let cosineSeries: [Double] = series(firstFactorial: 4, sign: 1)

    private static func series(firstFactorial: Int, sign: Double) -> [Double] {
        var terms: [Double] = []
        var sign = sign
        for n in stride(from: firstFactorial, through: firstFactorial + 14, by: 2) {
            terms.append(sign / (1...n).reduce(1.0) { $0 * Double($1) })
            sign = -sign
        }
        return terms
    }
}
