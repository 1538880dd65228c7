internal import EdgePlatform
internal import EdgeTokenizer

/// An answer on its way from tokens to text, with its figures.
struct AnswerText {
    private var decoder: StreamingDecoder
    private var matcher: StopMatcher
    var statistics: GenerationStatistics
    private let start: UInt64
    private var firstToken: UInt64?
    private let marks: Set<Int32>
    /// The text that the latest token made whole.
    private(set) var latest = ""

    init(
        _ decoder: StreamingDecoder, _ matcher: StopMatcher, marks: Set<Int32>, _ statistics: GenerationStatistics,
        since start: UInt64
    ) {
        self.decoder = decoder
        self.matcher = matcher
        self.marks = marks
        self.statistics = statistics
        self.start = start
    }

    /// Counts a token, and its time.
    mutating func count() {
        let now = Clock.nanoseconds
        if firstToken == nil {
            firstToken = now
            statistics.timeToFirstToken = Clock.seconds(from: start, to: now)
        }
        statistics.decodeSeconds = Clock.seconds(from: firstToken ?? now, to: now)
        statistics.generatedTokenCount += 1
    }

    /// Takes a token; returns whether a stop sequence ends the answer there.
    mutating func append(_ id: Int32, isForced: Bool, yield: (GenerationEvent) -> Void) -> Bool {
        count()
        if isForced { statistics.forcedTokenCount += 1 }
        if marks.contains(id) {
            latest = ""
            if finish(isStopped: false, yield: yield) { return true }
            yield(.mark(id))
            return false
        }
        latest = decoder.append(id)
        let (text, isStopped) = matcher.append(latest)
        if !text.isEmpty { yield(.text(text)) }
        return isStopped
    }

    /// Hands out what was held back; returns whether a stop sequence turned up in it.
    mutating func finish(isStopped: Bool, yield: (GenerationEvent) -> Void) -> Bool {
        if isStopped { return false }
        let (text, isStopped) = matcher.append(decoder.finish())
        let rest = isStopped ? text : text + matcher.finish()
        if !rest.isEmpty { yield(.text(rest)) }
        return isStopped
    }
}
