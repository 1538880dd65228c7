/// A serial executor on a thread of its own.
///
/// A generation step keeps its thread busy for milliseconds; on the cooperative pool, which has one thread a core, it would
/// stall everybody else. The thread ends when the executor's last owner lets go.
package final class ThreadExecutor: SerialExecutor {
    private let queue: JobQueue

    /// - Throws: `PlatformError` when the system refuses a thread.
    package init() throws(PlatformError) {
        let queue = JobQueue()
        self.queue = queue
        try Thread { queue.serve() }.detach()
    }

    deinit { queue.close() }

    package func enqueue(_ job: consuming ExecutorJob) {
        let executor = unsafe asUnownedSerialExecutor()
        unsafe queue.add(UnownedJob(job), for: .actor(executor))
    }

    /// Whether a job waits while another runs: the sign to let it pass.
    package var hasWaitingJobs: Bool { queue.hasWaitingJobs }
}

/// A thread of its own for the tasks that prefer it: for foreign code, which may block for as long as it likes without taking a thread from
/// the cooperative pool. The thread ends when the last task lets go of it.
package final class TaskThread: TaskExecutor {
    private let queue: JobQueue

    /// - Throws: `PlatformError` when the system refuses a thread.
    package init() throws(PlatformError) {
        let queue = JobQueue()
        self.queue = queue
        try Thread { queue.serve() }.detach()
    }

    deinit { queue.close() }

    package func enqueue(_ job: consuming ExecutorJob) {
        let executor = unsafe asUnownedTaskExecutor()
        unsafe queue.add(UnownedJob(job), for: .task(executor))
    }
}

/// Jobs in order of arrival. `@unchecked Sendable`: all state is guarded by the parking spot's lock.
@safe private final class JobQueue: @unchecked Sendable {
    private let parking = ParkingSpot()
    /// Who a job runs for.
    @unsafe enum Owner {
        case actor(UnownedSerialExecutor)
        case task(UnownedTaskExecutor)
    }

    private var jobs: [(job: UnownedJob, owner: Owner)] = unsafe []
    private var isClosed = false

    func add(_ job: UnownedJob, for owner: Owner) {
        parking.lock()
        unsafe jobs.append((job, owner))
        parking.wakeAll()
        parking.unlock()
    }

    func close() {
        parking.lock()
        isClosed = true
        parking.wakeAll()
        parking.unlock()
    }

    var hasWaitingJobs: Bool {
        parking.lock()
        defer { parking.unlock() }
        return unsafe !jobs.isEmpty
    }

    func serve() {
        while true {
            parking.lock()
            while unsafe jobs.isEmpty && !isClosed { parking.wait() }
            guard unsafe !jobs.isEmpty else {
                parking.unlock()
                return
            }
            let next = unsafe jobs.removeFirst()
            parking.unlock()
            // Sound: a job runs once, and its executor lives while the actor or the task that it runs for does.
            switch unsafe next.owner {
            case .actor(let executor): unsafe next.job.runSynchronously(on: executor)
            case .task(let executor): unsafe next.job.runSynchronously(on: executor)
            }
        }
    }
}
