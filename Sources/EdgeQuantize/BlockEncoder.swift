package import EdgeQuant

/// Encodes values to blocks as `GGMLType.encode` does, with the same bytes and several times its speed, and with ggml's rounding for
/// an importance matrix where there is one.
///
/// Not for several threads at once: it holds the buffers of its searches.
package struct BlockEncoder {
    /// What is encoded to.
    package let type: GGMLType

    // Lane g holds group g of eight; entry i is the groups' value i.
    private var x = [Lanes](repeating: .zero, count: 32)
    private var weights = [Lanes](repeating: .zero, count: 32)
    private var fitted = [Lanes](repeating: .zero, count: 32)
    private var trial = [Lanes](repeating: .zero, count: 32)
    /// The levels of 256 values in their order.
    private var levels = [UInt8](repeating: 0, count: 256)
    /// 256 values, or those of the last blocks of 32 and zeros behind them.
    private var tile = [Float](repeating: 0, count: 256)
    private var importance = [Float](repeating: 0, count: 256)
    private var scales = [Float](repeating: 0, count: 16)
    private var minimums = [Float](repeating: 0, count: 16)
    /// The sums of the groups' weights.
    private var sums = [Float](repeating: 0, count: 16)
    private var scaleLevels = [Int32](repeating: 0, count: 16)
    private var minimumLevels = [Int32](repeating: 0, count: 16)

    /// An encoder with its buffers.
    package init(_ type: GGMLType) { self.type = type }

    /// Whether an importance matrix changes what a type's blocks hold.
    package static func usesImportance(_ type: GGMLType) -> Bool {
        switch type {
        case .q4_0, .q4_1, .q5_0, .q5_1, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS: true
        default: false
        }
    }

    /// Encodes whole rows of a matrix, or whole blocks where there is no importance.
    ///
    /// Values that are not finite never trap; a block with such a value holds meaningless numbers.
    /// - Parameters:
    ///   - importance: how much an error of each column matters, as many as `rowLength`; nil where all matter alike.
    ///   - rowLength: values of a row, which `values.count` is a multiple of where there is an importance.
    ///   - offset: where in `bytes` to begin; without an importance at its beginning.
    /// - Throws: `lengthMismatch` unless `bytes` has what the type needs, and importance and rows fit each other.
    package mutating func encode(
        _ values: Span<Float>, importance columns: ArraySlice<Float>? = nil, rowLength: Int,
        into bytes: inout MutableSpan<UInt8>, at offset: Int = 0
    ) throws(QuantError) {
        guard let columns, Self.usesImportance(type) else {
            guard offset == 0, type.byteCount(valueCount: values.count) == bytes.count else {
                throw .length(type, values: values.count, bytes: bytes.count)
            }
            if !encodeInLanes(values, nil, sigma: 0, &bytes, at: 0) { try type.encode(values, into: &bytes) }
            return
        }
        guard let needed = type.byteCount(valueCount: values.count), offset >= 0, bytes.count - offset >= needed else {
            throw .length(type, values: values.count, bytes: bytes.count)
        }
        guard rowLength > 0, columns.count == rowLength, values.count % rowLength == 0,
            let rowBytes = type.byteCount(valueCount: rowLength)
        else { throw .length(type, values: values.count, bytes: columns.count) }
        for row in 0..<values.count / rowLength {
            let row = (values: values.extracting(row * rowLength..<(row + 1) * rowLength), bytes: row * rowBytes)
            var squares: Float = 0
            switch type {
            case .q4_0, .q4_1, .q5_0, .q5_1: for i in 0..<rowLength { squares += row.values[i] * row.values[i] }
            default: break
            }
            _ = encodeInLanes(
                row.values, columns, sigma: squares / Float(rowLength), &bytes, at: offset + row.bytes)
        }
    }

    /// False, and nothing done, for what has no search.
    private mutating func encodeInLanes(
        _ values: Span<Float>, _ columns: ArraySlice<Float>?, sigma: Float, _ bytes: inout MutableSpan<UInt8>,
        at offset: Int
    ) -> Bool {
        switch type {
        case .q2K, .q3K, .q4K, .q5K, .q6K, .iq4NL, .iq4XS: break
        case .q4_0, .q4_1, .q5_0, .q5_1: if columns == nil { return false }
        default: return false
        }
        let blockBytes = type.blockByteCount
        var start = 0
        while start < values.count {
            let count = min(256, values.count - start)
            for i in 0..<count { tile[i] = values[start + i] }
            for i in count..<256 { tile[i] = 0 }
            if let columns {
                for i in 0..<count { importance[i] = columns[columns.startIndex + start + i] }
                for i in count..<256 { importance[i] = 0 }
            }
            let isWeighted = columns != nil
            let out = offset + start / type.blockLength * blockBytes
            switch type {
            case .q2K: encodeQ2K(isWeighted, &bytes, at: out)
            case .q3K: encodeQ3K(isWeighted, &bytes, at: out)
            case .q4K: encodeQ45K(isWeighted, top: 15, &bytes, at: out)
            case .q5K: encodeQ45K(isWeighted, top: 31, &bytes, at: out)
            case .q6K: encodeQ6K(isWeighted, &bytes, at: out)
            case .iq4NL: encodeIQ4NL(isWeighted, blocks: count / 32, &bytes, at: out)
            case .iq4XS: encodeIQ4XS(isWeighted, &bytes, at: out)
            case .q4_0: encodeSymmetric32(top: 8, sigma, blocks: count / 32, &bytes, at: out)
            case .q5_0: encodeSymmetric32(top: 16, sigma, blocks: count / 32, &bytes, at: out)
            case .q4_1: encodeRange32(top: 15, sigma, blocks: count / 32, &bytes, at: out)
            default: encodeRange32(top: 31, sigma, blocks: count / 32, &bytes, at: out)
            }
            start += count
        }
        return true
    }

    // MARK: To lanes and back

    /// Brings eight groups of `length` values from the tile into the lanes.
    private mutating func gather(from first: Int, length: Int) {
        for i in 0..<length {
            let at = first + i
            x[i] = Lanes(
                tile[at], tile[at + length], tile[at + 2 * length], tile[at + 3 * length], tile[at + 4 * length],
                tile[at + 5 * length], tile[at + 6 * length], tile[at + 7 * length])
        }
    }

    /// The importance of eight groups times what `scaled` makes of the values, into the weights; returns the sums of the groups.
    private mutating func weigh(from first: Int, length: Int, sigma: Lanes) -> Lanes {
        var total = Lanes.zero
        for i in 0..<length {
            let at = first + i
            let column = Lanes(
                importance[at], importance[at + length], importance[at + 2 * length], importance[at + 3 * length],
                importance[at + 4 * length], importance[at + 5 * length], importance[at + 6 * length],
                importance[at + 7 * length])
            weights[i] = column * (sigma + x[i] * x[i]).squareRoot()
            total += weights[i]
        }
        return total
    }

    /// The sum of the tile's squares, in their order.
    private func squares() -> Float {
        var sum: Float = 0
        for value in tile { sum += value * value }
        return sum
    }

    /// The fitted levels of eight groups, to their places.
    private mutating func scatter(from first: Int, length: Int) {
        for i in 0..<length {
            let level = integers(fitted[i])
            for group in 0..<8 { levels[first + group * length + i] = UInt8(truncatingIfNeeded: level[group]) }
        }
    }

    private static func set(_ values: inout [Float], _ first: Int, _ lanes: Lanes) {
        for group in 0..<8 { values[first + group] = lanes[group] }
    }

    /// Eight entries from an index on.
    private static func eight(_ values: [Float], _ first: Int) -> Lanes {
        Lanes(
            values[first], values[first + 1], values[first + 2], values[first + 3], values[first + 4],
            values[first + 5], values[first + 6], values[first + 7])
    }

    /// The levels for steps and offsets as a decoder will see them, where the step is not zero.
    private mutating func refit(length: Int, step: Lanes, offset: Lanes, low: Float, high: Float, bias: Float) {
        let isStep = step .!= Lanes.zero
        for i in 0..<length {
            fitted[i] = choose(isStep, nearest((x[i] + offset) / step, low, high) + bias, fitted[i])
        }
    }

    // MARK: Blocks of 256

    private mutating func encodeQ2K(_ isWeighted: Bool, _ y: inout MutableSpan<UInt8>, at out: Int) {
        let search =
            isWeighted
            ? RangeSearch.weighted(top: 3)
            : RangeSearch(top: 3, start: -0.5, step: 0.1, steps: 15, absoluteError: true)
        let sigma = Lanes(repeating: isWeighted ? squares() / 256 : 0)
        var halves = (fitted, fitted)
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            if isWeighted {
                Self.set(&sums, 8 * half, weigh(from: 128 * half, length: 16, sigma: sigma))
            } else {
                for i in 0..<16 { weights[i] = magnitude(x[i]) }
            }
            let fit = fitRange(x, weights: weights, count: 16, search: search, levels: &fitted, trial: &trial)
            Self.set(&scales, 8 * half, fit.scale)
            Self.set(&minimums, 8 * half, fit.minimum)
            if half == 0 { halves.0 = fitted } else { halves.1 = fitted }
        }
        var d: Float
        var dmin: Float
        if isWeighted {
            d = fitPositive(scales, weights: sums, top: 15, levels: &scaleLevels)
            dmin = fitPositive(minimums, weights: sums, top: 15, levels: &minimumLevels)
        } else {
            d = Self.spread(scales, count: 16, top: 15, levels: &scaleLevels)
            dmin = Self.spread(minimums, count: 16, top: 15, levels: &minimumLevels)
        }
        d = stored(d, &y, at: out + 80)
        dmin = stored(dmin, &y, at: out + 82)
        for group in 0..<16 {
            scaleLevels[group] &= 15
            minimumLevels[group] &= 15
            y[out + group] = UInt8(truncatingIfNeeded: scaleLevels[group] | minimumLevels[group] << 4)
        }
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            fitted = half == 0 ? halves.0 : halves.1
            refit(
                length: 16, step: d * Self.floats(scaleLevels, 8 * half),
                offset: dmin * Self.floats(minimumLevels, 8 * half), low: 0, high: 3, bias: 0)
            scatter(from: 128 * half, length: 16)
        }
        storeCrumbs(&y, at: out + 16)
    }

    private mutating func encodeQ3K(_ isWeighted: Bool, _ y: inout MutableSpan<UInt8>, at out: Int) {
        let sigma = Lanes(repeating: isWeighted ? 2 * squares() / 256 : 0)
        var halves = (fitted, fitted)
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            let fit: Lanes
            if isWeighted {
                Self.set(&sums, 8 * half, weigh(from: 128 * half, length: 16, sigma: sigma))
                fit = fitSymmetric(x, weights: weights, count: 16, top: 4, levels: &fitted)
            } else {
                fit = fitThreeBits(x, count: 16, levels: &fitted)
            }
            Self.set(&scales, 8 * half, fit)
            if half == 0 { halves.0 = fitted } else { halves.1 = fitted }
        }
        for i in 0..<110 { y[out + i] = 0 }
        let d: Float
        if isWeighted {
            // The scales are one group of 16: the same in every lane.
            for i in 0..<16 {
                x[i] = Lanes(repeating: scales[i])
                weights[i] = Lanes(repeating: sums[i])
            }
            d = stored(
                fitSymmetric(x, weights: weights, count: 16, top: 32, levels: &fitted)[0], &y, at: out + 108)
            for group in 0..<16 { scaleLevels[group] = integers(fitted[group])[0] - 32 }
        } else {
            let largest = Self.extreme(scales, count: 16)
            let inverseScale = largest == 0 ? 0 : -32 / largest
            d = stored(largest == 0 ? 0 : 1 / inverseScale, &y, at: out + 108)
            for group in 0..<16 {
                scaleLevels[group] =
                    largest == 0 ? -32 : max(-32, min(31, nearestInteger(inverseScale * scales[group])))
            }
        }
        for group in 0..<16 {
            let packed = scaleLevels[group] + 32
            y[out + 96 + group % 8] |= UInt8(truncatingIfNeeded: (packed & 15) << (group < 8 ? 0 : 4))
            y[out + 104 + group % 4] |= UInt8(truncatingIfNeeded: (packed >> 4) << Int32(2 * (group / 4)))
        }
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            fitted = half == 0 ? halves.0 : halves.1
            refit(
                length: 16, step: d * Self.floats(scaleLevels, 8 * half), offset: .zero, low: -4, high: 3, bias: 4)
            scatter(from: 128 * half, length: 16)
        }
        for i in 0..<256 where levels[i] > 3 { y[out + i % 32] |= 1 << UInt8(i / 32) }
        storeCrumbs(&y, at: out + 32)
    }

    private mutating func encodeQ45K(
        _ isWeighted: Bool, top: Float, _ y: inout MutableSpan<UInt8>, at out: Int
    ) {
        gather(from: 0, length: 32)
        if isWeighted {
            Self.set(&sums, 0, weigh(from: 0, length: 32, sigma: Lanes(repeating: 2 * squares() / 256)))
        } else {
            var squares = Lanes.zero
            for i in 0..<32 { squares += x[i] * x[i] }
            let typical = (squares / 32).squareRoot()
            for i in 0..<32 { weights[i] = typical + magnitude(x[i]) }
        }
        let search =
            isWeighted
            ? RangeSearch.weighted(top: top)
            : RangeSearch(
                top: top, start: top == 15 ? -1 : -0.5, step: 0.1, steps: top == 15 ? 20 : 15, absoluteError: false)
        let fit = fitRange(x, weights: weights, count: 32, search: search, levels: &fitted, trial: &trial)
        Self.set(&scales, 0, fit.scale)
        Self.set(&minimums, 0, fit.minimum)
        var d: Float
        var dmin: Float
        if isWeighted {
            // Eight groups: the other eight are zeros of no weight.
            for i in 8..<16 { (scales[i], minimums[i], sums[i]) = (0, 0, 0) }
            d = fitPositive(scales, weights: sums, top: 63, levels: &scaleLevels)
            dmin = fitPositive(minimums, weights: sums, top: 63, levels: &minimumLevels)
        } else {
            d = Self.spread(scales, count: 8, top: 63, levels: &scaleLevels)
            dmin = Self.spread(minimums, count: 8, top: 63, levels: &minimumLevels)
        }
        d = stored(d, &y, at: out)
        dmin = stored(dmin, &y, at: out + 2)
        for group in 0..<8 {
            // Through a byte, as the reference does: a negative scale wraps and becomes 63.
            let scale = min(63, UInt8(truncatingIfNeeded: scaleLevels[group]))
            let minimum = min(63, UInt8(truncatingIfNeeded: minimumLevels[group]))
            scaleLevels[group] = Int32(scale)
            minimumLevels[group] = Int32(minimum)
            if group < 4 {
                y[out + 4 + group] = scale
                y[out + 8 + group] = minimum
            } else {
                y[out + 8 + group] = scale & 15 | (minimum & 15) << 4
                y[out + group] |= (scale >> 4) << 6
                y[out + 4 + group] |= (minimum >> 4) << 6
            }
        }
        refit(
            length: 32, step: d * Self.floats(scaleLevels, 0), offset: dmin * Self.floats(minimumLevels, 0), low: 0,
            high: top, bias: 0)
        scatter(from: 0, length: 32)
        let low = out + (top == 15 ? 16 : 48)
        for pair in 0..<4 {
            for l in 0..<32 {
                y[low + pair * 32 + l] = levels[pair * 64 + l] & 15 | (levels[pair * 64 + l + 32] & 15) << 4
            }
        }
        guard top > 15 else { return }
        for l in 0..<32 {
            var high: UInt8 = 0
            for group in 0..<8 { high |= (levels[group * 32 + l] >> 4) << UInt8(group) }
            y[out + 16 + l] = high
        }
    }

    private mutating func encodeQ6K(_ isWeighted: Bool, _ y: inout MutableSpan<UInt8>, at out: Int) {
        var halves = (fitted, fitted)
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            for i in 0..<16 {
                let at = 128 * half + i
                weights[i] =
                    isWeighted
                    ? Lanes(
                        importance[at], importance[at + 16], importance[at + 32], importance[at + 48],
                        importance[at + 64], importance[at + 80], importance[at + 96], importance[at + 112])
                    : x[i] * x[i]
            }
            Self.set(&scales, 8 * half, fitSymmetric(x, weights: weights, count: 16, top: 32, levels: &fitted))
            if half == 0 { halves.0 = fitted } else { halves.1 = fitted }
        }
        for i in 0..<210 { y[out + i] = 0 }
        let largest = Self.extreme(scales, count: 16)
        guard abs(largest) >= smallestGroup else { return }
        let inverseScale = -128 / largest
        let d = stored(1 / inverseScale, &y, at: out + 208)
        for group in 0..<16 {
            let scale = Int8(truncatingIfNeeded: min(127, nearestInteger(inverseScale * scales[group])))
            y[out + 192 + group] = UInt8(bitPattern: scale)
            scaleLevels[group] = Int32(scale)
        }
        for half in 0..<2 {
            gather(from: 128 * half, length: 16)
            fitted = half == 0 ? halves.0 : halves.1
            refit(
                length: 16, step: d * Self.floats(scaleLevels, 8 * half), offset: .zero, low: -32, high: 31, bias: 32)
            scatter(from: 128 * half, length: 16)
        }
        for half in 0..<2 {
            let from = half * 128
            for l in 0..<32 {
                let (a, b) = (levels[from + l], levels[from + l + 32])
                let (c, e) = (levels[from + l + 64], levels[from + l + 96])
                y[out + half * 64 + l] = a & 15 | (c & 15) << 4
                y[out + half * 64 + 32 + l] = b & 15 | (e & 15) << 4
                y[out + 128 + half * 32 + l] = a >> 4 | (b >> 4) << 2 | (c >> 4) << 4 | (e >> 4) << 6
            }
        }
    }

    private mutating func encodeIQ4XS(_ isWeighted: Bool, _ y: inout MutableSpan<UInt8>, at out: Int) {
        gather(from: 0, length: 32)
        if isWeighted {
            _ = weigh(from: 0, length: 32, sigma: Lanes(repeating: squares() * (2 / 256)))
        } else {
            for i in 0..<32 { weights[i] = x[i] * x[i] }
        }
        Self.set(&scales, 0, fitGrid(x, weights: weights))
        let d = -Self.extreme(scales, count: 8) / 32
        put(d, &y, at: out)
        for i in 2..<8 { y[out + i] = 0 }
        for group in 0..<8 {
            let scale = max(-32, min(31, nearestInteger(Self.inverse(d) * scales[group])))
            scales[group] = Self.inverse(d * Float(scale))
            let packed = UInt8(truncatingIfNeeded: scale + 32)
            y[out + 4 + group / 2] |= (packed & 15) << UInt8(4 * (group % 2))
            y[out + 2 + group / 4] |= (packed >> 4) << UInt8(2 * (group % 4))
        }
        storeOnGrid(Self.eight(scales, 0), blocks: 8, stride: 16, &y, at: out + 8)
    }

    // MARK: Blocks of 32

    private mutating func encodeIQ4NL(_ isWeighted: Bool, blocks: Int, _ y: inout MutableSpan<UInt8>, at out: Int) {
        gather(from: 0, length: 32)
        if isWeighted {
            var squares = Lanes.zero
            for i in 0..<32 { squares += x[i] * x[i] }
            _ = weigh(from: 0, length: 32, sigma: squares * (2 / 32))
        } else {
            for i in 0..<32 { weights[i] = x[i] * x[i] }
        }
        let fit = fitGrid(x, weights: weights)
        var inverses = Lanes.zero
        for block in 0..<blocks {
            put(fit[block], &y, at: out + block * 18)
            inverses[block] = Self.inverse(fit[block])
        }
        storeOnGrid(inverses, blocks: blocks, stride: 18, &y, at: out + 2)
    }

    /// Q4_0 and Q5_0 with an importance.
    private mutating func encodeSymmetric32(
        top: Float, _ sigma: Float, blocks: Int, _ y: inout MutableSpan<UInt8>, at out: Int
    ) {
        gather(from: 0, length: 32)
        _ = weigh(from: 0, length: 32, sigma: Lanes(repeating: sigma))
        let fit = fitSymmetric(x, weights: weights, count: 32, top: top, levels: &fitted)
        scatter(from: 0, length: 32)
        let size = type.blockByteCount
        for block in 0..<blocks {
            put(fit[block], &y, at: out + block * size)
            storeHalves(block: block, hasFifth: top == 16, fifthAt: out + block * size + 2, &y)
        }
    }

    /// Q4_1 and Q5_1 with an importance.
    private mutating func encodeRange32(
        top: Float, _ sigma: Float, blocks: Int, _ y: inout MutableSpan<UInt8>, at out: Int
    ) {
        gather(from: 0, length: 32)
        _ = weigh(from: 0, length: 32, sigma: Lanes(repeating: sigma))
        let fit = fitRange(
            x, weights: weights, count: 32, search: .weighted(top: top), levels: &fitted, trial: &trial)
        scatter(from: 0, length: 32)
        let size = type.blockByteCount
        for block in 0..<blocks {
            put(fit.scale[block], &y, at: out + block * size)
            put(-fit.minimum[block], &y, at: out + block * size + 2)
            storeHalves(block: block, hasFifth: top == 31, fifthAt: out + block * size + 4, &y)
        }
    }

    // MARK: Packing

    /// Q4_0's nibbles, before them the word of fifth bits where there are any.
    private func storeHalves(block: Int, hasFifth: Bool, fifthAt at: Int, _ y: inout MutableSpan<UInt8>) {
        let from = block * 32
        if hasFifth {
            for byte in 0..<4 {
                var high: UInt8 = 0
                for bit in 0..<8 { high |= (levels[from + 8 * byte + bit] >> 4) << UInt8(bit) }
                y[at + byte] = high
            }
        }
        let low = at + (hasFifth ? 4 : 0)
        for j in 0..<16 { y[low + j] = levels[from + j] & 15 | (levels[from + j + 16] & 15) << 4 }
    }

    private mutating func storeOnGrid(
        _ inverseScale: Lanes, blocks: Int, stride: Int, _ y: inout MutableSpan<UInt8>, at: Int
    ) {
        for i in 0..<32 { fitted[i] = codesOnGrid(inverseScale * x[i]) }
        scatter(from: 0, length: 32)
        for block in 0..<blocks {
            for j in 0..<16 {
                y[at + block * stride + j] = levels[block * 32 + j] | levels[block * 32 + j + 16] << 4
            }
        }
    }

    /// 256 two-bit levels as Q2_K and Q3_K hold them.
    private func storeCrumbs(_ y: inout MutableSpan<UInt8>, at: Int) {
        for half in 0..<2 {
            for l in 0..<32 {
                let i = half * 128 + l
                y[at + half * 32 + l] =
                    levels[i] & 3 | (levels[i + 32] & 3) << 2 | (levels[i + 64] & 3) << 4 | (levels[i + 96] & 3) << 6
            }
        }
    }

    private func put(_ value: Float, _ y: inout MutableSpan<UInt8>, at: Int) {
        let half = Half.encode(value)
        y[at] = UInt8(truncatingIfNeeded: half)
        y[at + 1] = UInt8(truncatingIfNeeded: half >> 8)
    }

    /// Stores a half, and returns it as a decoder will see it.
    private func stored(_ value: Float, _ y: inout MutableSpan<UInt8>, at: Int) -> Float {
        put(value, &y, at: at)
        return Half.decode(Half.encode(value))
    }

    /// Levels 0...top for scales of which the largest gets the highest; returns what one level is worth.
    private static func spread(_ values: [Float], count: Int, top: Float, levels: inout [Int32]) -> Float {
        var largest: Float = 0
        for i in 0..<count where values[i] > largest { largest = values[i] }
        let inverse = largest > 0 ? top / largest : 0
        for i in 0..<count { levels[i] = largest > 0 ? nearestInteger(inverse * values[i]) : 0 }
        return largest / top
    }

    private static func floats(_ levels: [Int32], _ first: Int) -> Lanes {
        var result = Lanes.zero
        for group in 0..<8 { result[group] = Float(levels[first + group]) }
        return result
    }

    private static func extreme(_ values: [Float], count: Int) -> Float {
        var largest: Float = 0
        for i in 0..<count where abs(values[i]) > abs(largest) { largest = values[i] }
        return largest
    }

    private static func inverse(_ d: Float) -> Float { d == 0 ? 0 : 1 / d }
}
