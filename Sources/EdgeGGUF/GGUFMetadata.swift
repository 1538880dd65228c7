/// The key-value pairs of a file, in its order, found by key in constant time.
package struct GGUFMetadata: Sendable {
    /// One pair.
    package struct Entry: Sendable {
        package let key: String
        package var value: GGUFValue
        /// Where the pair begins in the file, 0 for pairs made in memory.
        package let fileOffset: Int
    }

    /// The pairs in the order of the file.
    package private(set) var entries: [Entry] = []
    private var index: [KeyBytes: Int] = [:]
    /// The file's path, for errors.
    package let path: String

    package init(path: String = "") { self.path = path }

    package var count: Int { entries.count }

    /// The value of a key, nil when it is absent.
    package subscript(key: String) -> GGUFValue? { entry(key)?.value }

    func entry(_ key: String) -> Entry? { index[KeyBytes(key)].map { entries[$0] } }

    /// Adds a pair; false when the key is there already.
    mutating func append(_ key: String, _ value: GGUFValue, fileOffset: Int = 0) -> Bool {
        guard index.updateValue(entries.count, forKey: KeyBytes(key)) == nil else { return false }
        entries.append(Entry(key: key, value: value, fileOffset: fileOffset))
        return true
    }

    /// Sets a key's value, in its old place when it has one.
    mutating func set(_ key: String, _ value: GGUFValue) {
        if let position = index[KeyBytes(key)] {
            entries[position].value = value
        } else {
            _ = append(key, value)
        }
    }
}

/// A string compared and hashed by its bytes.
///
/// `String` compares by canonical equivalence, which would call two keys of different bytes equal and costs more than
/// linear time on hostile sequences of combining marks.
struct KeyBytes: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: KeyBytes, right: KeyBytes) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var filled = 0
        for byte in text.utf8 {
            word = word &<< 8 | UInt64(byte)
            filled += 1
            if filled % 8 == 0 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(filled)
    }
}

// MARK: Typed access

/// Each getter has two forms: one that throws `missingMetadata` when the key is absent, and one named `optional…` that
/// returns nil then. Both throw `wrongMetadataType` when the key holds something else.
extension GGUFMetadata {
    package func string(_ key: String) throws(GGUFError) -> String { try required(key, optionalString(key)) }
    package func optionalString(_ key: String) throws(GGUFError) -> String? {
        try converted(key, "a string") { $0.text }
    }

    /// A value of any integer type that fits `Int`.
    package func int(_ key: String) throws(GGUFError) -> Int { try required(key, optionalInt(key)) }
    /// A value of any integer type that fits `Int`.
    package func optionalInt(_ key: String) throws(GGUFError) -> Int? {
        guard let entry = entry(key) else { return nil }
        if let value = entry.value.int { return value }
        guard entry.value.isInteger else { throw wrongType(entry, "an integer") }
        throw error(.invalidValue, "the number is beyond \(Int.max)", entry)
    }

    /// A value of any integer type within a range, such as `1...65_536`; `invalidValue` outside it.
    package func int(_ key: String, in range: ClosedRange<Int>) throws(GGUFError) -> Int {
        try required(key, optionalInt(key, in: range))
    }
    /// A value of any integer type within a range; `invalidValue` outside it.
    package func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(GGUFError) -> Int? {
        guard let entry = entry(key), let value = try optionalInt(key) else { return nil }
        guard range.contains(value) else {
            throw error(
                .invalidValue, "the value is \(value), not between \(range.lowerBound) and \(range.upperBound)", entry)
        }
        return value
    }

    /// A value of type f32 or f64. It may be infinite or no number: the caller says what makes sense.
    package func float(_ key: String) throws(GGUFError) -> Float { try required(key, optionalFloat(key)) }
    package func optionalFloat(_ key: String) throws(GGUFError) -> Float? {
        try converted(key, "a float") { $0.float }
    }

    package func bool(_ key: String) throws(GGUFError) -> Bool { try required(key, optionalBool(key)) }
    package func optionalBool(_ key: String) throws(GGUFError) -> Bool? { try converted(key, "a bool") { $0.bool } }

    package func array(_ key: String) throws(GGUFError) -> GGUFArray { try required(key, optionalArray(key)) }
    package func optionalArray(_ key: String) throws(GGUFError) -> GGUFArray? {
        try converted(key, "an array") { $0.array }
    }

    /// An array of strings in one buffer, see `GGUFArray.packedStrings`.
    package func packedStrings(_ key: String) throws(GGUFError) -> (bytes: [UInt8], ends: [Int]) {
        let array = try array(key)
        guard array.elementType == .string else { throw wrongElements(key, "strings") }
        return try array.packedStrings()
    }

    package func strings(_ key: String) throws(GGUFError) -> [String] { try required(key, optionalStrings(key)) }
    package func optionalStrings(_ key: String) throws(GGUFError) -> [String]? {
        try elements(key, "strings") { $0.strings() }
    }

    /// An array of any integer type whose values fit `Int`.
    package func ints(_ key: String) throws(GGUFError) -> [Int] { try required(key, optionalInts(key)) }
    package func optionalInts(_ key: String) throws(GGUFError) -> [Int]? {
        try elements(key, "integers") { $0.ints() }
    }

    /// An array of any integer type whose values fit `Int32`.
    package func int32s(_ key: String) throws(GGUFError) -> [Int32] { try required(key, optionalInt32s(key)) }
    package func optionalInt32s(_ key: String) throws(GGUFError) -> [Int32]? {
        try elements(key, "32-bit integers") { $0.int32s() }
    }

    package func floats(_ key: String) throws(GGUFError) -> [Float] { try required(key, optionalFloats(key)) }
    package func optionalFloats(_ key: String) throws(GGUFError) -> [Float]? {
        try elements(key, "floats") { $0.floats() }
    }

    package func bools(_ key: String) throws(GGUFError) -> [Bool] { try required(key, optionalBools(key)) }
    package func optionalBools(_ key: String) throws(GGUFError) -> [Bool]? {
        try elements(key, "bools") { $0.bools() }
    }

    // MARK: Errors

    /// The error for a key that the caller needs and the file lacks.
    package func missing(_ key: String) -> GGUFError {
        GGUFError(.missingMetadata, "a required metadata key is missing", key: key, path: path)
    }

    /// An error about the value of a key, with its position: for checks that only the caller can make.
    package func invalid(_ key: String, _ message: String) -> GGUFError {
        GGUFError(.invalidValue, message, byteOffset: entry(key)?.fileOffset, key: key, path: path)
    }

    private func error(_ code: GGUFError.Code, _ message: String, _ entry: Entry) -> GGUFError {
        GGUFError(code, message, byteOffset: entry.fileOffset, key: entry.key, path: path)
    }

    private func wrongType(_ entry: Entry, _ wanted: String) -> GGUFError {
        error(.wrongMetadataType, "the value is of type \(entry.value.typeName) but must be \(wanted)", entry)
    }

    private func wrongElements(_ key: String, _ wanted: String) -> GGUFError {
        guard let entry = entry(key) else { return missing(key) }
        return wrongType(entry, "an array of \(wanted)")
    }

    private func required<T>(_ key: String, _ value: T?) throws(GGUFError) -> T {
        guard let value else { throw missing(key) }
        return value
    }

    private func converted<T>(_ key: String, _ wanted: String, _ convert: (GGUFValue) -> T?) throws(GGUFError) -> T? {
        guard let entry = entry(key) else { return nil }
        guard let value = convert(entry.value) else { throw wrongType(entry, wanted) }
        return value
    }

    private func elements<T>(_ key: String, _ wanted: String, _ decode: (GGUFArray) -> T?) throws(GGUFError) -> T? {
        guard let array = try optionalArray(key) else { return nil }
        guard let value = decode(array) else { throw wrongElements(key, wanted) }
        return value
    }
}
