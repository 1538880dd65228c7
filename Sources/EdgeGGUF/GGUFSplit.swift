/// The name of one part of a split model: `NAME-00002-of-00003.gguf`.
struct GGUFPartName {
    let prefix: String
    let number: Int
    let count: Int

    /// Nil for a path that does not follow the pattern.
    init?(_ path: String) {
        let suffix = Array(".gguf".utf8)
        let middle = Array("-of-".utf8)
        let bytes = Array(path.utf8)
        // NAME - 00001 -of- 00003 .gguf
        let tail = 1 + 5 + middle.count + 5 + suffix.count
        guard bytes.count >= tail, bytes.suffix(suffix.count).elementsEqual(suffix) else { return nil }
        let start = bytes.count - tail
        guard bytes[start] == UInt8(ascii: "-"), bytes[start + 6..<start + 10].elementsEqual(middle),
            let number = GGUFPartName.number(bytes[start + 1..<start + 6]),
            let count = GGUFPartName.number(bytes[start + 10..<start + 15]),
            number >= 1, number <= count
        else { return nil }
        prefix = String(decoding: bytes[..<start], as: UTF8.self)
        self.number = number
        self.count = count
    }

    /// The path of another part of the same set.
    func sibling(_ number: Int) -> String {
        "\(prefix)-\(GGUFPartName.digits(number))-of-\(GGUFPartName.digits(count)).gguf"
    }

    /// A number in five digits.
    static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }
}

/// What the metadata of a file says about its place among the parts of a model.
struct GGUFSplit {
    /// From 0.
    let number: Int
    /// 1 for a model in one file.
    let count: Int
    /// The number of tensors in all parts.
    let tensorCount: Int?

    init(_ metadata: GGUFMetadata) throws(GGUFError) {
        count = max(1, try metadata.optionalInt(GGUFKey.splitCount, in: 0...99_999) ?? 1)
        number = try metadata.optionalInt(GGUFKey.splitNumber, in: 0...99_998) ?? 0
        tensorCount = try metadata.optionalInt(GGUFKey.splitTensorCount, in: 0...Int.max)
        guard number < count else {
            throw metadata.invalid(GGUFKey.splitNumber, "the file says it is part \(number + 1) of \(count)")
        }
    }

    /// Checks that a later part belongs to the set that the first one opened.
    func check(_ other: GGUFSplit, isNumber expected: Int, path: String) throws(GGUFError) {
        guard other.number == expected, other.count == count else {
            throw GGUFError(
                .missingSplit,
                "the file says it is part \(other.number + 1) of \(other.count), but must be part \(expected + 1) of \(count)",
                key: GGUFKey.splitNumber, path: path)
        }
        guard other.tensorCount == nil || tensorCount == nil || other.tensorCount == tensorCount else {
            throw GGUFError(
                .missingSplit, "the file counts other tensors than the first part does",
                key: GGUFKey.splitTensorCount, path: path)
        }
    }
}
