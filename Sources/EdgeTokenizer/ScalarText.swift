/// A stretch of text as code points with their classes, reused between calls of the splitter.
///
/// Positions in this room's splitters count code points; `offsets` leads back to bytes.
struct ScalarText {
    var scalars: [UInt32] = []
    var classes: [UInt16] = []
    /// Byte offset of each code point in the source, and one more for the end.
    var offsets: [Int] = []

    /// Reads `bytes[range]`, which must be repaired (`CodePoints.repaired`).
    mutating func read(_ bytes: [UInt8], _ range: Range<Int>, _ table: (first: [UInt16], second: [UInt16])) {
        scalars.removeAll(keepingCapacity: true)
        classes.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        var position = range.lowerBound
        while position < range.upperBound {
            let read = CodePoints.read(bytes, position, range.upperBound)
            offsets.append(position)
            scalars.append(read.scalar)
            let block = Int(read.scalar >> 8)
            if block < table.first.count {
                classes.append(table.second[Int(table.first[block]) << 8 | Int(read.scalar & 0xFF)])
            } else {
                classes.append(CharacterClass.unassigned.rawValue)
            }
            position += read.length
        }
        offsets.append(position)
    }

    var count: Int { scalars.count }
}
