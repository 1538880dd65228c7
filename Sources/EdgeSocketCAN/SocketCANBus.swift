public import EdgeCAN
internal import EdgePlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A CAN interface of Linux: `can0`, `vcan0`.
///
/// Frames are read on a thread of their own; their times are when they were read, on the clock that begins when the bus is opened.
/// Errors of the controller are events: a bus that is off says so, and frames follow when it is back.
public final class SocketCANBus: CANBus {
    private let socket: CANSocket
    private let listeners = CANListeners()
    private let start: UInt64

    /// How long sending waits for a full queue.
    private static let sendLimit: UInt64 = 1_000_000_000

    /// Opens an interface, with CAN FD where it has it.
    ///
    /// - Throws: `CANError`: `.unsupported` where the system has no CAN, `.noInterface` where it has none of the name, `.system` otherwise.
    public convenience init(_ interface: String) throws(CANError) {
        try self.init(socket: CANSocket(interface: interface))
    }

    /// Takes a descriptor that carries `struct can_frame` and `struct canfd_frame`, one a packet, and closes it in the end.
    package convenience init(descriptor: Int32) throws(CANError) {
        try self.init(socket: CANSocket(descriptor: descriptor))
    }

    private init(socket: CANSocket) throws(CANError) {
        self.socket = socket
        let start = Clock.nanoseconds
        self.start = start
        do {
            try Thread { [listeners] in
                socket.read { event in
                    switch event {
                    case .frame(let frame):
                        let time = Duration.nanoseconds(Int64(clamping: Clock.nanoseconds &- start))
                        listeners.tell(.frame(TimedCANFrame(time: time, frame: frame)))
                    case .failed(let error): listeners.tell(.failed(error))
                    case .closed: listeners.tell(.closed)
                    }
                }
            }.detach()
        } catch {
            throw CANError(.system, error.description)
        }
    }

    deinit { socket.stop() }

    /// The time of the bus.
    public var now: Duration { .nanoseconds(Int64(clamping: Clock.nanoseconds &- start)) }

    /// Calls a closure for everything that happens from now on.
    public func subscribe(_ listener: @escaping @Sendable (CANEvent) -> Void) -> CANSubscription {
        listeners.add(listener)
    }

    /// Sends a frame.
    ///
    /// - Throws: `CANError`.
    public func send(_ frame: CANFrame) async throws {
        let begin = Clock.nanoseconds
        while try !socket.send(frame) {
            guard Clock.nanoseconds &- begin < Self.sendLimit else {
                throw CANError(.timedOut, "the queue of the interface stays full")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits for a time of the bus.
    ///
    /// - Throws: `CANError`, `CancellationError`.
    public func wait(until time: Duration) async throws {
        let left = time - now
        if left > .zero { try await Task.sleep(for: left) }
    }

    /// Ends the bus: listeners are told.
    public func close() { socket.stop() }
}

/// The socket, which the bus and its thread share; the last of them closes it.
final class CANSocket: Sendable {
    enum Event {
        case frame(CANFrame)
        case failed(CANError)
        case closed
    }

    private let descriptor: Int32
    /// A pipe whose other end is closed or written to when the thread shall end.
    private let wakeRead: Int32
    private let wakeWrite: Int32

    init(descriptor: Int32) throws(CANError) {
        self.descriptor = descriptor
        var ends: [Int32] = [-1, -1]
        let code = unsafe ends.withUnsafeMutableBufferPointer { unsafe pipe($0.baseAddress) }
        guard code == 0 else {
            let error = CANError(.system, "open a pipe: \(Self.words(errno))")
            _ = Self.closeDescriptor(descriptor)
            throw error
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    deinit {
        for descriptor in [descriptor, wakeRead, wakeWrite] { _ = Self.closeDescriptor(descriptor) }
    }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

    static func words(_ code: Int32) -> String { PlatformError(operation: "", code: code).reason }

    /// Makes the thread end.
    func stop() {
        var byte: UInt8 = 0
        _ = unsafe write(wakeWrite, &byte, 1)
    }

    #if os(Linux)
        // linux/can.h and linux/can/raw.h, which no module of the system has.
        private static let family: Int32 = 29  // AF_CAN
        private static let raw: Int32 = 1  // CAN_RAW
        private static let rawLevel: Int32 = 101  // SOL_CAN_RAW
        private static let errorFilter: Int32 = 2  // CAN_RAW_ERR_FILTER
        private static let fdFrames: Int32 = 5  // CAN_RAW_FD_FRAMES
        private static let busOffError: UInt32 = 0x40  // CAN_ERR_BUSOFF
        private static let restartedError: UInt32 = 0x100  // CAN_ERR_RESTARTED

        convenience init(interface: String) throws(CANError) {
            let shown = interface.printable(limit: 40)
            // IFNAMSIZ with the zero at the end.
            guard (1...15).contains(interface.utf8.count), !interface.utf8.contains(0) else {
                throw CANError(.noInterface, "there is no interface \"\(shown)\"")
            }
            let descriptor = socket(Self.family, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Self.raw)
            guard descriptor >= 0 else {
                switch errno {
                case EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT:
                    throw CANError(.unsupported, "this system has no CAN (kernel modules can and can_raw)")
                default: throw CANError(.system, "open a CAN socket: \(Self.words(errno))")
                }
            }
            let index = if_nametoindex(interface)
            guard index > 0 else {
                _ = Self.closeDescriptor(descriptor)
                throw CANError(.noInterface, "there is no interface \"\(shown)\"")
            }
            // struct sockaddr_can: family, two bytes of padding, index of the interface, 16 bytes of address.
            var address = [UInt8](repeating: 0, count: 24)
            unsafe address.withUnsafeMutableBytes {
                unsafe $0.storeBytes(of: UInt16(Self.family), as: UInt16.self)
                unsafe $0.storeBytes(of: index, toByteOffset: 4, as: UInt32.self)
            }
            let bound = unsafe address.withUnsafeBytes { bytes in
                unsafe bytes.withMemoryRebound(to: sockaddr.self) { unsafe bind(descriptor, $0.baseAddress, 24) }
            }
            guard bound == 0 else {
                let reason = Self.words(errno)
                _ = Self.closeDescriptor(descriptor)
                throw CANError(.system, "bind to \(shown): \(reason)")
            }
            // Neither is everywhere; without them classical frames come nevertheless.
            var mask = Self.busOffError | Self.restartedError
            _ = unsafe setsockopt(descriptor, Self.rawLevel, Self.errorFilter, &mask, 4)
            var on: Int32 = 1
            _ = unsafe setsockopt(descriptor, Self.rawLevel, Self.fdFrames, &on, 4)
            try self.init(descriptor: descriptor)
        }
    #else
        convenience init(interface: String) throws(CANError) {
            throw CANError(.unsupported, "this system has no CAN")
        }

        private static let busOffError: UInt32 = 0x40
        private static let restartedError: UInt32 = 0x100
    #endif

    private static let extendedFlag: UInt32 = 0x8000_0000
    private static let remoteFlag: UInt32 = 0x4000_0000
    private static let errorFlag: UInt32 = 0x2000_0000
    /// Bytes of `struct can_frame` and `struct canfd_frame`.
    private static let (classicalSize, fdSize) = (16, 72)

    /// Hands a frame to the system; false where its queue is full.
    func send(_ frame: CANFrame) throws(CANError) -> Bool {
        let bytes = Self.packet(frame)
        while true {
            #if os(Linux)
                let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
            #else
                let flags = Int32(MSG_DONTWAIT)
            #endif
            let count = unsafe bytes.withUnsafeBytes { unsafe systemSend(descriptor, $0.baseAddress, $0.count, flags) }
            if count == bytes.count { return true }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return false
            case ENETDOWN, ENODEV, ENXIO: throw CANError(.system, "the interface is down")
            case EPIPE, ECONNRESET, ENOTCONN: throw CANError(.closed, "the bus was closed")
            default: throw CANError(.system, "send a frame: \(Self.words(errno))")
            }
        }
    }

    /// The frame as the system takes it.
    static func packet(_ frame: CANFrame) -> [UInt8] {
        var id = frame.id.value | (frame.id.isExtended ? extendedFlag : 0)
        var (size, length, flags) = (classicalSize, frame.data.count, 0)
        switch frame.format {
        case .classical: break
        case .remote(let asked):
            id |= remoteFlag
            length = asked
        case .fd(let switchesBitRate, let isPassive):
            size = fdSize
            // CANFD_BRS, CANFD_ESI, and CANFD_FDF, which says that it is no classical frame.
            flags = (switchesBitRate ? 1 : 0) | (isPassive ? 2 : 0) | 4
        }
        var bytes = [UInt8](repeating: 0, count: size)
        unsafe bytes.withUnsafeMutableBytes { unsafe $0.storeBytes(of: id, as: UInt32.self) }
        bytes[4] = UInt8(length)
        bytes[5] = UInt8(flags)
        bytes.replaceSubrange(8..<8 + frame.data.count, with: frame.data)
        return bytes
    }

    /// What a packet of the system is; nil for one that is nothing.
    static func event(_ bytes: ArraySlice<UInt8>) -> Event? {
        let bytes = Array(bytes)
        guard bytes.count == classicalSize || bytes.count == fdSize else { return nil }
        let word = unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt32.self) }
        if word & errorFlag != 0 {
            if word & busOffError != 0 { return .failed(.busOff) }
            return nil
        }
        let (length, capacity) = (Int(bytes[4]), bytes.count - 8)
        let number = word & 0x1FFF_FFFF
        guard length <= capacity,
            let id = word & extendedFlag != 0
                ? CANIdentifier(extended: number) : CANIdentifier(standard: number & 0x7FF)
        else { return nil }
        let format: CANFrame.Format =
            if bytes.count == fdSize {
                .fd(switchesBitRate: bytes[5] & 1 != 0, senderIsPassive: bytes[5] & 2 != 0)
            } else if word & remoteFlag != 0 { .remote(length: length) } else { .classical }
        let data = word & remoteFlag != 0 && bytes.count == classicalSize ? [] : Array(bytes[8..<8 + length])
        return (try? CANFrame(id, data: data, format: format)).map { .frame($0) }
    }

    /// Reads frames until `stop`, or until nothing can be read any more.
    func read(_ tell: (Event) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 128)
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
        ]
        var isDown = false
        while true {
            // An interface that is down is asked again twice a second.
            let count = unsafe waiting.withUnsafeMutableBufferPointer {
                unsafe poll($0.baseAddress, 2, isDown ? 500 : -1)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 || waiting[1].revents != 0 { break }
            let read = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if read > 0 {
                isDown = false
                if let event = Self.event(buffer[..<read]) { tell(event) }
                continue
            }
            if read == 0 { break }
            switch errno {
            case EINTR, EAGAIN: continue
            case ENETDOWN:
                if !isDown { tell(.failed(CANError(.system, "the interface is down"))) }
                isDown = true
            default:
                tell(.failed(CANError(.system, "read a frame: \(Self.words(errno))")))
                tell(.closed)
                return
            }
        }
        tell(.closed)
    }
}

/// The call of the system, which has the name of a method.
private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
    send(descriptor, bytes, count, flags)
}
