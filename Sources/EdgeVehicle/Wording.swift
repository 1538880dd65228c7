/// How values are written for the model and the driver.
enum Wording {
    /// A number with at most two decimals and no zeros at their end.
    static func number(_ value: Double) -> String {
        // Values of signals; what is beyond has no decimals worth telling.
        guard value.isFinite, abs(value) < 1e13 else { return value.isNaN ? "not a number" : "\(value)" }
        let hundredths = Int64((value * 100).rounded())
        let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        var text = (hundredths < 0 ? "-" : "") + String(whole)
        if rest > 0 {
            text += "." + (rest < 10 ? "0" : "") + String(rest % 10 == 0 ? rest / 10 : rest)
        }
        return text
    }

    /// What is written of a number, as a number: what is compared must be what is read.
    static func rounded(_ value: Double) -> Double {
        value.isFinite && abs(value) < 1e13 ? (value * 100).rounded() / 100 : value
    }

    static func quantity(_ value: Double, _ unit: String) -> String {
        unit.isEmpty ? number(value) : "\(number(value)) \(unit)"
    }

    /// A unit behind what has it; nothing where there is none.
    static func inBrackets(_ unit: String) -> String { unit.isEmpty ? "" : " (\(unit))" }

    static func range(_ range: ClosedRange<Double>, _ unit: String) -> String {
        "\(number(range.lowerBound)) to \(quantity(range.upperBound, unit))"
    }

    static func seconds(_ duration: Duration) -> String { "\(number(duration / .seconds(1))) s" }

    /// Milliseconds up to a second, then seconds.
    static func age(_ duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        return milliseconds < 999.5 ? "\(number(max(0, milliseconds).rounded())) ms" : seconds(duration)
    }
}
