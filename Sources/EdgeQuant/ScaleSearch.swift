// Searches for the scale (and minimum) of a group that give the smallest weighted error, as ggml's reference runs them without
// an importance matrix. The order of float operations decides near ties, so it follows the reference.

/// Rounds to nearest even by adding 1.5 * 2^23. Beyond ±2^22, and for NaN, some number in that range: never a trap.
@inline(__always)
func nearest(_ value: Float) -> Int32 {
    Int32(bitPattern: (value + 12_582_912).bitPattern & 0x7F_FFFF) &- 0x40_0000
}

/// The nearest level within bounds.
@inline(__always)
func nearest(_ value: Float, _ low: Int32, _ high: Int32) -> Int32 { max(low, min(high, nearest(value))) }

/// Below this magnitude a group counts as zero.
let smallestGroup: Float = 1e-15

/// How `fitScaleAndMinimum` varies the number of levels that the range is spread over.
struct RangeSearch {
    let top: Int32
    let start: Float
    let step: Float
    let steps: Int
    let absoluteError: Bool
}

/// Finds scale >= 0 and minimum <= 0 with x ≈ scale * level + minimum, level in 0...top; returns the minimum negated.
///
/// Each trial spreads the range over a slightly different number of levels, then solves the weighted least squares for
/// scale and minimum; the trial of smallest error wins.
func fitScaleAndMinimum(
    _ x: Span<Float>, from: Int, weights: [Float], search: RangeSearch, levels: inout [Int32]
) -> (scale: Float, minimum: Float) {
    let count = weights.count
    let top = Float(search.top)
    var minimum = x[from]
    var maximum = x[from]
    var sumW = weights[0]
    var sumX = sumW * x[from]
    for i in 1..<count {
        let v = x[from + i]
        if v < minimum { minimum = v }
        if v > maximum { maximum = v }
        sumW += weights[i]
        sumX += weights[i] * v
    }
    if minimum > 0 { minimum = 0 }
    if maximum == minimum {
        for i in 0..<count { levels[from + i] = 0 }
        return (0, -minimum)
    }
    var inverseScale = top / (maximum - minimum)
    var scale = 1 / inverseScale
    var bestError: Float = 0
    for i in 0..<count {
        let level = nearest(inverseScale * (x[from + i] - minimum), 0, search.top)
        levels[from + i] = level
        let miss = scale * Float(level) + minimum - x[from + i]
        bestError += weights[i] * (search.absoluteError ? abs(miss) : miss * miss)
    }
    var trial = [Int32](repeating: 0, count: count)
    for step in 0...search.steps {
        inverseScale = (search.start + search.step * Float(step) + top) / (maximum - minimum)
        var sumL: Float = 0
        var sumLL: Float = 0
        var sumXL: Float = 0
        for i in 0..<count {
            let level = nearest(inverseScale * (x[from + i] - minimum), 0, search.top)
            trial[i] = level
            let l = Float(level)
            sumL += weights[i] * l
            sumLL += weights[i] * l * l
            sumXL += weights[i] * l * x[from + i]
        }
        let determinant = sumW * sumLL - sumL * sumL
        guard determinant > 0 else { continue }
        var trialScale = (sumW * sumXL - sumX * sumL) / determinant
        var trialMinimum = (sumLL * sumX - sumL * sumXL) / determinant
        if trialMinimum > 0 {
            trialMinimum = 0
            trialScale = sumXL / sumLL
        }
        var error: Float = 0
        for i in 0..<count {
            let miss = trialScale * Float(trial[i]) + trialMinimum - x[from + i]
            error += weights[i] * (search.absoluteError ? abs(miss) : miss * miss)
        }
        if error < bestError {
            for i in 0..<count { levels[from + i] = trial[i] }
            (bestError, scale, minimum) = (error, trialScale, trialMinimum)
        }
    }
    return (scale, -minimum)
}

/// Finds the scale of 16 values with levels -32...31 (stored plus 32), weights x²; 18 neighbours of the obvious scale are tried.
func fitSymmetricScale(_ x: Span<Float>, from: Int, levels: inout [Int32]) -> Float {
    let largest = extreme(x, from: from, count: 16)
    if abs(largest) < smallestGroup {
        for i in from..<from + 16 { levels[i] = 0 }
        return 0
    }
    var scale: Float = 0
    var best: Float = 0
    for step in [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
        let inverseScale = -(32 + 0.1 * Float(step)) / largest
        var sumXL: Float = 0
        var sumLL: Float = 0
        for i in from..<from + 16 {
            let l = Float(nearest(inverseScale * x[i], -32, 31))
            let w = x[i] * x[i]
            sumXL += w * x[i] * l
            sumLL += w * l * l
        }
        if step == 0 {
            scale = sumLL == 0 ? 0 : sumXL / sumLL
        } else if sumLL > 0 && sumXL * sumXL > best * sumLL {
            scale = sumXL / sumLL
        } else {
            continue
        }
        best = scale * sumXL
        for i in from..<from + 16 { levels[i] = nearest(inverseScale * x[i], -32, 31) + 32 }
    }
    return scale
}

/// Finds the scale of 16 values with levels -4...3 (stored plus 4), weights x²; single levels move while that helps.
func fitThreeBitScale(_ x: Span<Float>, from: Int, levels: inout [Int32]) -> Float {
    let largest = extreme(x, from: from, count: 16)
    if abs(largest) < smallestGroup {
        for i in from..<from + 16 { levels[i] = 0 }
        return 0
    }
    let inverseScale = -4 / largest
    var sumXL: Float = 0
    var sumLL: Float = 0
    for i in from..<from + 16 {
        levels[i] = nearest(inverseScale * x[i], -4, 3)
        let l = Float(levels[i])
        let w = x[i] * x[i]
        sumXL += w * x[i] * l
        sumLL += w * l * l
    }
    for _ in 0..<5 {
        var changed = false
        for i in from..<from + 16 {
            let w = x[i] * x[i]
            let old = Float(levels[i])
            var otherXL = sumXL - w * x[i] * old
            guard otherXL > 0 else { continue }
            var otherLL = sumLL - w * old * old
            let level = nearest(x[i] * otherLL / otherXL, -4, 3)
            guard level != levels[i] else { continue }
            let l = Float(level)
            otherXL += w * x[i] * l
            otherLL += w * l * l
            if otherLL > 0 && otherXL * otherXL * sumLL > sumXL * sumXL * otherLL {
                levels[i] = level
                (sumXL, sumLL) = (otherXL, otherLL)
                changed = true
            }
        }
        if !changed { break }
    }
    for i in from..<from + 16 { levels[i] += 4 }
    return sumLL > 0 ? sumXL / sumLL : 0
}

/// The half that `value` is stored as, read back: levels are chosen for the scale a decoder will see.
@inline(__always)
func asStored(_ value: Float) -> Float { Half.decode(Half.encode(value)) }

extension MutableSpan where Element == UInt8 {
    /// Packs 256 two-bit levels as Q2_K and Q3_K hold them.
    mutating func storeCrumbs(_ levels: [Int32], at: Int) {
        for half in 0..<2 {
            for l in 0..<32 {
                let i = half * 128 + l
                let byte =
                    levels[i] & 3 | (levels[i + 32] & 3) << 2 | (levels[i + 64] & 3) << 4 | (levels[i + 96] & 3) << 6
                self[at + half * 32 + l] = UInt8(truncatingIfNeeded: byte)
            }
        }
    }
}
