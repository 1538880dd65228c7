public import EdgeCAN

/// A signal that can be asked for: what the driver calls it, and what is usual.
public struct VehicleSignal: Sendable, Equatable {
    /// Its name on the bus.
    public let name: String
    /// What it is called by drivers and models: "coolant temperature". No two of a vehicle have the same.
    public internal(set) var words: String
    /// The unit; empty for none.
    public let unit: String
    /// What it can be. Anything else is no reading.
    public let range: ClosedRange<Double>?
    /// What it is when all is well; nil where that is not known.
    public let normal: ClosedRange<Double>?
    /// The age from which a value is none any more.
    public let staleAfter: Duration

    let message: DBCMessage
    let signal: DBCSignal

    /// A signal as a database describes it: the words are its comment, or its name where that is no short phrase; the normal range is in the
    /// attributes `NormalMinimum` and `NormalMaximum`, and a value is stale after three cycles of its message, or 300 ms if that is more.
    public init(_ signal: DBCSignal, of message: DBCMessage) {
        name = signal.name
        words = signal.comment.flatMap { Self.isPhrase($0) ? $0 : nil } ?? signal.name
        unit = signal.unit
        range = Self.range(signal.minimum, signal.maximum)
        normal = Self.range(signal.attributes["NormalMinimum"]?.number, signal.attributes["NormalMaximum"]?.number)
        staleAfter = max(.milliseconds(300), (message.cycleTime ?? .seconds(1)) * 3)
        self.message = message
        self.signal = signal
    }

    /// Whether a comment can be said instead of a name: some are paragraphs.
    private static func isPhrase(_ comment: String) -> Bool {
        !comment.isEmpty && comment.count <= 60
            && comment.unicodeScalars.allSatisfy {
                $0.properties.generalCategory != .control && $0 != "\"" && $0 != "\\"
            }
    }

    private static func range(_ lower: Double?, _ upper: Double?) -> ClosedRange<Double>? {
        guard let lower, let upper, lower < upper else { return nil }
        return lower...upper
    }
}

/// A value of a signal.
public struct SignalReading: Sendable, Equatable {
    /// How a value lies to what is normal.
    public enum Status: String, Sendable {
        /// Within.
        case normal
        /// Above.
        case high
        /// Below.
        case low
    }

    /// The value in the unit of the signal, rounded to two decimals.
    public let value: Double
    /// The name of the value, where the database has one.
    public let choice: String?
    /// How it lies to what is normal; nil where that is not known.
    public let status: Status?
    /// How long ago it was on the bus.
    public let age: Duration
}

/// How a signal changed over a time.
public struct SignalCourse: Sendable, Equatable {
    /// The kinds of change.
    public enum Trend: String, Sendable {
        /// More at the end than in the beginning.
        case rising
        /// Less at the end than in the beginning.
        case falling
        /// As good as the same all the time.
        case steady
        /// Up and down.
        case changing
    }

    /// The least value.
    public let lowest: Double
    /// The greatest value.
    public let highest: Double
    /// The last value.
    public let last: Double
    /// The change.
    public let trend: Trend
    /// The number of values.
    public let sampleCount: Int
}

/// Why something could not be read or done; never a value in place of it.
public enum VehicleError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no signal of that name.
    case unknownSignal
    /// No frame with the signal came since the vehicle is listened to.
    case noFrameSeen
    /// The last frame is too old.
    case noFrame(for: Duration)
    /// The controller has left the bus.
    case busOff
    /// There was no answer in time.
    case timedOut(after: Duration)
    /// A value that cannot be.
    case outsideRange(value: Double, range: ClosedRange<Double>, unit: String)
    /// The car does not do it.
    case refused(String)
    /// The bus, or an answer, is broken.
    case failed(String)

    /// What is said of it, in one line.
    public var description: String {
        switch self {
        case .unknownSignal: "there is no such signal"
        case .noFrameSeen: "no frame seen"
        case .noFrame(let age): "no frame for \(Wording.seconds(age))"
        case .busOff: "bus off"
        case .timedOut(let limit): "timed out after \(Wording.seconds(limit))"
        case .outsideRange(let value, let range, let unit):
            "value \(Wording.quantity(value, unit)) is outside \(Wording.range(range, unit))"
        case .refused(let reason), .failed(let reason): reason
        }
    }
}
