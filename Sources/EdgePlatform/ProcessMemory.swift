#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The memory of this process as the system counts it.
package enum ProcessMemory {
    /// The most bytes that were resident at one time, nil where the system does not say.
    package static var peakByteCount: Int? {
        #if canImport(Darwin)
            var usage = rusage()
            return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : nil
        #else
            return statusField("VmHWM:")
        #endif
    }

    /// The bytes that are resident now, nil where the system does not say.
    package static var residentByteCount: Int? {
        #if canImport(Darwin)
            var info = mach_task_basic_info()
            var count = mach_msg_type_number_t(
                MemoryLayout<mach_task_basic_info>.size / MemoryLayout<natural_t>.size)
            let result = withUnsafeMutablePointer(to: &info) {
                $0.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                    task_info(mach_task_self_, task_flavor_t(MACH_TASK_BASIC_INFO), $0, &count)
                }
            }
            return result == KERN_SUCCESS ? Int(info.resident_size) : nil
        #else
            return statusField("VmRSS:")
        #endif
    }

    #if !canImport(Darwin)
        /// A field of `/proc/self/status`, which counts in kilobytes.
        private static func statusField(_ name: String) -> Int? {
            guard let file = fopen("/proc/self/status", "r") else { return nil }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, Int32(line.count), file) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                guard text.hasPrefix(name) else { continue }
                return text.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map {
                    $0 * 1024
                }
            }
            return nil
        }
    #endif
}
