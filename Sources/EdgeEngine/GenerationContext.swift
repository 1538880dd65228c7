internal import EdgeCache
internal import EdgeModel

/// One conversation's memory: its cache, and the ledger of tokens that the cache holds.
///
/// Belongs to one `Engine` and is only touched on its executor, hence `@unchecked Sendable`.
package final class GenerationContext: @unchecked Sendable {
    let cache: KeyValueCache
    /// The tokens whose keys and values the cache holds, position by position.
    var ledger: [Int32] = []
    var isBusy = false
    /// What is added to the weights; the cache holds what was computed with it.
    var adapters: AdapterStack?

    init(cache: KeyValueCache) {
        self.cache = cache
        ledger.reserveCapacity(cache.capacity < 1 << 20 ? cache.capacity : 1 << 20)
    }

    /// Forgets all tokens.
    func removeAll() {
        cache.removeAll()
        ledger.removeAll(keepingCapacity: true)
    }

    /// Takes back the last tokens, which a cache that `canTakeBack` them still allows.
    func takeBack(_ count: Int) {
        guard count > 0 else { return }
        do throws(CacheError) {
            try cache.truncate(to: ledger.count - count)
            ledger.removeLast(count)
        } catch {
            preconditionFailure("a draft was run on a cache that cannot take it back")
        }
    }

    /// Cuts the cache back to what it shares with the prompt, leaving at least one token to run; returns how many stay.
    func reusePrefix(of prompt: [Int32]) -> Int {
        let limit = min(ledger.count, prompt.count - 1)
        var common = 0
        while common < limit, ledger[common] == prompt[common] { common += 1 }
        // Where layers with a window have dropped what the next token would see, all is computed again.
        do throws(CacheError) {
            try cache.truncate(to: common)
        } catch {
            common = 0
            cache.removeAll()
        }
        ledger.removeSubrange(common...)
        return common
    }
}
