import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@Suite("Block formats")
struct EdgeQuantTests {
    @Test(
        "Decoding agrees with the recorded values bit for bit",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: GGMLType.allCases)
    func decodesAsRecorded(type: GGMLType) throws {
        guard let bytes = try? Data(contentsOf: SharedData.url("quants/\(type.name).bin")) else { return }
        let expected = try SharedData.floats("quants/\(type.name).dequant.f32")
        let found = try type.decode([UInt8](bytes))
        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
    }

    @Test("Any bytes decode", arguments: GGMLType.allCases)
    func anyBytesDecode(type: GGMLType) throws {
        var random = SplitMix(seed: 7)
        for fill in [UInt8?.some(0), .some(255), nil] {
            let bytes = (0..<8 * type.blockByteCount).map { _ in fill ?? UInt8.random(in: 0...255, using: &random) }
            #expect(try type.decode(bytes).count == 8 * type.blockLength)
        }
        #expect(throws: QuantError.self, performing: { try GGMLType.q4_0.decode([1, 2, 3]) })
    }

    #if !(os(macOS) && arch(x86_64))
        @Test("Every half decodes as the hardware's, and encodes back")
        func halves() {
            for bits in 0...UInt16.max {
                let value = Half.decode(bits)
                let hardware = Float(Float16(bitPattern: bits))
                if hardware.isNaN {
                    #expect(value.isNaN)
                    #expect(Half.decode(Half.encode(value)).isNaN)
                } else {
                    #expect(value.bitPattern == hardware.bitPattern)
                    #expect(Half.encode(value) == bits)
                }
            }
            var random = SplitMix(seed: 1)
            for _ in 0..<200_000 {
                let value = Float(bitPattern: UInt32.random(in: 0...(.max), using: &random))
                if !value.isNaN { #expect(Half.encode(value) == Float16(value).bitPattern, "\(value)") }
            }
        }
    #endif
}
