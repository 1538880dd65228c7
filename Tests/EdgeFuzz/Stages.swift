import EdgeGGUF
import EdgePlatform
import EdgeQuant

/// Something to do with a file that parsed, such as loading the model and running a token.
///
/// It may throw: an error is a refusal and counts as a good answer. It may not crash, hang or take much memory.
/// The number it returns only keeps the work from being dropped.
struct Stage: Sendable {
    let name: String
    let run: @Sendable (GGUFFile) throws -> Int
}

/// What happens to each file after the reader accepted it, in order, until one refuses.
let stages: [Stage] = [
    Stage(name: "touch") { file in try touch(file) }
]

/// Reads all a file promises: every value, every array in every way, every byte of every tensor, and writes it again.
func touch(_ file: GGUFFile) throws -> Int {
    var sum = 0
    for entry in file.metadata.entries {
        sum &+= entry.key.utf8.count &+ entry.fileOffset
        sum &+= (entry.value.int ?? 0) &+ (entry.value.text?.utf8.count ?? 0) &+ (entry.value.bool == true ? 1 : 0)
        if let array = entry.value.array { sum &+= touch(array) }
        _ = try? file.metadata.ints(entry.key)
        _ = try? file.metadata.packedStrings(entry.key)
    }
    var covered = 0
    for tensor in file.tensors {
        let bytes = tensor.bytes
        for index in 0..<bytes.count { sum &+= Int(bytes[index]) }
        covered += bytes.count
        guard file.tensor(named: tensor.name)?.fileOffset == tensor.fileOffset,
            tensor.type.byteCount(valueCount: tensor.valueCount) == bytes.count
        else { throw Contradiction("tensor \(tensor.name) is not what the directory says") }
    }
    guard covered <= file.byteCount else { throw Contradiction("tensors have more bytes than the file") }

    // What was accepted can be written, and the result means the same.
    let copy = try GGUFFile(bytes: ByteView(GGUFWriter(copying: file, layout: file.layout).encoded()), path: "copy")
    guard copy.metadata.count == file.metadata.count, copy.tensors.count == file.tensors.count,
        zip(copy.tensors, file.tensors).allSatisfy({ $0.storedBytes.hasSameBytes(as: $1.storedBytes) }),
        zip(copy.metadata.entries, file.metadata.entries).allSatisfy({ $0.value == $1.value })
    else { throw Contradiction("a written copy differs") }
    return sum
}

private func touch(_ array: GGUFArray) -> Int {
    var sum = array.count
    sum &+= array.ints()?.reduce(0, &+) ?? 0
    sum &+= array.int32s()?.count ?? 0
    sum &+= array.floats()?.count ?? 0
    sum &+= array.doubles()?.count ?? 0
    sum &+= array.bools()?.count ?? 0
    sum &+= array.strings()?.reduce(0) { $0 &+ $1.utf8.count } ?? 0
    if let packed = try? array.packedStrings() { sum &+= packed.bytes.count }
    for inner in array.arrays() ?? [] { sum &+= touch(inner) }
    return sum
}

/// An answer of the code under test that cannot be right: ends the run as a crash does.
struct Contradiction: Error {
    let message: String
    init(_ message: String) { self.message = message }
}
