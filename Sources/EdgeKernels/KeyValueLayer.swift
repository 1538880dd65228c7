internal import EdgeKernelJobs
package import EdgePlatform
internal import EdgeQuant

/// The keys and values of one layer for one sequence: a layer of some blocks, and the table that says which of them hold the
/// sequence's positions.
///
/// `@unchecked Sendable`: threads write disjoint positions and heads between barriers.
package final class KeyValueLayer: @unchecked Sendable {
    package let kvHeadCount: Int
    package let headSize: Int
    package let precision: CachePrecision
    private let blocks: KeyValueBlocks
    private let layer: Int
    private let table: BlockTable

    /// Positions whose scores are computed, and whose softmax is folded in, together. Blocks are counted from position 0, so
    /// the order of operations depends on positions alone and not on how a prompt was cut.
    package static let blockLength = AttentionJob.blockLength

    /// A layer of a sequence.
    package init(_ blocks: KeyValueBlocks, layer: Int, table: BlockTable) {
        precondition(layer >= 0 && layer < blocks.shape.layerCount, "layer out of bounds")
        self.blocks = blocks
        self.layer = layer
        self.table = table
        kvHeadCount = blocks.shape.kvHeadCount
        headSize = blocks.shape.headSize
        precision = blocks.shape.precision
    }

    /// A layer with memory of its own for some positions, all in their place.
    ///
    /// - Throws: `PlatformError` when sizes overflow or the system has no address space.
    package convenience init(
        kvHeadCount: Int, headSize: Int, capacity: Int, precision: CachePrecision
    ) throws(PlatformError) {
        guard capacity >= 0 else { throw .outOfMemory("a key-value cache of \(capacity) positions") }
        let count = capacity / Self.blockLength + (capacity % Self.blockLength == 0 ? 0 : 1)
        let shape = KeyValueShape(layerCount: 1, kvHeadCount: kvHeadCount, headSize: headSize, precision: precision)
        let table = BlockTable(reserving: count)
        for block in 0..<count { table.set(block, to: block) }
        self.init(try KeyValueBlocks(shape, blockCount: count), layer: 0, table: table)
    }

    /// Bytes of the blocks that it is a layer of, those of all sequences and layers together.
    package var byteCount: Int { blocks.byteCount }

    /// Blocks of all sequences together.
    package var blockCount: Int { blocks.blockCount }

    /// Positions there are blocks for.
    package var capacity: Int { table.count * Self.blockLength }

    /// Stores one head's key and value at a position, from rows of activations.
    package func store(
        position: Int, head: Int, key: Rows, value: Rows, row: Int, keyColumn: Int, valueColumn: Int,
        kernels: Kernels = .chosen
    ) {
        store(
            position: position, head: head, key: key, value: value, rows: (row, row), keyColumn: keyColumn,
            valueColumn: valueColumn, kernels: kernels)
    }

    /// As `store(position:head:key:value:row:keyColumn:valueColumn:kernels:)`, with a row for the key and one for the value.
    func store(
        position: Int, head: Int, key: Rows, value: Rows, rows: (key: Int, value: Int), keyColumn: Int = 0,
        valueColumn: Int = 0, kernels: Kernels
    ) {
        precondition(position >= 0, "position out of bounds")
        precondition(head >= 0 && head < kvHeadCount, "head out of bounds")
        precondition(rows.key >= 0 && rows.key < key.rowCount, "row out of bounds")
        precondition(rows.value >= 0 && rows.value < value.rowCount, "row out of bounds")
        precondition(keyColumn >= 0 && headSize <= key.columnCount - keyColumn, "key out of bounds")
        precondition(valueColumn >= 0 && headSize <= value.columnCount - valueColumn, "value out of bounds")
        let place = position % Self.blockLength
        let block = table[position / Self.blockLength]
        let keys = blocks.pointer(block: block, layer: layer, head: head, part: .keys)
        let values = blocks.pointer(block: block, layer: layer, head: head, part: .values)
        let key = key.pointer(row: rows.key, column: keyColumn)
        let value = value.pointer(row: rows.value, column: valueColumn)
        guard !precision.isCoded else {
            let isNibbles = precision == .q4_0
            CodedBlocks.encode(
                key, headSize: headSize, into: keys, position: place, isKey: true, isNibbles: isNibbles)
            CodedBlocks.encode(
                value, headSize: headSize, into: values, position: place, isKey: false, isNibbles: isNibbles)
            return
        }
        encode(key, to: keys, from: place, stride: Self.blockLength, kernels)
        encode(value, to: values, from: place * headSize, stride: 1, kernels)
    }

    private func encode(
        _ source: UnsafePointer<Float>, to block: UnsafeMutableRawPointer, from first: Int, stride: Int,
        _ kernels: Kernels
    ) {
        switch precision {
        case .f32:
            let target = block.assumingMemoryBound(to: Float.self) + first
            for i in 0..<headSize { target[i &* stride] = source[i] }
        case .f16:
            let target = block.assumingMemoryBound(to: UInt16.self) + first
            kernels.functions.encodeHalves(source, headSize, target, stride)
        case .q8_0, .q4_0:
            preconditionFailure("codes are written by CodedBlocks")
        }
    }

    /// Whether a run of 32 positions lies in a file.
    func isSpilled(run: Int) -> Bool { blocks.isSpilled(block: table[run]) }

    /// Bytes of a run of 32 positions that is staged.
    var stagedByteCount: Int { blocks.sliceByteCount }

    /// One head's keys or values of the run that begins at a position: where they are, or in what was staged of the run.
    private func pointer(
        _ part: Part, head: Int, position: Int, staged: UnsafeMutableRawPointer?
    ) -> UnsafeMutableRawPointer {
        guard let staged else {
            return blocks.pointer(block: table[position / Self.blockLength], layer: layer, head: head, part: part)
        }
        return staged + (2 &* head &+ (part == .keys ? 0 : 1)) &* blocks.partByteCount
    }

    /// The codes of the block that begins at a position.
    func codedBlock(
        head: Int, position: Int, staged: UnsafeMutableRawPointer?, queryCodes: UnsafeRawPointer,
        queryScales: UnsafePointer<Float>,
        querySums: UnsafePointer<Int16>, scratch: UnsafeMutablePointer<Float>
    ) -> CodedBlock {
        let keys = pointer(.keys, head: head, position: position, staged: staged)
        let values = pointer(.values, head: head, position: position, staged: staged)
        let isNibbles = precision == .q4_0
        return CodedBlock(
            blockCount: CodedBlocks.groupCount(headSize: headSize), isNibbles: isNibbles, keyCodes: keys,
            keyScales: CodedBlocks.scales(keys, headSize: headSize, isNibbles: isNibbles), valueCodes: values,
            valueScales: CodedBlocks.scales(values, headSize: headSize, isNibbles: isNibbles),
            queryCodes: queryCodes, queryScales: queryScales, querySums: querySums, scratch: scratch)
    }

    /// The block that begins at a position, as f32: in place, or as many of its values as asked for decoded into the scratch.
    func block(
        _ part: Part, head: Int, position: Int, staged: UnsafeMutableRawPointer? = nil, valueCount: Int,
        scratch: UnsafeMutablePointer<Float>, kernels: Kernels
    ) -> UnsafePointer<Float> {
        let source = pointer(part, head: head, position: position, staged: staged)
        switch precision {
        case .f32:
            return UnsafePointer(source.assumingMemoryBound(to: Float.self))
        case .f16:
            kernels.functions.decodeHalves(
                source.assumingMemoryBound(to: UInt16.self), valueCount, scratch,
                following(part, head: head, position: position, staged: staged))
            return UnsafePointer(scratch)
        case .q8_0, .q4_0:
            for index in 0..<valueCount {
                let (row, column) = index.quotientAndRemainder(
                    dividingBy: part == .keys ? Self.blockLength : headSize)
                let (position, component) = part == .keys ? (column, row) : (row, column)
                scratch[index] = CodedBlocks.decode(
                    source, headSize: headSize, position: position, component: component, isKey: part == .keys,
                    isNibbles: precision == .q4_0)
            }
            return UnsafePointer(scratch)
        }
    }

    /// Where the block after the one that begins at a position lies, which attention wants next; nil where it is not known.
    private func following(
        _ part: Part, head: Int, position: Int, staged: UnsafeMutableRawPointer?
    ) -> UnsafeRawPointer? {
        let run = position / Self.blockLength + 1
        guard staged == nil, run < table.count, table[run] >= 0 else { return nil }
        return UnsafeRawPointer(blocks.pointer(block: table[run], layer: layer, head: head, part: part))
    }

    package enum Part: Sendable { case keys, values }

    /// One component of what is stored of a position that is in memory.
    package func value(_ part: Part, head: Int, position: Int, component: Int) -> Float {
        precondition(head >= 0 && head < kvHeadCount && component >= 0 && component < headSize, "out of bounds")
        let place = position % Self.blockLength
        let source = pointer(part, head: head, position: position, staged: nil)
        let index = part == .keys ? component &* Self.blockLength &+ place : place &* headSize &+ component
        switch precision {
        case .f32: return source.load(fromByteOffset: 4 &* index, as: Float.self)
        case .f16: return Half.decode(source.load(fromByteOffset: 2 &* index, as: UInt16.self))
        case .q8_0, .q4_0:
            return CodedBlocks.decode(
                source, headSize: headSize, position: place, component: component, isKey: part == .keys,
                isNibbles: precision == .q4_0)
        }
    }

    /// All that is stored, as the bits of f32, block by block: for tests.
    package func copy(_ part: Part) -> [UInt32] {
        (0..<kvHeadCount).flatMap { head in (0..<table.count).flatMap { copy(part, head: head, block: $0) ?? [] } }
    }

    /// One head's part of a run of 32 positions, as the bits of f32, nil where it is gone: for tests.
    package func copy(_ part: Part, head: Int, block: Int) -> [UInt32]? {
        guard table[block] >= 0, !isSpilled(run: block) else { return nil }
        let count = Self.blockLength * headSize
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scratch in
            guard let base = scratch.baseAddress else { return nil }
            let values = self.block(
                part, head: head, position: block * Self.blockLength, valueCount: count, scratch: base, kernels: .chosen
            )
            return (0..<count).map { values[$0].bitPattern }
        }
    }
}
