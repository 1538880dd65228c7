#if arch(x86_64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// AVX-512 with VNNI: Intel's servers since Cascade Lake (2019), AMD since Zen 4 (2022). Call nothing of it elsewhere.
        package static func avx512() -> KernelSet {
            KernelSet(
                name: "avx512", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsAVX512.product($0) },
                floatProduct: { EdgeKernelsAVX512.floatProduct($0) },
                foldBlock: { EdgeKernelsAVX512.foldBlock($0) },
                decodeHalves: { EdgeKernelsAVX512.decodeHalves($0, $1, $2, $3) },
                encodeHalves: { EdgeKernelsAVX512.encodeHalves($0, $1, $2, $3) },
                activate: { EdgeKernelsAVX512.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
                read: { readBytes($0, $1) })
        }
    }
#endif
