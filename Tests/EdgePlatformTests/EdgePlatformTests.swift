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

@Suite("Pages of a file in a buffer") struct MappedPagesTests {
    @Test("They are read where they lie, copied where they are written, and the file stays as it is")
    func mapping() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-pages-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let contents = Data((0..<4 * page).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / page) })
        try contents.write(to: url)
        let bytes = try MappedFile(path: url.path, staysOpen: true).bytes
        let buffer = try AlignedBuffer<UInt8>(count: 8 * page)
        for index in 0..<buffer.count { buffer[index] = 9 }
        let part = try #require(bytes.slice(at: page, byteCount: 2 * page - 5))
        #expect(try buffer.map(3 * page..<5 * page, to: part))
        func expect(_ range: Range<Int>, _ value: (Int) -> UInt8) {
            #expect(range.allSatisfy { buffer[$0] == value($0) })
        }
        expect(0..<3 * page) { _ in 9 }
        expect(3 * page..<5 * page) { contents[$0 - 2 * page] }
        expect(5 * page..<8 * page) { _ in 9 }
        buffer[3 * page + 1] = 200
        #expect(buffer[3 * page + 1] == 200 && buffer[3 * page + 2] == contents[page + 2])
        #expect(try Data(contentsOf: url) == contents)
        // A file that is gone is still there for who has it.
        try FileManager.default.removeItem(at: url)
        #expect(buffer[4 * page] == contents[2 * page])
        try buffer.renew(3 * page..<5 * page)
        expect(3 * page..<5 * page) { _ in 0 }
        expect(5 * page..<8 * page) { _ in 9 }
    }

    @Test("What does not begin and end on pages of an open file is left to be copied")
    func refusals() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-pages-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        try Data(repeating: 1, count: 3 * page + 10).write(to: url)
        let open = try MappedFile(path: url.path, staysOpen: true).bytes
        let closed = try MappedFile(path: url.path).bytes
        let buffer = try AlignedBuffer<UInt8>(count: 4 * page)
        func map(_ range: Range<Int>, _ view: ByteView?) throws -> Bool { try buffer.map(range, to: #require(view)) }
        #expect(try map(0..<page, open.slice(at: page, byteCount: page)))
        #expect(try !map(0..<page, closed.slice(at: page, byteCount: page)))
        #expect(try !map(0..<page, ByteView([UInt8](repeating: 1, count: page))))
        #expect(try !map(0..<page, open.slice(at: 16, byteCount: page)))
        #expect(try !map(16..<page + 16, open.slice(at: page, byteCount: page)))
        #expect(try !map(0..<page - 16, open.slice(at: page, byteCount: 16)))
        // More than the range has room for, and pages beyond the end of the file.
        #expect(try !map(0..<page, open.slice(at: page, byteCount: page + 1)))
        #expect(try !map(0..<page, open.slice(at: 3 * page, byteCount: 10)))
        #expect(try !map(0..<0, open.slice(at: 0, byteCount: 0)))
        #expect(try buffer.map(0..<page, to: #require(open.slice(at: 2 * page, byteCount: page))))
    }
}
