/// Sixteen floats: the width in which most float reductions of the engine are defined, whatever registers hold it.
typealias Lanes = SIMD16<Float>

extension SIMD16<Float> {
    /// Sixteen floats from memory of any alignment.
    @inline(__always) init(loading pointer: UnsafePointer<Float>) {
        self = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Float>.self)
    }

    @inline(__always) func store(to pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: self, as: SIMD16<Float>.self)
    }

    /// The sum of the lanes as a tree: halves onto halves. The one order in which lanes are ever added.
    @inline(__always) var tree: Float {
        let eight = lowHalf + highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }

    /// The largest lane. A NaN lane may or may not win.
    @inline(__always) var largest: Float {
        let eight = lowHalf.replacing(with: highHalf, where: lowHalf .< highHalf)
        let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.lowHalf .< eight.highHalf)
        let two = four.lowHalf.replacing(with: four.highHalf, where: four.lowHalf .< four.highHalf)
        return two.x < two.y ? two.y : two.x
    }
}
