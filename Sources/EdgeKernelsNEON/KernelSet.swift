#if arch(arm64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// Advanced SIMD with dot products: Apple silicon, and Arm since Cortex-A76 (2018). Call nothing of it elsewhere.
        package static func neon() -> KernelSet {
            KernelSet(
                name: "neon", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsNEON.product($0) },
                floatProduct: { EdgeKernelsNEON.floatProduct($0) },
                keyScores: { EdgeKernelsNEON.keyScores($0, $1, $2, $3, $4, $5) },
                addValues: { EdgeKernelsNEON.addValues($0, $1, $2, $3, $4, $5, $6) },
                decodeHalves: { EdgeKernelsNEON.decodeHalves($0, $1, $2) }, peak: { peakArithmetic($0) })
        }
    }
#endif
