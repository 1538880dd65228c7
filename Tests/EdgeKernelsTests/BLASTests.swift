import EdgeBLAS
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Testing

@testable import EdgeKernels

@Suite("The system's BLAS")
struct BLASTests {
    @Test("Multiplies float weights as our own kernels do, but for rounding", arguments: [GGMLType.f32, .f16, .bf16])
    func products(type: GGMLType) throws {
        let blas: BLAS
        do {
            blas = try Kernels.systemBLAS()
        } catch {
            // Not installed, or too old to know this processor: then the option is refused, and says why.
            #expect(!error.description.isEmpty)
            return
        }
        let kernels = Kernels.chosen.multiplyingFloats(with: blas)
        var random = SplitMix(seed: 21)
        for (rows, tokens, columns, accumulates) in [
            (5, 40, 17, false), (140, 33, 1500, true), (1, 32, 1, false), (300, 64, 96, true), (3, 5, 64, false),
        ] {
            let bytes = (0..<rows * columns).flatMap { _ -> [UInt8] in
                let value = Float.random(in: -2...2, using: &random)
                let bits: UInt32 =
                    switch type {
                    case .f16: UInt32(Half.encode(value))
                    case .bf16: UInt32(BFloat.encode(value))
                    default: value.bitPattern
                    }
                return (0..<type.blockByteCount).map { UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0)) }
            }
            let matrix = try #require(Matrix(type: type, rowCount: rows, columnCount: columns, bytes: ByteView(bytes)))
            let x = try Rows(rowCount: tokens, columnCount: columns)
            for t in 0..<tokens { for c in 0..<columns { x[t, c] = Float.random(in: -2...2, using: &random) } }
            let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
            let own = try Rows(rowCount: tokens, columnCount: rows + 2)
            let other = try Rows(rowCount: tokens, columnCount: rows + 2)
            for (y, set) in [(own, Kernels.chosen), (other, kernels)] {
                for t in 0..<tokens { for r in 0..<rows + 2 { y[t, r] = 3 } }
                matrix.multiply(
                    x, tokens: 0..<tokens, rows: 0..<rows, into: y, outputColumn: 1, accumulating: accumulates,
                    scratch: scratch, worker: 0, kernels: set)
            }
            for t in 0..<tokens {
                #expect(other[t, 0] == 3 && other[t, rows + 1] == 3)
                // Both add at most `columns` products of size 4 in some order.
                for r in 1...rows { #expect(abs(own[t, r] - other[t, r]) <= Float(columns + 4) * 4 * 0x1p-22) }
            }
        }
    }

    @Test("Old cores are known by name")
    func oldCores() {
        #expect(BLAS.isSlow("Prescott") && BLAS.isSlow("prescott") && BLAS.isSlow("Nehalem"))
        #expect(!BLAS.isSlow("Haswell") && !BLAS.isSlow("Zen") && !BLAS.isSlow("SkylakeX"))
    }
}
