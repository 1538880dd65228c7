import EdgeKernels
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeCache

/// What a layer should hold at a position: a number that depends on all tokens up to there, on the lineage and on the layer.
private func content(_ tokens: [Int32], lineage: UInt64, layer: Int) -> [Float] {
    var hash = 0xCBF2_9CE4_8422_2325 ^ lineage &* 31 ^ UInt64(layer) &* 7
    return tokens.map { token in
        hash = (hash ^ UInt64(token)) &* 0x100_0000_01B3
        // Exactly a half.
        return Float(hash >> 40 & 0x3FF)
    }
}

/// A sequence, and what is known of it from a list of its tokens alone.
private final class Follower {
    let cache: KeyValueCache
    let lineage: UInt64
    var tokens: [Int32] = []
    var isActive = true

    init(_ pool: CachePool, lineage: UInt64) {
        cache = pool.makeCache(lineage: CacheLineage([lineage]))
        self.lineage = lineage
    }

    /// As a forward pass does.
    func append(_ added: [Int32], row: Rows) throws(CacheError) {
        try cache.reserve(added.count)
        let all = tokens + added
        for (index, layer) in cache.layers.enumerated() {
            let values = content(all, lineage: lineage, layer: index)
            for position in tokens.count..<all.count {
                for column in 0..<layer.headSize { row[0, column] = values[position] }
                layer.store(position: position, head: 0, key: row, value: row, row: 0, keyColumn: 0, valueColumn: 0)
            }
        }
        cache.append(added[...])
        tokens = all
    }

    /// Whether all that a next token would see is what it should be.
    func isRight(windows: [Int]) -> Bool {
        guard cache.count == tokens.count, cache.tokens == tokens else { return false }
        for (index, layer) in cache.layers.enumerated() {
            let size = layer.headSize
            let values = content(tokens, lineage: lineage, layer: index)
            let first = windows[index] > 0 ? max(0, tokens.count - windows[index] + 1) : 0
            for position in first..<tokens.count {
                let (block, place) = (position / 32, position % 32)
                guard let keys = layer.copy(.keys, head: 0, block: block),
                    let stored = layer.copy(.values, head: 0, block: block)
                else { return false }
                for column in 0..<size {
                    let bits = values[position].bitPattern
                    if keys[column * 32 + place] != bits || stored[place * size + column] != bits { return false }
                }
            }
        }
        return true
    }
}

@Suite("The pool of blocks") struct PoolTests {
    private static func geometry(_ windows: [Int], capacity: Int = 320, batch: Int = 40) -> CacheGeometry {
        CacheGeometry(
            windows: windows, kvHeadCount: 1, headSize: 4, capacity: capacity, batchCapacity: batch, precision: .f16)
    }

    @Test(
        "Random work keeps every sequence right and every block accounted for",
        arguments: [[0], [0, 40, 0, 70], [9], [33, 5]], [(12, 0), (12, 4), (40, 12), (70, 70)])
    func randomWork(windows: [Int], size: (blocks: Int, retained: Int)) throws {
        var random = SplitMix(seed: UInt64(windows.count * 1000 + size.blocks + size.retained))
        let geometry = Self.geometry(windows)
        let pool = try CachePool(geometry, blockCount: size.blocks, sequenceCount: 4, retained: size.retained)
        let row = try Rows(rowCount: 1, columnCount: 4)
        var sequences: [Follower] = []
        var shared = 0
        var refused = 0
        for step in 0..<1_500 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0 where sequences.count < 7:
                sequences.append(Follower(pool, lineage: UInt64.random(in: 0...1, using: &random)))
            case 1 where !sequences.isEmpty:
                sequences.remove(at: Int.random(in: 0..<sequences.count, using: &random))
            case 2...6:
                guard let it = sequences.randomElement(using: &random) else { continue }
                // Whoever works on a sequence makes it active first, and finds out what is left of it.
                it.isActive = true
                it.cache.setActive(true)
                if it.cache.count == 0 { it.tokens = [] }
                let count = min(Int.random(in: 1...40, using: &random), geometry.capacity - it.tokens.count)
                guard count > 0 else { continue }
                let run = Int.random(in: 0..<10, using: &random) > 0
                let added = (0..<count).map { _ in run ? Int32(7) : Int32.random(in: 0..<2, using: &random) }
                do throws(CacheError) {
                    try it.append(added, row: row)
                } catch {
                    refused += 1
                    #expect(sequences.allSatisfy { $0.isActive || $0.cache.count == 0 })
                }
            case 7:
                guard let it = sequences.randomElement(using: &random), it.isActive, !it.tokens.isEmpty else {
                    continue
                }
                let count = Int.random(in: 0...it.tokens.count, using: &random)
                let isPossible = it.cache.canTruncate(to: count)
                do throws(CacheError) {
                    try it.cache.truncate(to: count)
                    #expect(isPossible)
                    it.tokens.removeSubrange(count...)
                } catch {
                    #expect(!isPossible && windows.contains { $0 > 0 })
                }
            case 8, 9:
                guard let it = sequences.randomElement(using: &random) else { continue }
                it.isActive = true
                it.cache.setActive(true)
                if it.cache.count == 0 { it.tokens = [] }
                let other = sequences.filter { $0.lineage == it.lineage }.randomElement(using: &random) ?? it
                var text = Array(other.tokens.prefix(Int.random(in: 0...320, using: &random)))
                text += (0..<Int.random(in: 0...40, using: &random)).map { _ in 7 }
                text = Array(text.prefix(geometry.capacity))
                let own = zip(it.tokens, text).prefix { $0 == $1 }.count
                let held = it.cache.adopt(text[...])
                it.tokens = Array(text.prefix(held))
                if windows == [0] {
                    // All that some sequence holds is found.
                    let known =
                        sequences.filter { $0.lineage == it.lineage && $0.cache.count > 0 }
                        .map { zip($0.tokens, text).prefix { $0 == $1 }.count }.max() ?? 0
                    #expect(held >= known)
                }
                if held > own { shared += 1 }
            default:
                guard let it = sequences.randomElement(using: &random) else { continue }
                it.isActive.toggle()
                it.cache.setActive(it.isActive)
                if it.isActive, it.cache.count == 0 { it.tokens = [] }
            }
            if let contradiction = pool.contradiction() {
                Issue.record("step \(step): \(contradiction)")
                return
            }
            for it in sequences where it.cache.count > 0 || it.isActive {
                guard it.isRight(windows: windows) else {
                    Issue.record("step \(step): a sequence of \(it.tokens.count) tokens is wrong")
                    return
                }
            }
        }
        #expect(shared > 10)
        #expect((refused > 0) == (size.blocks == 12) || windows != [0])
        sequences.removeAll()
        #expect(pool.contradiction() == nil)
        #expect(pool.blockCounts.used == 0 && pool.blockCounts.held <= size.retained)
        pool.releaseUnused()
        #expect(pool.blockCounts.held == 0)
    }

    @Test("A text that two sequences compute at the same time is kept once, and the rest of a block is copied")
    func merging() throws {
        let pool = try CachePool(Self.geometry([0], batch: 320), blockCount: 30, retained: 10)
        let row = try Rows(rowCount: 1, columnCount: 4)
        let text = (0..<100).map { Int32($0) }
        let (first, second) = (Follower(pool, lineage: 0), Follower(pool, lineage: 0))
        // Side by side, in other pieces.
        for lower in stride(from: 0, to: 100, by: 20) {
            try first.append(Array(text[lower..<lower + 20]), row: row)
            for half in [lower, lower + 10] { try second.append(Array(text[half..<half + 10]), row: row) }
        }
        // Three whole blocks together, a tail each.
        #expect(pool.blockCounts.used == 5)
        let third = Follower(pool, lineage: 0)
        #expect(third.cache.adopt(text.prefix(99) + [1000, 1001]) == 99)
        third.tokens = Array(text.prefix(99))
        #expect(pool.blockCounts.used == 5)
        try third.append([1000], row: row)
        #expect(pool.blockCounts.used == 6)
        for it in [first, second, third] { #expect(it.isRight(windows: [0])) }
        // Another lineage shares nothing.
        #expect(Follower(pool, lineage: 1).cache.adopt(text[...]) == 0)
        #expect(pool.contradiction() == nil)
    }

    @Test("What nobody uses goes longest unused first, and from the ends of texts")
    func order() throws {
        let pool = try CachePool(Self.geometry([0], batch: 320), blockCount: 9, retained: 9)
        let row = try Rows(rowCount: 1, columnCount: 4)
        func compute(_ text: [Int32]) throws { try Follower(pool, lineage: 0).append(text, row: row) }
        func held(_ text: [Int32]) -> Int { Follower(pool, lineage: 0).cache.adopt(text[...]) }
        let texts = (0..<3).map { number in (0..<96).map { Int32(number * 1000 + $0) } }
        for text in texts { try compute(text) }
        #expect(pool.blockCounts.held == 9)
        // The first is used again, so the second is the oldest; two blocks of it make room.
        #expect(held(texts[0]) == 96)
        try compute((0..<40).map { Int32(9000 + $0) })
        #expect(texts.map(held) == [96, 32, 96])
        #expect(pool.contradiction() == nil)
    }

    @Test("All blocks in use is an error with both numbers, and changes nothing")
    func exhausted() throws {
        let pool = try CachePool(Self.geometry([0, 20]), blockCount: 4, sequenceCount: 2, retained: 4)
        let row = try Rows(rowCount: 1, columnCount: 4)
        let (first, second) = (Follower(pool, lineage: 0), Follower(pool, lineage: 0))
        try first.append((0..<40).map { $0 }, row: row)
        try first.append((0..<40).map { $0 }, row: row)
        try second.append([5], row: row)
        let error = #expect(throws: CacheError.self) { try second.append((0..<40).map { 100 + $0 }, row: row) }
        #expect(error == .exhausted(needed: 1, capacity: 4))
        #expect(first.isRight(windows: [0, 20]) && second.isRight(windows: [0, 20]))
        #expect(pool.contradiction() == nil)
        // Rested, the first makes way.
        first.cache.setActive(false)
        try second.append((0..<40).map { 100 + $0 }, row: row)
        #expect(first.cache.count == 0 && second.isRight(windows: [0, 20]))
        #expect(pool.contradiction() == nil)
    }
}

@Suite("Blocks with the pages of a file") struct MappedBlockTests {
    @Test("They are given up when a block is taken by another or given back, and others are copied")
    func mapping() throws {
        let shape = KeyValueShape(layerCount: 2, kvHeadCount: 2, headSize: 32, precision: .f16)
        let (used, whole) = (try #require(shape.usedByteCount), try #require(shape.blockByteCount))
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("edge-blocks-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        let contents = Data((0..<3 * whole).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 / 1000) })
        try contents.write(to: url)
        let file = try MappedFile(path: url.path, staysOpen: true).bytes
        let blocks = try KeyValueBlocks(shape, blockCount: 4)
        func holds(_ block: Int, _ offset: Int) -> Bool {
            blocks.withSpan(block: block) { span in
                (0..<used).allSatisfy {
                    span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == contents[offset + $0]
                }
            }
        }
        try blocks.fill(block: 1, from: #require(file.slice(at: whole, byteCount: used)))
        try blocks.fill(block: 2, from: #require(file.slice(at: 2 * whole, byteCount: used)))
        #expect(blocks.mappedCount == 2 && holds(1, whole) && holds(2, 2 * whole))
        // Not on a border of pages.
        try blocks.fill(block: 0, from: #require(file.slice(at: 32, byteCount: used)))
        #expect(blocks.mappedCount == 2 && holds(0, 32))
        blocks.copy(block: 1, to: 3)
        #expect(blocks.mappedCount == 2 && holds(3, whole))
        blocks.copy(block: 0, to: 2)
        #expect(holds(2, 32) && holds(1, whole))
        #expect(try Data(contentsOf: url) == contents)
        try blocks.take(block: 1)
        #expect(blocks.mappedCount == 1 && !holds(1, whole))
        blocks.giveBack(block: 2)
        #expect(blocks.mappedCount == 0 && !holds(2, 32))
        try blocks.take(block: 0)
        #expect(holds(0, 32) && holds(3, whole))
    }
}
