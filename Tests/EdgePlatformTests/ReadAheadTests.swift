import EdgePlatform
import Foundation
import Synchronization
import Testing

@Suite("Double buffering") struct ReadAheadTests {
    /// What a reader did, and what two buffers hold.
    private final class Source: Sendable {
        let log = Lock<[Int]>([])
        let buffers: Lock<[Int]>
        let failing = Atomic<Int>(-1)
        let isHeld = Atomic<Bool>(false)
        let readers = Atomic<Int>(0)
        let mostReaders = Atomic<Int>(0)

        init(bufferCount: Int = 2) { buffers = Lock([Int](repeating: -1, count: bufferCount)) }

        func read(_ item: Int, _ buffer: Int, _ isCancelled: () -> Bool) throws(PlatformError) {
            let now = readers.wrappingAdd(1, ordering: .relaxed).newValue
            _ = mostReaders.max(now, ordering: .relaxed)
            defer { readers.wrappingSubtract(1, ordering: .relaxed) }
            log.withLock { $0.append(item) }
            buffers.withLock { $0[buffer] = -1 }
            while isHeld.load(ordering: .acquiring), !isCancelled() { usleep(100) }
            if isCancelled() { throw PlatformError(operation: "read", code: ECANCELED) }
            if failing.load(ordering: .acquiring) == item { throw PlatformError(operation: "read", code: EIO) }
            buffers.withLock { $0[buffer] = item }
        }

        func waitUntilRead(_ count: Int) {
            for _ in 0..<50_000 where log.withLock({ $0.count }) < count { usleep(100) }
        }
    }

    private func make(
        _ source: Source, threadCount: Int = 1, isAhead: Bool = true, secondsAtMost: Double = 60
    ) throws -> ReadAhead {
        let bufferCount = source.buffers.withLock { $0.count }
        return try ReadAhead(
            bufferCount: bufferCount, threadCount: threadCount, isAhead: isAhead, secondsAtMost: secondsAtMost
        ) {
            (item, buffer, isCancelled) throws(PlatformError) in try source.read(item, buffer, isCancelled)
        }
    }

    @Test("Items come in order, each in its buffer, through rounds of any length", arguments: [true, false])
    func order(isAhead: Bool) throws {
        let source = Source()
        let ahead = try make(source, isAhead: isAhead)
        let counts = [5, 4, 1, 0, 7, 2, 2]
        for count in counts {
            ahead.begin(count: count)
            for item in 0..<count {
                try ahead.acquire(item)
                #expect(source.buffers.withLock { $0[item & 1] } == item)
                ahead.release(item)
            }
        }
        #expect(source.log.withLock { $0 } == counts.flatMap { Array(0..<$0) })
    }

    @Test("One buffer is filled while the other is worked on, and no more than that")
    func aheadByOne() throws {
        let source = Source()
        let ahead = try make(source)
        ahead.begin(count: 9)
        try ahead.acquire(0)
        source.waitUntilRead(2)
        usleep(20_000)
        #expect(source.log.withLock { $0 } == [0, 1])
        try ahead.acquire(1)
        ahead.release(0)
        source.waitUntilRead(3)
        usleep(20_000)
        #expect(source.log.withLock { $0 } == [0, 1, 2])
        #expect(source.buffers.withLock { $0[1] } == 1)
    }

    @Test("What the next round begins with is there before it begins, whichever round it is")
    func acrossRounds() throws {
        let source = Source()
        let ahead = try make(source)
        ahead.begin(count: 4, next: 2)
        for item in 0..<4 {
            try ahead.acquire(item)
            ahead.release(item)
        }
        source.waitUntilRead(6)
        usleep(20_000)
        #expect(source.log.withLock { $0 } == [0, 1, 2, 3, 0, 1])
        ahead.begin(count: 2, next: 2)
        for item in 0..<2 {
            try ahead.acquire(item)
            #expect(source.buffers.withLock { $0[item & 1] } == item)
            ahead.release(item)
        }
        source.waitUntilRead(8)
        #expect(source.log.withLock { $0 } == [0, 1, 2, 3, 0, 1, 0, 1])
    }

    @Test("Several threads read as many items at once as there are buffers, and each is given in its turn")
    func several() throws {
        let source = Source(bufferCount: 5)
        source.isHeld.store(true, ordering: .releasing)
        let ahead = try make(source, threadCount: 3)
        ahead.begin(count: 12, next: 4)
        source.waitUntilRead(3)
        usleep(20_000)
        #expect(source.log.withLock { $0.sorted() } == [0, 1, 2])
        #expect(source.mostReaders.load(ordering: .relaxed) == 3)
        source.isHeld.store(false, ordering: .releasing)
        source.waitUntilRead(5)
        usleep(20_000)
        #expect(source.log.withLock { $0.sorted() } == [0, 1, 2, 3, 4])
        for round in 0..<40 {
            for item in 0..<12 {
                try ahead.acquire(item)
                #expect(source.buffers.withLock { $0[item % 5] } == item)
                ahead.release(item)
            }
            ahead.begin(count: 12, next: round % 5)
        }
        for item in 0..<7 {
            try ahead.acquire(item)
            if item != 6 { ahead.release(item) }
        }
        ahead.abandon()
        #expect(source.readers.load(ordering: .relaxed) == 0)
        source.failing.store(3, ordering: .releasing)
        ahead.begin(count: 6)
        // Those before it are given, whichever thread fails first.
        for item in 0..<3 {
            try ahead.acquire(item)
            ahead.release(item)
        }
        let error = #expect(throws: PlatformError.self) { try ahead.acquire(3) }
        #expect(error?.code == EIO)
        ahead.abandon()
    }

    @Test(
        "A failed read is an error of whoever needs the item, once, and a later round goes on",
        arguments: [true, false])
    func failure(isAhead: Bool) throws {
        let source = Source()
        source.failing.store(2, ordering: .releasing)
        let ahead = try make(source, isAhead: isAhead)
        ahead.begin(count: 4, next: 2)
        try ahead.acquire(0)
        ahead.release(0)
        try ahead.acquire(1)
        ahead.release(1)
        let error = #expect(throws: PlatformError.self) { try ahead.acquire(2) }
        #expect(error?.code == EIO)
        ahead.abandon()
        source.failing.store(-1, ordering: .releasing)
        ahead.begin(count: 3)
        for item in 0..<3 {
            try ahead.acquire(item)
            #expect(source.buffers.withLock { $0[item & 1] } == item)
            ahead.release(item)
        }
    }

    @Test("A round that is abandoned anywhere leaves nothing behind", arguments: 0...4)
    func abandoning(after done: Int) throws {
        let source = Source()
        let ahead = try make(source)
        for _ in 0..<50 {
            ahead.begin(count: 5, next: 1)
            for item in 0..<done {
                try ahead.acquire(item)
                if item + 1 < done { ahead.release(item) }
            }
            ahead.abandon()
            ahead.begin(count: 5)
            for item in 0..<5 {
                try ahead.acquire(item)
                #expect(source.buffers.withLock { $0[item & 1] } == item)
                ahead.release(item)
            }
        }
    }

    @Test("A read that does not end is an error in time, and an end that is asked for ends it")
    func hanging() throws {
        let source = Source()
        source.isHeld.store(true, ordering: .releasing)
        do {
            let ahead = try make(source, secondsAtMost: 0.05)
            ahead.begin(count: 2)
            let error = #expect(throws: PlatformError.self) { try ahead.acquire(0) }
            #expect(error?.code == ETIMEDOUT && ahead.waitedNanoseconds >= 50_000_000)
            ahead.abandon()
            ahead.begin(count: 2)
            source.waitUntilRead(2)
            // Gone with a read going on.
        }
        #expect(source.buffers.withLock { $0 } == [-1, -1])
    }
}

@Suite("Files past the cache") struct DirectFileTests {
    private let folder = FileManager.default.temporaryDirectory

    @Test("Whole pages come as they are, the last one cut")
    func reading() throws {
        let url = folder.appendingPathComponent("direct-\(UUID())")
        defer { try? FileManager.default.removeItem(at: url) }
        let bytes = (0..<(9 << 20) + 100).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try Data(bytes).write(to: url)
        let file = try DirectFile(path: url.path)
        let buffer = try AlignedBuffer<UInt8>(count: 10 << 20)
        try file.read(at: 4096, byteCount: (9 << 20), into: buffer, at: 8192)
        let view = buffer.view(at: 8192, byteCount: bytes.count - 4096)
        #expect(view.copied() == Array(bytes[4096...]))
        let error = #expect(throws: PlatformError.self) {
            try file.read(at: 0, byteCount: 9 << 20, into: buffer, at: 0) { true }
        }
        #expect(error?.code == ECANCELED)
        try FileHandle(forWritingTo: url).truncate(atOffset: 5000)
        #expect(throws: PlatformError.self) { try file.read(at: 0, byteCount: 1 << 20, into: buffer, at: 0) }
        #expect(throws: PlatformError.self) { try DirectFile(path: folder.path) }
        #expect(throws: PlatformError.self) { try DirectFile(path: url.path + "-not") }
    }

    @Test("A temporary file has no name, and holds what is written")
    func temporary() throws {
        let own = folder.appendingPathComponent("direct-\(UUID())")
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: own) }
        let file = try DirectFile(temporaryIn: own.path, byteCount: 1 << 20)
        #expect(try FileManager.default.contentsOfDirectory(atPath: own.path).isEmpty)
        let buffer = try AlignedBuffer<UInt8>(count: 3 * 4096)
        for index in 0..<4096 { buffer[index] = UInt8(index & 255) }
        try file.write(at: 40960, byteCount: 4096, from: buffer, at: 0)
        try file.read(at: 36864, byteCount: 8192, into: buffer, at: 4096)
        #expect(buffer.view(at: 4096, byteCount: 4096).copied().allSatisfy { $0 == 0 })
        #expect(buffer.view(at: 8192, byteCount: 4096).hasSameBytes(as: buffer.view(at: 0, byteCount: 4096)))
        #expect(throws: PlatformError.self) { try DirectFile(temporaryIn: own.path + "/not", byteCount: 1) }
    }
}
