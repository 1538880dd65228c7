package import EdgeKernels
package import EdgePlatform
internal import EdgeQuant

/// Vectors in memory, searched exactly: each query meets every vector.
///
/// A query is compared with all vectors in int8 (rows of `q8_0`, the kernels of the model), and with those that could be among the best
/// again in f32. What int8 may be wrong by is known for each vector, so none that belongs to the best is ever missed: the result is that of
/// comparing all in f32, to the same bits for any number of threads and on every instruction set. 5.1 bytes of memory a coordinate.
///
/// Vectors that a file holds as `parts` are used where it is mapped; such an index stays as it is.
///
/// Not for several threads at once.
package final class VectorIndex {
    /// Coordinates of a vector.
    package let dimensionCount: Int
    /// In whole blocks of 32; the rest are zeros.
    private let columnCount: Int
    private let team: ThreadTeam
    private let kernels: Kernels

    /// The name of each vector, 0 for one that was removed.
    private var ids: [Int64] = []
    private var rows: [Int64: Int] = [:]
    private var removedCount = 0
    /// [capacity, columnCount] each, as `q8_0` and as f32.
    private var codes: AlignedBuffer<UInt8>
    private var values: AlignedBuffer<UInt8>
    /// Those of a file, instead of the buffers.
    private var mapped: (codes: ByteView, values: ByteView)?
    private let codeRowBytes: Int
    private let valueRowBytes: Int
    private var capacity = 0
    /// The length of each vector, and of what int8 leaves of it.
    private var lengths: [Float] = []
    private var errors: [Float] = []

    /// An empty index.
    ///
    /// - Throws: `PlatformError` when there is no memory.
    package init(dimensionCount: Int, team: ThreadTeam, kernels: Kernels = .chosen) throws(PlatformError) {
        precondition(dimensionCount > 0, "vectors need coordinates")
        self.dimensionCount = dimensionCount
        self.team = team
        self.kernels = kernels
        columnCount = (dimensionCount + 31) / 32 * 32
        codeRowBytes = GGMLType.q8_0.byteCount(valueCount: columnCount) ?? columnCount / 32 * 34
        valueRowBytes = columnCount * 4
        codes = try AlignedBuffer(count: 0)
        values = try AlignedBuffer(count: 0)
    }

    /// Vectors.
    package var count: Int { ids.count - removedCount }
    /// Vectors, and such as were removed and still have their place.
    package var storedCount: Int { ids.count }
    /// Bytes that a vector takes.
    package var bytesPerVector: Int { codeRowBytes + valueRowBytes }
    /// Bytes of memory for vectors.
    package var byteCount: Int { codes.byteCount + values.byteCount }
    /// The names of all vectors.
    package var allIDs: Set<Int64> { Set(rows.keys) }

    package func contains(_ id: Int64) -> Bool { rows[id] != nil }

    /// The vector of that name.
    package func vector(_ id: Int64) -> [Float]? {
        guard let row = rows[id] else { return nil }
        guard let view = allValues.slice(at: row * valueRowBytes, byteCount: valueRowBytes) else { return nil }
        return (0..<dimensionCount).map { Float(bitPattern: view.load(UInt32.self, at: 4 * $0) ?? 0) }
    }

    private var allCodes: ByteView { mapped?.codes ?? codes.view(at: 0, byteCount: ids.count * codeRowBytes) }
    private var allValues: ByteView { mapped?.values ?? values.view(at: 0, byteCount: ids.count * valueRowBytes) }

    // MARK: In files

    /// All that an index is, as a file may hold it: all numbers little-endian.
    package struct Parts: Sendable {
        /// The names, 8 bytes each, ascending.
        package var ids: ByteView
        /// Of each vector its length and that of what int8 leaves of it, f32 both.
        package var bounds: ByteView
        /// `q8_0` blocks and f32 of each vector, in whole blocks of 32 coordinates.
        package var codes: ByteView
        package var values: ByteView

        package init(ids: ByteView, bounds: ByteView, codes: ByteView, values: ByteView) {
            self.ids = ids
            self.bounds = bounds
            self.codes = codes
            self.values = values
        }
    }

    /// What a file may hold of this index, to be written before the index changes; nil where vectors were removed or are not in the order
    /// of their names.
    package var parts: Parts? {
        guard removedCount == 0, zip(ids, ids.dropFirst()).allSatisfy(<) else { return nil }
        var names: [UInt8] = []
        var bounds: [UInt8] = []
        func add(_ number: UInt64, _ byteCount: Int, to bytes: inout [UInt8]) {
            for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
        }
        for (row, id) in ids.enumerated() {
            add(UInt64(bitPattern: id), 8, to: &names)
            add(UInt64(lengths[row].bitPattern), 4, to: &bounds)
            add(UInt64(errors[row].bitPattern), 4, to: &bounds)
        }
        return Parts(ids: ByteView(names), bounds: ByteView(bounds), codes: allCodes, values: allValues)
    }

    /// An index of a file's vectors, used where they are mapped; nil where the parts contradict each other. That they are undamaged is for the
    /// file's checksums to say.
    ///
    /// - Throws: `PlatformError` when there is no memory.
    package init?(
        _ parts: Parts, dimensionCount: Int, team: ThreadTeam, kernels: Kernels = .chosen
    ) throws(PlatformError) {
        let columnCount = (dimensionCount + 31) / 32 * 32
        let count = parts.ids.count / 8
        guard dimensionCount > 0, parts.ids.count % 8 == 0, parts.bounds.count == parts.ids.count,
            let codeRowBytes = GGMLType.q8_0.byteCount(valueCount: columnCount),
            parts.codes.count / codeRowBytes == count, parts.codes.count % codeRowBytes == 0,
            parts.values.count / (columnCount * 4) == count, parts.values.count % (columnCount * 4) == 0
        else { return nil }
        self.dimensionCount = dimensionCount
        self.team = team
        self.kernels = kernels
        self.columnCount = columnCount
        self.codeRowBytes = codeRowBytes
        valueRowBytes = columnCount * 4
        codes = try AlignedBuffer(count: 0)
        values = try AlignedBuffer(count: 0)
        mapped = (parts.codes, parts.values)
        func float(_ offset: Int) -> Float {
            Float(bitPattern: UInt32(littleEndian: parts.bounds.load(at: offset) ?? 0))
        }
        rows.reserveCapacity(count)
        for row in 0..<count {
            let id = Int64(littleEndian: parts.ids.load(at: 8 * row) ?? 0)
            let (length, error) = (float(8 * row), float(8 * row + 4))
            guard id > ids.last ?? 0, length >= 0, length.isFinite, error >= 0, error.isFinite else { return nil }
            ids.append(id)
            lengths.append(length)
            errors.append(error)
            rows[id] = row
        }
    }

    /// A vector as it is stored: `q8_0` blocks and f32, both little-endian, in whole blocks of 32 coordinates.
    package struct Encoded: Sendable, Equatable {
        package var codes: [UInt8]
        package var values: [UInt8]

        package init(codes: [UInt8], values: [UInt8]) {
            self.codes = codes
            self.values = values
        }

        /// Encodes a vector; coordinates that are not finite become 0.
        package init(_ vector: [Float]) {
            var padded = vector.map { $0.isFinite ? $0 : 0 }
            padded += repeatElement(0, count: (32 - vector.count % 32) % 32)
            // Whole blocks can always be encoded.
            codes = (try? GGMLType.q8_0.encode(padded)) ?? []
            values = (try? GGMLType.f32.encode(padded)) ?? []
        }

        /// Whether it is a vector of so many coordinates, all finite.
        package func isValid(dimensionCount: Int) -> Bool {
            let columnCount = (dimensionCount + 31) / 32 * 32
            guard values.count == 4 * columnCount, codes.count == GGMLType.q8_0.byteCount(valueCount: columnCount),
                let full = try? GGMLType.f32.decode(values), let coarse = try? GGMLType.q8_0.decode(codes)
            else { return false }
            return full.allSatisfy(\.isFinite) && coarse.allSatisfy(\.isFinite)
        }

        /// The vector in f32.
        package func vector(dimensionCount: Int) -> [Float] {
            Array(((try? GGMLType.f32.decode(values)) ?? []).prefix(dimensionCount))
        }
    }

    /// Adds vectors under names that are positive; one that is used already names the new vector then.
    ///
    /// - Throws: `PlatformError` when there is no memory; the index then holds what it held.
    package func add(_ vectors: [(id: Int64, encoded: Encoded)]) throws(PlatformError) {
        precondition(mapped == nil, "vectors of a file stay as they are")
        try reserve(ids.count + vectors.count)
        for (id, encoded) in vectors {
            precondition(id > 0, "names of vectors are positive")
            precondition(
                encoded.codes.count == codeRowBytes && encoded.values.count == valueRowBytes,
                "a vector of another model")
            remove([id])
            append(id, encoded)
        }
    }

    /// Removes vectors; names of none do nothing.
    package func remove(_ names: some Sequence<Int64>) {
        precondition(mapped == nil, "vectors of a file stay as they are")
        for id in names {
            guard let row = rows.removeValue(forKey: id) else { continue }
            ids[row] = 0
            removedCount += 1
        }
        if removedCount > 1024, removedCount > ids.count / 2 { compact() }
    }

    private func append(_ id: Int64, _ encoded: Encoded) {
        let row = ids.count
        codes.write(encoded.codes, at: row * codeRowBytes)
        values.write(encoded.values, at: row * valueRowBytes)
        let full = (try? GGMLType.f32.decode(encoded.values)) ?? []
        let coarse = (try? GGMLType.q8_0.decode(encoded.codes)) ?? []
        var length = 0.0
        var error = 0.0
        for (value, code) in zip(full, coarse) {
            length += Double(value) * Double(value)
            let rest = Double(value) - Double(code)
            error += rest * rest
        }
        ids.append(id)
        rows[id] = row
        // Rounded up, so that a bound stays one.
        lengths.append(Float(length.squareRoot()).nextUp)
        errors.append(Float(error.squareRoot()).nextUp)
    }

    /// Makes room for so many vectors, those that were removed included.
    package func reserve(_ count: Int) throws(PlatformError) {
        guard count > capacity else { return }
        let (doubled, overflow) = capacity.multipliedReportingOverflow(by: 2)
        let wanted = max(count, overflow ? count : doubled, 64)
        let (bytes, tooMany) = wanted.multipliedReportingOverflow(by: valueRowBytes)
        guard !tooMany else { throw .outOfMemory("\(wanted) vectors") }
        let newCodes = try AlignedBuffer<UInt8>(count: wanted * codeRowBytes)
        let newValues = try AlignedBuffer<UInt8>(count: bytes)
        newCodes.copy(from: codes, byteCount: ids.count * codeRowBytes)
        newValues.copy(from: values, byteCount: ids.count * valueRowBytes)
        (codes, values, capacity) = (newCodes, newValues, wanted)
    }

    /// Closes the gaps that removed vectors left, in place.
    private func compact() {
        var target = 0
        for row in ids.indices where ids[row] != 0 {
            if target != row {
                codes.move(from: row * codeRowBytes, to: target * codeRowBytes, byteCount: codeRowBytes)
                values.move(from: row * valueRowBytes, to: target * valueRowBytes, byteCount: valueRowBytes)
                ids[target] = ids[row]
                lengths[target] = lengths[row]
                errors[target] = errors[row]
                rows[ids[target]] = target
            }
            target += 1
        }
        ids.removeSubrange(target...)
        lengths.removeSubrange(target...)
        errors.removeSubrange(target...)
        removedCount = 0
    }

    // MARK: Searching

    /// A vector that was found, and its dot product with the query.
    package struct Match: Sendable, Equatable {
        package var id: Int64
        package var score: Float
    }

    /// The vectors with the largest dot products with each query, the largest first; of equals the lower name first.
    ///
    /// - Parameters:
    ///   - limit: how many at most.
    ///   - allowed: the names that may be found; nil for all.
    /// - Throws: `PlatformError` when there is no memory.
    package func search(
        _ queries: [[Float]], limit: Int, allowed: Set<Int64>? = nil
    ) throws(PlatformError) -> [[Match]] {
        guard limit > 0, !ids.isEmpty, !queries.isEmpty else { return queries.map { _ in [] } }
        var found: [[Match]] = []
        // A batch at a time, so that the room for scores stays in the cache.
        var start = 0
        while start < queries.count {
            let end = min(queries.count, start + VectorScan.batchLimit)
            found += try search(batch: Array(queries[start..<end]), limit: limit, allowed: allowed)
            start = end
        }
        return found
    }

    private func search(
        batch: [[Float]], limit: Int, allowed: Set<Int64>?
    ) throws(PlatformError) -> [[Match]] {
        let x = try Rows(rowCount: batch.count, columnCount: columnCount)
        let quantized = try QuantizedRows(
            rowCount: batch.count, columnCount: columnCount, blocks: .of32, kernels: kernels)
        var queryErrors: [(length: Float, rest: Float)] = []
        for (row, query) in batch.enumerated() {
            precondition(query.count == dimensionCount, "a query of another model")
            for (column, value) in query.enumerated() { x[row, column] = value.isFinite ? value : 0 }
            quantized.quantize(x, row: row, blocks: .of32)
            let (codes, scales) = quantized.codes(row: row, blocks: .of32)
            var length = 0.0
            var rest = 0.0
            for column in 0..<columnCount {
                let value = Double(x[row, column])
                length += value * value
                let error = value - Double(codes[column]) * Double(scales[column / 32])
                rest += error * error
            }
            queryErrors.append((Float(length.squareRoot()).nextUp, Float(rest.squareRoot()).nextUp))
        }
        guard
            let coded = Matrix(
                type: .q8_0, rowCount: ids.count, columnCount: columnCount,
                bytes: allCodes),
            let full = Matrix(
                type: .f32, rowCount: ids.count, columnCount: columnCount,
                bytes: allValues)
        else { return batch.map { _ in [] } }
        let scan = try VectorScan(
            coded: coded, full: full, x: x, quantized: quantized, queryErrors: queryErrors, ids: ids, lengths: lengths,
            errors: errors, allowed: allowed, limit: limit, workerCount: team.threadCount, kernels: kernels)
        team.run(scan)
        return scan.matches()
    }
}
