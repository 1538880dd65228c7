internal import EdgeCAN

/// The services of on-board diagnosis (SAE J1979, ISO 15031-5) that are used.
enum DiagnosticService {
    static let storedCodes: UInt8 = 0x03
    static let clear: UInt8 = 0x04
    static let pendingCodes: UInt8 = 0x07
    static let negative: UInt8 = 0x7F
    /// Added to the service in an answer.
    static let answer: UInt8 = 0x40
    /// "Conditions not correct", and "the answer takes longer".
    static let conditionsNotCorrect: UInt8 = 0x22
    static let pending: UInt8 = 0x78

    /// To all control units, and the first of the eight that answer. Each hears on the identifier 8 below its own.
    static let request = CANIdentifier.standard(0x7DF)
    static let answers: [CANIdentifier] = (0x7E8...0x7EF).map { .standard($0) }
}

extension Vehicle {
    /// How long the control units are silent when all have answered: twice what they may take for an answer.
    private static let silence = Duration.milliseconds(100)

    /// The fault codes of all control units: those that are stored, and those of this drive, which are taken for active.
    ///
    /// - Throws: `VehicleError`; `CancellationError`.
    public func readFaultCodes() async throws -> [FaultCode] {
        try await limited(to: timeLimit) { try await self.faultCodes(until: self.bus.now + self.timeLimit) }
    }

    /// Deletes the fault codes of all control units.
    ///
    /// - Returns: how many there were.
    /// - Throws: `VehicleError`; `CancellationError`. Where it is `.timedOut` the codes may be deleted or not.
    public func clearFaultCodes() async throws -> Int {
        try await limited(to: timeLimit) {
            let end = self.bus.now + self.timeLimit
            let count = try await self.faultCodes(until: end).count
            _ = try await self.answers(to: DiagnosticService.clear, until: end)
            return count
        }
    }

    private func faultCodes(until end: Duration) async throws -> [FaultCode] {
        let stored = try codes(in: await answers(to: DiagnosticService.storedCodes, until: end))
        let pending = try codes(in: await answers(to: DiagnosticService.pendingCodes, until: end))
        var found: [FaultCode] = []
        for code in stored + pending where !found.contains(where: { $0.code == code }) {
            found.append(FaultCode(code: code, state: pending.contains(code) ? .active : .stored))
        }
        return found
    }

    /// A number of codes, then two bytes for each.
    private func codes(in answers: [[UInt8]]) throws -> [String] {
        var codes: [String] = []
        for answer in answers {
            guard let count = answer.first, answer.count > 2 * Int(count) else {
                throw VehicleError.failed("an answer of the car is broken")
            }
            for index in 0..<Int(count) {
                let value = UInt16(answer[1 + 2 * index]) << 8 | UInt16(answer[2 + 2 * index])
                // Zeros fill up.
                if value != 0 { codes.append(FaultCode.text(value)) }
            }
        }
        return codes
    }

    /// What the control units say to a request, without the service, in the order of their identifiers.
    private func answers(to service: UInt8, until end: Duration) async throws -> [[UInt8]] {
        let inbox = CANInbox(bus) { DiagnosticService.answers.contains($0) }
        var endpoints = DiagnosticService.answers.map {
            ISOTPEndpoint(sendID: .standard(UInt16($0.value) - 8), receiveID: $0)
        }
        var messages = [[UInt8]?](repeating: nil, count: endpoints.count)
        var isPending = Set<Int>()
        var refusal: UInt8?
        try await bus.send(CANFrame(DiagnosticService.request, data: [1, service] + Array(repeating: 0xAA, count: 6)))
        var lastTime = bus.now
        while true {
            for timed in try inbox.take() {
                guard let index = DiagnosticService.answers.firstIndex(of: timed.frame.id) else { continue }
                lastTime = bus.now
                let (frames, message) = try endpoints[index].receive(timed.frame, at: bus.now)
                for frame in frames { try await bus.send(frame) }
                guard let message else { continue }
                if message.count >= 3, message[0] == DiagnosticService.negative, message[1] == service {
                    if message[2] == DiagnosticService.pending {
                        isPending.insert(index)
                    } else {
                        isPending.remove(index)
                        refusal = message[2]
                    }
                } else if message.first == service | DiagnosticService.answer {
                    isPending.remove(index)
                    messages[index] = Array(message.dropFirst())
                }
            }
            for index in endpoints.indices where endpoints[index].nextTime.map({ $0 <= bus.now }) ?? false {
                for frame in try endpoints[index].act(at: bus.now) { try await bus.send(frame) }
            }
            let isQuiet =
                bus.now - lastTime >= Self.silence && isPending.isEmpty && !endpoints.contains(where: \.isBusy)
            if isQuiet, let refusal {
                throw VehicleError.refused(
                    refusal == DiagnosticService.conditionsNotCorrect
                        ? "the car does not allow it now" : "the car refused (\(refusal))")
            }
            if isQuiet, messages.contains(where: { $0 != nil }) { return messages.compactMap { $0 } }
            guard bus.now < end else { throw VehicleError.timedOut(after: timeLimit) }
            try await pause(until: end)
        }
    }
}
