/// One value of each of eight groups. The searches for scales run on eight groups at once, one in each lane, so that every group's
/// sums are added in the order in which ggml's reference adds them.
typealias Lanes = SIMD8<Float>
typealias LaneBits = SIMD8<Int32>
typealias LaneMask = SIMDMask<SIMD8<Int32>>

/// The bits of eight floats.
@inline(__always) func bits(_ x: Lanes) -> LaneBits { unsafe unsafeBitCast(x, to: LaneBits.self) }

/// Eight floats of those bits.
@inline(__always) func lanes(_ bits: LaneBits) -> Lanes { unsafe unsafeBitCast(bits, to: Lanes.self) }

/// Without the sign.
@inline(__always) func magnitude(_ x: Lanes) -> Lanes { lanes(bits(x) & 0x7FFF_FFFF) }

/// With the other sign, zero's too.
@inline(__always) func negated(_ x: Lanes) -> Lanes { lanes(bits(x) ^ LaneBits(repeating: .min)) }

/// `yes` where the mask holds, `no` elsewhere.
@inline(__always) func choose(_ mask: LaneMask, _ yes: Lanes, _ no: Lanes) -> Lanes {
    no.replacing(with: yes, where: mask)
}

/// Whether the mask holds anywhere.
@inline(__always) func holdsAnywhere(_ mask: LaneMask) -> Bool {
    let flags = LaneBits.zero.replacing(with: LaneBits(repeating: 1), where: mask)
    let four = flags.lowHalf | flags.highHalf
    let two = four.lowHalf | four.highHalf
    return two.x | two.y != 0
}

/// The nearest integers within bounds, as floats: rounded to even by adding 1.5 * 2^23, with what that makes of numbers beyond 2^22
/// and of NaN, as `nearest` of EdgeQuant has it.
@inline(__always) func nearest(_ value: Lanes, _ low: Float, _ high: Float) -> Lanes {
    let integer = (bits(value + 12_582_912) & 0x7F_FFFF) &- 0x40_0000
    let level = lanes(integer &+ 0x4B40_0000) - 12_582_912
    let bounded = choose(level .< Lanes(repeating: low), Lanes(repeating: low), level)
    return choose(bounded .> Lanes(repeating: high), Lanes(repeating: high), bounded)
}

/// Levels 0...255 as integers.
@inline(__always) func integers(_ levels: Lanes) -> LaneBits { bits(levels + 8_388_608) & 0xFF }

/// Below this magnitude a group counts as zero.
let smallestGroup: Float = 1e-15

/// The values of largest magnitude with their signs, the first of equals; NaN is passed over.
func extremes(_ x: [Lanes], count: Int) -> Lanes {
    var largest = Lanes.zero
    for i in 0..<count { largest = choose(magnitude(x[i]) .> magnitude(largest), x[i], largest) }
    return largest
}

/// How `fitRange` varies the number of levels that the range is spread over.
struct RangeSearch {
    let top: Float
    let start: Float
    let step: Float
    let steps: Int
    let absoluteError: Bool

    /// What ggml tries where it has an importance matrix.
    static func weighted(top: Float) -> RangeSearch {
        RangeSearch(top: top, start: -0.9, step: 0.05, steps: 36, absoluteError: false)
    }
}

/// Finds, in each lane, scale >= 0 and minimum <= 0 with x ≈ scale * level + minimum, level in 0...top; returns the minimum negated.
///
/// Each trial spreads the range over a slightly different number of levels, then solves the weighted least squares for scale and
/// minimum; the trial of smallest error wins.
func fitRange(
    _ x: [Lanes], weights: [Lanes], count: Int, search: RangeSearch, levels: inout [Lanes], trial: inout [Lanes]
) -> (scale: Lanes, minimum: Lanes) {
    precondition(x.count >= count && weights.count >= count && levels.count >= count && trial.count >= count)
    let top = search.top
    var minimum = x[0]
    var maximum = x[0]
    var sumW = weights[0]
    var sumX = sumW * x[0]
    for i in 1..<count {
        minimum = choose(x[i] .< minimum, x[i], minimum)
        maximum = choose(x[i] .> maximum, x[i], maximum)
        sumW += weights[i]
        sumX += weights[i] * x[i]
    }
    minimum = choose(minimum .> Lanes.zero, .zero, minimum)
    let lowest = minimum
    let isFlat = maximum .== minimum
    var inverseScale = Lanes(repeating: top) / (maximum - minimum)
    var scale = Lanes(repeating: 1) / inverseScale
    var best = Lanes.zero
    for i in 0..<count {
        let level = nearest(inverseScale * (x[i] - minimum), 0, top)
        levels[i] = level
        let miss = scale * level + minimum - x[i]
        best += weights[i] * (search.absoluteError ? magnitude(miss) : miss * miss)
    }
    for step in 0...search.steps {
        inverseScale = Lanes(repeating: search.start + search.step * Float(step) + top) / (maximum - minimum)
        var sumL = Lanes.zero
        var sumLL = Lanes.zero
        var sumXL = Lanes.zero
        for i in 0..<count {
            let level = nearest(inverseScale * (x[i] - minimum), 0, top)
            trial[i] = level
            let weighted = weights[i] * level
            sumL += weighted
            sumLL += weighted * level
            sumXL += weighted * x[i]
        }
        let determinant = sumW * sumLL - sumL * sumL
        var trialScale = (sumW * sumXL - sumX * sumL) / determinant
        var trialMinimum = (sumLL * sumX - sumL * sumXL) / determinant
        let isPositive = trialMinimum .> Lanes.zero
        trialMinimum = choose(isPositive, .zero, trialMinimum)
        trialScale = choose(isPositive, sumXL / sumLL, trialScale)
        var error = Lanes.zero
        if search.absoluteError {
            for i in 0..<count {
                error += weights[i] * magnitude(trialScale * trial[i] + trialMinimum - x[i])
            }
        } else {
            for i in 0..<count {
                let miss = trialScale * trial[i] + trialMinimum - x[i]
                error += weights[i] * (miss * miss)
            }
        }
        let isBetter = (determinant .> Lanes.zero) .& (error .< best)
        guard holdsAnywhere(isBetter) else { continue }
        for i in 0..<count { levels[i] = choose(isBetter, trial[i], levels[i]) }
        best = choose(isBetter, error, best)
        scale = choose(isBetter, trialScale, scale)
        minimum = choose(isBetter, trialMinimum, minimum)
    }
    for i in 0..<count { levels[i] = choose(isFlat, .zero, levels[i]) }
    return (choose(isFlat, .zero, scale), negated(choose(isFlat, lowest, minimum)))
}

/// Finds, in each lane, the scale of values with levels -top..<top (stored plus top); 18 neighbours of the obvious scale are tried.
func fitSymmetric(_ x: [Lanes], weights: [Lanes], count: Int, top: Float, levels: inout [Lanes]) -> Lanes {
    precondition(x.count >= count && weights.count >= count && levels.count >= count)
    let largest = extremes(x, count: count)
    let isZero = magnitude(largest) .< Lanes(repeating: smallestGroup)
    var bestInverse = Lanes.zero
    var scale = Lanes.zero
    var best = Lanes.zero
    for step in [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
        let inverseScale = Lanes(repeating: -(top + 0.1 * Float(step))) / largest
        var sumXL = Lanes.zero
        var sumLL = Lanes.zero
        for i in 0..<count {
            let level = nearest(inverseScale * x[i], -top, top - 1)
            let weighted = weights[i]
            sumXL += weighted * x[i] * level
            sumLL += weighted * level * level
        }
        let isBetter: LaneMask
        if step == 0 {
            isBetter = LaneMask(repeating: true)
            scale = choose(sumLL .== Lanes.zero, .zero, sumXL / sumLL)
        } else {
            isBetter = (sumLL .> Lanes.zero) .& (sumXL * sumXL .> best * sumLL)
            scale = choose(isBetter, sumXL / sumLL, scale)
        }
        best = choose(isBetter, scale * sumXL, best)
        bestInverse = choose(isBetter, inverseScale, bestInverse)
    }
    for i in 0..<count {
        levels[i] = choose(isZero, .zero, nearest(bestInverse * x[i], -top, top - 1) + top)
    }
    return choose(isZero, .zero, scale)
}

/// Finds, in each lane, the scale of values with levels -4...3 (stored plus 4), weights x²; single levels move while that helps.
func fitThreeBits(_ x: [Lanes], count: Int, levels: inout [Lanes]) -> Lanes {
    precondition(x.count >= count && levels.count >= count)
    let largest = extremes(x, count: count)
    let isZero = magnitude(largest) .< Lanes(repeating: smallestGroup)
    let inverseScale = Lanes(repeating: -4) / largest
    var sumXL = Lanes.zero
    var sumLL = Lanes.zero
    for i in 0..<count {
        let level = nearest(inverseScale * x[i], -4, 3)
        levels[i] = level
        let weight = x[i] * x[i]
        sumXL += weight * x[i] * level
        sumLL += weight * level * level
    }
    for _ in 0..<5 {
        var hasChanged = false
        for i in 0..<count {
            let weight = x[i] * x[i]
            let old = levels[i]
            var otherXL = sumXL - weight * x[i] * old
            var otherLL = sumLL - weight * old * old
            let level = nearest(x[i] * otherLL / otherXL, -4, 3)
            let isOther = (otherXL .> Lanes.zero) .& (level .!= old)
            otherXL += weight * x[i] * level
            otherLL += weight * level * level
            let isLarger: LaneMask = otherXL * otherXL * sumLL .> sumXL * sumXL * otherLL
            let isPositive: LaneMask = otherLL .> Lanes.zero
            let isBetter = isOther .& isPositive .& isLarger
            guard holdsAnywhere(isBetter) else { continue }
            levels[i] = choose(isBetter, level, old)
            sumXL = choose(isBetter, otherXL, sumXL)
            sumLL = choose(isBetter, otherLL, sumLL)
            hasChanged = true
        }
        if !hasChanged { break }
    }
    for i in 0..<count { levels[i] = choose(isZero, .zero, levels[i] + 4) }
    return choose(isZero .| (sumLL .<= Lanes.zero), .zero, sumXL / sumLL)
}

/// The entry of IQ4's grid (ggml's `kvalues_iq4nl`) that is nearest to each value, or its code; halfway the upper.
@inline(__always) private func nearestOnGrid(_ value: Lanes, asCode: Bool) -> Lanes {
    let twice = value + value
    var entry = Lanes(repeating: asCode ? 0 : -127)
    /// From an entry to the next: twice the border between them, and how far apart they are.
    func step(_ border: Float, _ width: Float) {
        entry += choose(twice .>= Lanes(repeating: border), Lanes(repeating: asCode ? 1 : width), .zero)
    }
    step(-231, 23)
    step(-187, 21)
    step(-148, 18)
    step(-114, 16)
    step(-84, 14)
    step(-57, 13)
    step(-32, 12)
    step(-9, 11)
    step(14, 12)
    step(38, 12)
    step(63, 13)
    step(91, 15)
    step(122, 16)
    step(158, 20)
    step(202, 24)
    return entry
}

/// The code of the grid's entry nearest to each value; halfway the upper.
func codesOnGrid(_ value: Lanes) -> Lanes { nearestOnGrid(value, asCode: true) }

/// Finds, in each lane, the scale of 32 values on the grid of IQ4 that gives the smallest weighted error.
func fitGrid(_ x: [Lanes], weights: [Lanes]) -> Lanes {
    precondition(x.count >= 32 && weights.count >= 32)
    let largest = extremes(x, count: 32)
    let isZero = magnitude(largest) .< Lanes(repeating: smallestGroup)
    var scale = Lanes.zero
    var best = Lanes.zero
    // First the scale that maps the extreme to -127's opposite, then 15 that map it to about -127.
    for trial in -8...7 {
        let inverseScale =
            trial == -8
            ? Lanes(repeating: 1) / (negated(largest) / -127) : Lanes(repeating: Float(trial) - 127) / largest
        var sumXQ = Lanes.zero
        var sumQQ = Lanes.zero
        for i in 0..<32 {
            let entry = nearestOnGrid(inverseScale * x[i], asCode: false)
            let weighted = weights[i] * entry
            sumXQ += weighted * x[i]
            sumQQ += weighted * entry
        }
        let isPositive = sumQQ .> Lanes.zero
        if trial == -8 {
            scale = choose(isPositive, sumXQ / sumQQ, .zero)
            best = scale * sumXQ
        } else {
            let isBetter = isPositive .& (sumXQ * sumXQ .> best * sumQQ)
            scale = choose(isBetter, sumXQ / sumQQ, scale)
            best = choose(isBetter, scale * sumXQ, best)
        }
    }
    return choose(isZero, .zero, scale)
}

/// Finds scale >= 0 with x ≈ scale * level, level in 0...top, for few values that are not negative: the scales of a block's groups.
func fitPositive(_ x: [Float], weights: [Float], top: Int32, levels: inout [Int32]) -> Float {
    var largest: Float = 0
    for value in x where value > largest { largest = value }
    guard largest >= smallestGroup else {
        for i in x.indices { levels[i] = 0 }
        return 0
    }
    var inverseScale = Float(top) / largest
    var best: Float = 0
    for i in x.indices {
        // The reference stores this one through a byte.
        let level = nearestInteger(inverseScale * x[i]) & 0xFF
        let miss = x[i] - 1 / inverseScale * Float(level)
        best += weights[i] * miss * miss
    }
    for step in -4...4 where step != 0 {
        let trial = (0.1 * Float(step) + Float(top)) / largest
        let scale = 1 / trial
        var error: Float = 0
        for i in x.indices {
            let miss = x[i] - scale * Float(min(top, nearestInteger(trial * x[i])))
            error += weights[i] * miss * miss
        }
        if error < best { (best, inverseScale) = (error, trial) }
    }
    var sumXL: Float = 0
    var sumLL: Float = 0
    for i in x.indices {
        levels[i] = min(top, nearestInteger(inverseScale * x[i])) & 0xFF
        let level = Float(min(top, nearestInteger(inverseScale * x[i])))
        sumXL += weights[i] * x[i] * level
        sumLL += weights[i] * level * level
    }
    for _ in 0..<5 {
        var hasChanged = false
        for i in x.indices {
            let old = Float(levels[i])
            var otherXL = sumXL - weights[i] * x[i] * old
            var otherLL = sumLL - weights[i] * old * old
            guard otherXL > 0, otherLL > 0 else { continue }
            let level = min(top, nearestInteger(x[i] * otherLL / otherXL))
            guard level != levels[i] else { continue }
            otherXL += weights[i] * x[i] * Float(level)
            otherLL += weights[i] * Float(level) * Float(level)
            if otherXL * otherXL * sumLL > sumXL * sumXL * otherLL {
                levels[i] = level & 0xFF
                (sumXL, sumLL) = (otherXL, otherLL)
                hasChanged = true
            }
        }
        if !hasChanged { break }
    }
    return sumLL > 0 ? sumXL / sumLL : 0
}

/// The nearest integer, ties to even; beyond 2^22 and for NaN some number in that range.
@inline(__always) func nearestInteger(_ value: Float) -> Int32 {
    Int32(bitPattern: (value + 12_582_912).bitPattern & 0x7F_FFFF) &- 0x40_0000
}
