#if arch(arm64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// Advanced SIMD with dot products: Apple silicon, and Arm since Cortex-A76 (2018). Call nothing of it elsewhere.
        package static func neon() -> KernelSet {
            KernelSet(
                name: "neon", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsNEON.product($0) },
                floatProduct: { EdgeKernelsNEON.floatProduct($0) },
                foldBlock: { EdgeKernelsNEON.foldBlock($0) },
                decodeHalves: { EdgeKernelsNEON.decodeHalves($0, $1, $2, $3) },
                encodeHalves: { EdgeKernelsNEON.encodeHalves($0, $1, $2, $3) },
                activate: { EdgeKernelsNEON.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
                read: { readBytes($0, $1) })
        }
    }
#endif
