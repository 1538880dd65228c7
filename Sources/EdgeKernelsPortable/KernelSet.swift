package import EdgeKernelJobs

extension KernelSet {
    /// SIMD types alone, for whatever processor the package is compiled for.
    package static func portable() -> KernelSet {
        KernelSet(
            name: "portable", quantize32: { quantizeBlocksOf32($0, $1, $2, $3, $4) },
            quantize256: { quantizeBlocksOf256($0, $1, $2, $3, $4) }, product: { EdgeKernelsPortable.product($0) },
            floatProduct: { EdgeKernelsPortable.floatProduct($0) },
            foldBlock: { EdgeKernelsPortable.foldBlock($0) },
            decodeHalves: { EdgeKernelsPortable.decodeHalves($0, $1, $2, $3) },
            encodeHalves: { EdgeKernelsPortable.encodeHalves($0, $1, $2, $3) },
            activate: { EdgeKernelsPortable.activate($0, $1, $2, $3) }, peak: { peakArithmetic($0) },
            read: { readBytes($0, $1) })
    }
}
