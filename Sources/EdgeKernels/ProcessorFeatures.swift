#if arch(x86_64)
    internal import _Builtin_intrinsics.intel
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

        /// AVX-VNNI beside AVX2.
        static let hasAVXVNNI: Bool = {
            let (features, _, _, _) = cpuid(7, 1)
            let avxVNNI: UInt32 = 1 << 4
            return hasAVX2 && features & avxVNNI != 0
        }()

        /// AVX-512 with its operations on bytes, on words of 64 bits and on narrower registers, and VNNI, with the system saving
        /// the registers; and AVX2.
        static let hasAVX512 = detectAVX512()

        static func detectAVX512() -> Bool {
            let (_, extended, more, _) = cpuid(7, 0)
            let f: UInt32 = 1 << 16
            let dq: UInt32 = 1 << 17
            let bw: UInt32 = 1 << 30
            let vl: UInt32 = 1 << 31
            let vnni: UInt32 = 1 << 11
            guard hasAVX2, extended & (f | dq | bw | vl) == f | dq | bw | vl, more & vnni != 0 else { return false }
            // SSE, the upper halves to 256 bits, the masks, the upper halves to 512, and the registers 16 to 31.
            let states: UInt64 = 0b1110_0110
            return savedStates(of: states) == states
        }

        /// Those of the given parts of the processor's state that the system has switched on.
        ///
        /// `xgetbv`, which says it, is a macro that Swift does not see. But `xsavec`, which every processor with AVX-512 has,
        /// writes beside the registers which of those asked for are switched on.
        private static func savedStates(of states: UInt64) -> UInt64 {
            let (features, _, _, _) = cpuid(13, 1)
            let xsavec: UInt32 = 1 << 1
            guard features & xsavec != 0 else { return 0 }
            // The old 512 bytes, a header of 64, and at most 256 + 64 + 512 + 1024 of the parts asked for.
            return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 64) { area in
                guard let base = area.baseAddress else { return 0 }
                area.initializeMemory(as: UInt8.self, repeating: 0)
                _xsavec64(base, states)
                let compactedStates = base.load(fromByteOffset: 520, as: UInt64.self)
                return compactedStates & states
            }
        }

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
            #if os(macOS)
                return true
            #elseif canImport(Darwin)
                return has("hw.optional.arm.FEAT_DotProd")
            #else
                let dotProducts: UInt = 1 << 20
                return systemVector(16) & dotProducts != 0
            #endif
        }()

        /// `smmla` and its kin beside dot products: Apple's since A15 and M2, Arm's own since Neoverse V1, Cortex-A510, A710 and X2.
        static let hasMatrixProducts: Bool = {
            #if canImport(Darwin)
                return hasDotProducts && has("hw.optional.arm.FEAT_I8MM")
            #else
                let matrixProducts: UInt = 1 << 13
                return hasDotProducts && systemVector(26) & matrixProducts != 0
            #endif
        }()

        #if canImport(Darwin)
            private static func has(_ name: String) -> Bool {
                var value: Int32 = 0
                var byteCount = MemoryLayout<Int32>.size
                return sysctlbyname(name, &value, &byteCount, nil, 0) == 0 && value != 0
            }
        #else
            /// What `getauxval` gives: 16 are capabilities of the hardware, 26 more of them; 0 where there is none. It is read from its
            /// source: Swift does not see that function's header.
            private static func systemVector(_ key: UInt) -> UInt {
                #if canImport(Glibc) || canImport(Musl)
                    let file = open("/proc/self/auxv", O_RDONLY)
                    guard file >= 0 else { return 0 }
                    defer { close(file) }
                    var entry: (key: UInt, value: UInt) = (0, 0)
                    while read(file, &entry, 16) == 16, entry.key != 0 {
                        if entry.key == key { return entry.value }
                    }
                #endif
                return 0
            }
        #endif
    }
#endif
