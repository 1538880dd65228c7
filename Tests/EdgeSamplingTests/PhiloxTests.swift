import EdgeSampling
import Testing

@Suite("The generator")
struct PhiloxTests {
    @Test("gives the words of Random123's known-answer file")
    func knownAnswers() {
        let ones = UInt32.max
        #expect(
            Philox.block(counter: (0, 0, 0, 0), key: (0, 0)) == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(
            Philox.block(counter: (ones, ones, ones, ones), key: (ones, ones))
                == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            Philox.block(
                counter: (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0))
                == (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test("makes uniform numbers of 53 bits from the first two words")
    func uniform() {
        #expect(Philox(seed: 0).uniform(at: 0) == Double((0xe169_c58d_6627_e8d5 as UInt64) >> 11) * 0x1p-53)
        let generator = Philox(seed: 7)
        var sum = 0.0
        for index in 0..<10_000 as Range<UInt64> {
            let number = generator.uniform(at: index)
            #expect(number >= 0 && number < 1)
            sum += number
        }
        // Five standard deviations of the mean of 10,000 uniform numbers: 5 * 0.2887 / 100.
        #expect(abs(sum / 10_000 - 0.5) < 0.0145)
        #expect(generator.uniform(at: 3) != generator.uniform(at: 3, stream: 1))
    }
}
