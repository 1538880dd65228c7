/// The int8 arithmetic of this instruction set at its best: the products and sums of the kernels on values that stay in registers.
///
/// Returns the multiplications and additions of one iteration when `iterations` is zero, else a number that keeps the work.
func peakArithmetic(_ iterations: Int) -> Double {
    // Twelve independent chains cover the latency of a product and a sum: 32 multiplications and 32 additions each.
    if iterations == 0 { return 12 * 64 }
    let q = bytes(1)
    var s0 = Products(repeating: 0)
    var s1 = Products(repeating: 1)
    var s2 = Products(repeating: 2)
    var s3 = Products(repeating: 3)
    var s4 = Products(repeating: 4)
    var s5 = Products(repeating: 5)
    var s6 = Products(repeating: 6)
    var s7 = Products(repeating: 7)
    var s8 = Products(repeating: 8)
    var s9 = Products(repeating: 9)
    var s10 = Products(repeating: 10)
    var s11 = Products(repeating: 11)
    for _ in 0..<iterations {
        s0 = adding(s0, unsafeBitCast(s0, to: Bytes.self), q)
        s1 = adding(s1, unsafeBitCast(s1, to: Bytes.self), q)
        s2 = adding(s2, unsafeBitCast(s2, to: Bytes.self), q)
        s3 = adding(s3, unsafeBitCast(s3, to: Bytes.self), q)
        s4 = adding(s4, unsafeBitCast(s4, to: Bytes.self), q)
        s5 = adding(s5, unsafeBitCast(s5, to: Bytes.self), q)
        s6 = adding(s6, unsafeBitCast(s6, to: Bytes.self), q)
        s7 = adding(s7, unsafeBitCast(s7, to: Bytes.self), q)
        s8 = adding(s8, unsafeBitCast(s8, to: Bytes.self), q)
        s9 = adding(s9, unsafeBitCast(s9, to: Bytes.self), q)
        s10 = adding(s10, unsafeBitCast(s10, to: Bytes.self), q)
        s11 = adding(s11, unsafeBitCast(s11, to: Bytes.self), q)
    }
    let sum = s0 &+ s1 &+ s2 &+ s3 &+ s4 &+ s5
    let rest = s6 &+ s7 &+ s8 &+ s9 &+ s10 &+ s11
    return Double((sum &+ rest)[0])
}
