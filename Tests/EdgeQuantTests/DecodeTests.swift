import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

/// The block types whose bytes and values llama.cpp recorded.
let recordedTypes: [GGMLType] = [
    .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS, .tq1_0, .tq2_0,
    .mxfp4,
]

@Suite("Decoding")
struct DecodeTests {
    @Test(
        "decodes the recorded bytes to the recorded bits", .enabled(if: SharedData.isPresent, "needs shared data"),
        arguments: recordedTypes)
    func recorded(type: GGMLType) throws {
        let bytes = [UInt8](try Data(contentsOf: SharedData.url("quants/\(type.name).bin")))
        let expected = try SharedData.floats("quants/\(type.name).dequant.f32")
        let values = try type.decode(bytes)
        #expect(values.map(\.bitPattern) == expected.map(\.bitPattern))
    }

    @Test("decodes any bytes without a trap", arguments: GGMLType.allCases)
    func randomBytes(type: GGMLType) throws {
        for seed in UInt64(1)...20 {
            var random = SplitMix(seed: seed)
            let bytes = (0..<64 * type.blockByteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(try type.decode(bytes).count == 64 * type.blockLength, "seed \(seed)")
        }
        for byte in UInt8.min...UInt8.max {
            let bytes = [UInt8](repeating: byte, count: type.blockByteCount)
            #expect(try type.decode(bytes).count == type.blockLength)
        }
    }

    @Test("refuses lengths that are no whole block, and names the type", arguments: GGMLType.allCases)
    func lengths(type: GGMLType) throws {
        if type.blockByteCount > 1 {
            let error = #expect(throws: QuantError.self) { try type.decode([0]) }
            #expect(error?.message.contains(type.name) == true)
        }
        #expect(try type.decode([UInt8]()).isEmpty)
    }

    @Test("an unsupported type is named with the supported ones")
    func unsupported() {
        let error = #expect(throws: QuantError.self) { try GGMLType(supported: 16) }
        #expect(error?.message.contains("IQ2_XXS") == true)
        #expect(error?.message.contains("MXFP4") == true)
    }
}

@Suite("Half and bfloat")
struct HalfTests {
    @Test("every half decodes by the formula and survives a round trip")
    func everyHalf() {
        for bits in UInt16.min...UInt16.max {
            let value = Half.decode(bits)
            let exponent = Int(bits >> 10) & 31
            let fraction = Double(bits & 1023)
            let sign: Double = bits & 0x8000 == 0 ? 1 : -1
            if exponent == 31 {
                #expect(fraction == 0 ? value == Float(sign) * .infinity : value.isNaN)
                #expect(Half.encode(value) == (fraction == 0 ? bits : bits | 0x200))
            } else {
                let power = Double(sign: .plus, exponent: max(exponent, 1) - 25, significand: 1)
                let formula = sign * power * (fraction + (exponent == 0 ? 0 : 1024))
                if value.bitPattern != Float(formula).bitPattern || Half.encode(value) != bits {
                    Issue.record("half \(bits): \(value) is not \(formula)")
                }
            }
        }
    }

    @Test("values between two halves round to the nearer, ties to the even one")
    func halfRounding() {
        for bits in UInt16(0)..<0x7BFF {
            let (low, high) = (Half.decode(bits), Half.decode(bits + 1))
            let middle = (low + high) / 2
            if Half.encode(middle) != (bits & 1 == 0 ? bits : bits + 1) || Half.encode(middle.nextDown) != bits
                || Half.encode(middle.nextUp) != bits + 1
            {
                Issue.record("between halves \(bits) and \(bits + 1)")
            }
        }
        #expect(Half.encode(65520) == 0x7C00)
        #expect(Half.encode(Float(65520).nextDown) == 0x7BFF)
        #expect(Half.encode(-.greatestFiniteMagnitude) == 0xFC00)
    }

    @Test("every bfloat survives a round trip, ties go to even, NaN becomes quiet")
    func everyBFloat() {
        for bits in UInt16.min...UInt16.max {
            let value = BFloat.decode(bits)
            #expect(BFloat.encode(value) == (value.isNaN ? bits | 0x40 : bits))
            guard value.isFinite else { continue }
            let middle = Float(bitPattern: UInt32(bits) << 16 | 0x8000)
            #expect(BFloat.encode(middle) == (bits & 1 == 0 ? bits : bits &+ 1))
        }
    }
}
