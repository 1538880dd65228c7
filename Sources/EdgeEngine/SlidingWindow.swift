/// Which part of a text stays when it outgrows its context: the first tokens, and of the others the latest.
///
/// Tokens are dropped in steps of half of what may be dropped, and how many depends on nothing but the length of the text. So a text
/// is seen alike whether it came as a prompt or was generated, and while it grows within a step its beginning stays as it is, for
/// the cache to be used.
///
/// Of what stays when an answer fills the context, keys are turned to their new positions, and they and the values still know of what is
/// gone. That takes next to no time, and depends on nothing but the prompt and the answer so far: what was moved is of no use to the next
/// request, which begins with what a prompt gives. With `recomputes`, or where keys cannot be turned, what stays is computed anew at its new
/// positions instead, no more tokens than the step has, but for layers with a window that no longer hold what the kept tokens' successors
/// see: then all that stays is.
package struct SlidingWindow: Sendable, Equatable {
    /// Tokens at the beginning that stay.
    package let keeping: Int
    /// Whether what stays is computed anew.
    package let recomputes: Bool

    package init(keeping: Int, recomputes: Bool = false) {
        self.keeping = keeping
        self.recomputes = recomputes
    }

    /// Whether there is anything that may be dropped, with a token left to see and one to choose.
    func fits(contextSize: Int) -> Bool { keeping >= 0 && keeping <= contextSize - 2 }

    /// How many tokens after the kept ones a text of this length has lost: the least steps that leave room for another token.
    func droppedCount(ofTokens count: Int, contextSize: Int) -> Int {
        guard count >= contextSize else { return 0 }
        let step = max(1, (contextSize - keeping) / 2)
        return (count - contextSize) / step * step + step
    }
}
