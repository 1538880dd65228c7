import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeQuantize

@Suite("Encoding in lanes")
struct BlockEncoderTests {
    static let types: [GGMLType] = TensorType.all.map(\.type)

    private func encode(_ type: GGMLType, _ values: [Float], _ importance: [Float]? = nil) throws -> [UInt8] {
        var encoder = BlockEncoder(type)
        var bytes = [UInt8](repeating: 0, count: try #require(type.byteCount(valueCount: values.count)))
        var span = bytes.mutableSpan
        try encoder.encode(
            values.span, importance: importance.map { $0[...] }, rowLength: importance?.count ?? values.count,
            into: &span)
        return bytes
    }

    @Test("gives the bytes of the scalar encoder", arguments: types)
    func likeScalar(type: GGMLType) throws {
        for seed in UInt64(1)...20 {
            var random = SplitMix(seed: seed)
            let scale = Float(sign: .plus, exponent: Int(seed % 12) - 8, significand: 1)
            // Some blocks of 32, not all a whole tile of 256 where the type allows it.
            let count = type.blockLength == 256 ? 1024 : 32 * 37
            var values = (0..<count).map { _ in
                (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) } * scale
            }
            for i in 0..<32 { values[i] = 0 }
            for i in 32..<64 { values[i] = 0.75 }
            for i in 64..<96 { values[i] = Float(i) * 700 * Float.leastNonzeroMagnitude }
            #expect(try encode(type, values) == type.encode(values), "seed \(seed)")
        }
    }

    @Test("values that are not finite, huge or tiny never trap", arguments: types)
    func hostile(type: GGMLType) throws {
        let odd: [Float] = [
            .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0,
            -0.0, 1e38, -1e-38,
        ]
        for value in odd {
            let values = [Float](repeating: value, count: 256)
            #expect(try encode(type, values).count == type.byteCount(valueCount: 256))
            #expect(try encode(type, values, values).count == type.byteCount(valueCount: 256))
        }
        for seed in UInt64(1)...50 {
            var random = SplitMix(seed: seed)
            let values = (0..<256).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
            let importance = (0..<256).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
            #expect(try encode(type, values).count == type.byteCount(valueCount: 256))
            #expect(try encode(type, values, importance).count == type.byteCount(valueCount: 256))
        }
    }

    @Test("an importance lowers the weighted error", arguments: types.filter { BlockEncoder.usesImportance($0) })
    func weighted(type: GGMLType) throws {
        var random = SplitMix(seed: 7)
        let columns = 512
        let importance = (0..<columns).map { Float($0 % 7 == 0 ? 100 : 1) * Float.random(in: 0.5...1, using: &random) }
        let values = (0..<columns * 16).map { _ in
            (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) }
        }
        func error(_ bytes: [UInt8]) throws -> Double {
            zip(values, try type.decode(bytes)).enumerated().reduce(0) {
                $0 + Double(importance[$1.offset % columns])
                    * Double(($1.element.0 - $1.element.1) * ($1.element.0 - $1.element.1))
            }
        }
        #expect(try error(encode(type, values, importance)) < error(encode(type, values)))
    }
}
