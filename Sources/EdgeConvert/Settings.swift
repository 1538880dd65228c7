package import EdgeGrammar

/// A JSON object of a model's folder, with getters that check, and errors that name the file and the key.
package struct Settings: Sendable {
    package let value: JSON
    /// The file.
    package let path: String
    /// Where in the file this object stands, as keys parted by dots.
    let place: String
    /// Values of keys that are absent.
    private var defaults: [String: JSON] = [:]

    init(_ value: JSON, path: String, place: String = "") {
        self.value = value
        self.path = path
        self.place = place
    }

    /// Whether the key is there and not null.
    func has(_ key: String) -> Bool { self[key] != nil }

    /// The value of a key; nil where it is absent or null.
    subscript(key: String) -> JSON? {
        guard let value = value[ByteString(key)] ?? defaults[key], value != .null else { return nil }
        return value
    }

    /// The same with values for keys that are absent.
    func filled(with defaults: [String: JSON]) -> Settings {
        var result = self
        result.defaults = defaults
        return result
    }

    /// An object below this one.
    func optionalObject(_ key: String) throws(ConversionError) -> Settings? {
        guard let value = self[key] else { return nil }
        guard case .object = value else { throw invalid(key, "is no object") }
        return Settings(value, path: path, place: full(key))
    }

    func optionalArray(_ key: String) throws(ConversionError) -> [JSON]? {
        guard let value = self[key] else { return nil }
        guard case .array(let items) = value else { throw invalid(key, "is no array") }
        return items
    }

    func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(ConversionError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let number = value.int else { throw invalid(key, "is no whole number") }
        guard range.contains(number) else {
            throw invalid(key, "is \(number), not within \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func int(_ key: String, in range: ClosedRange<Int>) throws(ConversionError) -> Int {
        guard let number = try optionalInt(key, in: range) else { throw missing(key) }
        return number
    }

    func optionalDouble(_ key: String) throws(ConversionError) -> Double? {
        guard let value = self[key] else { return nil }
        guard let number = value.double, number.isFinite else { throw invalid(key, "is no finite number") }
        return number
    }

    func optionalFloat(_ key: String) throws(ConversionError) -> Float? {
        guard let number = try optionalDouble(key) else { return nil }
        guard Float(number).isFinite else { throw invalid(key, "is too large") }
        return Float(number)
    }

    func float(_ key: String) throws(ConversionError) -> Float {
        guard let number = try optionalFloat(key) else { throw missing(key) }
        return number
    }

    func optionalBool(_ key: String) throws(ConversionError) -> Bool? {
        guard let value = self[key] else { return nil }
        guard case .bool(let flag) = value else { throw invalid(key, "is neither true nor false") }
        return flag
    }

    func optionalString(_ key: String) throws(ConversionError) -> String? {
        guard let value = self[key] else { return nil }
        guard let text = value.text else { throw invalid(key, "is no string") }
        return text
    }

    func optionalStrings(_ key: String) throws(ConversionError) -> [String]? {
        guard let items = try optionalArray(key) else { return nil }
        var result: [String] = []
        for item in items {
            guard let text = item.text else { throw invalid(key, "holds what is no string") }
            result.append(text)
        }
        return result
    }

    func optionalFloats(_ key: String) throws(ConversionError) -> [Float]? {
        guard let items = try optionalArray(key) else { return nil }
        var result: [Float] = []
        for item in items {
            guard let number = item.double, Float(number).isFinite else {
                throw invalid(key, "holds what is no finite number")
            }
            result.append(Float(number))
        }
        return result
    }

    func missing(_ key: String) -> ConversionError {
        ConversionError(.missingMetadata, "a setting is missing", path: path, key: full(key))
    }

    func invalid(_ key: String, _ what: String) -> ConversionError {
        ConversionError(.invalidMetadata, "the value \(what)", path: path, key: full(key))
    }

    private func full(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }
}

extension JSON {
    /// A whole number; nil for others and for those beyond `Int`.
    var int: Int? {
        guard case .number(let decimal) = self, decimal.fraction.isEmpty else { return nil }
        var result = 0
        for digit in decimal.whole {
            let (tens, first) = result.multipliedReportingOverflow(by: 10)
            let (sum, second) = tens.subtractingReportingOverflow(Int(digit))
            guard !first, !second else { return nil }
            result = sum
        }
        // Gathered below zero, where there is one number more.
        return decimal.isNegative ? result : result == .min ? nil : -result
    }

    /// The nearest double of a number.
    var double: Double? {
        guard case .number(let decimal) = self else { return nil }
        return Double(String(decoding: decimal.spelling, as: UTF8.self))
    }

    var text: String? {
        guard case .string(let string) = self else { return nil }
        return string.description
    }

    var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    var items: [JSON]? {
        guard case .array(let items) = self else { return nil }
        return items
    }
}
