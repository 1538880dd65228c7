extension Tokenizer {
    /// Where the tokens of encoded segments come from: of each token, the highest origin among the segments that its bytes stand in.
    ///
    /// Tokens are laid along the text. A token that is no text of the segments, such as a beginning-of-text token, has origin 0. From where a
    /// vocabulary gives a text other bytes, as those that lower-case do, tokens have the highest origin of all that is left.
    /// - Parameter ids: what `encode(segments:addSpecial:marks:)` made of the segments.
    /// - Returns: as many origins as there are ids.
    package func origins(of ids: [Int32], in segments: [TextSegment]) -> [UInt8] {
        let segments = segments.filter { !$0.text.isEmpty }
        var text: [UInt8] = []
        var ends: [Int] = []
        for segment in segments {
            text.append(contentsOf: segment.text.utf8)
            ends.append(text.count)
        }
        var (origins, position, place): ([UInt8], Int, Int) = ([], 0, 0)
        origins.reserveCapacity(ids.count)
        for (index, id) in ids.enumerated() {
            let bytes = bytes(of: id)
            var length = bytes.count
            if !text[position...].starts(with: bytes) {
                // The space that some vocabularies put before a text.
                guard bytes.first == 0x20, text[position...].starts(with: bytes.dropFirst()) else {
                    if isControl(id) {
                        origins.append(0)
                        continue
                    }
                    let rest = segments[min(place, segments.count)...].map(\.origin).max() ?? 0
                    origins.append(contentsOf: [UInt8](repeating: rest, count: ids.count - index))
                    break
                }
                length -= 1
            }
            let end = position + length
            while place < segments.count - 1, ends[place] <= position { place += 1 }
            var origin = place < segments.count ? segments[place].origin : 0
            var next = place + 1
            while next < segments.count, ends[next - 1] < end {
                origin = max(origin, segments[next].origin)
                next += 1
            }
            origins.append(origin)
            position = end
        }
        return origins
    }
}
