internal import EdgeGrammar

/// A number as JSON writes it, with all its digits: 64-bit integers and decimals lose nothing on the way.
///
/// Numbers of the same value have the same spelling, so that spellings are compared.
struct ExactNumber: Sendable, Hashable {
    /// Plain digits up to 24 of them, else with an exponent.
    let spelling: String

    /// A number in JSON's notation; nil where it is none, or has an exponent beyond a thousand.
    init?(_ text: String) {
        guard case .number(let value)? = try? JSON(parsing: Array(text.utf8), limits: GrammarLimits()) else {
            return nil
        }
        self.init(value)
    }

    init(_ value: EdgeGrammar.Decimal) {
        if value.whole.count + value.fraction.count <= 24 {
            spelling = String(decoding: value.spelling, as: UTF8.self)
            return
        }
        let all = value.whole + value.fraction
        let first = all.firstIndex { $0 != 0 } ?? 0
        let last = all.lastIndex { $0 != 0 } ?? 0
        let digits = all[first...max(first, last)].map { String($0) }
        let exponent = value.whole.count - 1 - first
        spelling =
            (value.isNegative ? "-" : "") + digits[0] + (digits.count > 1 ? "." + digits.dropFirst().joined() : "")
            + (exponent == 0 ? "" : "e\(exponent)")
    }

    /// The nearest value; infinite where it is too large.
    var double: Double { Double(spelling) ?? .nan }
}
