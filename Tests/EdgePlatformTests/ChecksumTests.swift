import EdgePlatform
import Testing

@Suite("Checksums") struct ChecksumTests {
    @Test(
        "XXH64's own test vectors",
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
        ] as [(String, UInt64)])
    func vectors(text: String, sum: UInt64) { #expect(Checksum.of(Array(text.utf8)) == sum) }

    @Test("Any flipped bit of any length changes the sum")
    func flips() {
        for count in [1, 3, 4, 7, 8, 12, 31, 32, 33, 63, 100] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ 7) }
            var sums: Set<UInt64> = [Checksum.of(bytes), Checksum.of(bytes, seed: 1), Checksum.of(bytes + [0])]
            for bit in 0..<8 * count {
                var changed = bytes
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                sums.insert(Checksum.of(changed))
            }
            #expect(sums.count == 8 * count + 3)
            #expect(Checksum.of(ByteView(bytes)) == Checksum.of(bytes))
        }
    }
}
