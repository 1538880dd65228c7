internal import EdgeKernelJobs

// One plain function a type: the generic kernels are inlined into it.

func productQ40(_ job: UnsafePointer<ProductJob>) { products(Q40.self, job) }
func productQ41(_ job: UnsafePointer<ProductJob>) { products(Q41.self, job) }
func productQ50(_ job: UnsafePointer<ProductJob>) { products(Q50.self, job) }
func productQ51(_ job: UnsafePointer<ProductJob>) { products(Q51.self, job) }
func productQ80(_ job: UnsafePointer<ProductJob>) { products(Q80.self, job) }
func productQ2K(_ job: UnsafePointer<ProductJob>) { products(Q2K.self, job) }
func productQ3K(_ job: UnsafePointer<ProductJob>) { products(Q3K.self, job) }
func productQ4K(_ job: UnsafePointer<ProductJob>) { products(Q4K.self, job) }
func productQ5K(_ job: UnsafePointer<ProductJob>) { products(Q5K.self, job) }
func productQ6K(_ job: UnsafePointer<ProductJob>) { products(Q6K.self, job) }
func productIQ4NL(_ job: UnsafePointer<ProductJob>) { products(IQ4NL.self, job) }
func productIQ4XS(_ job: UnsafePointer<ProductJob>) { products(IQ4XS.self, job) }
func productTQ10(_ job: UnsafePointer<ProductJob>) { products(TQ10.self, job) }
func productTQ20(_ job: UnsafePointer<ProductJob>) { products(TQ20.self, job) }
func productMXFP4(_ job: UnsafePointer<ProductJob>) { products(MXFP4.self, job) }

/// The product for a type by its ggml number.
func product(_ type: UInt32) -> KernelSet.Product? {
    switch type {
    case 2: { productQ40($0) }
    case 3: { productQ41($0) }
    case 6: { productQ50($0) }
    case 7: { productQ51($0) }
    case 8: { productQ80($0) }
    case 10: { productQ2K($0) }
    case 11: { productQ3K($0) }
    case 12: { productQ4K($0) }
    case 13: { productQ5K($0) }
    case 14: { productQ6K($0) }
    case 20: { productIQ4NL($0) }
    case 23: { productIQ4XS($0) }
    case 34: { productTQ10($0) }
    case 35: { productTQ20($0) }
    case 39: { productMXFP4($0) }
    default: nil
    }
}

func productF32(_ job: UnsafePointer<FloatProductJob>) { floatProducts(F32.self, job.pointee) }
func productF16(_ job: UnsafePointer<FloatProductJob>) { floatProducts(F16.self, job.pointee) }
func productBF16(_ job: UnsafePointer<FloatProductJob>) { floatProducts(BF16.self, job.pointee) }

/// The product for a float type by its ggml number.
func floatProduct(_ type: UInt32) -> KernelSet.FloatProduct? {
    switch type {
    case 0: { productF32($0) }
    case 1: { productF16($0) }
    case 30: { productBF16($0) }
    default: nil
    }
}
