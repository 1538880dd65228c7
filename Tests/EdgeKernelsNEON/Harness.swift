import EdgeKernelJobs

#if hasFeature(Embedded)
    // Embedded Swift compiles what it imports once more, into the module that imports it, with that module's flags. The rooms
    // shall be tried as they were compiled, so they are not imported: `check` tells the linker what these names stand for.
    @_silgen_name("edge_portable") func portableKernels() -> KernelSet
    @_silgen_name("edge_widest") func widestKernels() -> KernelSet
#else
    import EdgeKernelsPortable

    #if arch(arm64)
        import EdgeKernelsI8MM
        import EdgeKernelsNEON
    #elseif arch(x86_64)
        import EdgeKernelsAVX2
        import EdgeKernelsAVX512
    #endif
#endif

#if hasFeature(Embedded) && arch(arm64)
    /// Says which room this processor would be given, and whether it can run the one to be tried.
    private func canRunWidest() -> Bool {
        let best: StaticString =
            ProcessorFeatures.hasMatrixProducts ? "i8mm" : ProcessorFeatures.hasDotProducts ? "neon" : "portable"
        print("best: \(best)")
        return widestKernels().name.utf8.elementsEqual("i8mm".utf8)
            ? ProcessorFeatures.hasMatrixProducts : ProcessorFeatures.hasDotProducts
    }
#endif

// Runs every kernel of two rooms on the same data, compares them bit for bit, and prints a checksum a kernel. `check` compiles
// it for another processor as Embedded Swift and for this machine, and compares what the two programs print.

/// Whether most shapes are left out, for an emulator that is slow.
#if hasFeature(Embedded) && arch(x86_64)
    let isSparse = true
#elseif hasFeature(Embedded)
    let isSparse = false
#else
    let isSparse = CommandLine.arguments.contains("--sparse")
#endif

/// SplitMix64.
struct Random {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A multiple of 2^-20 from -`size` to `size`: exact whatever computes it.
    mutating func float(_ size: Float) -> Float { (Float(next() >> 43) * 0x1p-20 - 1) * size }

    /// A half from 2^-10 to 16 in size.
    mutating func half() -> UInt16 {
        let bits = next()
        return UInt16(truncatingIfNeeded: bits & 0x83FF) | UInt16(truncatingIfNeeded: 5 + (bits >> 32) % 14) << 10
    }
}

/// Bytes on a border of 64 that are never given back: the program is short.
func memory(_ byteCount: Int, filledWith byte: UInt8 = 0) -> UnsafeMutableRawPointer {
    let result = UnsafeMutableRawPointer.allocate(byteCount: max(64, byteCount), alignment: 64)
    for i in 0..<max(64, byteCount) { result.storeBytes(of: byte, toByteOffset: i, as: UInt8.self) }
    return result
}

/// The bits of a float, all NaNs being one: processors differ in the NaN they make.
func bits(_ x: Float) -> UInt32 { x == x ? x.bitPattern : 0x7FC0_0000 }

/// FNV-1a, a word at a time.
struct Checksum {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    mutating func add(_ word: UInt32) { value = (value ^ UInt64(word)) &* 0x100_0000_01B3 }
}

func hexadecimal(_ x: UInt64) -> String {
    var text = ""
    for shift in stride(from: 60, through: 0, by: -4) {
        let digit = Int(x >> UInt64(shift) & 15)
        text.append(Character(UnicodeScalar(UInt8(digit < 10 ? 48 + digit : 87 + digit))))
    }
    return text
}

enum Pattern: Int {
    case random, zeros, ones, lows, highs, raw
    static let count = 6

    func byte(_ random: inout Random) -> UInt8 {
        switch self {
        case .zeros: 0
        case .ones: 0xFF
        case .lows: 0x80
        case .highs: 0x7F
        case .random, .raw: UInt8(truncatingIfNeeded: random.next())
        }
    }

    func activation(_ random: inout Random, token: Int, column: Int) -> Float {
        switch self {
        case .random: random.float(3)
        case .zeros: token % 2 == 0 ? 0 : random.float(1)
        // The largest codes, all of one sign or of two.
        case .ones: 1
        case .lows: -1
        case .highs: (column + token) % 2 == 0 ? 1e30 : -1e30
        // Any bits: subnormals, huge numbers, now and then an infinity or NaN.
        case .raw: Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        }
    }
}

struct Quantized {
    let name: StaticString
    let type: UInt32
    let blockLength: Int
    let blockByteCount: Int
    /// Where a block's halves lie.
    let halves: [Int]
}

let quantizedTypes: [Quantized] = [
    Quantized(name: "Q4_0", type: 2, blockLength: 32, blockByteCount: 18, halves: [0]),
    Quantized(name: "Q4_1", type: 3, blockLength: 32, blockByteCount: 20, halves: [0, 2]),
    Quantized(name: "Q5_0", type: 6, blockLength: 32, blockByteCount: 22, halves: [0]),
    Quantized(name: "Q5_1", type: 7, blockLength: 32, blockByteCount: 24, halves: [0, 2]),
    Quantized(name: "Q8_0", type: 8, blockLength: 32, blockByteCount: 34, halves: [0]),
    Quantized(name: "Q2_K", type: 10, blockLength: 256, blockByteCount: 84, halves: [80, 82]),
    Quantized(name: "Q3_K", type: 11, blockLength: 256, blockByteCount: 110, halves: [108]),
    Quantized(name: "Q4_K", type: 12, blockLength: 256, blockByteCount: 144, halves: [0, 2]),
    Quantized(name: "Q5_K", type: 13, blockLength: 256, blockByteCount: 176, halves: [0, 2]),
    Quantized(name: "Q6_K", type: 14, blockLength: 256, blockByteCount: 210, halves: [208]),
    Quantized(name: "IQ4_NL", type: 20, blockLength: 32, blockByteCount: 18, halves: [0]),
    Quantized(name: "IQ4_XS", type: 23, blockLength: 256, blockByteCount: 136, halves: [0]),
    Quantized(name: "TQ1_0", type: 34, blockLength: 256, blockByteCount: 54, halves: [52]),
    Quantized(name: "TQ2_0", type: 35, blockLength: 256, blockByteCount: 66, halves: [64]),
    Quantized(name: "MXFP4", type: 39, blockLength: 32, blockByteCount: 17, halves: []),
]

/// What one kernel of the two rooms gave.
final class Comparison {
    let name: StaticString
    private var checksum = Checksum()
    private var count = 0
    private var wrong = 0

    init(_ name: StaticString) { self.name = name }

    func compare(_ a: Float, _ b: Float) { compare(bits(a), bits(b)) }

    func compare(_ a: UInt32, _ b: UInt32) {
        checksum.add(a)
        count += 1
        if a != b { wrong += 1 }
    }

    /// A rule that was broken: writing where nothing may be written, or a kernel that is not there.
    func fail() { wrong += 1 }

    func report() -> Bool {
        let result: StaticString = wrong == 0 ? "same" : "DIFFERENT"
        print("\(name) \(hexadecimal(checksum.value)) \(count) \(result)")
        return wrong == 0
    }
}

/// Rows of activations as int8.
struct Activations {
    let codes: UnsafeMutableRawPointer
    let scales: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Int16>
    let codeStride: Int
    let scaleStride: Int
    let sumStride: Int

    init(tokens: Int, columns: Int, blockLength: Int) {
        let padded = (columns / blockLength + 7) / 8 * 8
        codeStride = (columns + 63) / 64 * 64
        scaleStride = padded
        sumStride = padded * (blockLength / 16)
        codes = memory(codeStride * tokens)
        scales = memory(4 * scaleStride * tokens).assumingMemoryBound(to: Float.self)
        sums = memory(2 * sumStride * tokens).assumingMemoryBound(to: Int16.self)
    }

    func quantize(_ kernels: KernelSet, _ x: UnsafePointer<Float>, tokens: Int, columns: Int, blockLength: Int) {
        for token in 0..<tokens {
            let run = blockLength == 32 ? kernels.quantize32 : kernels.quantize256
            run(
                x + token * columns, columns, codes + token * codeStride, scales + token * scaleStride,
                sums + token * sumStride)
        }
    }
}

/// Room to compute in, kept from shape to shape.
struct Workplace {
    static let rows = 17
    static let tokens = 16
    static let blocks = 9

    /// All numbers of tokens to nine, and then some that fill tiles of eight in part and whole.
    static func isTried(rows: Int, tokens: Int, blocks: Int) -> Bool {
        guard tokens < 10 || tokens == 13 || tokens == 16 else { return false }
        guard isSparse else { return true }
        return (rows + 2 * tokens + 4 * blocks) % 19 == 0
    }
    static let outputStride = rows + 3
    static let scratchByteCount = max(
        ProductJob.scratchByteCount(columnCount: 256 * blocks), FloatProductJob.scratchByteCount)

    let weights = memory(4 * 256 * blocks * rows)
    let input = memory(4 * 256 * blocks * tokens).assumingMemoryBound(to: Float.self)
    let outputs = [
        memory(4 * outputStride * tokens).assumingMemoryBound(to: Float.self),
        memory(4 * outputStride * tokens).assumingMemoryBound(to: Float.self),
    ]
    let scratch = memory(scratchByteCount + 256)

    /// What stands in an output before the kernel comes.
    static func before(_ index: Int) -> Float { Float(index % 7) - 3 }

    func prepare(scratchByteCount: Int) {
        for i in 0..<Self.outputStride * Self.tokens {
            outputs[0][i] = Self.before(i)
            outputs[1][i] = Self.before(i)
        }
        // Nothing may depend on what is in the scratch space, nor touch what lies behind it.
        for i in 0..<scratchByteCount { scratch.storeBytes(of: 0xFF, toByteOffset: i, as: UInt8.self) }
        for i in 0..<256 { scratch.storeBytes(of: 0xA5, toByteOffset: scratchByteCount + i, as: UInt8.self) }
    }

    func compare(_ comparison: Comparison, rows: Int, tokens: Int, scratchByteCount: Int) {
        for token in 0..<Self.tokens {
            for row in 0..<Self.outputStride {
                let i = token * Self.outputStride + row
                if row < rows && token < tokens {
                    comparison.compare(outputs[0][i], outputs[1][i])
                } else if outputs[0][i] != Self.before(i) || outputs[1][i] != Self.before(i) {
                    comparison.fail()
                }
            }
        }
        for i in 0..<256 where scratch.load(fromByteOffset: scratchByteCount + i, as: UInt8.self) != 0xA5 {
            comparison.fail()
        }
    }
}

/// One shape of one type: quantized by each room, multiplied by each room.
func compareProducts(
    _ type: Quantized, rows: Int, tokens: Int, blocks: Int, pattern: Pattern, _ sets: [KernelSet], _ place: Workplace,
    _ activations: [Activations], _ comparison: Comparison
) {
    var random = Random(UInt64(rows * 10_000 + tokens * 100 + blocks * 10 + pattern.rawValue))
    let columns = blocks * type.blockLength
    for block in 0..<rows * blocks {
        let at = place.weights + block * type.blockByteCount
        for i in 0..<type.blockByteCount {
            at.storeBytes(of: pattern.byte(&random), toByteOffset: i, as: UInt8.self)
        }
        if pattern != .raw {
            for offset in type.halves { at.storeBytes(of: random.half(), toByteOffset: offset, as: UInt16.self) }
            if type.type == 39 { at.storeBytes(of: UInt8(truncatingIfNeeded: random.next() % 141), as: UInt8.self) }
        }
    }
    for token in 0..<tokens {
        for column in 0..<columns {
            place.input[token * columns + column] = pattern.activation(&random, token: token, column: column)
        }
    }
    let scratchByteCount = ProductJob.scratchByteCount(columnCount: columns)
    place.prepare(scratchByteCount: scratchByteCount)
    let isAccumulating = (rows + tokens + blocks) % 3 == 0
    for (index, set) in sets.enumerated() {
        let a = activations[index]
        a.quantize(set, place.input, tokens: tokens, columns: columns, blockLength: type.blockLength)
        guard let product = set.product(type.type) else {
            comparison.fail()
            continue
        }
        var job = ProductJob(
            weights: UnsafeRawPointer(place.weights), rowByteCount: blocks * type.blockByteCount, rowCount: rows,
            columnCount: columns, codes: UnsafeRawPointer(a.codes), codeStride: a.codeStride,
            scales: UnsafePointer(a.scales), scaleStride: a.scaleStride, sums: UnsafePointer(a.sums),
            sumStride: a.sumStride, tokenCount: tokens, output: place.outputs[index],
            outputStride: Workplace.outputStride, isAccumulating: isAccumulating, scratch: place.scratch)
        product(&job)
    }
    place.compare(comparison, rows: rows, tokens: tokens, scratchByteCount: scratchByteCount)
}

func checkQuantizedProducts(_ sets: [KernelSet], _ place: Workplace) -> Bool {
    var good = true
    // Strides are those of the longest row whatever the shape.
    for type in quantizedTypes {
        let comparison = Comparison(type.name)
        let columns = Workplace.blocks * type.blockLength
        let activations = [
            Activations(tokens: Workplace.tokens, columns: columns, blockLength: type.blockLength),
            Activations(tokens: Workplace.tokens, columns: columns, blockLength: type.blockLength),
        ]
        for rows in 1...Workplace.rows {
            for tokens in 1...Workplace.tokens {
                for blocks in 1...Workplace.blocks
                where Workplace.isTried(rows: rows, tokens: tokens, blocks: blocks) {
                    let pattern = Pattern(rawValue: (rows + 5 * tokens + 7 * blocks) % Pattern.count) ?? .random
                    compareProducts(
                        type, rows: rows, tokens: tokens, blocks: blocks, pattern: pattern, sets, place, activations,
                        comparison)
                }
            }
        }
        if !comparison.report() { good = false }
    }
    return good
}

func checkFloatProducts(_ sets: [KernelSet], _ place: Workplace) -> Bool {
    var good = true
    for (name, type, size) in [("F32", 0, 4), ("F16", 1, 2), ("BF16", 30, 2)] as [(StaticString, UInt32, Int)] {
        let comparison = Comparison(name)
        var random = Random(UInt64(type))
        for columns in [1, 7, 8, 15, 16, 17, 31, 64, 200, 530] {
            for rows in 1...Workplace.rows {
                for tokens in 1...Workplace.tokens
                where Workplace.isTried(rows: rows, tokens: tokens, blocks: columns) {
                    let isRaw = (rows + tokens) % 5 == 0
                    for i in 0..<rows * columns {
                        let word = UInt32(truncatingIfNeeded: random.next())
                        let value = isRaw ? word : random.float(2).bitPattern
                        let at = i * size
                        switch type {
                        case 0: place.weights.storeBytes(of: value, toByteOffset: at, as: UInt32.self)
                        case 30:
                            place.weights.storeBytes(of: UInt16(value >> 16), toByteOffset: at, as: UInt16.self)
                        default:
                            let half = isRaw ? UInt16(word >> 16) : random.half()
                            place.weights.storeBytes(of: half, toByteOffset: at, as: UInt16.self)
                        }
                    }
                    for i in 0..<tokens * columns { place.input[i] = random.float(2) }
                    let scratchByteCount = FloatProductJob.scratchByteCount
                    place.prepare(scratchByteCount: scratchByteCount)
                    for (index, set) in sets.enumerated() {
                        guard let product = set.floatProduct(type) else {
                            comparison.fail()
                            continue
                        }
                        var job = FloatProductJob(
                            weights: UnsafeRawPointer(place.weights), rowByteCount: columns * size, rowCount: rows,
                            columnCount: columns, input: UnsafePointer(place.input), inputStride: columns,
                            tokenCount: tokens, output: place.outputs[index], outputStride: Workplace.outputStride,
                            isAccumulating: rows % 2 == 0, scratch: place.scratch)
                        product(&job)
                    }
                    place.compare(comparison, rows: rows, tokens: tokens, scratchByteCount: scratchByteCount)
                }
            }
        }
        if !comparison.report() { good = false }
    }
    return good
}

func checkQuantizers(_ sets: [KernelSet]) -> Bool {
    var good = true
    for (name, length) in [("quantize32", 32), ("quantize256", 256)] as [(StaticString, Int)] {
        let comparison = Comparison(name)
        for blocks in 1...9 {
            for seed in 0..<(isSparse ? 9 : 20) {
                var random = Random(UInt64(100 * blocks + seed))
                let columns = blocks * length
                let x = memory(4 * columns).assumingMemoryBound(to: Float.self)
                for i in 0..<columns {
                    let block = i / length
                    switch (block + seed) % 9 {
                    case 0: x[i] = Float(i % 7) * 0x1p-149
                    case 1: x[i] = 0
                    case 2: x[i] = i % length == 5 ? -.infinity : 1
                    case 3: x[i] = i % length == length - 1 ? .nan : 1
                    case 4: x[i] = i % length == 9 ? -.greatestFiniteMagnitude : 1e38
                    case 5: x[i] = 1e-38
                    // Ties: halves of a scale of one.
                    case 6: x[i] = i % length == 0 ? 127 : Float(i % 253 - 126) / 2
                    case 7: x[i] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
                    default: x[i] = random.float(5)
                    }
                }
                let results = [
                    Activations(tokens: 1, columns: columns, blockLength: length),
                    Activations(tokens: 1, columns: columns, blockLength: length),
                ]
                for (index, set) in sets.enumerated() {
                    results[index].quantize(set, x, tokens: 1, columns: columns, blockLength: length)
                }
                for i in 0..<columns {
                    comparison.compare(
                        UInt32(results[0].codes.load(fromByteOffset: i, as: UInt8.self)),
                        UInt32(results[1].codes.load(fromByteOffset: i, as: UInt8.self)))
                }
                for i in 0..<blocks { comparison.compare(results[0].scales[i], results[1].scales[i]) }
                for i in 0..<columns / 16 {
                    comparison.compare(
                        UInt32(UInt16(bitPattern: results[0].sums[i])), UInt32(UInt16(bitPattern: results[1].sums[i])))
                }
            }
        }
        if !comparison.report() { good = false }
    }
    return good
}

/// Attention to keys and values that are codes.
func checkCodedAttention(_ sets: [KernelSet]) -> Bool {
    let length = AttentionJob.blockLength
    let attention = Comparison("coded attention")
    for headSize in [1, 16, 24, 32, 40, 64, 80, 128] {
        for isNibbles in [false, true] {
            let groups = (headSize + 31) / 32
            var random = Random(UInt64(headSize * 2 + (isNibbles ? 1 : 0)))
            /// Bytes, as signed ones never -128.
            func codes(_ count: Int, isSigned: Bool) -> UnsafeRawPointer {
                let result = memory(count)
                for i in 0..<count {
                    let byte = UInt8(truncatingIfNeeded: random.next() >> 32)
                    result.storeBytes(of: isSigned && byte == 128 ? 7 : byte, toByteOffset: i, as: UInt8.self)
                }
                return UnsafeRawPointer(result)
            }
            /// Halves from 2^-9 to 2^-5.
            func scales(_ count: Int) -> UnsafePointer<UInt16> {
                let result = memory(2 * count).assumingMemoryBound(to: UInt16.self)
                for i in 0..<count { result[i] = UInt16(truncatingIfNeeded: 0x1800 + random.next() >> 32 % 0x1000) }
                return UnsafePointer(result)
            }
            let byteCount = groups * (isNibbles ? 512 : 1024)
            let (keys, values) = (codes(byteCount, isSigned: !isNibbles), codes(byteCount, isSigned: !isNibbles))
            let (keyScales, valueScales) = (scales(groups * length), scales(groups * length))
            let queries = codes(10 * groups * 32, isSigned: true)
            let queryScales = memory(4 * 10 * groups).assumingMemoryBound(to: Float.self)
            let querySums = memory(4 * 10 * groups).assumingMemoryBound(to: Int16.self)
            for i in 0..<10 * groups {
                queryScales[i] = random.float(0.01)
                querySums[2 * i] = Int16(truncatingIfNeeded: random.next() >> 52)
                querySums[2 * i + 1] = Int16(truncatingIfNeeded: random.next() >> 52) &- 2000
            }
            for (lower, upper) in [(0, 32), (0, 1), (3, 17), (31, 32), (8, 24)] {
                for count in 1...5 {
                    var results: [[UnsafeMutablePointer<Float>]] = []
                    for set in sets {
                        let state = [length, 1, 1, 1, headSize].map {
                            memory(4 * (count * $0 + 16)).assumingMemoryBound(to: Float.self)
                        }
                        for (part, width) in zip(state, [length, 1, 1, 1, headSize]) {
                            for i in 0..<count * width + 16 { part[i] = Workplace.before(i) }
                        }
                        let scratch = memory(4 * 48).assumingMemoryBound(to: Float.self)
                        var job = AttentionJob(
                            keys: UnsafePointer(scratch), values: UnsafePointer(scratch), headSize: headSize,
                            queries: UnsafePointer(scratch), queryCount: count, lower: lower, upper: upper, scale: 0.25,
                            softcap: count == 2 ? 3 : 0, scores: state[0], factors: state[1], maxima: state[2],
                            sums: state[3], outputs: state[4],
                            coded: CodedBlock(
                                blockCount: groups, isNibbles: isNibbles, keyCodes: keys, keyScales: keyScales,
                                valueCodes: values, valueScales: valueScales, queryCodes: queries,
                                queryScales: UnsafePointer(queryScales), querySums: UnsafePointer(querySums),
                                scratch: scratch))
                        set.foldBlock(&job)
                        results.append(state)
                    }
                    for (part, width) in [length, 1, 1, 1, headSize].enumerated() {
                        for i in 0..<count * width + 16 {
                            attention.compare(results[0][part][i], results[1][part][i])
                        }
                    }
                }
            }
        }
    }
    return attention.report()
}

func checkAttention(_ sets: [KernelSet]) -> Bool {
    let length = AttentionJob.blockLength
    let attention = Comparison("attention")
    for headSize in [1, 7, 16, 24, 31, 32, 40, 48, 64, 80, 128] {
        var random = Random(UInt64(headSize))
        func floats(_ count: Int, _ bound: Float) -> UnsafeMutablePointer<Float> {
            let result = memory(4 * count).assumingMemoryBound(to: Float.self)
            for i in 0..<count { result[i] = random.float(bound) }
            return result
        }
        let keys = floats(headSize * length, 2)
        let values = floats(headSize * length, 2)
        let queries = floats(5 * headSize, 1)
        for lower in 0..<length {
            for upper in lower + 1...length where !isSparse || (lower + upper + headSize) % 7 == 0 {
                for count in 1...5 where count == 1 + (lower + upper) % 5 || upper - lower == length {
                    var results: [[UnsafeMutablePointer<Float>]] = []
                    for set in sets {
                        let state = [length, 1, 1, 1, headSize].map {
                            memory(4 * (count * $0 + 16)).assumingMemoryBound(to: Float.self)
                        }
                        for (part, width) in zip(state, [length, 1, 1, 1, headSize]) {
                            for i in 0..<count * width + 16 { part[i] = Workplace.before(i) }
                        }
                        var job = AttentionJob(
                            keys: keys, values: values, headSize: headSize, queries: queries, queryCount: count,
                            lower: lower, upper: upper, scale: 0.25, softcap: count == 2 ? 3 : 0, scores: state[0],
                            factors: state[1], maxima: state[2], sums: state[3], outputs: state[4])
                        set.foldBlock(&job)
                        results.append(state)
                    }
                    for (part, width) in [length, 1, 1, 1, headSize].enumerated() {
                        for i in 0..<count * width + 16 {
                            attention.compare(results[0][part][i], results[1][part][i])
                        }
                    }
                }
            }
        }
    }
    let halves = Comparison("halves")
    let all = memory(2 * 65536).assumingMemoryBound(to: UInt16.self)
    for i in 0..<65536 { all[i] = UInt16(i) }
    // All of them, and every length of a tail, alone or with a request for what follows.
    for (index, count) in [65536, 65535, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65].enumerated() {
        var outputs: [UnsafeMutablePointer<Float>] = []
        for set in sets {
            let output = memory(4 * count + 64).assumingMemoryBound(to: Float.self)
            set.decodeHalves(all + (65536 - count), count, output, index % 2 == 0 ? nil : UnsafeRawPointer(all))
            outputs.append(output)
        }
        for i in 0..<count + 16 { halves.compare(outputs[0][i], outputs[1][i]) }
    }
    let encoded = Comparison("floats to halves")
    let activations = Comparison("activations")
    var random = Random(5)
    // Every half, what lies about the middle between it and the next, and every length of a tail.
    let floats = memory(4 * 3 * 65536).assumingMemoryBound(to: Float.self)
    sets[0].decodeHalves(all, 65536, floats, nil)
    for i in 0..<65536 {
        let middle = floats[i].bitPattern &+ 0x1000
        floats[65536 + i] = Float(bitPattern: middle &- 1 &+ UInt32(i % 3))
        floats[2 * 65536 + i] = random.float(20)
    }
    for (count, stride) in [(3 * 65536, 1), (65536, 3)] + (0...17).map({ ($0, $0 % 3 + 1) }) {
        var outputs: [UnsafeMutablePointer<UInt16>] = []
        for set in sets {
            let output = memory(2 * (count * stride + 16)).assumingMemoryBound(to: UInt16.self)
            for i in 0..<count * stride + 16 { output[i] = UInt16(i & 0xFF) }
            set.encodeHalves(floats + (count > 65536 ? 0 : 2 * 65536 - count / 2), count, output, stride)
            outputs.append(output)
        }
        for i in 0..<count * stride + 16 { encoded.compare(UInt32(outputs[0][i]), UInt32(outputs[1][i])) }
    }
    for (index, count) in [65536, 0, 1, 15, 16, 17, 31].enumerated() {
        for isGELU in [false, true] {
            var outputs: [UnsafeMutablePointer<Float>] = []
            for set in sets {
                let output = memory(4 * (count + 16)).assumingMemoryBound(to: Float.self)
                for i in 0..<count + 16 { output[i] = floats[2 * 65536 - i - 1] }
                set.activate(isGELU, output, index % 2 == 0 ? floats : nil, count)
                outputs.append(output)
            }
            for i in 0..<count + 16 { activations.compare(outputs[0][i], outputs[1][i]) }
        }
    }
    let good = [attention.report(), halves.report(), encoded.report(), activations.report()]
    return good.reduce(true) { $0 && $1 }
}

@main
struct Harness {
    static func main() {
        #if hasFeature(Embedded)
            guard canRunWidest() else { return }
            let sets = [portableKernels(), widestKernels()]
        #elseif arch(arm64)
            let sets = [
                KernelSet.portable(), CommandLine.arguments.contains("--i8mm") ? KernelSet.i8mm() : KernelSet.neon(),
            ]
        #elseif arch(x86_64)
            // An older processor can still say what the portable room computes; what a newer one can do is asked for.
            let arguments = CommandLine.arguments
            let other =
                arguments.contains("--portable")
                ? KernelSet.portable() : arguments.contains("--avx512") ? KernelSet.avx512() : KernelSet.avx2()
            let sets = [KernelSet.portable(), other]
        #else
            let sets = [KernelSet.portable(), KernelSet.portable()]
        #endif
        let place = Workplace()
        let good = [
            checkQuantizers(sets), checkAttention(sets), checkCodedAttention(sets), checkFloatProducts(sets, place),
            checkQuantizedProducts(sets, place),
        ]
        print(good.allSatisfy { $0 } ? "all the same" : "FAILED")
    }
}
