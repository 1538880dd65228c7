internal import EdgeCache
internal import EdgeKernels
package import EdgePlatform

/// Names of what is kept of texts: `ORIGIN-BEGINNING-TOKENS.prefix` or `.passage`, each part an XXH64 in hexadecimal digits: of all that
/// keys and values depend on besides tokens, of the first 32 tokens, and of all of them.
enum SavedName {
    enum Kind: String, CaseIterable {
        /// The beginning of a text.
        case prefix
        /// A part of a text that may be moved.
        case passage

        var ending: String { "." + rawValue }
    }

    /// What the names of all that was computed with this begin with.
    static func origin(_ origin: SavedContextLayout.Origin, _ cache: KeyValueCache) -> String {
        var settings = LittleEndian()
        settings.add(SavedContextLayout.version)
        settings.add(origin.model)
        settings.add(origin.settings)
        for count in cache.runByteCounts { settings.add(UInt64(count)) }
        return hexadecimal(Checksum.of(settings.bytes)) + "-"
    }

    /// What the names of all begin with that a text could begin with; nil for one too short.
    static func start(
        _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache, _ tokens: ArraySlice<Int32>
    ) -> String? {
        guard tokens.count >= KeyValueLayer.blockLength else { return nil }
        return Self.origin(origin, cache) + hexadecimal(sum(tokens.prefix(KeyValueLayer.blockLength))) + "-"
    }

    /// The name of a beginning; nil for one too short.
    static func prefix(
        _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache, _ tokens: [Int32]
    ) -> String? {
        start(origin, cache, tokens[...]).map { $0 + hexadecimal(sum(tokens[...])) + Kind.prefix.ending }
    }

    /// The name of a passage, after its own tokens; nil for one too short.
    static func passage(
        _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache, _ tokens: ArraySlice<Int32>
    ) -> String? {
        start(origin, cache, tokens).map { $0 + hexadecimal(sum(tokens)) + Kind.passage.ending }
    }

    /// Whether a name is one of these, and not of somebody else's file.
    static func isOwn(_ name: String, _ kind: Kind? = nil) -> Bool {
        guard let found = Kind.allCases.first(where: { name.hasSuffix($0.ending) }), kind ?? found == found else {
            return false
        }
        let parts = name.dropLast(found.ending.count).split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 3 && parts.allSatisfy { $0.utf8.count == 16 && UInt64($0, radix: 16) != nil }
    }

    /// The name of these that a temporary file's name begins with; nil for others.
    static func destination(ofTemporary name: String) -> String? {
        for kind in Kind.allCases {
            let destination = String(name.prefix(3 * 16 + 2 + kind.ending.count))
            if isOwn(destination, kind), destination.count < name.count { return destination }
        }
        return nil
    }

    private static func sum(_ tokens: ArraySlice<Int32>) -> UInt64 {
        var bytes = LittleEndian()
        for token in tokens { bytes.add(UInt32(bitPattern: token)) }
        return Checksum.of(bytes.bytes)
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// What is saved that has the most tokens in common with a prompt, and how many.
struct SavedMatch {
    let name: String
    let count: Int
    private let layout: SavedContextLayout
    private let blocks: [SavedContextLayout.Place]

    /// Looks for the longest beginning of a prompt.
    ///
    /// - Parameters:
    ///   - names: in the order in which they are looked into.
    ///   - discard: is told of what is damaged.
    /// - Throws: `CancellationError`.
    static func longest(
        _ names: some Sequence<String>, _ prompt: [Int32], _ origin: SavedContextLayout.Origin, _ cache: KeyValueCache,
        read: (String) throws(SavedContextError) -> (SavedContextLayout, [SavedContextLayout.Place]),
        discard: (String, SavedContextError) -> Void
    ) throws -> SavedMatch? {
        var best: SavedMatch?
        for name in names {
            try Task.checkCancellation()
            do throws(SavedContextError) {
                let (layout, blocks) = try read(name)
                guard layout.origin == origin, layout.runByteCounts == cache.runByteCounts,
                    SavedName.prefix(origin, cache, layout.tokens) == name
                else { throw SavedContextError(.damaged, "a file with another's name") }
                // The last token is left to run: its logits are wanted.
                let count = zip(layout.tokens, prompt.dropLast()).prefix { $0 == $1 }.count
                guard count > best?.count ?? 0 else { continue }
                let isUsable = zip(layout.runs, cache.storedRuns(for: count)).allSatisfy {
                    $0.lowerBound <= $1.lowerBound
                }
                if isUsable { best = SavedMatch(name: name, count: count, layout: layout, blocks: blocks) }
            } catch {
                discard(name, error)
            }
        }
        return best
    }

    /// Whether it is worth the percent or so that it costs of what it saves.
    func isWorth(held: Int) -> Bool { count - held >= max(KeyValueLayer.blockLength, count / 32) }

    /// Brings it into a cache, which then holds nothing else.
    ///
    /// - Throws: as `SavedContextLayout.load`.
    func load(into cache: KeyValueCache, threadCount: Int) throws {
        cache.removeAll()
        try layout.load(count, blocks, into: cache, threadCount: threadCount)
    }
}

/// Keys and values of a passage that may be moved to other positions: a saved context without what comes before the passage, but for
/// its tokens.
struct SavedPassage: Sendable {
    let layout: SavedContextLayout
    /// The runs of 32 positions that hold it.
    let blocks: [SavedContextLayout.Place]
    /// Where it stands in the layout's tokens.
    let span: Range<Int>

    /// - Throws: `SavedContextError.damaged` where it contradicts itself.
    init(_ read: (layout: SavedContextLayout, blocks: [SavedContextLayout.Place])) throws(SavedContextError) {
        (layout, blocks) = read
        let number = ByteView(layout.info).load(UInt64.self, at: 0).flatMap { Int(exactly: UInt64(littleEndian: $0)) }
        guard layout.info.count == 8, let lower = number, lower < layout.tokens.count, layout.runs.count == 1,
            layout.runs[0].lowerBound == lower / KeyValueLayer.blockLength
        else { throw SavedContextError(.damaged, "the passage lies where it cannot") }
        span = lower..<layout.tokens.count
    }

    static func info(_ lowerBound: Int) -> [UInt8] {
        var bytes = LittleEndian()
        bytes.add(UInt64(lowerBound))
        return bytes.bytes
    }

    var tokens: ArraySlice<Int32> { layout.tokens[span] }
}

/// The beginnings and passages that a knowledge pack has, used where they are mapped. What is damaged is never used, and named.
package final class PackedContexts: Sendable {
    /// What the names of sections begin with that hold these.
    package static let sectionPrefix = "kv/"
    /// The section with what these were computed with.
    package static let originSection = "kv"

    /// By name, without the prefix.
    private let sections: [String: SectionFile.Section]
    /// In order.
    private let names: [String]
    private let origin: SavedContextLayout.Origin
    /// The model's own name, for messages.
    package let modelName: String
    private let damaged = Lock<[String]>([])

    /// - Throws: `SectionFileError` where what says what the keys and values are of is damaged; nil is returned where they are not there, or that
    ///   says nothing.
    package static func open(_ file: SectionFile) throws(SectionFileError) -> PackedContexts? {
        guard let section = file.sections.first(where: { $0.name == originSection }) else { return nil }
        try section.verify()
        return PackedContexts(section.bytes, file)
    }

    private init?(_ bytes: ByteView, _ file: SectionFile) {
        guard let model = bytes.load(UInt64.self, at: 0), let settings = bytes.load(UInt64.self, at: 8),
            let name = bytes.utf8(at: 16, byteCount: bytes.count - 16)
        else { return nil }
        origin = .init(model: UInt64(littleEndian: model), settings: UInt64(littleEndian: settings))
        modelName = name
        let own = file.sections.filter { $0.name.hasPrefix(Self.sectionPrefix) }
            .map { (String($0.name.dropFirst(Self.sectionPrefix.count)), $0) }
            .filter { SavedName.isOwn($0.0) }
        sections = Dictionary(own) { first, _ in first }
        names = sections.keys.sorted()
    }

    static func originBytes(_ origin: SavedContextLayout.Origin, modelName: String) -> [UInt8] {
        var bytes = LittleEndian()
        bytes.add(origin.model)
        bytes.add(origin.settings)
        return bytes.bytes + Array(modelName.utf8.prefix(256))
    }

    /// Beginnings, and passages.
    package var counts: (beginnings: Int, passages: Int) {
        let passages = names.count { SavedName.isOwn($0, .passage) }
        return (names.count - passages, passages)
    }

    /// The sections that turned out to be damaged so far, in order.
    package var damagedSections: [String] { damaged.withLock { $0.map { Self.sectionPrefix + $0 }.sorted() } }

    /// Refuses an engine that computes other keys and values.
    ///
    /// - Throws: `SavedContextError` with code `otherModel` or `otherSettings`.
    func check(_ origin: SavedContextLayout.Origin) throws(SavedContextError) {
        guard origin.model == self.origin.model else {
            throw SavedContextError(
                .otherModel, "the pack's keys and values are of another model (\(modelName)); load that one, or no pack"
            )
        }
        guard origin.settings == self.origin.settings else {
            throw SavedContextError(
                .otherSettings,
                "the pack's keys and values were computed with another cache precision, other arithmetic or, for this "
                    + "model, another size of the context; load the model as it was when they were, or no pack")
        }
    }

    private func isWhole(_ name: String) -> Bool { damaged.withLock { !$0.contains(name) } }

    func discard(_ name: String) {
        damaged.withLock { if !$0.contains(name) { $0.append(name) } }
    }

    private func read(
        _ name: String
    ) throws(SavedContextError) -> (layout: SavedContextLayout, blocks: [SavedContextLayout.Place]) {
        guard let section = sections[name] else { throw SavedContextError(.unreadable, "there is no such section") }
        return try SavedContextLayout.read(section.bytes)
    }

    /// Brings the longest beginning of a prompt into a cache, if it is longer than what the cache holds.
    ///
    /// - Returns: how many tokens of the prompt are in the cache or in the pack.
    /// - Throws: `CancellationError`.
    func restore(
        _ prompt: [Int32], _ origin: SavedContextLayout.Origin, held: Int, into cache: KeyValueCache, threadCount: Int
    ) throws -> Int {
        guard let start = SavedName.start(origin, cache, prompt[...]) else { return held }
        let candidates = names.filter { $0.hasPrefix(start) && SavedName.isOwn($0, .prefix) }
        // Each round either succeeds or finds one more that is damaged.
        while let match = try SavedMatch.longest(
            candidates.filter(isWhole), prompt, origin, cache,
            read: { (name) throws(SavedContextError) in try read(name) }, discard: { name, _ in discard(name) })
        {
            guard match.isWorth(held: held) else { return max(held, match.count) }
            do {
                try match.load(into: cache, threadCount: threadCount)
                return match.count
            } catch let error as CancellationError {
                throw error
            } catch is SavedContextError {
                discard(match.name)
            } catch {
                return held
            }
        }
        return held
    }

    /// A passage by its name; nil where there is none, or it is damaged.
    func passage(_ name: String) -> SavedPassage? {
        guard sections[name] != nil, isWhole(name) else { return nil }
        do throws(SavedContextError) {
            return try SavedPassage(read(name))
        } catch {
            discard(name)
            return nil
        }
    }
}
