import EdgeMath
import EdgeTestSupport
import Foundation
import Testing

@Suite("Portable mathematics")
struct PortableMathTests {
    /// Units in the last place between two finite numbers of one sign.
    static func distance(_ a: Double, _ b: Double) -> UInt64 {
        let (x, y) = (a.bitPattern, b.bitPattern)
        return x > y ? x - y : y - x
    }

    @Test("exp lies within 2 units in the last place of the C library's, which lies within 1 of the truth")
    func exponential() {
        var random = SplitMix(seed: 1)
        var worst: UInt64 = 0
        for range in [1e-9, 0.5, 10, 100, 708] {
            for _ in 0..<50_000 {
                let x = Double.random(in: -range...range, using: &random)
                worst = max(worst, Self.distance(Deterministic.exponential(x), Foundation.exp(x)))
            }
        }
        #expect(worst <= 2)
        for x in stride(from: -745.0, to: -708, by: 0.01) {
            #expect(Self.distance(Deterministic.exponential(x), Foundation.exp(x)) <= 2)
        }
    }

    @Test("log lies within 2 units in the last place of the C library's")
    func logarithm() {
        var random = SplitMix(seed: 2)
        var worst: UInt64 = 0
        for _ in 0..<200_000 {
            let any = Double(bitPattern: UInt64.random(in: 1..<0x7ff0_0000_0000_0000, using: &random))
            let near = Double.random(in: 0.5...2, using: &random)
            for x in [any, near] { worst = max(worst, Self.distance(Deterministic.logarithm(x), Foundation.log(x))) }
        }
        #expect(worst <= 2)
    }

    @Test("special values have their answers")
    func special() {
        #expect(Deterministic.exponential(0) == 1)
        #expect(Deterministic.exponential(.infinity) == .infinity)
        #expect(Deterministic.exponential(710) == .infinity)
        #expect(Deterministic.exponential(-.infinity) == 0)
        #expect(Deterministic.exponential(-746) == 0)
        #expect(Deterministic.exponential(-745) == Double.leastNonzeroMagnitude)
        #expect(Deterministic.exponential(.nan).isNaN)
        #expect(Deterministic.logarithm(1) == 0)
        #expect(Deterministic.logarithm(0) == -.infinity)
        #expect(Deterministic.logarithm(.infinity) == .infinity)
        #expect(Deterministic.logarithm(-1).isNaN)
        #expect(Deterministic.logarithm(.nan).isNaN)
    }
}
