internal import EdgeKernelJobs
internal import EdgeKernelsPortable
internal import EdgePlatform
internal import EdgeQuant

#if arch(x86_64)
    internal import EdgeKernelsAVX2
    internal import EdgeKernelsAVX512
    internal import EdgeKernelsAVXVNNI
#elseif arch(arm64)
    internal import EdgeKernelsI8MM
    internal import EdgeKernelsNEON
#endif

/// The kernels of one instruction set. All sets give the same bits; they differ in speed alone.
package struct Kernels: Sendable {
    let functions: KernelSet

    /// `portable`, `avx2`, `avxvnni`, `avx512`, `neon` or `i8mm`.
    package var name: String { functions.name }

    /// Every set that this processor can run, the fastest last.
    package static let available: [Kernels] = {
        var sets = [Kernels(functions: .portable())]
        #if arch(x86_64)
            if ProcessorFeatures.hasAVX2 { sets.append(Kernels(functions: .avx2())) }
            if ProcessorFeatures.hasAVXVNNI { sets.append(Kernels(functions: .avxvnni())) }
            if ProcessorFeatures.hasAVX512 { sets.append(Kernels(functions: .avx512())) }
        #elseif arch(arm64)
            if ProcessorFeatures.hasDotProducts { sets.append(Kernels(functions: .neon())) }
            if ProcessorFeatures.hasMatrixProducts { sets.append(Kernels(functions: .i8mm())) }
        #endif
        return sets
    }()

    /// The set named by `EDGE_LLM_ISA`, or the fastest one; chosen once.
    package static let chosen: Kernels = choose(EnvironmentVariables["EDGE_LLM_ISA"]).kernels

    /// What is wrong with `EDGE_LLM_ISA`, for a front end to report: a name nobody knows, or a set this processor lacks.
    package static let warning: String? = choose(EnvironmentVariables["EDGE_LLM_ISA"]).warning

    /// The set of that name, or the fastest with a warning.
    package static func choose(_ name: String?) -> (kernels: Kernels, warning: String?) {
        let fastest = available.last ?? Kernels(functions: .portable())
        guard let name, !name.isEmpty else { return (fastest, nil) }
        if let found = available.first(where: { $0.name == name }) { return (found, nil) }
        let names = available.map(\.name).joined(separator: ", ")
        return (fastest, "EDGE_LLM_ISA=\(name) is none of \(names), which can run here")
    }
}

extension GGMLType {
    /// Into what blocks activations are quantized for weights of this type, or nil when they stay f32.
    package var activationBlocks: ActivationBlocks? {
        guard Kernels.chosen.functions.product(rawValue) != nil else { return nil }
        switch blockLength {
        case 32: return .of32
        case 256: return .of256
        default: return nil
        }
    }
}

/// The block lengths in which activations are quantized, as a set.
package struct ActivationBlocks: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let of32 = ActivationBlocks(rawValue: 1)
    package static let of256 = ActivationBlocks(rawValue: 2)
}
