#if arch(x86_64)
    internal import _Builtin_intrinsics.intel

    /// The int8 arithmetic of this instruction set at its best: the products and sums of the tile on values that stay in registers.
    ///
    /// Returns the multiplications and additions of one iteration when `iterations` is zero, else a number that keeps the work.
    func peakArithmetic(_ iterations: Int) -> Double {
        // Twelve independent chains cover the latency of a product and sum on two ports: 64 multiplications and additions each.
        if iterations == 0 { return 12 * 128 }
        let q = _mm512_set1_epi8(1)
        var s0 = _mm512_set1_epi32(0)
        var s1 = _mm512_set1_epi32(1)
        var s2 = _mm512_set1_epi32(2)
        var s3 = _mm512_set1_epi32(3)
        var s4 = _mm512_set1_epi32(4)
        var s5 = _mm512_set1_epi32(5)
        var s6 = _mm512_set1_epi32(6)
        var s7 = _mm512_set1_epi32(7)
        var s8 = _mm512_set1_epi32(8)
        var s9 = _mm512_set1_epi32(9)
        var s10 = _mm512_set1_epi32(10)
        var s11 = _mm512_set1_epi32(11)
        for _ in 0..<iterations {
            s0 = _mm512_dpbusd_epi32(s0, s0, q)
            s1 = _mm512_dpbusd_epi32(s1, s1, q)
            s2 = _mm512_dpbusd_epi32(s2, s2, q)
            s3 = _mm512_dpbusd_epi32(s3, s3, q)
            s4 = _mm512_dpbusd_epi32(s4, s4, q)
            s5 = _mm512_dpbusd_epi32(s5, s5, q)
            s6 = _mm512_dpbusd_epi32(s6, s6, q)
            s7 = _mm512_dpbusd_epi32(s7, s7, q)
            s8 = _mm512_dpbusd_epi32(s8, s8, q)
            s9 = _mm512_dpbusd_epi32(s9, s9, q)
            s10 = _mm512_dpbusd_epi32(s10, s10, q)
            s11 = _mm512_dpbusd_epi32(s11, s11, q)
        }
        let sum = s0 ^ s1 ^ s2 ^ s3 ^ s4 ^ s5
        let rest = s6 ^ s7 ^ s8 ^ s9 ^ s10 ^ s11
        return Double((sum ^ rest)[0])
    }
#endif
