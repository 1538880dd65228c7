import EdgeGGUF
import EdgePlatform

/// Reads everything a file promises: all values, all elements, the first and last byte of every tensor.
///
/// The sum only keeps the reads from being dropped.
@discardableResult
func touch(_ file: GGUFFile) -> Int {
    var sum = 0
    for entry in file.metadata.entries { sum &+= touch(entry.value) &+ entry.key.utf8.count }
    for tensor in file.tensors {
        let bytes = tensor.bytes
        if bytes.count > 0 { sum &+= Int(bytes[0]) &+ Int(bytes[bytes.count - 1]) }
    }
    return sum
}

private func touch(_ value: GGUFValue) -> Int {
    guard let array = value.array else {
        return (value.int ?? 0) &+ (value.text?.utf8.count ?? 0) &+ (value.bool == true ? 1 : 0)
    }
    return touch(array)
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
