#if arch(x86_64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// AVX2, FMA and F16C: Intel since Haswell (2013), AMD since Zen (2017). Call nothing of it elsewhere.
        package static func avx2() -> KernelSet {
            KernelSet(
                name: "avx2", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsAVX2.product($0) },
                floatProduct: { EdgeKernelsAVX2.floatProduct($0) },
                foldBlock: { EdgeKernelsAVX2.foldBlock($0) },
                decodeHalves: { EdgeKernelsAVX2.decodeHalves($0, $1, $2, $3) },
                encodeHalves: { EdgeKernelsAVX2.encodeHalves($0, $1, $2, $3) },
                activate: { EdgeKernelsAVX2.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
                read: { readBytes($0, $1) })
        }
    }
#endif
