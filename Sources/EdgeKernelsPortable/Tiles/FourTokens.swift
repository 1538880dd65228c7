internal import EdgeKernelJobs

// How a panel meets its tokens where a tile has four of them.

/// Bytes of scratch before the panel: [4 tokens][16 rows] running sums.
@inline(__always) var tileByteCount: Int { 256 }

/// A panel by all tokens, of which there are at least four; eight rows from `next` on are asked for meanwhile.
@inline(__always)
func panelByTokens<F: BlockFormat>(
    _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, first: Int,
    next: UnsafeRawPointer
) {
    let acc = j.scratch
    var done = 0
    while done < j.tokenCount {
        // The last tile reaches back over some tokens that are done, and stores only the others.
        let token = min(done, j.tokenCount &- 4)
        tile(F.self, panel: panel, blocks: blocks, j, token: token, acc: acc, next: done == 0 ? next : nil)
        let again = done &- token
        storeTile(acc + 64 &* again, j, first: first, token: done, count: 4 &- again)
        done = token &+ 4
    }
}
