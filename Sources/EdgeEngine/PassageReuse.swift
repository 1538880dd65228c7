internal import EdgeCache
internal import EdgeKernels
internal import EdgeMath
package import EdgeModel
internal import EdgePlatform
internal import EdgeSampling
internal import Synchronization

/// What of a prompt may be taken from keys and values that were computed of passages after other texts.
///
/// Their keys are turned to the new positions, and a share of their tokens is computed anew, seeing all that comes before (Yao et al. 2025,
/// "CacheBlend"). The others know nothing of the passages before theirs: what comes out is close to what the whole prompt gives, and not the
/// same. How close is measured by computing both.
package struct PassageReuse: Sendable {
    /// Which tokens are computed anew.
    package enum Selection: Sendable {
        /// The first of each passage.
        case first
        /// Those whose keys and values in the second layer are farthest from what the prompt gives there; the first layer is computed of all.
        case farthest
    }

    /// Where passages stand in the prompt's tokens, in order.
    package var spans: [Range<Int>]
    /// The share of their tokens that is computed anew, 0 to 1.
    package var share: Double
    package var selection: Selection
    /// How far the probabilities of the next token may be from those of the whole prompt, in nats; where they are measured to be farther, the
    /// whole prompt is computed.
    package var limit: Double
    /// One of so many prompts is measured, the first to begin with; 1 for all, 0 for none. After one beyond the limit all are, until one is
    /// within.
    package var interval: Int

    package init(
        spans: [Range<Int>], share: Double, selection: Selection = .first, limit: Double = .infinity, interval: Int = 0
    ) {
        self.spans = spans
        self.share = min(1, max(0, share))
        self.selection = selection
        self.limit = limit
        self.interval = interval
    }

    /// What became of it.
    package struct Outcome: Sendable, Equatable {
        /// Passages of the prompt, and those of them that were there and moved.
        package var passageCount = 0
        package var movedPassageCount = 0
        /// Tokens whose keys and values were moved, and tokens of the same passages that were computed anew.
        package var reusedTokenCount = 0
        package var recomputedTokenCount = 0
        /// Kullback-Leibler divergence of the next token's probabilities from those of the whole prompt, in nats; nil where it was not measured.
        package var divergence: Double?
        /// Whether the whole prompt was computed instead, as it was measured to be beyond the limit.
        package var isRejected = false
        /// Why nothing could be moved, in words; nil where it could, or where no passage was there.
        package var obstacle: String?
    }

    /// What an engine remembers of prompts before.
    struct State {
        var count = 0
        var number: UInt64 = 0
        /// Whether the last that was measured was beyond its limit.
        var isDoubtful = false

        /// The first is measured, where any is.
        mutating func measuresNext(_ interval: Int) -> Bool {
            defer { count &+= 1 }
            return interval > 0 && (isDoubtful || count % interval == 0)
        }
    }
}

/// A whole prompt, computed to measure what came out of moved passages.
struct MeasuredPrompt {
    let cache: KeyValueCache
    let logits: [Float]
    let limit: Double
}

extension Model {
    /// Why keys and values of this model cannot be moved to other positions; nil where they can.
    package var obstacleToMoving: String? {
        let shape = hyperparameters
        guard generates else { return "a model of whole texts has no keys and values to move" }
        guard shape.architecture.rotaryPairs != nil, weights.positionEmbedding == nil, shape.rotary != nil else {
            return "the model learned its positions: keys cannot be turned to others"
        }
        guard shape.layers.allSatisfy({ $0.window == 0 }) else {
            return "the model has layers that look back over a window, which hold no passage whole"
        }
        guard shape.layers.allSatisfy({ $0.rotation == .standard }) else {
            return "the model has layers that turn no keys, or by other angles"
        }
        return nil
    }
}

/// One passage of a prompt.
private struct Placement: Sendable {
    let passage: SavedPassage
    /// The part of the passage's own text that is moved, and where its first token comes to stand.
    var source: Range<Int>
    let position: Int
    let name: String
    /// Whether the passage is where it was computed, after the same tokens.
    let isInPlace: Bool

    var target: Range<Int> { position..<position + source.count }
}

/// Moves passages into a cache, several threads at once.
///
/// `@unchecked Sendable`: each run of each passage is one thread's, and findings are behind locks.
private final class PassageMoving: TeamJob, @unchecked Sendable {
    private let placements: [Placement]
    private let tickets: [(placement: Int, block: Int)]
    private let layers: [KeyValueLayer]
    private let movedLayers: Range<Int>
    private let comparedLayer: Int?
    private let turns: [KeyValueMove.Turn?]
    private let move: KeyValueMove
    /// Of each placement that is damaged.
    private let damaged = Lock<Set<Int>>([])
    /// By position: how far what is moved is from what the cache held.
    private let distances = Lock<[Int: Double]>([:])
    private let isCancelled = Atomic<Bool>(false)

    /// - Parameters:
    ///   - movedLayers: the layers that are filled.
    ///   - comparedLayer: the layer that is compared, before all; nil for none.
    init(
        _ placements: [Placement], into cache: KeyValueCache, movedLayers: Range<Int>, comparedLayer: Int?,
        turns: [KeyValueMove.Turn?], threadCount: Int
    ) throws(PlatformError) {
        self.placements = placements
        tickets = placements.indices.flatMap { index in placements[index].passage.blocks.indices.map { (index, $0) } }
        layers = cache.layers
        self.movedLayers = movedLayers
        self.comparedLayer = comparedLayer
        self.turns = turns
        move = try KeyValueMove(cache.pool.geometry.shapes.full, workerCount: threadCount)
    }

    /// Returns the placements that are damaged, and the distances.
    ///
    /// - Throws: `CancellationError`; `PlatformError` when the system refuses a thread.
    func run(threadCount: Int) throws -> (damaged: Set<Int>, distances: [Int: Double]) {
        try ThreadTeam(threadCount: threadCount).run(self)
        try Task.checkCancellation()
        return (damaged.withLock { $0 }, distances.withLock { $0 })
    }

    func run(_ worker: TeamWorker) {
        while true {
            let index = worker.nextTicket()
            guard index < tickets.count, !isCancelled.load(ordering: .relaxed) else { return }
            if worker.index == 0, Task.isCancelled { isCancelled.store(true, ordering: .relaxed) }
            let (number, blockIndex) = tickets[index]
            let placement = placements[number]
            let block = placement.passage.blocks[blockIndex]
            guard block.bytes.withSpan({ block.isIntact($0) }) else {
                damaged.withLock { _ = $0.insert(number) }
                continue
            }
            let length = KeyValueLayer.blockLength
            let held = (block.run * length..<(block.run + 1) * length).clamped(to: placement.source)
            guard !held.isEmpty else { continue }
            let places = held.lowerBound - block.run * length..<held.upperBound - block.run * length
            let position = placement.position + held.lowerBound - placement.source.lowerBound
            if let comparedLayer {
                var sums = [Double](repeating: 0, count: places.count)
                for head in 0..<layers[comparedLayer].kvHeadCount {
                    move.distances(
                        block.bytes, layer: comparedLayer, head: head, places: places, to: position,
                        of: layers[comparedLayer], turn: turns[number], worker: worker.index, adding: &sums)
                }
                distances.withLock { for (index, sum) in sums.enumerated() { $0[position + index] = sum } }
            }
            for layer in movedLayers {
                for head in 0..<layers[layer].kvHeadCount {
                    move.move(
                        block.bytes, layer: layer, head: head, places: places, to: position, of: layers[layer],
                        turn: turns[number], worker: worker.index)
                }
            }
        }
    }
}

extension Engine {
    /// Computes a text and saves the keys and values of a passage in it, for prompts that have it anywhere, and of what stands before it.
    ///
    /// - Parameter span: where the passage stands in the tokens.
    /// - Throws: `SavedContextError.unwritable`, also where there is no folder or the model's keys cannot be moved; `EngineError` and
    ///   `ModelError` as generating does.
    package func savePassage(
        _ span: Range<Int>, of tokens: [Int32], adapters: [AppliedAdapter] = []
    ) async throws {
        guard let prefixes else {
            throw SavedContextError(.unwritable, "the model was loaded without a folder for prefixes")
        }
        if let obstacle = model.obstacleToMoving { throw SavedContextError(.unwritable, obstacle) }
        precondition(span.lowerBound >= 0 && span.upperBound <= tokens.count, "no part of the text")
        let text = Array(tokens.prefix(span.upperBound))
        let context = try makeContext(adapters: adapters)
        begin(context)
        defer { end(context) }
        let known = try await beginWithSaved(Array(text.prefix(span.lowerBound + 1)), context).held
        try await fill(text, context)
        let origin = origin(adapters)
        try await Task.detached {
            if prefixes.isWorthFile(span.lowerBound, known: known) {
                try prefixes.save(span.lowerBound, of: context.cache, origin, isDurable: true)
            }
            try prefixes.savePassage(span, of: context.cache, origin)
        }.value
    }

    /// The files of the folder that were computed as this engine does without adapters, and what says so: the sections of a pack.
    package nonisolated func packedSections(modelName: String) -> (
        origin: [UInt8], files: [(name: String, path: String)]
    ) {
        let origin = origin([])
        return (
            PackedContexts.originBytes(origin, modelName: modelName),
            (prefixes?.files(origin, pool.makeCache()) ?? []).map {
                (PackedContexts.sectionPrefix + $0.name, $0.path)
            }
        )
    }

    /// Refuses a pack of another model or of other settings.
    ///
    /// - Throws: `SavedContextError`.
    package nonisolated func checkPack() throws(SavedContextError) { try pack?.check(origin([])) }

    // MARK: Moving

    /// Fills a context with a prompt up to its last passage that is there to be moved; what comes after is left to run.
    ///
    /// - Parameter isWhole: whether the prompt is as its spans say, and no window has dropped some of it.
    /// - Returns: the whole prompt, where it is one of those that are measured.
    /// - Throws: as `prefill`.
    func reuse(
        _ reuse: PassageReuse, of prompt: [Int32], isWhole: Bool, _ context: GenerationContext,
        _ statistics: inout GenerationStatistics
    ) async throws -> MeasuredPrompt? {
        var outcome = PassageReuse.Outcome()
        outcome.passageCount = reuse.spans.count
        defer { statistics.reuse = outcome }
        outcome.obstacle = isWhole ? model.obstacleToMoving : "a window has dropped a part of the prompt"
        if pool.spill != nil { outcome.obstacle = outcome.obstacle ?? "keys and values are not all in memory" }
        // With all of them computed anew there is nothing to move.
        guard outcome.obstacle == nil, reuse.share < 1 else { return nil }
        var held = context.reusePrefix(of: prompt)
        let origin = origin(context.adapters?.adapters ?? [])
        let placements = await placements(reuse, prompt, origin, held: held, context.cache)
        guard !placements.isEmpty else { return nil }

        var measured: (cache: KeyValueCache, logits: [Float])?
        let isMeasured = reuseState.measuresNext(reuse.interval)
        if isMeasured {
            // What earlier prompts moved is not what the whole one gives.
            if context.exactCount ?? held < held {
                context.begin(GenerationContext.lineage(of: context.adapters?.adapters ?? []))
                held = context.reusePrefix(of: prompt)
            }
            let row = try await prefill(prompt[held...], of: prompt, context, choosesNext: true).row
            measured = (context.cache, pass.logits.copy(row: row ?? 0))
            if row != nil { endChoosing() }
        }
        let target = pool.makeCache(lineage: .moved(context.adapters?.adapters ?? [], number: reuseState.nextNumber()))
        let exact = context.cache
        do throws(CacheError) {
            let end = placements[placements.count - 1].target.upperBound
            try target.reserveWhole(end)
            target.copy(held, of: exact)
        } catch {
            outcome.obstacle = "no room for another context: \(error)"
            return nil
        }
        guard
            let moved = try await fill(target, with: placements, reuse, prompt, held: held, context.adapters)
        else { return nil }
        outcome.movedPassageCount = moved.passageCount
        outcome.reusedTokenCount = moved.reused
        outcome.recomputedTokenCount = moved.recomputed
        guard moved.reused > 0 else { return nil }
        context.replaceCache(by: target, exactCount: min(held, context.exactCount ?? held))
        return measured.map { MeasuredPrompt(cache: $0.cache, logits: $0.logits, limit: reuse.limit) }
    }

    /// The passages of a prompt that are in the pack or in the folder, but for those that the context holds.
    private func placements(
        _ reuse: PassageReuse, _ prompt: [Int32], _ origin: SavedContextLayout.Origin, held: Int, _ cache: KeyValueCache
    ) async -> [Placement] {
        let (pack, prefixes) = (pack, prefixes)
        let names = reuse.spans.map { span in
            span.upperBound <= prompt.count && span.lowerBound >= 0
                ? SavedName.passage(origin, cache, prompt[span]) : nil
        }
        let (spans, runByteCounts) = (reuse.spans, cache.runByteCounts)
        return await Task.detached {
            var placements: [Placement] = []
            var end = held
            for (span, name) in zip(spans, names) {
                // The last token runs whatever is known of it: its logits are wanted.
                let target = max(end, span.lowerBound)..<max(end, min(span.upperBound, prompt.count - 1))
                guard let name, span.lowerBound >= (placements.last?.target.upperBound ?? 0),
                    target.count >= KeyValueLayer.blockLength / 2,
                    let passage = pack?.passage(name) ?? prefixes?.passage(name), passage.layout.origin == origin,
                    passage.tokens == prompt[span], passage.layout.runByteCounts == runByteCounts
                else { continue }
                let lower = passage.span.lowerBound + target.lowerBound - span.lowerBound
                placements.append(
                    Placement(
                        passage: passage, source: lower..<lower + target.count, position: target.lowerBound, name: name,
                        isInPlace: passage.span.lowerBound == span.lowerBound
                            && prompt.starts(with: passage.layout.tokens[..<passage.span.lowerBound])))
                end = target.upperBound
            }
            return placements
        }.value
    }

    /// Moves passages into a cache that has room for them behind its first `held` tokens, and computes all other tokens up to the end of the last.
    ///
    /// - Returns: what was moved; nil where there is no memory for it.
    /// - Throws: `CancellationError`; `EngineError.storageFailed`.
    private func fill(
        _ cache: KeyValueCache, with placements: [Placement], _ reuse: PassageReuse, _ prompt: [Int32], held: Int,
        _ adapters: AdapterStack?
    ) async throws -> (passageCount: Int, reused: Int, recomputed: Int)? {
        let end = placements[placements.count - 1].target.upperBound
        let comparesLayer =
            reuse.selection == .farthest && reuse.share > 0 && reuse.share < 1 && model.stream == nil
            && model.hyperparameters.blockCount > 1
        if comparesLayer { try await run([held..<end], of: prompt, cache, through: 1, adapters) }

        let moving: PassageMoving
        do throws(PlatformError) {
            let turns = try self.turns(placements.map { $0.position - $0.source.lowerBound })
            moving = try PassageMoving(
                placements, into: cache, movedLayers: (comparesLayer ? 2 : 0)..<model.hyperparameters.blockCount,
                comparedLayer: comparesLayer ? 1 : nil, turns: turns, threadCount: threadCount)
        } catch {
            return nil
        }
        let threads = threadCount
        let work = Task.detached { try moving.run(threadCount: threads) }
        let result: (damaged: Set<Int>, distances: [Int: Double])
        do {
            result = try await withTaskCancellationHandler {
                try await work.value
            } onCancel: {
                work.cancel()
            }
        } catch is PlatformError {
            return nil
        }
        var isMoved = [Bool](repeating: false, count: end)
        var passageCount = 0
        for (index, placement) in placements.enumerated() {
            if result.damaged.contains(index) {
                pack?.discard(placement.name)
                prefixes?.discard(placement.name)
                continue
            }
            passageCount += 1
            for position in placement.target { isMoved[position] = true }
        }
        let candidates = placements.enumerated().filter { !result.damaged.contains($0.offset) }.map(\.element)
        var recomputed = 0
        for position in Self.chosen(candidates, reuse, comparesLayer ? result.distances : nil) {
            isMoved[position] = false
            recomputed += 1
        }
        var pieces: [Range<Int>] = []
        for position in held..<end where !isMoved[position] {
            if let last = pieces.last, last.upperBound == position {
                pieces[pieces.count - 1] = last.lowerBound..<position + 1
            } else {
                pieces.append(position..<position + 1)
            }
        }
        try await run(pieces, of: prompt, cache, through: nil, adapters)
        cache.append(prompt[held..<end])
        let reused = isMoved.count { $0 }
        return (passageCount, reused, recomputed)
    }

    /// The tokens of moved passages that are computed anew, ascending.
    private static func chosen(
        _ placements: [Placement], _ reuse: PassageReuse, _ distances: [Int: Double]?
    ) -> [Int] {
        // Where it was computed after the same tokens there is nothing to mend.
        let moved = placements.filter { !$0.isInPlace }
        func count(_ total: Int) -> Int { min(total, Int((reuse.share * Double(total)).rounded(.up))) }
        guard let distances else {
            return moved.flatMap { $0.target.prefix(count($0.target.count)) }
        }
        let positions = moved.flatMap { Array($0.target) }
        let farthest = positions.sorted { a, b in
            let (x, y) = (distances[a] ?? 0, distances[b] ?? 0)
            return x == y ? a < b : x > y
        }
        return farthest.prefix(count(positions.count)).sorted()
    }

    /// Runs some stretches of a prompt, in passes of as many tokens as there may be.
    private func run(
        _ stretches: [Range<Int>], of prompt: [Int32], _ cache: KeyValueCache, through lastLayer: Int?,
        _ adapters: AdapterStack?
    ) async throws {
        var pieces: [ForwardPass.Piece] = []
        var room = pass.batchCapacity
        func runPieces() throws {
            guard !pieces.isEmpty else { return }
            guard pass.run(pieces: pieces, cache: cache, through: lastLayer, adapters: adapters, isStoppable: true)
            else {
                if let failure = pass.failure { throw EngineError.storageFailed(failure.description) }
                throw CancellationError()
            }
            pieces.removeAll()
            room = pass.batchCapacity
        }
        for stretch in stretches {
            var rest = stretch
            while !rest.isEmpty {
                let part = rest.prefix(room)
                pieces.append(.init(prompt[part], at: part.lowerBound))
                room -= part.count
                rest = part.upperBound..<rest.upperBound
                if room == 0 {
                    try runPieces()
                    try Task.checkCancellation()
                    await letOthersPass()
                }
            }
        }
        try runPieces()
    }

    /// How keys are turned that move by so many positions; nil for those that do not.
    func turns(_ differences: [Int]) throws(PlatformError) -> [KeyValueMove.Turn?] {
        guard let pairs = model.hyperparameters.architecture.rotaryPairs,
            let table = try model.turningTable(differences, contextSize: contextSize)
        else { return differences.map { _ in nil } }
        return differences.enumerated().map { $1 == 0 ? nil : .init(table: table, row: $0, pairs: pairs) }
    }

    // MARK: Measuring

    /// Measures what came out of moved passages; false where it is too far from the whole prompt.
    func isNear(_ measured: MeasuredPrompt, row: Int, _ statistics: inout GenerationStatistics) -> Bool {
        let divergence = Self.divergence(from: measured.logits, of: pass.logits.copy(row: row))
        let isNear = divergence <= measured.limit
        reuseState.isDoubtful = !isNear
        statistics.reuse?.divergence = divergence
        statistics.reuse?.isRejected = !isNear
        return isNear
    }

    /// Kullback-Leibler divergence of the probabilities that some logits give from those that others do, in nats.
    static func divergence(from exact: [Float], of other: [Float]) -> Double {
        func logarithms(_ logits: [Float]) -> [Double] {
            let largest = Double(logits.max() ?? 0)
            let sum = logits.reduce(0.0) { $0 + Deterministic.exponential(Double($1) - largest) }
            let logarithm = Deterministic.logarithm(sum) + largest
            return logits.map { Double($0) - logarithm }
        }
        let (p, q) = (logarithms(exact), logarithms(other))
        // What is as good as impossible adds nothing, however far apart its logarithms are; rounding may leave a little less than 0.
        let sum = zip(p, q).reduce(0.0) { $0 + ($1.0 > -100 ? Deterministic.exponential($1.0) * ($1.0 - $1.1) : 0) }
        return sum < 0 ? 0 : sum
    }
}

extension PassageReuse.State {
    /// A number that no other cache with moved passages has.
    mutating func nextNumber() -> UInt64 {
        number &+= 1
        return number
    }
}

extension CacheLineage {
    /// That of a cache with moved passages, which shares with no other: its bits are those of no prompt.
    static func moved(_ adapters: [AppliedAdapter], number: UInt64) -> CacheLineage {
        // Adapters come as pairs of numbers, so that one more is none of theirs.
        CacheLineage(GenerationContext.lineage(of: adapters).parts + [number])
    }
}
