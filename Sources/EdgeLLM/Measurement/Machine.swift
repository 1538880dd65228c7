internal import EdgeKernels
internal import EdgePlatform

/// The instructions that this processor computes with. All give the same bits; they differ in speed alone.
public struct InstructionSet: Sendable, Hashable, CustomStringConvertible {
    /// `portable`, `avx2`, `avxvnni`, `avx512`, `neon` or `i8mm`.
    public let name: String

    /// The name.
    public var description: String { name }

    /// The one that is used: that named by the environment's `EDGE_LLM_ISA`, or the fastest; chosen once.
    public static let current = InstructionSet(name: Kernels.chosen.name)

    /// Those that this processor has, the fastest last.
    public static let available = Kernels.available.map { InstructionSet(name: $0.name) }

    /// What is wrong with `EDGE_LLM_ISA`, where it names none of `available`; the fastest is used then.
    public static var warning: String? { Kernels.warning }
}

/// Memory of this process as the system counts it, weights included.
public enum ProcessMemory {
    /// The most bytes that were resident at one time; nil where the system does not say.
    public static var peakByteCount: Int? { EdgePlatform.ProcessMemory.peakByteCount }

    /// The bytes that are resident now; nil where the system does not say.
    public static var residentByteCount: Int? { EdgePlatform.ProcessMemory.residentByteCount }
}
