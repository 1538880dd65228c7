#if arch(arm64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// Advanced SIMD with dot products and products of int8 matrices: Apple silicon since M2 (2022), Arm since Neoverse V1 and Cortex-A510,
        /// A710 and X2 (2020, 2021). Call nothing of it elsewhere.
        package static func i8mm() -> KernelSet {
            KernelSet(
                name: "i8mm", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsI8MM.product($0) },
                floatProduct: { EdgeKernelsI8MM.floatProduct($0) },
                foldBlock: { EdgeKernelsI8MM.foldBlock($0) },
                decodeHalves: { EdgeKernelsI8MM.decodeHalves($0, $1, $2, $3) },
                encodeHalves: { EdgeKernelsI8MM.encodeHalves($0, $1, $2, $3) },
                activate: { EdgeKernelsI8MM.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
                read: { readBytes($0, $1) })
        }
    }
#endif
