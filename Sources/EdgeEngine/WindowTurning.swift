internal import EdgeCache
internal import EdgeKernels
internal import EdgeModel
internal import EdgePlatform

/// Moves what a sliding window keeps to its new positions, heads shared out among threads.
private final class WindowTurning: TeamJob {
    private let slide: KeyValueCache.Slide
    private let layers: [KeyValueLayer]
    private let sources: Range<Int>
    private let dropping: Int
    private let turn: KeyValueMove.Turn?
    private let move: KeyValueMove

    /// - Parameter sources: the positions that move, each down by `dropping`.
    init(
        _ slide: KeyValueCache.Slide, of cache: KeyValueCache, sources: Range<Int>, dropping: Int,
        turn: KeyValueMove.Turn?, move: KeyValueMove
    ) {
        self.slide = slide
        layers = cache.layers
        self.sources = sources
        self.dropping = dropping
        self.turn = turn
        self.move = move
    }

    func run(_ worker: TeamWorker) {
        let headCount = layers.first?.kvHeadCount ?? 0
        let length = KeyValueLayer.blockLength
        while true {
            let ticket = worker.nextTicket()
            guard headCount > 0, ticket < layers.count * headCount else { return }
            let (layer, head) = (ticket / headCount, ticket % headCount)
            // Ascending: a run is read whole before it, or one before it, is written.
            for run in sources.lowerBound / length..<(sources.upperBound + length - 1) / length {
                let held = (run * length..<(run + 1) * length).clamped(to: sources)
                move.move(
                    slide.runs[run], layer: layer, head: head,
                    places: held.lowerBound - run * length..<held.upperBound - run * length,
                    to: held.lowerBound - dropping, of: layers[layer], turn: turn, worker: worker.index)
            }
        }
    }
}

extension Engine {
    /// Whether what a window keeps can be moved to its new positions. It depends on the model and on the engine alone, so that what an answer
    /// says does not depend on anything else.
    nonisolated var canTurnWindow: Bool { model.obstacleToMoving == nil && pool.spill == nil }

    /// Drops tokens of a context after the first ones, and turns the keys of those that follow to their new positions (Xiao et al. 2024,
    /// "StreamingLLM", whose window moves likewise).
    ///
    /// - Throws: `EngineError.cacheExhausted` where others hold what it holds and there is no room for both; `ModelError` when the system
    ///   has no memory or no thread, nothing being changed.
    func turnWindow(of context: GenerationContext, keeping: Int, dropping: Int) throws {
        let count = context.ledger.count
        let threads = max(1, threadCount)
        let (turn, move, team): (KeyValueMove.Turn?, KeyValueMove, ThreadTeam)
        do throws(PlatformError) {
            turn = try turns([-dropping])[0]
            move = try KeyValueMove(context.cache.pool.geometry.shapes.full, workerCount: threads)
            team = try ThreadTeam(threadCount: threads)
        } catch {
            throw ModelError(.insufficientMemory, "the window cannot slide: \(error)")
        }
        let slide: KeyValueCache.Slide
        do throws(CacheError) {
            slide = try context.cache.beginSlide(keeping: keeping, dropping: dropping)
        } catch {
            throw EngineError.cacheExhausted(
                tokenCount: count, capacity: pool.capacity * KeyValueLayer.blockLength)
        }
        team.run(
            WindowTurning(
                slide, of: context.cache, sources: keeping + dropping..<count, dropping: dropping, turn: turn,
                move: move))
        context.cache.endSlide(slide)
        context.noteSlide(keeping: keeping, dropping: dropping)
    }
}
