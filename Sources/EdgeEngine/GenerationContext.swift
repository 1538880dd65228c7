internal import EdgeCache
internal import EdgeModel

/// One conversation's memory: its cache, and the ledger of tokens that the cache holds.
///
/// Belongs to one `Engine` and is only touched on its executor, hence `@unchecked Sendable`.
package final class GenerationContext: @unchecked Sendable {
    private(set) var cache: KeyValueCache
    /// How many of the first tokens have the keys and values that a prompt gives them; nil for all. Others were moved here from elsewhere.
    private(set) var exactCount: Int?
    /// Whether a window has slid over what the cache holds: of use to the answer that is being written, and to no other.
    private(set) var isSlid = false
    /// The tokens whose keys and values the cache holds, position by position.
    var ledger: [Int32] = []
    /// While it is not, others may take what its cache holds; the ledger stays.
    var isBusy = false {
        didSet { if isBusy != oldValue { cache.setActive(isBusy) } }
    }
    /// What is added to the weights; the cache holds what was computed with it.
    var adapters: AdapterStack?

    init(cache: KeyValueCache) {
        self.cache = cache
        cache.setActive(false)
        ledger.reserveCapacity(cache.capacity < 1 << 20 ? cache.capacity : 1 << 20)
    }

    /// Forgets all tokens.
    func removeAll() {
        cache.removeAll()
        ledger.removeAll(keepingCapacity: true)
    }

    /// Goes on with another cache, and what that holds.
    ///
    /// - Parameter exactCount: as the property.
    func replaceCache(by other: KeyValueCache, exactCount: Int?) {
        cache.setActive(false)
        cache = other
        cache.setActive(isBusy)
        self.exactCount = exactCount
        isSlid = false
        ledger.removeAll(keepingCapacity: true)
        ledger.append(contentsOf: other.tokens)
    }

    /// The cache is empty, and what it is filled with from now on is what a prompt gives.
    func begin(_ lineage: CacheLineage) {
        removeAll()
        cache.setLineage(lineage)
        exactCount = nil
        isSlid = false
    }

    /// The cache has lost some tokens after the first ones, and what followed was moved.
    func noteSlide(keeping: Int, dropping: Int) {
        ledger.removeSubrange(keeping..<keeping + dropping)
        exactCount = min(exactCount ?? keeping, keeping)
        isSlid = true
    }

    /// Takes back the last tokens, all of them of the latest batch, whose first one still sees all that it saw.
    func takeBack(_ count: Int) {
        guard count > 0 else { return }
        do throws(CacheError) {
            try cache.truncate(to: ledger.count - count)
            ledger.removeLast(count)
        } catch {
            preconditionFailure("a draft was run on a cache that cannot take it back")
        }
    }

    /// Makes the cache hold as much of the prompt as there is, of its own or of another context, leaving at least one token to run;
    /// returns how many tokens that is.
    func reusePrefix(of prompt: [Int32]) -> Int {
        // What others have computed of the same tokens is something else.
        if isSlid, ledger.count < prompt.count, prompt.starts(with: ledger) { return ledger.count }
        let count = cache.adopt(prompt.dropLast())
        let common = zip(ledger, prompt.prefix(count)).prefix { $0 == $1 }.count
        ledger.removeSubrange(common...)
        ledger.append(contentsOf: prompt[common..<count])
        return count
    }

    /// The numbers of what is added to the weights, for telling caches apart.
    static func lineage(of adapters: [AppliedAdapter]) -> CacheLineage {
        CacheLineage(adapters.flatMap { [$0.adapter.number, UInt64($0.scale.bitPattern)] })
    }
}
