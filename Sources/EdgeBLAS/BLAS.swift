#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A BLAS library of the system, found when the program runs: OpenBLAS on Linux, Accelerate on Apple's systems.
///
/// It multiplies f32 matrices in an order of its own, which differs between libraries, processors and shapes: who uses it gives up
/// the promise of the same bits everywhere. Nothing is linked, so a program runs without it too.
package struct BLAS: Sendable {
    /// The library and the processor core it was written for, such as `OpenBLAS Zen`.
    package let name: String
    private let sgemm: SGEMM

    /// `cblas_sgemm`, row-major.
    private typealias SGEMM =
        @convention(c) (
            _ order: Int32, _ transposesA: Int32, _ transposesB: Int32, _ m: Int32, _ n: Int32, _ k: Int32,
            _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int32, _ b: UnsafePointer<Float>, _ ldb: Int32,
            _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int32
        ) -> Void

    /// Loads the library and looks whether it knows this processor. Loading it again gives the same library.
    ///
    /// - Parameter coreType: what OpenBLAS calls the processor, for versions that do not find out; the user's
    ///   `OPENBLAS_CORETYPE` goes before it.
    /// - Throws: `BLASError` when there is none, when it lacks a function, or when it took the processor for an older one:
    ///   Debian's OpenBLAS 0.3.21 takes unknown ones for Prescott and is then several times slower than our own kernel.
    package init(coreType: String?) throws(BLASError) {
        #if canImport(Darwin)
            let library = try Self.open(["/System/Library/Frameworks/Accelerate.framework/Accelerate"])
            sgemm = try Self.function("cblas_sgemm", library)
            name = "Accelerate"
        #else
            // Read once, when the library is loaded. What the user has set stays.
            if let coreType { setenv("OPENBLAS_CORETYPE", coreType, 0) }
            let library = try Self.open(["libopenblas.so.0", "libopenblas.so"])
            sgemm = try Self.function("cblas_sgemm", library)
            let coreName: @convention(c) () -> UnsafePointer<CChar>? = try Self.function(
                "openblas_get_corename", library)
            let setThreads: @convention(c) (Int32) -> Void = try Self.function("openblas_set_num_threads", library)
            let core = coreName().map { String(cString: $0) } ?? "unknown"
            guard !Self.isSlow(core) else {
                throw BLASError(.wrongCore, "OpenBLAS takes this processor for \(core); set OPENBLAS_CORETYPE")
            }
            // The threads are ours: every one of them calls the library for its own rows.
            setThreads(1)
            name = "OpenBLAS \(core)"
        #endif
    }

    /// C[t, r] = (adds ? C[t, r] : 0) + sum over k of A[t, k] B[r, k]: tokens by rows.
    ///
    /// Strides count floats from row to row. Sizes are positive and fit 31 bits; the caller has checked that memory is there.
    package func multiply(
        _ a: UnsafePointer<Float>, stride aStride: Int, tokenCount: Int, _ b: UnsafePointer<Float>, stride bStride: Int,
        rowCount: Int, columnCount: Int, adds: Bool, into c: UnsafeMutablePointer<Float>, stride cStride: Int
    ) {
        let rowMajor: Int32 = 101
        let asItIs: Int32 = 111
        let transposed: Int32 = 112
        sgemm(
            rowMajor, asItIs, transposed, Int32(clamping: tokenCount), Int32(clamping: rowCount),
            Int32(clamping: columnCount), 1, a, Int32(clamping: aStride), b, Int32(clamping: bStride), adds ? 1 : 0, c,
            Int32(clamping: cStride))
    }

    /// Whether the kernels of this core are older than what the processor can do.
    package static func isSlow(_ core: String) -> Bool {
        let old = [
            "Unknown", "Generic", "Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Core2", "Penryn",
            "Dunnington",
            "Nehalem", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat", "Atom", "Nano", "armv8", "ARMV8",
        ]
        return old.contains { $0.lowercased() == core.lowercased() }
    }

    private static func open(_ names: [String]) throws(BLASError) -> UnsafeMutableRawPointer {
        for name in names {
            if let library = dlopen(name, RTLD_NOW | RTLD_LOCAL) { return library }
        }
        throw BLASError(.notFound, "there is no \(names[0]) on this system")
    }

    private static func function<F>(_ name: String, _ library: UnsafeMutableRawPointer) throws(BLASError) -> F {
        guard let symbol = dlsym(library, name) else { throw BLASError(.notFound, "the library has no \(name)") }
        return unsafeBitCast(symbol, to: F.self)
    }
}

/// Why the system's BLAS cannot be used.
package struct BLASError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    package enum Code: Sendable { case notFound, wrongCore }
    package let code: Code
    /// What is wrong, in one line.
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
