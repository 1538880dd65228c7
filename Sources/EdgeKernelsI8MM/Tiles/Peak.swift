#if arch(arm64)
    internal import _Builtin_intrinsics.arm.neon

    /// The int8 arithmetic of this instruction set at its best: the products and sums of the tile on values that stay in registers.
    ///
    /// Returns the multiplications and additions of one iteration when `iterations` is zero, else a number that keeps the work.
    func peakArithmetic(_ iterations: Int) -> Double {
        // Sixteen independent chains cover the latency of a product and sum on four ports: 32 multiplications and additions each.
        if iterations == 0 { return 16 * 64 }
        let q = vdupq_n_s8(1)
        @inline(__always) func next(_ x: int32x4_t) -> int32x4_t {
            vmmlaq_s32(x, unsafeBitCast(x, to: int8x16_t.self), q)
        }
        var s0 = vdupq_n_s32(0)
        var s1 = vdupq_n_s32(1)
        var s2 = vdupq_n_s32(2)
        var s3 = vdupq_n_s32(3)
        var s4 = vdupq_n_s32(4)
        var s5 = vdupq_n_s32(5)
        var s6 = vdupq_n_s32(6)
        var s7 = vdupq_n_s32(7)
        var s8 = vdupq_n_s32(8)
        var s9 = vdupq_n_s32(9)
        var s10 = vdupq_n_s32(10)
        var s11 = vdupq_n_s32(11)
        var s12 = vdupq_n_s32(12)
        var s13 = vdupq_n_s32(13)
        var s14 = vdupq_n_s32(14)
        var s15 = vdupq_n_s32(15)
        for _ in 0..<iterations {
            s0 = next(s0)
            s1 = next(s1)
            s2 = next(s2)
            s3 = next(s3)
            s4 = next(s4)
            s5 = next(s5)
            s6 = next(s6)
            s7 = next(s7)
            s8 = next(s8)
            s9 = next(s9)
            s10 = next(s10)
            s11 = next(s11)
            s12 = next(s12)
            s13 = next(s13)
            s14 = next(s14)
            s15 = next(s15)
        }
        let sum = s0 ^ s1 ^ s2 ^ s3 ^ s4 ^ s5 ^ s6 ^ s7
        let rest = s8 ^ s9 ^ s10 ^ s11 ^ s12 ^ s13 ^ s14 ^ s15
        return Double((sum ^ rest)[0])
    }
#endif
