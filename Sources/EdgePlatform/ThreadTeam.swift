import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Work that all threads of a team carry out together, each with its own `TeamWorker`.
package protocol TeamJob: AnyObject {
    func run(_ worker: TeamWorker)
}

/// A fixed set of threads that run one job together and meet at barriers.
///
/// The thread that calls `run` is worker 0; the others sleep between jobs. Inside a job, `TeamWorker.barrier()` separates the
/// phases: waiting threads spin for some microseconds, since phases are short, and then sleep, since the machine is shared.
/// Work within a phase is handed out by tickets. Nothing is allocated after `init`.
/// `@unchecked Sendable`: one job runs at a time (the owner's rule, checked in debug builds), and all shared state is atomic or
/// published by the barrier.
package final class ThreadTeam: @unchecked Sendable {
    /// The number of threads, the caller's included.
    package let threadCount: Int
    private let state: TeamState
    private var threads: [Thread] = []

    /// Starts `threadCount - 1` threads.
    ///
    /// - Throws: `PlatformError` when the system refuses a thread; those already started are ended.
    package init(threadCount: Int) throws(PlatformError) {
        let count = max(1, threadCount)
        let state = TeamState(threadCount: count)
        self.threadCount = count
        self.state = state
        for index in 1..<max(count, 1) {
            do throws(PlatformError) {
                threads.append(try Thread { state.serve(index) })
            } catch {
                state.dismiss()
                for thread in threads { thread.join() }
                throw error
            }
        }
    }

    deinit {
        state.dismiss()
        for thread in threads { thread.join() }
    }

    /// Runs the job on every thread and returns when all are done. Not reentrant.
    package func run(_ job: any TeamJob) {
        state.start(job)
        job.run(TeamWorker(index: 0, count: threadCount, state: state))
        state.finish()
    }
}

/// One thread's part in a job.
package struct TeamWorker {
    /// 0 for the thread that called `run`, up to `count - 1`.
    package let index: Int
    package let count: Int
    fileprivate unowned(unsafe) let state: TeamState

    /// Waits for all threads; what they wrote before is visible after. Tickets start again at 0.
    @inline(__always) package func barrier() {
        if count > 1 { state.barrier() } else { state.ticket.store(0, ordering: .relaxed) }
    }

    /// The next piece of this phase's work: 0, 1, 2 … each given to exactly one thread.
    @inline(__always) package func nextTicket() -> Int {
        state.ticket.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// This worker's contiguous share of `total` items, whose borders are multiples of `grain`.
    package func share(of total: Int, grain: Int = 1) -> Range<Int> {
        let grains = (total + grain - 1) / grain
        let lower = min(total, grains * index / count * grain)
        let upper = min(total, grains * (index + 1) / count * grain)
        return lower..<upper
    }
}

/// What the threads share. Separate from `ThreadTeam` so that the threads do not keep the team alive.
private final class TeamState: @unchecked Sendable {
    let threadCount: Int
    let ticket = Atomic<Int>(0)
    private let generation = Atomic<UInt32>(0)
    private let stopping = Atomic<Bool>(false)
    private let arrived = Atomic<Int>(0)
    private let phase = Atomic<UInt32>(0)
    private let sleepers = Atomic<Int>(0)
    private let parking = ParkingSpot()
    private unowned(unsafe) var job: (any TeamJob)?
    private var isRunning = false

    /// Some microseconds of looking, the usual length of a phase's unevenness.
    private static let spinLimit = 4000
    /// Then some tens of microseconds of offering the processor to whoever wants it.
    private static let yieldLimit = 100

    init(threadCount: Int) { self.threadCount = threadCount }

    func start(_ job: any TeamJob) {
        assert(!isRunning, "a thread team runs one job at a time")
        isRunning = true
        ticket.store(0, ordering: .relaxed)
        guard threadCount > 1 else { return }
        self.job = job
        advance(generation)
    }

    func finish() {
        barrier()
        job = nil
        isRunning = false
    }

    /// The life of thread `index`: wait for a job, run it, meet the others.
    func serve(_ index: Int) {
        var seen: UInt32 = 0
        while true {
            wait(until: generation, leaves: seen)
            seen &+= 1
            if stopping.load(ordering: .acquiring) { return }
            job?.run(TeamWorker(index: index, count: threadCount, state: self))
            barrier()
        }
    }

    func dismiss() {
        stopping.store(true, ordering: .releasing)
        advance(generation)
    }

    func barrier() {
        guard threadCount > 1 else { return }
        let current = phase.load(ordering: .acquiring)
        if arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == threadCount {
            arrived.store(0, ordering: .relaxed)
            ticket.store(0, ordering: .relaxed)
            advance(phase)
        } else {
            wait(until: phase, leaves: current)
        }
    }

    /// Steps a counter others wait for, and wakes those that sleep. Sequentially consistent on both sides: either the sleeper
    /// sees the step or we see the sleeper.
    private func advance(_ counter: borrowing Atomic<UInt32>) {
        counter.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            parking.lock()
            parking.wakeAll()
            parking.unlock()
        }
    }

    private func wait(until counter: borrowing Atomic<UInt32>, leaves value: UInt32) {
        for _ in 0..<Self.spinLimit {
            if counter.load(ordering: .acquiring) != value { return }
        }
        for _ in 0..<Self.yieldLimit {
            if counter.load(ordering: .acquiring) != value { return }
            sched_yield()
        }
        parking.lock()
        sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while counter.load(ordering: .sequentiallyConsistent) == value { parking.wait() }
        sleepers.wrappingSubtract(1, ordering: .relaxed)
        parking.unlock()
    }
}
