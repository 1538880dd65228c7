internal import EdgeKernelJobs

// Blocks of 32 values. The layouts are described in EdgeQuant, whose decoders are the truth about them.

enum Q40: BlockFormat {
    @inline(__always) static var byteCount: Int { 18 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 8 }
    @inline(__always) static var offset: Int16 { 8 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes { nibbles(block + 2) }
    @inline(__always) static func factors(_ rows: EightPointers, _ offset: Int) -> Floats { gatherHalves(rows, offset) }
}

enum Q80: BlockFormat {
    @inline(__always) static var byteCount: Int { 34 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 1 }
    @inline(__always) static var isSigned: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        block.loadUnaligned(fromByteOffset: 2, as: Bytes.self)
    }
    @inline(__always) static func factors(_ rows: EightPointers, _ offset: Int) -> Floats { gatherHalves(rows, offset) }
}

func productQ40(_ job: UnsafePointer<ProductJob>) { products(Q40.self, job) }
func productQ80(_ job: UnsafePointer<ProductJob>) { products(Q80.self, job) }
