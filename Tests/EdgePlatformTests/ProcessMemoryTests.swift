import EdgePlatform
import Testing

@Suite("Process memory") struct ProcessMemoryTests {
    @Test("touched memory shows in the resident size, and the peak is no less")
    func growth() throws {
        let before = try #require(ProcessMemory.residentByteCount)
        let bytes = [UInt8](repeating: 7, count: 64 << 20)
        let after = try #require(ProcessMemory.residentByteCount)
        let peak = try #require(ProcessMemory.peakByteCount)
        // Half of it, because other tests run beside this one and may give memory back.
        #expect(after - before > bytes.count / 2)
        #expect(peak >= after)
        #expect(bytes[bytes.count / 2] == 7)
    }
}
