internal import EdgeKernelJobs

/// The product for a type by its ggml number.
func product(_ type: UInt32) -> KernelSet.Product? {
    switch type {
    case 2: { productQ40($0) }
    case 8: { productQ80($0) }
    default: nil
    }
}

func floatProduct(_ type: UInt32) -> KernelSet.FloatProduct? { nil }
