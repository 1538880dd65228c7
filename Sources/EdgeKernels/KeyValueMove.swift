package import EdgePlatform
internal import EdgeQuant

/// Brings keys and values that were stored elsewhere to other positions of a sequence.
///
/// A key was turned by its position's angles. As turns add up, turning it once more by those of the difference gives the key of the new
/// position (Su et al. 2021), but for the rounding of the cache's precision; values have no position. What tokens know of those before them
/// stays what it was.
package struct KeyValueMove: Sendable {
    /// What the bytes of a run hold.
    private let shape: KeyValueShape
    /// Two rows for each worker: a key and a value; and one with the run's keys or values in f32.
    private let rows: Rows
    private let decoded: Rows
    private let kernels: Kernels

    /// - Parameter workerCount: threads that move at the same time.
    /// - Throws: `PlatformError` when there is no memory.
    package init(_ shape: KeyValueShape, workerCount: Int, kernels: Kernels = .chosen) throws(PlatformError) {
        self.shape = shape
        self.kernels = kernels
        rows = try Rows(rowCount: 2 * max(1, workerCount), columnCount: shape.headSize)
        decoded = try Rows(
            rowCount: 2 * max(1, workerCount), columnCount: shape.headSize * KeyValueLayer.blockLength)
    }

    /// How keys are turned: by a row of a table of cosines and sines, as `Rows.rotate` takes it.
    package struct Turn: Sendable {
        package let table: Rows
        package let row: Int
        package let pairs: RotaryPairs

        package init(table: Rows, row: Int, pairs: RotaryPairs) {
            self.table = table
            self.row = row
            self.pairs = pairs
        }
    }

    /// Moves one head's keys and values of one layer, from places of a stored run of 32 positions to positions from `position` on.
    ///
    /// - Parameters:
    ///   - run: the bytes of the run, as `KeyValueBlocks.withSpan` gives them.
    ///   - turn: nil for keys that stay where they were.
    package func move(
        _ run: ByteView, layer: Int, head: Int, places: Range<Int>, to position: Int, of target: KeyValueLayer,
        turn: Turn?, worker: Int
    ) {
        check(run, layer: layer, head: head, places: places, worker: worker)
        decode(run, layer: layer, head: head, worker: worker) { keys, values in
            for place in places {
                gather(keys, values, place: place, worker: worker)
                turnKey(turn, worker)
                target.store(
                    position: position + place - places.lowerBound, head: head, key: rows, value: rows,
                    rows: (2 * worker, 2 * worker + 1), kernels: kernels)
            }
        }
    }

    /// How far what `move` would store is from what a layer holds there: by place, the sum of the squares of all differences.
    package func distances(
        _ run: ByteView, layer: Int, head: Int, places: Range<Int>, to position: Int, of target: KeyValueLayer,
        turn: Turn?, worker: Int, adding sums: inout [Double]
    ) {
        check(run, layer: layer, head: head, places: places, worker: worker)
        precondition(sums.count == places.count, "a sum for each place")
        decode(run, layer: layer, head: head, worker: worker) { keys, values in
            for (index, place) in places.enumerated() {
                gather(keys, values, place: place, worker: worker)
                turnKey(turn, worker)
                var sum = 0.0
                for component in 0..<shape.headSize {
                    let at = position + index
                    let key = target.value(.keys, head: head, position: at, component: component)
                    let value = target.value(.values, head: head, position: at, component: component)
                    let differences = (
                        Double(rows[2 * worker, component] - key), Double(rows[2 * worker + 1, component] - value)
                    )
                    sum += differences.0 * differences.0 + differences.1 * differences.1
                }
                sums[index] += sum
            }
        }
    }

    private func check(_ run: ByteView, layer: Int, head: Int, places: Range<Int>, worker: Int) {
        precondition(run.count == shape.usedByteCount, "bytes of another shape")
        precondition(layer >= 0 && layer < shape.layerCount && head >= 0 && head < shape.kvHeadCount, "out of bounds")
        precondition(places.lowerBound >= 0 && places.upperBound <= KeyValueLayer.blockLength, "places out of bounds")
        precondition(worker >= 0 && 2 * worker + 1 < rows.rowCount, "worker out of bounds")
    }

    private func turnKey(_ turn: Turn?, _ worker: Int) {
        guard let turn else { return }
        rows.rotate(
            row: 2 * worker, column: 0, headCount: 1, headSize: shape.headSize,
            rotaryCount: turn.table.columnCount, pairs: turn.pairs, table: turn.table, tableRow: turn.row)
    }

    /// One position's key and value, into the worker's rows.
    private func gather(
        _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, place: Int, worker: Int
    ) {
        let key = rows.pointer(row: 2 * worker)
        let value = rows.pointer(row: 2 * worker + 1)
        for i in 0..<shape.headSize { key[i] = keys[i &* KeyValueLayer.blockLength &+ place] }
        value.update(from: values + place &* shape.headSize, count: shape.headSize)
    }

    /// A head's keys, [headSize, 32], and values, [32, headSize], of a run in f32.
    private func decode(
        _ run: ByteView, layer: Int, head: Int, worker: Int,
        _ body: (UnsafePointer<Float>, UnsafePointer<Float>) -> Void
    ) {
        guard let partByteCount = shape.partByteCount else { return }
        run.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let first = base + (layer &* shape.kvHeadCount &+ head) &* 2 &* partByteCount
            let keys = decoded.pointer(row: 2 * worker)
            let values = decoded.pointer(row: 2 * worker + 1)
            decode(first, isKey: true, into: keys)
            decode(first + partByteCount, isKey: false, into: values)
            body(keys, values)
        }
    }

    private func decode(_ part: UnsafeRawPointer, isKey: Bool, into output: UnsafeMutablePointer<Float>) {
        let count = shape.headSize &* KeyValueLayer.blockLength
        switch shape.precision {
        // Bytes of a file may lie anywhere.
        case .f32:
            for i in 0..<count { output[i] = part.loadUnaligned(fromByteOffset: 4 &* i, as: Float.self) }
        case .f16:
            for i in 0..<count {
                output[i] = Half.decode(part.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self))
            }
        case .q8_0, .q4_0:
            let part = UnsafeMutableRawPointer(mutating: part)
            for i in 0..<count {
                let width = isKey ? KeyValueLayer.blockLength : shape.headSize
                let (row, column) = (i / width, i % width)
                output[i] = CodedBlocks.decode(
                    part, headSize: shape.headSize, position: isKey ? column : row, component: isKey ? row : column,
                    isKey: isKey, isNibbles: shape.precision == .q4_0)
            }
        }
    }
}
