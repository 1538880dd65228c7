/// A fault that a control unit has found.
public struct FaultCode: Sendable, Hashable {
    /// Whether the fault is there now.
    public enum State: String, Sendable {
        /// Now.
        case active
        /// It was, and is kept.
        case stored
    }

    /// The code, of a letter and four digits: `P0301`.
    public let code: String
    /// Whether it is there now.
    public let state: State

    /// A fault.
    public init(code: String, state: State) {
        self.code = code
        self.state = state
    }

    /// What it means, in words.
    public var meaning: String { Self.meanings[code] ?? "unknown fault" }

    /// The code of two bytes (SAE J2012): two bits for the letter, two for the first digit, four for each other.
    public static func text(_ value: UInt16) -> String {
        let letter = ["P", "C", "B", "U"][Int(value >> 14)]
        let digits = String(value & 0xFFF, radix: 16, uppercase: true)
        return letter + String(value >> 12 & 3) + String(repeating: "0", count: 3 - digits.count) + digits
    }

    /// The two bytes of a code; nil for what is none.
    public static func value(_ text: String) -> UInt16? {
        guard text.utf8.count == 5, let letter = text.first, let number = ["P", "C", "B", "U"].firstIndex(of: letter),
            let first = text.dropFirst().first.flatMap({ UInt16(String($0)) }), first < 4,
            let rest = UInt16(text.dropFirst(2), radix: 16)
        else { return nil }
        return UInt16(number) << 14 | first << 12 | rest
    }

    static let meanings: [String: String] = [
        "P0300": "random misfire", "P0301": "misfire in cylinder 1", "P0302": "misfire in cylinder 2",
        "P0303": "misfire in cylinder 3", "P0304": "misfire in cylinder 4", "P0171": "mixture too lean",
        "P0217": "engine too hot", "P0128": "coolant too cold", "P0524": "oil pressure too low",
        "P0562": "battery voltage too low", "P0420": "catalyst below its efficiency",
        "C0750": "tyre pressure lost front left", "U0100": "no contact with the engine control unit",
    ]
}
