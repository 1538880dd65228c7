import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@Suite("Encoding")
struct EncodeTests {
    static let encodable = GGMLType.allCases.filter(\.canEncode)

    @Test(
        "encodes the recorded input to the recorded bytes", .enabled(if: SharedData.isPresent, "needs shared data"),
        arguments: recordedTypes.filter(\.canEncode))
    func recorded(type: GGMLType) throws {
        let input = try SharedData.floats("quants/input.f32")
        let expected = [UInt8](try Data(contentsOf: SharedData.url("quants/\(type.name).bin")))
        let bytes = try type.encode(input)
        let wrong = zip(bytes, expected).filter { $0 != $1 }.count
        #expect(bytes == expected, "\(wrong) of \(expected.count) bytes differ")
    }

    @Test("values that are not finite, huge or tiny never trap", arguments: encodable)
    func hostile(type: GGMLType) throws {
        let odd: [Float] = [
            .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0,
            -0.0, 1e38, -1e-38,
        ]
        for value in odd {
            #expect(try type.encode([Float](repeating: value, count: 256)).count == type.byteCount(valueCount: 256))
        }
        for seed in UInt64(1)...50 {
            var random = SplitMix(seed: seed)
            let values = (0..<256).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
            let bytes = try type.encode(values)
            #expect(bytes.count == type.byteCount(valueCount: 256), "seed \(seed)")
            #expect(try type.decode(bytes).count == 256)
        }
    }

    @Test("a round trip of -1, 0 and 1 errs by less than the step of the type", arguments: encodable)
    func exact(type: GGMLType) throws {
        let values = (0..<256).map { Float([-1, 0, 1][$0 % 3]) }
        let back = try type.decode(type.encode(values))
        for (a, b) in zip(values, back) {
            // The symmetric types have no level for +extreme (7/8 and 15/16 stand for it); min/max types keep the scale
            // 2/15 or 2/31 as a half, an error of 2^-11 of the range.
            let bound: Float =
                switch type {
                case .q4_0: 1.0 / 8
                case .q5_0: 1.0 / 16
                case .q4_1: 1.0 / 15 + 0.001
                case .q5_1: 1.0 / 31 + 0.001
                case .q8_0: 0.001
                // The search trades the extreme for the rest: at most one step of the grid, or half a step of Q2_K's 2/3.
                case .q2K: 1.0 / 3 + 0.001
                case .q3K: 1.0 / 4
                case .q4K: 1.0 / 15
                case .q5K: 1.0 / 31
                case .q6K: 1.0 / 32
                case .iq4NL, .iq4XS: 14.0 / 127
                default: 0
                }
            #expect(abs(a - b) <= bound)
        }
    }

    @Test("integers round ties to even and clamp")
    func integers() throws {
        #expect(try GGMLType.i8.decode(GGMLType.i8.encode([2.5, 3.5, 300, -300, .nan])) == [2, 4, 127, -128, 0])
        #expect(try GGMLType.i16.decode(GGMLType.i16.encode([1e9, -1e9])) == [32767, -32768])
        #expect(try GGMLType.i64.decode(GGMLType.i64.encode([1e30, -1e30])) == [0x1p63, -0x1p63])
    }
}
