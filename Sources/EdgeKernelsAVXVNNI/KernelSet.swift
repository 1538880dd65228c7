#if arch(x86_64)
    package import EdgeKernelJobs

    extension KernelSet {
        /// AVX2, FMA, F16C and AVX-VNNI: Intel since Alder Lake (2021), AMD since Zen 5 (2024). Call nothing of it elsewhere.
        package static func avxvnni() -> KernelSet {
            KernelSet(
                name: "avxvnni", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
                quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsAVXVNNI.product($0) },
                floatProduct: { EdgeKernelsAVXVNNI.floatProduct($0) },
                foldBlock: { EdgeKernelsAVXVNNI.foldBlock($0) },
                decodeHalves: { EdgeKernelsAVXVNNI.decodeHalves($0, $1, $2, $3) },
                encodeHalves: { EdgeKernelsAVXVNNI.encodeHalves($0, $1, $2, $3) },
                activate: { EdgeKernelsAVXVNNI.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
                read: { readBytes($0, $1) })
        }
    }
#endif
