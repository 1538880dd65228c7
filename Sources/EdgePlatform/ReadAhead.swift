internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Double buffering: while the owner works on what one buffer holds, a thread, or several, fill the others with what comes next.
///
/// Work goes in rounds over items 0, 1, 2 …; of *n* buffers, item *i* is read into buffer *i* mod *n*, begun in order, as soon as that buffer is free. The
/// owner calls `begin`, then `acquire` and `release` for each item in turn. Items from which the next round is known to begin are read before it does.
/// Nothing is allocated after `init`. A read that fails, or takes longer than the time limit, is an error of `acquire`, never a hang.
/// `@unchecked Sendable`: the state is guarded by the parking spot; rounds belong to one owner at a time.
package final class ReadAhead: @unchecked Sendable {
    /// Reads an item into a buffer; asks between pieces whether it is still wanted.
    package typealias Fill =
        @Sendable (_ item: Int, _ buffer: Int, _ isCancelled: () -> Bool) throws(PlatformError) -> Void

    private let state: ReadAheadState
    private let threads: [Thread]
    private let timeLimit: UInt64
    /// Buffers that items take in turn.
    package let bufferCount: Int

    /// - Parameters:
    ///   - bufferCount: 1 to 64; with more than two the thread need not wait for the owner to be done with a whole item.
    ///   - threadCount: how many items are read at the same time; some disks are faster so.
    ///   - isAhead: false to read each item when it is acquired, by whoever asks, as a measure of what reading ahead brings.
    ///   - secondsAtMost: how long `acquire` waits for one item.
    ///   - fill: called by one thread at a time for one buffer.
    /// - Throws: `PlatformError` when the system refuses a thread.
    package init(
        bufferCount: Int = 2, threadCount: Int = 1, isAhead: Bool = true, secondsAtMost: Double = 60,
        fill: @escaping Fill
    ) throws(PlatformError) {
        let state = ReadAheadState(bufferCount: bufferCount, fill)
        self.bufferCount = bufferCount
        self.state = state
        timeLimit = UInt64(max(0, min(secondsAtMost, 1e9)) * 1e9)
        var threads: [Thread] = []
        do throws(PlatformError) {
            for _ in 0..<(isAhead ? threadCount : 0) { threads.append(try Thread { state.serve() }) }
        } catch {
            _ = state.dismiss(waitingAtMost: timeLimit)
            for thread in threads { thread.join() }
            throw error
        }
        self.threads = threads
    }

    deinit {
        // A read that hangs keeps what it needs; all others end within a piece.
        let isAtRest = state.dismiss(waitingAtMost: timeLimit)
        for thread in threads { if isAtRest { thread.join() } else { thread.detach() } }
    }

    /// Starts a round of items 0 up to `count`. The round before has been released to its end, or abandoned.
    ///
    /// - Parameter next: items that the next round will begin with, whatever it is: read before it begins. At most the `count` of any.
    package func begin(count: Int, next: Int = 0) { state.begin(count: count, next: next, isAhead: !threads.isEmpty) }

    /// Waits until an item is in its buffer; items are acquired in order.
    ///
    /// - Throws: `PlatformError` when reading failed, with `ETIMEDOUT` when it took too long. The round must be abandoned then.
    package func acquire(_ item: Int) throws(PlatformError) {
        if threads.isEmpty { try state.fillNow(item) } else { try state.wait(for: item, atMost: timeLimit) }
    }

    /// Gives the buffer of an acquired item to the next that takes it.
    package func release(_ item: Int) { state.release(item) }

    /// Ends a round before its end; what was read of it and beyond is forgotten. Nothing is written to the buffers after it returns, unless a
    /// read hangs: then later rounds fail.
    package func abandon() { state.abandon(waitingAtMost: timeLimit) }

    /// Nanoseconds that `acquire` has waited in all.
    package var waitedNanoseconds: UInt64 { state.waited.load(ordering: .relaxed) }
}

/// What the thread and the owner share. Separate so that the thread does not keep the owner alive.
private final class ReadAheadState: @unchecked Sendable {
    let waited = Atomic<UInt64>(0)
    private let fill: ReadAhead.Fill
    private let parking = ParkingSpot()
    /// Whether the reads that go on are no longer wanted.
    private let isCancelled = Atomic<Bool>(false)

    // Guarded by the parking spot. Places count all items of all rounds.
    /// Of the round: its first place, and the one after its last.
    private var first = 0
    private var end = 0
    /// Places behind the round that may be read.
    private var next = 0
    /// The place whose reading begins next.
    private var read = 0
    /// By buffer: whether an item is being read into it or lies in it, and whether it is there.
    private var occupied: UInt64 = 0
    private var filled: UInt64 = 0
    private var readingCount = 0
    private var isDismissed = false
    private var failure: (place: Int, error: PlatformError)?

    private let bufferCount: Int

    init(bufferCount: Int, _ fill: @escaping ReadAhead.Fill) {
        precondition(bufferCount > 0 && bufferCount <= 64, "a bit for each buffer")
        self.bufferCount = bufferCount
        self.fill = fill
    }

    /// The item at a place: of this round or of the next.
    private func item(at place: Int) -> Int { place < end ? place - first : place - end }

    private func buffer(of item: Int) -> Int { item % bufferCount }

    private func bit(_ item: Int) -> UInt64 { 1 << UInt64(buffer(of: item)) }

    /// Whether the item at a place is in its buffer.
    private func isThere(_ place: Int) -> Bool { place < read && filled & bit(item(at: place)) != 0 }

    /// The life of the thread.
    func serve() {
        parking.lock()
        while !isDismissed {
            guard failure == nil, read < end + next, occupied & bit(item(at: read)) == 0 else {
                parking.wait()
                continue
            }
            let place = read
            let item = item(at: place)
            read += 1
            occupied |= bit(item)
            readingCount += 1
            parking.unlock()
            let error = attempt(item)
            parking.lock()
            readingCount -= 1
            if let error {
                // Of a round that was abandoned meanwhile nothing is left to fail.
                if !isCancelled.load(ordering: .relaxed), place < failure?.place ?? .max { failure = (place, error) }
            } else {
                filled |= bit(item)
            }
            parking.wakeAll()
        }
        parking.unlock()
    }

    private func attempt(_ item: Int) -> PlatformError? {
        do throws(PlatformError) {
            try fill(item, buffer(of: item)) { isCancelled.load(ordering: .relaxed) }
            return nil
        } catch {
            return error
        }
    }

    func begin(count: Int, next: Int, isAhead: Bool) {
        parking.lock()
        defer { parking.unlock() }
        precondition(
            count >= 0 && next >= 0 && (!isAhead || read - end <= count), "a round of other items than foreseen")
        first = end
        end += count
        self.next = next
        if !isAhead { read = end }
        parking.wakeAll()
    }

    func wait(for item: Int, atMost limit: UInt64) throws(PlatformError) {
        parking.lock()
        defer { parking.unlock() }
        let place = first + item
        precondition(item >= 0 && place < end, "an item of no round")
        guard !isThere(place) else { return }
        let start = Clock.nanoseconds
        defer { waited.wrappingAdd(Clock.nanoseconds &- start, ordering: .relaxed) }
        var left = limit
        while !isThere(place) {
            if let failure, failure.place <= place { throw failure.error }
            guard left > 0 else { throw PlatformError(operation: "read ahead", code: ETIMEDOUT) }
            sleep(&left)
        }
    }

    /// Sleeps until woken, for a second at most, which is then taken from the time that is left: so a process that was stopped, or a
    /// computer that was asleep, loses no more than that.
    private func sleep(_ left: inout UInt64) {
        let slice = min(left, 1_000_000_000)
        if !parking.wait(untilNanoseconds: Clock.nanoseconds &+ slice) { left -= slice }
    }

    func fillNow(_ item: Int) throws(PlatformError) {
        let start = Clock.nanoseconds
        defer { waited.wrappingAdd(Clock.nanoseconds &- start, ordering: .relaxed) }
        try fill(item, buffer(of: item)) { false }
    }

    func release(_ item: Int) {
        parking.lock()
        occupied &= ~bit(item)
        filled &= ~bit(item)
        parking.wakeAll()
        parking.unlock()
    }

    func abandon(waitingAtMost limit: UInt64) {
        parking.lock()
        defer { parking.unlock() }
        end = read
        next = 0
        cancelReads(waitingAtMost: limit)
        guard readingCount == 0 else {
            failure = (0, PlatformError(operation: "read ahead", code: ETIMEDOUT))
            return
        }
        first = read
        end = read
        occupied = 0
        filled = 0
        failure = nil
    }

    /// Waits for the reads that go on to end, which they are asked to; the lock is held.
    private func cancelReads(waitingAtMost limit: UInt64) {
        isCancelled.store(true, ordering: .relaxed)
        var left = limit
        while readingCount > 0, left > 0 { sleep(&left) }
        if readingCount == 0 { isCancelled.store(false, ordering: .relaxed) }
    }

    /// Ends the threads; false where one is in a read that does not end.
    func dismiss(waitingAtMost limit: UInt64) -> Bool {
        parking.lock()
        defer { parking.unlock() }
        isDismissed = true
        cancelReads(waitingAtMost: limit)
        parking.wakeAll()
        return readingCount == 0
    }
}
