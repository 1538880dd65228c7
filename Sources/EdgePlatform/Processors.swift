#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How many threads are worth starting on this machine.
package enum Processors {
    /// The physical cores this process may really use: its affinity mask and its cgroup's quota respected, two hardware threads
    /// of one core counted once (both would fight for the same arithmetic units). At least 1.
    package static var usableCoreCount: Int {
        #if os(Linux)
            let allowed = allowedProcessors()
            var cores: Set<String> = []
            for processor in allowed {
                let path = "/sys/devices/system/cpu/cpu\(processor)/topology/thread_siblings_list"
                cores.insert(readSmallFile(path) ?? "\(processor)")
            }
            return max(1, min(cores.count, cgroupLimit() ?? Int.max))
        #else
            for name in ["hw.perflevel0.physicalcpu", "hw.physicalcpu"] {
                var value: Int32 = 0
                var size = MemoryLayout<Int32>.size
                if sysctlbyname(name, &value, &size, nil, 0) == 0, value > 0 { return Int(value) }
            }
            return 1
        #endif
    }

    #if os(Linux)
        /// The processors of the affinity mask, from a list such as `0-3,8`.
        private static func allowedProcessors() -> [Int] {
            let line = readSmallFile("/proc/self/status")?.split(separator: "\n").first {
                $0.hasPrefix("Cpus_allowed_list:")
            }
            guard let list = line?.split(separator: ":").last else { return [0] }
            let ranges = list.split(separator: ",").map { part in
                part.split(separator: "-").compactMap { Int($0.trimmingPrefix { $0 == "\t" || $0 == " " }) }
            }
            return ranges.flatMap { bounds -> [Int] in
                guard let first = bounds.first, let last = bounds.last, first <= last, last < 1 << 16 else { return [] }
                return Array(first...last)
            }
        }

        /// The quota of the innermost cgroup that sets one, rounded up to whole cores.
        private static func cgroupLimit() -> Int? {
            if let path = readSmallFile("/proc/self/cgroup")?.split(separator: "\n").first(where: {
                $0.hasPrefix("0::")
            }) {
                var group = String(path.dropFirst(3))
                while true {
                    if let text = readSmallFile("/sys/fs/cgroup\(group)/cpu.max"), let limit = cores(of: text) {
                        return limit
                    }
                    guard let slash = group.lastIndex(of: "/"), group != "/" else { break }
                    group = slash == group.startIndex ? "/" : String(group[..<slash])
                }
            }
            if let quota = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                let period = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
            {
                return cores(of: "\(quota) \(period)")
            }
            return nil
        }

        /// Parses `quota period`, in microseconds; `max` or -1 is no limit.
        private static func cores(of text: String) -> Int? {
            let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
            guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]), quota > 0, period > 0
            else {
                return nil
            }
            return max(1, (quota - 1) / period + 1)
        }

        private static func readSmallFile(_ path: String) -> String? {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            defer { close(descriptor) }
            let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            guard !bytes.isEmpty else { return nil }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").joined(separator: "\n")
        }
    #endif
}
