import EdgeKernels
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Testing

/// Equal bits, any NaN being equal to any other: processors differ in the sign of the NaN they make.
private func agree(_ a: Float, _ b: Float) -> Bool { a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN) }

private let quantizedTypes = GGMLType.allCases.filter { $0.activationBlocks != nil }

/// Encoded rows whose bytes are chosen by a pattern, with scales that are finite unless the bytes alone decide.
private func encodedRows(_ type: GGMLType, rows: Int, columns: Int, pattern: Pattern, seed: UInt64) -> [UInt8] {
    var random = SplitMix(seed: seed)
    let count = rows * columns / type.blockLength
    var bytes: [UInt8] = []
    for _ in 0..<count {
        var block: [UInt8]
        switch pattern {
        case .random, .raw: block = (0..<type.blockByteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        case .zeros: block = Array(repeating: 0, count: type.blockByteCount)
        case .ones: block = Array(repeating: 0xFF, count: type.blockByteCount)
        case .lows: block = Array(repeating: 0x80, count: type.blockByteCount)
        case .highs: block = Array(repeating: 0x7F, count: type.blockByteCount)
        }
        if pattern != .raw {
            for at in halfOffsets(type) {
                let scale = Half.encode(Float.random(in: -2...2, using: &random))
                block[at] = UInt8(truncatingIfNeeded: scale)
                block[at + 1] = UInt8(truncatingIfNeeded: scale >> 8)
            }
            if type == .mxfp4 { block[0] = UInt8.random(in: 0...140, using: &random) }
        }
        bytes += block
    }
    return bytes
}

/// Where a block's halves lie.
private func halfOffsets(_ type: GGMLType) -> [Int] {
    switch type {
    case .q4_0, .q5_0, .q8_0, .iq4NL, .iq4XS: [0]
    case .q4_1, .q5_1, .q4K, .q5K: [0, 2]
    case .q2K: [80, 82]
    case .q3K: [108]
    case .q6K: [208]
    case .tq1_0: [52]
    case .tq2_0: [64]
    default: []
    }
}

enum Pattern: CaseIterable { case random, zeros, ones, lows, highs, raw }

@Suite("Products with int8 activations")
struct QuantizedProductTests {
    @Test("The plain blocks say what the decoders of EdgeQuant say", arguments: quantizedTypes)
    func plainBlocks(type: GGMLType) throws {
        for pattern in Pattern.allCases where pattern != .raw {
            let bytes = encodedRows(type, rows: 3, columns: type.blockLength, pattern: pattern, seed: 1)
            let decoded = try type.decode(bytes)
            for block in 0..<3 {
                let plain = PlainBlock(
                    type, bytes[block * type.blockByteCount..<(block + 1) * type.blockByteCount])
                #expect(plain.integers.count == type.blockLength)
                for i in 0..<type.blockLength {
                    let minimum = plain.minimums.isEmpty ? 0 : Float(plain.minimums[i / 16]) * plain.minimumFactor
                    let product = Float(plain.integers[i]) * plain.factor
                    let value = decoded[block * type.blockLength + i]
                    // Each side rounds a product twice and a sum once.
                    #expect(abs(product + minimum - value) <= (abs(product) + abs(minimum)) * 0x1p-21)
                }
            }
        }
    }

    @Test("Every instruction set gives the bits of the plain product, for all shapes", arguments: quantizedTypes)
    func products(type: GGMLType) throws {
        let blocks = try #require(type.activationBlocks)
        var shapes: [(rows: Int, tokens: Int, blocks: Int, pattern: Pattern)] = []
        for count in 1...17 { shapes.append((count, 1 + count * 7 % 17, 1 + count % 3, .random)) }
        for count in [7, 8, 9, 16, 17, 33] { shapes.append((9, 1 + count % 5, count, .random)) }
        for pattern in Pattern.allCases { shapes += [(11, 2, 9, pattern), (18, 6, 2, pattern)] }
        for (index, shape) in shapes.enumerated() {
            let columns = shape.blocks * type.blockLength
            let bytes = encodedRows(
                type, rows: shape.rows, columns: columns, pattern: shape.pattern, seed: UInt64(index))
            let matrix = try #require(
                Matrix(type: type, rowCount: shape.rows, columnCount: columns, bytes: ByteView(bytes)))
            let x = try Rows(rowCount: shape.tokens, columnCount: columns)
            fill(x, seed: UInt64(index), pattern: shape.pattern)
            var expected: [[Float]] = []
            for kernels in Kernels.available {
                let quantized = try QuantizedRows(
                    rowCount: shape.tokens, columnCount: columns, blocks: blocks, kernels: kernels)
                for token in 0..<shape.tokens { quantized.quantize(x, row: token, blocks: blocks) }
                if expected.isEmpty {
                    let plain = (0..<shape.rows).map { row in
                        (0..<shape.blocks).map { block in
                            let from = row * matrix.rowByteCount + block * type.blockByteCount
                            return PlainBlock(type, bytes[from..<from + type.blockByteCount])
                        }
                    }
                    expected = (0..<shape.tokens).map { token in
                        let (codes, scales) = quantized.codes(row: token, blocks: blocks)
                        return plain.map { plainProduct($0, codes: codes, scales: scales) }
                    }
                }
                let y = try Rows(rowCount: shape.tokens, columnCount: shape.rows + 1)
                let scratch = try Rows(
                    rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
                matrix.multiply(
                    x, quantized: quantized, tokens: 0..<shape.tokens, rows: 0..<shape.rows, into: y, outputColumn: 0,
                    scratch: scratch, worker: 0)
                var wrong = 0
                for token in 0..<shape.tokens {
                    for row in 0..<shape.rows where !agree(y[token, row], expected[token][row]) { wrong += 1 }
                    // Nothing is written past the last row.
                    #expect(y[token, shape.rows] == 0)
                }
                #expect(wrong == 0, "\(kernels.name), \(shape)")

                // In pieces, added to what is there.
                let cut = shape.rows / 2
                for token in 0..<shape.tokens {
                    for rows in [0..<cut, cut..<shape.rows] {
                        matrix.multiply(
                            x, quantized: quantized, tokens: token..<token + 1, rows: rows, into: y,
                            outputColumn: rows.lowerBound, accumulating: true, scratch: scratch, worker: 0)
                    }
                    for row in 0..<shape.rows {
                        if !agree(y[token, row], expected[token][row] + expected[token][row]) { wrong += 1 }
                    }
                }
                #expect(wrong == 0, "\(kernels.name), \(shape), in pieces")
            }
        }
    }

    private func fill(_ x: Rows, seed: UInt64, pattern: Pattern) {
        var random = SplitMix(seed: seed &+ 99)
        for t in 0..<x.rowCount {
            for c in 0..<x.columnCount {
                switch pattern {
                case .ones: x[t, c] = 1
                case .lows: x[t, c] = -1
                case .highs: x[t, c] = t % 2 == 0 ? 1e30 : -1e30
                case .zeros: x[t, c] = t % 2 == 0 ? 0 : Float.random(in: -1...1, using: &random)
                default: x[t, c] = Float.random(in: -3...3, using: &random)
                }
            }
        }
    }
}

@Suite("Products with float weights")
struct FloatProductTests {
    @Test(
        "Every instruction set gives the bits of spans, sixteen lanes and a tree, for all shapes",
        arguments: [GGMLType.f32, .f16, .bf16])
    func products(type: GGMLType) throws {
        var random = SplitMix(seed: 8)
        for (rows, tokens, columns) in [
            (1, 1, 1), (2, 3, 15), (3, 4, 16), (5, 5, 17), (9, 7, 31), (4, 2, 200), (7, 9, 64),
            // More than one block of rows, pass of tokens, and cut of columns.
            (100, 29, 70), (5, 13, 1063), (52, 14, 530),
        ] {
            let bytes = (0..<rows * columns).flatMap { _ -> [UInt8] in
                let value = Float.random(in: -2...2, using: &random)
                let bits: UInt32
                switch type {
                case .f16: bits = UInt32(Half.encode(value))
                case .bf16: bits = UInt32(BFloat.encode(value))
                default: bits = value.bitPattern
                }
                return (0..<type.blockByteCount).map { UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0)) }
            }
            let weights = try type.decode(bytes)
            let matrix = try #require(
                Matrix(type: type, rowCount: rows, columnCount: columns, bytes: ByteView(bytes)))
            let x = try Rows(rowCount: tokens, columnCount: columns)
            for t in 0..<tokens { for c in 0..<columns { x[t, c] = Float.random(in: -2...2, using: &random) } }
            let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
            for kernels in Kernels.available {
                let y = try Rows(rowCount: tokens, columnCount: rows + 1)
                matrix.multiply(
                    x, tokens: 0..<tokens, rows: 0..<rows, into: y, outputColumn: 0, scratch: scratch, worker: 0,
                    kernels: kernels)
                for t in 0..<tokens {
                    for r in 0..<rows {
                        var sum: Float?
                        for span in stride(from: 0, to: columns, by: 512) {
                            var lanes = [Float](repeating: 0, count: 16)
                            for c in span..<min(columns, span + 512) {
                                lanes[c % 16].addProduct(weights[r * columns + c], x[t, c])
                            }
                            for half in [8, 4, 2, 1] { for l in 0..<half { lanes[l] += lanes[l + half] } }
                            sum = sum.map { $0 + lanes[0] } ?? lanes[0]
                        }
                        #expect(
                            y[t, r].bitPattern == sum?.bitPattern, "\(kernels.name) \(rows) \(tokens) \(columns)")
                    }
                    #expect(y[t, rows] == 0)
                }
            }
        }
    }

    @Test("All 65536 halves are converted as EdgeQuant does")
    func halves() throws {
        let bytes = (0..<65536).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        let matrix = try #require(Matrix(type: .f16, rowCount: 65536, columnCount: 1, bytes: ByteView(bytes)))
        let x = try Rows(rowCount: 1, columnCount: 1)
        x[0, 0] = 1
        let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: 1))
        for kernels in Kernels.available {
            let y = try Rows(rowCount: 1, columnCount: 65536)
            matrix.multiply(
                x, tokens: 0..<1, rows: 0..<65536, into: y, outputColumn: 0, scratch: scratch, worker: 0,
                kernels: kernels)
            var wrong = 0
            // Zeros lose their sign when added to the zero that a sum begins with.
            for i in 0..<65536 where !agree(y[0, i], 0 + Half.decode(UInt16(i))) { wrong += 1 }
            #expect(wrong == 0, "\(kernels.name)")
        }
    }
}

@Suite("Quantized activations")
struct QuantizedRowsTests {
    @Test("Codes are round(x / a) with ties to even, whatever the instruction set", arguments: [32, 256])
    func codes(length: Int) throws {
        let blocks: ActivationBlocks = length == 32 ? .of32 : .of256
        let columns = 9 * length
        var random = SplitMix(seed: 3)
        let x = try Rows(rowCount: 2, columnCount: columns)
        for c in 0..<columns {
            x[0, c] = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random))
            if !x[0, c].isFinite { x[0, c] = 1 }
            // Ties: halves of a scale of one.
            x[1, c] = c % length == 0 ? 127 : Float(c % 253 - 126) / 2
        }
        for i in 0..<length {
            x[0, i] = Float(i % 7) * 0x1p-149
            x[0, length + i] = 0
            x[0, 2 * length + i] = i == 5 ? .infinity : 1
            x[0, 3 * length + i] = i == length - 1 ? .nan : 1
            x[0, 4 * length + i] = i == 9 ? -.greatestFiniteMagnitude : 1e38
            x[0, 5 * length + i] = 1e-38
        }
        for kernels in Kernels.available {
            let quantized = try QuantizedRows(rowCount: 2, columnCount: columns, blocks: blocks, kernels: kernels)
            for row in 0..<2 {
                quantized.quantize(x, row: row, blocks: blocks)
                let (codes, scales) = quantized.codes(row: row, blocks: blocks)
                let sums = quantized.sums(row: row, blocks: blocks)
                for block in 0..<9 {
                    let values = (0..<length).map { x[row, block * length + $0] }
                    var scale = (values.map { abs($0) }.max() ?? 0) / 127
                    var inverse = 1 / scale
                    if !values.allSatisfy({ $0.isFinite }) { (scale, inverse) = (.nan, 0) }
                    if !inverse.isFinite { (scale, inverse) = (0, 0) }
                    #expect(agree(scales[block], scale), "\(kernels.name) block \(block)")
                    for i in 0..<length {
                        let code =
                            scale.isNaN ? 0 : Int8((values[i] * inverse).rounded(.toNearestOrEven))
                        #expect(codes[block * length + i] == code, "\(kernels.name) block \(block) value \(i)")
                    }
                    for sixteen in 0..<length / 16 {
                        let at = block * length + 16 * sixteen
                        #expect(Int(sums[at / 16]) == codes[at..<at + 16].reduce(0) { $0 + Int($1) })
                    }
                }
            }
        }
    }

    @Test("A token with an infinity or NaN gives NaN and leaves the others alone")
    func notFinite() throws {
        let columns = 64
        let bytes = encodedRows(.q4_0, rows: 5, columns: columns, pattern: .random, seed: 4)
        let matrix = try #require(Matrix(type: .q4_0, rowCount: 5, columnCount: columns, bytes: ByteView(bytes)))
        for tokens in [3, 6] {
            let x = try Rows(rowCount: tokens, columnCount: columns)
            for t in 0..<tokens { for c in 0..<columns { x[t, c] = Float(c) } }
            x[1, 40] = .infinity
            x[2, 3] = .nan
            for kernels in Kernels.available {
                let quantized = try QuantizedRows(
                    rowCount: tokens, columnCount: columns, blocks: .of32, kernels: kernels)
                for t in 0..<tokens { quantized.quantize(x, row: t, blocks: .of32) }
                let y = try Rows(rowCount: tokens, columnCount: 5)
                let scratch = try Rows(rowCount: 1, columnCount: Matrix.scratchColumnCount(columnCount: columns))
                matrix.multiply(
                    x, quantized: quantized, tokens: 0..<tokens, rows: 0..<5, into: y, outputColumn: 0,
                    scratch: scratch, worker: 0)
                for t in 0..<tokens { for r in 0..<5 { #expect(y[t, r].isNaN == (t == 1 || t == 2)) } }
            }
        }
    }

    @Test("The instruction set can be forced, and a wrong name is said and not fatal")
    func choice() {
        #expect(Kernels.choose("portable").kernels.name == "portable")
        #expect(Kernels.choose("portable").warning == nil)
        #expect(Kernels.choose(nil).kernels.name == Kernels.available.last?.name)
        let wrong = Kernels.choose("sse9")
        #expect(wrong.kernels.name == Kernels.available.last?.name)
        #expect(wrong.warning?.contains("sse9") == true)
        // Every set that can run here can be forced, and no other.
        for name in ["portable", "avx2", "avxvnni", "avx512", "neon", "i8mm"] {
            let isAvailable = Kernels.available.contains { $0.name == name }
            #expect((Kernels.choose(name).kernels.name == name) == isAvailable)
            #expect((Kernels.choose(name).warning == nil) == isAvailable)
        }
    }
}
