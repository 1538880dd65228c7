public import EdgeLLM
internal import Foundation

/// What a model lost of the tasks that the one it was made from does: both are given the same cases.
public struct TaskComparison: Sendable, Hashable, Codable {
    /// One of the measures, for both models.
    public struct Figure: Sendable, Hashable, Codable {
        /// What is judged.
        public var measure: TaskAccuracy.Measure
        /// How many there are.
        public var count = 0
        /// Those that the base does right.
        public var baseRight = 0
        /// Those that the base does right and the model does not.
        public var lostCount = 0
        /// Those that the model does right and the base does not.
        public var gainedCount = 0

        /// Those that the model does right.
        public var right: Int { baseRight - lostCount + gainedCount }
        /// The base's share; 1 where there are none.
        public var baseShare: TaskAccuracy.Share { .init(right: baseRight, count: count) }
        /// The model's share.
        public var share: TaskAccuracy.Share { .init(right: right, count: count) }
        /// The model's share less the base's: negative where it lost.
        public var change: Double { count == 0 ? 0 : Double(gainedCount - lostCount) / Double(count) }
        /// Bounds that hold the true change with a probability of 95 %: of paired outcomes, with the cases that differ smoothed by a
        /// half each (A. Agresti and Y. Min, 2005).
        public var interval: ClosedRange<Double> {
            guard count > 0 else { return -1...1 }
            let (n, lost, gained) = (Double(count) + 2, Double(lostCount) + 0.5, Double(gainedCount) + 0.5)
            let middle = (gained - lost) / n
            let half = 1.96 * ((gained + lost - (gained - lost) * (gained - lost) / n).squareRoot() / n)
            return max(-1, middle - half)...min(1, middle + half)
        }

        mutating func add(base: Bool, model: Bool) {
            count += 1
            if base { baseRight += 1 }
            if base, !model { lostCount += 1 }
            if !base, model { gainedCount += 1 }
        }
    }

    /// The figures, in the order of the measures; those of which the cases have none are left out.
    public var figures: [Figure]

    package init(figures: [Figure]) { self.figures = figures }

    /// Measures both models on cases.
    ///
    /// - Parameters:
    ///   - base: the model that is taken for right.
    ///   - model: the one that was made from it.
    ///   - cases: what is asked, and what should come of it.
    ///   - progress: is told how many cases are done.
    /// - Throws: as `TaskAccuracy.measure`.
    public static nonisolated(nonsending) func measure(
        base: GGUFLanguageModel, model: GGUFLanguageModel, on cases: [TaskCase],
        progress: (_ done: Int) -> Void = { _ in }
    ) async throws -> TaskComparison {
        var figures = Dictionary(
            uniqueKeysWithValues: TaskAccuracy.Measure.allCases.map { ($0, Figure(measure: $0)) })
        for (index, task) in cases.enumerated() {
            try Task.checkCancellation()
            let right = TaskAccuracy.verdicts(on: try await TaskAccuracy.answer(base, task))
            let made = TaskAccuracy.verdicts(on: try await TaskAccuracy.answer(model, task))
            for measure in TaskAccuracy.Measure.allCases {
                // The calls that are made differ; all others are the case's.
                if measure == .validCalls {
                    figures[measure]?.add(
                        base: right[measure]?.allSatisfy(\.self) ?? true,
                        model: made[measure]?.allSatisfy(\.self) ?? true)
                } else {
                    for (base, model) in zip(right[measure] ?? [], made[measure] ?? []) {
                        figures[measure]?.add(base: base, model: model)
                    }
                }
            }
            progress(index + 1)
        }
        return TaskComparison(
            figures: TaskAccuracy.Measure.allCases.compactMap { figures[$0] }.filter { $0.count > 0 })
    }
}
