import EdgePlatform
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

/// Adds up numbers in phases: every worker must see what the others wrote before the barrier.
private final class PhaseJob: TeamJob {
    let phases: Int
    let slots: AlignedBuffer<Int>
    let failures = Atomic<Int>(0)
    let tickets = Atomic<Int>(0)

    init(threads: Int, phases: Int) throws {
        self.phases = phases
        slots = try AlignedBuffer(count: threads)
    }

    func run(_ worker: TeamWorker) {
        for phase in 1...phases {
            slots.elements[worker.index] = phase
            worker.barrier()
            for other in 0..<worker.count where slots.elements[other] != phase {
                failures.wrappingAdd(1, ordering: .relaxed)
            }
            while worker.nextTicket() < 7 { tickets.wrappingAdd(1, ordering: .relaxed) }
            worker.barrier()
        }
    }
}

@Suite("Thread team")
struct ThreadTeamTests {
    @Test("Every phase is seen whole by every thread, and each ticket is drawn once", arguments: [1, 2, 3, 8])
    func phases(threads: Int) throws {
        let team = try ThreadTeam(threadCount: threads)
        for _ in 0..<3 {
            let job = try PhaseJob(threads: threads, phases: 200)
            team.run(job)
            #expect(job.failures.load(ordering: .relaxed) == 0)
            #expect(job.tickets.load(ordering: .relaxed) == 7 * 200)
        }
    }

    @Test("A sleeping team wakes up")
    func wakesUp() throws {
        let team = try ThreadTeam(threadCount: 3)
        for _ in 0..<5 {
            usleep(20_000)
            let job = try PhaseJob(threads: 3, phases: 2)
            team.run(job)
            #expect(job.failures.load(ordering: .relaxed) == 0)
        }
    }

    @Test("Shares cover everything once, on grain borders", arguments: [0, 1, 5, 16, 63, 64, 1000])
    func shares(total: Int) throws {
        final class ShareJob: TeamJob {
            let total: Int
            let ranges: AlignedBuffer<Int>
            init(_ total: Int) throws {
                self.total = total
                ranges = try AlignedBuffer(count: 6)
            }
            func run(_ worker: TeamWorker) {
                let share = worker.share(of: total, grain: 16)
                ranges.elements[2 * worker.index] = share.lowerBound
                ranges.elements[2 * worker.index + 1] = share.upperBound
            }
        }
        let job = try ShareJob(total)
        try ThreadTeam(threadCount: 3).run(job)
        #expect(job.ranges[0] == 0)
        #expect(job.ranges[1] == job.ranges[2])
        #expect(job.ranges[3] == job.ranges[4])
        #expect(job.ranges[5] == total)
        #expect(job.ranges[1] % 16 == 0 || job.ranges[1] == total)
    }
}

@Suite("Memory and files")
struct MemoryTests {
    @Test("A fresh buffer is zero, and an impossible one is an error")
    func buffers() throws {
        let buffer = try AlignedBuffer<Float>(count: 100_000)
        #expect(buffer.elements.allSatisfy { $0 == 0 })
        #expect(Int(bitPattern: buffer.base) % 64 == 0)
        for count in [1, 5000, 524_288, 1_500_001] {
            let large = try AlignedBuffer<Float>(count: count, inLargePages: true)
            #expect(large.count == count && large.byteCount >= 4 * count && large.byteCount < 4 * count + 4096)
            #expect(large.elements.allSatisfy { $0 == 0 })
            large[count - 1] = 3
            #expect(large[count - 1] == 3 && UInt(bitPattern: large.base) % (count < 524_288 ? 4096 : 2 << 20) == 0)
        }
        #expect(throws: PlatformError.self) { try AlignedBuffer<Float>(count: Int.max / 2) }
        #expect(throws: PlatformError.self) { try AlignedBuffer<Float>(count: -1) }
        #expect(try AlignedBuffer<Float>(count: 0).count == 0)
    }

    @Test("A view never reads outside its bytes")
    func views() {
        let view = ByteView([1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(view.load(UInt32.self, at: 1) == UInt32(littleEndian: 0x0504_0302))
        #expect(view.load(UInt64.self, at: 2) == nil)
        #expect(view.load(UInt8.self, at: -1) == nil)
        #expect(view.load(UInt8.self, at: Int.max) == nil)
        #expect(view.slice(at: 8, byteCount: 2) == nil)
        #expect(view.slice(at: 9, byteCount: 0)?.count == 0)
        #expect(view.slice(at: 1, byteCount: Int.max) == nil)
        #expect(view.slice(at: 3, byteCount: 2)?.copied() == [4, 5])
    }

    @Test("Opening what is no regular file says why")
    func badFiles() throws {
        for inLargePages in [false, true] {
            #expect(throws: PlatformError.self) { try MappedFile(path: "/no/such/file", inLargePages: inLargePages) }
            #expect(throws: PlatformError.self) { try MappedFile(path: "/", inLargePages: inLargePages) }
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("edge-\(UUID().uuidString)").path
        #expect(FileManager.default.createFile(atPath: path, contents: Data()))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try MappedFile(path: path).byteCount == 0)
        #expect(try MappedFile(path: path, inLargePages: true).byteCount == 0)
    }

    @Test("A file read into large pages has the bytes of the file")
    func largePages() throws {
        let bytes = (0..<5_000_011).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("edge-\(UUID().uuidString)").path
        #expect(FileManager.default.createFile(atPath: path, contents: Data(bytes)))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try MappedFile(path: path, inLargePages: true)
        #expect(file.byteCount == bytes.count)
        #expect(file.bytes.copied() == bytes)
    }

    @Test("At least one core can be used")
    func cores() {
        #expect(Processors.usableCoreCount >= 1)
        #expect(Processors.usableCoreCount <= ProcessInfo.processInfo.activeProcessorCount)
    }
}
