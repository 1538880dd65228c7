/// An exact decimal number: sign, digits of the whole part, digits of the fraction, both without needless zeros.
package struct Decimal: Hashable, Sendable {
    package var isNegative: Bool
    /// Digits 0...9, first not 0 unless it is the only one.
    package var whole: [UInt8]
    /// Digits 0...9, last not 0.
    package var fraction: [UInt8]

    /// Nil where the exponent would need more than a thousand digits.
    package init?(_ text: some Collection<UInt8>) {
        isNegative = text.first == UInt8(ascii: "-")
        var (digits, point, exponent): ([UInt8], Int?, Int) = ([], nil, 0)
        var rest = isNegative ? text.dropFirst() : text.dropFirst(0)
        while let byte = rest.first, byte != UInt8(ascii: "e"), byte != UInt8(ascii: "E") {
            if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte &- 0x30) }
            rest = rest.dropFirst()
        }
        if !rest.isEmpty {
            let spelled = String(decoding: rest.dropFirst(), as: UTF8.self)
            guard let value = Int(spelled), abs(value) <= 1_000 else { return nil }
            exponent = value
        }
        guard digits.count <= 2_000 else { return nil }
        var split = (point ?? digits.count) + exponent
        if split < 0 {
            digits = [UInt8](repeating: 0, count: -split) + digits
            split = 0
        }
        while digits.count < split { digits.append(0) }
        whole = Array(digits[..<split].drop { $0 == 0 })
        if whole.isEmpty { whole = [0] }
        fraction = Array(digits[split...])
        while fraction.last == 0 { fraction.removeLast() }
        if whole == [0] && fraction.isEmpty { isNegative = false }
    }

    var isInteger: Bool { fraction.isEmpty }
    var isZero: Bool { whole == [0] && fraction.isEmpty }

    /// The value as a count, nil where it is none or too large to count with.
    var count: Int? {
        guard !isNegative, isInteger, whole.count <= 12 else { return nil }
        return whole.reduce(0) { $0 * 10 + Int($1) }
    }

    /// The shortest spelling without an exponent.
    package var spelling: [UInt8] {
        (isNegative ? [UInt8(ascii: "-")] : []) + whole.map { $0 + 0x30 }
            + (fraction.isEmpty ? [] : [UInt8(ascii: ".")] + fraction.map { $0 + 0x30 })
    }
}
