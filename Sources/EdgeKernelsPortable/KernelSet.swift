package import EdgeKernelJobs

extension KernelSet {
    /// SIMD types alone, for whatever processor the package is compiled for.
    package static func portable() -> KernelSet {
        KernelSet(
            name: "portable", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
            quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsPortable.product($0) },
            floatProduct: { EdgeKernelsPortable.floatProduct($0) },
            keyScores: { EdgeKernelsPortable.keyScores($0, $1, $2, $3, $4, $5) },
            addValues: { EdgeKernelsPortable.addValues($0, $1, $2, $3, $4, $5, $6) },
            decodeHalves: { EdgeKernelsPortable.decodeHalves($0, $1, $2) }, peak: { peakArithmetic($0) })
    }
}
