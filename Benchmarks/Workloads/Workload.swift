/// Something whose time is worth knowing.
public struct Workload: Sendable {
    /// What a run works on, for its speed.
    public enum Amount: Sendable {
        /// Bytes of weights, each read once.
        case bytes(Int)
        /// Multiplications and additions.
        case operations(Int)
    }

    /// What runs, once what it needs is there.
    public struct Prepared: Sendable {
        /// Does it once. The number only keeps the work from being dropped.
        public let run: @Sendable () -> Int
        /// Does a part of the same in the plainest way, where that is known.
        public let reference: Reference?

        init(reference: Reference? = nil, run: @escaping @Sendable () -> Int) {
            self.run = run
            self.reference = reference
        }
    }

    /// A plain scalar loop over a part of the work.
    public struct Reference: Sendable {
        /// The part of a run's work that it does: above 0, at most 1.
        public let share: Double
        /// Does it once.
        public let run: @Sendable () -> Int
    }

    /// What it does.
    public let name: String
    /// How much of it; nil where time is all there is to say.
    public let amount: Amount?
    /// Whether memory or the vector units bound it, so that its speed is a share of the machine's: `Yardsticks`.
    public let hasYardstick: Bool
    /// Makes what runs need.
    public let prepare: @Sendable () throws -> Prepared

    init(_ name: String, run: @escaping @Sendable () -> Int) {
        self.init(name, amount: nil, hasYardstick: false) { Prepared(run: run) }
    }

    init(
        _ name: String, amount: Amount?, hasYardstick: Bool, prepare: @escaping @Sendable () throws -> Prepared
    ) {
        self.name = name
        self.amount = amount
        self.hasYardstick = hasYardstick
        self.prepare = prepare
    }

    /// All that can be run here: some need `../shared/data` beside the checkout.
    public static func all() -> [Workload] {
        tokenizing() + sampling() + decoding() + multiplying()
    }
}
