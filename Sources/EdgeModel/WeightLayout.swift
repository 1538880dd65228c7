internal import EdgeGGUF
internal import EdgeKernels
internal import EdgePlatform

/// Which weights stay in memory where not all of them may, and where in their files the others lie.
///
/// A pass works on one unit of weights after the other: the layers, then the output's matrix in pieces no larger than a layer. Some units are
/// kept, spread evenly over the pass; the others are read again for each pass, each into one of two slots. Keeping always the same
/// ones is the best that can be done for weights that are all needed in turn: the ones used last would be needed last again.
struct WeightLayout: Sendable {
    /// Whole pages of one file, and where in a unit's memory they go.
    struct Run: Sendable {
        let part: Int
        let fileOffset: Int
        var byteCount: Int
        let place: Int
    }

    /// What a pass works on at one time.
    struct Unit: Sendable {
        var runs: [Run] = []
        var byteCount = 0
        /// Where it is kept; nil for one that is streamed.
        var keptOffset: Int?
        /// Its number among those that are streamed.
        var item: Int?
    }

    /// By layer.
    private(set) var layers: [Unit]
    /// Pieces of the output's matrix: which rows, and where they are.
    private(set) var output: [(rows: Range<Int>, unit: Unit)] = []
    /// Bytes of each slot; 0 where nothing is streamed.
    private(set) var slotByteCount = 0
    /// Bytes of memory for slots and kept units together: the slots come first.
    private(set) var memoryByteCount = 0
    /// What stays mapped or is copied at loading: the file's header, vectors, tables that are only looked up in.
    private let otherByteCount: Int

    /// Layers that are streamed, and all units that are.
    var streamedLayerCount: Int { layers.count { $0.item != nil } }
    var itemCount: Int { streamedLayerCount + output.count { $0.unit.item != nil } }

    /// Bytes that the weights take in memory.
    var byteCount: Int { memoryByteCount + otherByteCount }

    /// Bytes read for a pass with logits.
    var streamedByteCount: Int {
        (layers + output.map(\.unit)).reduce(0) { $0 + ($1.item == nil ? 0 : $1.byteCount) }
    }

    /// - Throws: `ModelError.insufficientMemory` with the least that would do; `unreadable` for files whose numbers must be turned round.
    init(_ weights: Weights, _ file: GGUFFile, limit: Int) throws(ModelError) {
        var units: [Unit] = []
        for layer in weights.layers { units.append(try Unit(layer.matrices.map(\.bytes), file)) }
        layers = units
        let largest = units.map(\.byteCount).max() ?? 0
        let matrix = weights.output?.matrix
        let embedding = weights.tokenEmbedding.bytes
        let isTied = matrix.map { $0.bytes.offset(in: embedding) == 0 } ?? false
        let looked = isTied ? 0 : embedding.count
        let streamable = weights.layers.reduce(matrix?.bytes.count ?? 0) { total, layer in
            layer.matrices.reduce(total) { $0 + $1.bytes.count }
        }
        otherByteCount = max(0, file.byteCount - streamable - looked)
        // Pages at both ends of a run belong to its neighbours too.
        var all = units.reduce(0) { $0 + $1.byteCount }
        if let matrix { all += try Unit([matrix.bytes], file).byteCount }
        let room = limit - otherByteCount
        guard room < all else {
            try keep(units.count, of: units, matrix, pieces: 1, file, room: room, slot: 0)
            return
        }
        guard room >= 2 * largest else {
            throw ModelError(
                .insufficientMemory,
                "weights in \(limit) bytes of memory are not possible: two layers at a time, and what is not read by layers, take \(otherByteCount + 2 * largest)"
            )
        }
        slotByteCount = largest
        // A piece has a page more at each end.
        let piece = max(1, largest - 2 * DirectFile.alignment - (matrix?.rowByteCount ?? 0))
        let pieces = min(max(1, matrix?.rowCount ?? 1), (matrix?.bytes.count ?? 0) / piece + 1)
        // As many layers as there is room for.
        var kept = units.count
        while kept > 0, Self.spread(kept, of: units).reduce(0, { $0 + units[$1].byteCount }) > room - 2 * largest {
            kept -= 1
        }
        // An even number of items, where there is a choice: the first of the next pass then has its slot free while the last is worked on.
        try keep(kept, of: units, matrix, pieces: pieces, file, room: room - 2 * largest, slot: largest)
        if itemCount % 2 != 0, let rows = matrix?.rowCount, pieces < rows {
            try keep(kept, of: units, matrix, pieces: pieces + 1, file, room: room - 2 * largest, slot: largest)
        }
    }

    /// Some of the layers, evenly spread.
    private static func spread(_ count: Int, of units: [Unit]) -> [Int] {
        units.indices.filter { ($0 + 1) * count / units.count > $0 * count / units.count }
    }

    /// Places all units: so many layers are kept, and of the output what there is room for then.
    private mutating func keep(
        _ count: Int, of units: [Unit], _ matrix: Matrix?, pieces: Int, _ file: GGUFFile, room: Int, slot: Int
    ) throws(ModelError) {
        layers = units
        output = []
        var offset = 2 * slot
        var room = room
        var items = 0
        func place(_ unit: inout Unit, isKept: Bool) {
            if isKept {
                unit.keptOffset = offset
                offset += unit.byteCount
                room -= unit.byteCount
            } else {
                unit.item = items
                items += 1
            }
        }
        let kept = Set(Self.spread(count, of: units))
        for index in layers.indices { place(&layers[index], isKept: kept.contains(index)) }
        if let matrix {
            for piece in 0..<pieces {
                let rows = matrix.rowCount * piece / pieces..<matrix.rowCount * (piece + 1) / pieces
                guard !rows.isEmpty, let part = matrix.slice(rows: rows) else { continue }
                var unit = try Unit([part.bytes], file)
                place(&unit, isKept: unit.byteCount <= room)
                output.append((rows, unit))
            }
        }
        memoryByteCount = offset
    }

    /// Where a unit's memory begins.
    func start(of unit: Unit) -> Int { unit.keptOffset ?? (unit.item ?? 0) % 2 * slotByteCount }
}

extension WeightLayout.Unit {
    /// The pages in which some parts of the files lie, those that touch together.
    init(_ parts: [ByteView], _ file: GGUFFile) throws(ModelError) {
        let page = DirectFile.alignment
        var places: [(part: Int, first: Int, end: Int)] = []
        for bytes in parts where bytes.count > 0 {
            guard let (part, offset) = file.place(of: bytes) else {
                throw ModelError(
                    .unreadable, "weights of a file in the other byte order cannot be read piece by piece")
            }
            let end = offset + bytes.count
            places.append((part, offset / page * page, (end + page - 1) / page * page))
        }
        places.sort { ($0.part, $0.first) < ($1.part, $1.first) }
        for (part, first, end) in places {
            if let last = runs.last, last.part == part, first <= last.fileOffset + last.byteCount {
                let longer = max(0, end - last.fileOffset - last.byteCount)
                runs[runs.count - 1].byteCount += longer
                byteCount += longer
            } else {
                runs.append(.init(part: part, fileOffset: first, byteCount: end - first, place: byteCount))
                byteCount += end - first
            }
        }
    }

    /// Where in the unit's memory a place of a file is.
    func place(part: Int, offset: Int) -> Int? {
        for run in runs where run.part == part {
            if offset >= run.fileOffset, offset < run.fileOffset + run.byteCount {
                return run.place + offset - run.fileOffset
            }
        }
        return nil
    }
}
