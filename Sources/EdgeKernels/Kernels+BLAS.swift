package import EdgeBLAS
internal import EdgeKernelJobs
internal import EdgeQuant

extension Kernels {
    /// Fewer tokens than these are multiplied by our own kernels: packing and calling would cost more than they bring.
    private static let leastTokens = 32

    /// The same kernels, but float weights times many tokens by the system's BLAS. The bits are then the library's own.
    package func multiplyingFloats(with blas: BLAS) -> Kernels {
        var functions = functions
        let own = functions.floatProduct
        let decodeHalves = functions.decodeHalves
        functions.floatProduct = { type in
            guard let ownProduct = own(type) else { return nil }
            return { job in
                let job = job.pointee
                let sizes = [job.rowCount, job.columnCount, job.tokenCount, job.inputStride, job.outputStride]
                guard job.tokenCount >= Self.leastTokens, sizes.allSatisfy({ $0 <= Int(Int32.max) }) else {
                    withUnsafePointer(to: job) { ownProduct($0) }
                    return
                }
                multiply(job, type: type, blas, decodeHalves)
            }
        }
        return Kernels(functions: functions)
    }

    /// The system's BLAS, for this processor.
    ///
    /// - Throws: `BLASError` when there is none that would be fast.
    package static func systemBLAS() throws(BLASError) -> BLAS {
        let coreTypes = ["avx2": "Haswell", "avxvnni": "Haswell", "avx512": "SkylakeX"]
        return try BLAS(coreType: available.last.flatMap { coreTypes[$0.name] })
    }
}

/// A block of rows becomes f32 in the job's scratch, span by span of its columns, and is multiplied there.
private func multiply(
    _ job: FloatProductJob, type: UInt32, _ blas: BLAS, _ decodeHalves: KernelSet.DecodeHalves
) {
    let room = FloatProductJob.scratchByteCount / 4
    let span = min(job.columnCount, 1024)
    let blockRows = max(1, room / span)
    let decoded = job.scratch.assumingMemoryBound(to: Float.self)
    var first = 0
    while first < job.rowCount {
        let rows = type == GGMLType.f32.rawValue ? job.rowCount : min(blockRows, job.rowCount - first)
        var from = 0
        while from < job.columnCount {
            let columns = type == GGMLType.f32.rawValue ? job.columnCount : min(span, job.columnCount - from)
            var weights = UnsafePointer(decoded)
            var stride = columns
            if type == GGMLType.f32.rawValue {
                weights = job.weights.assumingMemoryBound(to: Float.self)
                stride = job.rowByteCount / 4
            } else {
                for row in 0..<rows {
                    let source = job.weights + ((first + row) * job.rowByteCount + 2 * from)
                    let target = decoded + row * columns
                    if type == GGMLType.f16.rawValue {
                        decodeHalves(source.assumingMemoryBound(to: UInt16.self), columns, target, nil)
                    } else {
                        for i in 0..<columns {
                            target[i] = Float(
                                bitPattern: UInt32(source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)) << 16)
                        }
                    }
                }
            }
            blas.multiply(
                job.input + from, stride: job.inputStride, tokenCount: job.tokenCount, weights, stride: stride,
                rowCount: rows, columnCount: columns, adds: job.isAccumulating || from > 0, into: job.output + first,
                stride: job.outputStride)
            from += columns
        }
        first += rows
    }
}
