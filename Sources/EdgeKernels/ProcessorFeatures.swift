#if arch(x86_64)
    internal import _Builtin_intrinsics.intel.cpuid

    /// What this processor and this system can run.
    enum ProcessorFeatures {
        /// AVX2, FMA, F16C and BMI, with the system saving the wide registers.
        static let hasAVX2: Bool = {
            let (_, _, features, _) = cpuid(1, 0)
            let (_, extended, _, _) = cpuid(7, 0)
            let fma: UInt32 = 1 << 12
            let saved: UInt32 = 1 << 27
            let avx: UInt32 = 1 << 28
            let f16c: UInt32 = 1 << 29
            let needed = fma | saved | avx | f16c
            guard features & needed == needed else { return false }
            let bmi1: UInt32 = 1 << 3
            let avx2: UInt32 = 1 << 5
            let bmi2: UInt32 = 1 << 8
            guard extended & (bmi1 | avx2 | bmi2) == bmi1 | avx2 | bmi2 else { return false }
            // Leaf 13 gives the size of the register state that the system has switched on. The upper halves of the wide
            // registers are bytes 576 to 831 of it. (`xgetbv`, which says the same, is a macro that Swift does not see.)
            let (_, size, _, _) = cpuid(13, 0)
            return size >= 832
        }()

        private static func cpuid(_ leaf: UInt32, _ part: UInt32) -> (UInt32, UInt32, UInt32, UInt32) {
            var a: UInt32 = 0
            var b: UInt32 = 0
            var c: UInt32 = 0
            var d: UInt32 = 0
            guard __get_cpuid_count(leaf, part, &a, &b, &c, &d) == 1 else { return (0, 0, 0, 0) }
            return (a, b, c, d)
        }
    }
#elseif arch(arm64)
    #if canImport(Glibc)
        internal import Glibc
    #elseif canImport(Musl)
        internal import Musl
    #elseif canImport(Darwin)
        internal import Darwin
    #endif

    /// What this processor can run.
    enum ProcessorFeatures {
        /// `sdot` and its kin: Apple's since A13 and M1, Arm's own since Cortex-A76 and, among the small ones, A55.
        static let hasDotProducts: Bool = {
            #if os(Linux)
                // What `getauxval` reads, from its source: Swift does not see that function's header.
                let file = open("/proc/self/auxv", O_RDONLY)
                guard file >= 0 else { return false }
                defer { close(file) }
                let hardwareCapabilities: UInt = 16
                let dotProducts: UInt = 1 << 20
                var entry: (key: UInt, value: UInt) = (0, 0)
                while read(file, &entry, 16) == 16, entry.key != 0 {
                    if entry.key == hardwareCapabilities { return entry.value & dotProducts != 0 }
                }
                return false
            #elseif os(macOS)
                return true
            #elseif canImport(Darwin)
                var value: Int32 = 0
                var byteCount = MemoryLayout<Int32>.size
                return sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &byteCount, nil, 0) == 0 && value != 0
            #else
                return false
            #endif
        }()
    }
#endif
