/// Something whose time is worth knowing.
public struct Workload: Sendable {
    /// What it does and how much of it.
    public let name: String
    /// Does it once. The number only keeps the work from being dropped.
    public let run: @Sendable () -> Int

    init(_ name: String, run: @escaping @Sendable () -> Int) {
        self.name = name
        self.run = run
    }

    /// All that can be run here: some need `../shared/data` beside the checkout.
    public static func all() -> [Workload] {
        tokenizing() + sampling() + decoding() + multiplying()
    }
}
