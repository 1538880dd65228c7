import EdgeMath
import EdgeTestSupport
import Foundation
import Testing

@Suite("Elementary functions")
struct ElementaryFunctionTests {
    @Test("They agree with the C library within two units in the last place")
    func agree() {
        var random = SplitMix(seed: 3)
        for _ in 0..<200_000 {
            let x = Double.random(in: -700...700, using: &random)
            let mine = Deterministic.exponential(x)
            #expect(abs(mine - exp(x)) <= 2 * exp(x).ulp, "exp(\(x))")
            let y = Foundation.exp(x / 2)
            #expect(abs(Deterministic.logarithm(y) - log(y)) <= 2 * max(log(y).ulp, 0x1p-52), "log(\(y))")
            let (sine, cosine) = Deterministic.sineAndCosine(x * 1000)
            // Near a zero the error is one of the reduced argument: absolute, not relative.
            #expect(abs(sine - sin(x * 1000)) <= 0x1p-51, "sin(\(x * 1000))")
            #expect(abs(cosine - cos(x * 1000)) <= 0x1p-51, "cos(\(x * 1000))")
        }
    }

    @Test("Special values have the expected results")
    func special() {
        #expect(Deterministic.exponential(0) == 1)
        #expect(Deterministic.exponential(.infinity) == .infinity)
        #expect(Deterministic.exponential(-.infinity) == 0)
        #expect(Deterministic.exponential(.nan).isNaN)
        #expect(Deterministic.logarithm(1) == 0)
        #expect(Deterministic.logarithm(0) == -.infinity)
        #expect(Deterministic.logarithm(-1).isNaN)
        #expect(Deterministic.logarithm(.infinity) == .infinity)
        #expect(Deterministic.sineAndCosine(0) == (0, 1))
        #expect(Deterministic.sineAndCosine(.infinity).sine.isNaN)
    }
}
