import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("Hostile templates", .serialized)
struct HostileTemplateTests {
    private static func many(_ text: String, _ count: Int = 20_000) -> String { String(repeating: text, count: count) }

    /// Twenty times what a template may take on a machine of its own, for machines that are not.
    private static let patience = Duration.seconds(2)

    private static let loop = "{% for i in range(99999) %}"

    private static let hostile: [String] = [
        "{{ " + many("(") + "1" + many(")") + " }}", "{{ " + many("[") + many("]") + " }}",
        "{{ " + many("{1:") + "1" + many("}") + " }}", "{{ " + many("not ") + "1 }}", "{{ " + many("-") + "1 }}",
        many("{% if 1 %}"), many("{% for a in b %}"), "{{ a" + many("[a") + many("]") + "}}",
        "{{ 1" + many(" if 1") + " }}", many("{% macro a() %}"), "{% for " + many("(") + "a in b %}",
        "{{ " + many("a or b and c == d + e ~ f * g ** (", 5000) + "1 }}",
        "{% for i in range(10 ** 12) %}x{% endfor %}", many(loop, 3) + many("{% endfor %}", 3),
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(x) %}{% if x %}{% for i in [1] %}{{ '' ~ ((f(x))|upper) }}{% endfor %}{% endif %}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(25) }}",
        "{{ 'a' * 10 ** 15 }}", "{% set n = namespace(x='a') %}" + loop + "{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}" + loop + "{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}" + loop + "{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[1]) %}" + loop + "{% set n.x = {'a': n.x} %}{% endfor %}{{ n.x|tojson }}",
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x }}", "{% set x = 'a' * 900000 %}" + loop + "{{ x }}{% endfor %}",
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x|tojson }}",
        "{% set n = namespace(x=['a']) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}",
        "{% set x = 'a' * 1000000 %}{{ ('a' * 500000 ~ 'b') in x }}{{ ('b' ~ 'a' * 500000) in x }}" + loop
            + "{{ x.find('b') }}{% endfor %}",
        "{% set x = 'a' * 1000000 %}{{ x.replace('', 'bbbbbbbbbbbbbbbbbbbbb') }}", "{{ '%999999999d' % 1 }}",
        "{% set x = '\\n' * 1000000 %}{{ x.splitlines()|length }}", "{{ 'a'|indent(10 ** 9, true) }}",
        "{{ 'a'.center(10 ** 12) }}", loop + "{{ '%.400f' % 1e-300 }}{% endfor %}", "{{ 10 ** 100000 }}",
        "{% set x = ['a' * 100000] * 99999 %}{{ x|sort|length }}",
        "{% set x = ['a' * 100000] * 99999 %}{{ x|unique|join }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ [[1]]|tojson(indent=10 ** 9) }}",
        // What a search for the slowest found: work that was not counted.
        "{% set x = 'a' * 1000000 %}" + loop + "{% set _ = x|format %}{% endfor %}",
        "{% set x = 'a' * 1000000 %}" + loop + "{% set _ = x.format() %}{% endfor %}",
        "{% set x = 'a' * 1000000 %}" + loop + "{% set _ = x is lower %}{% endfor %}",
        "{% set x = 'a' * 100000 %}" + loop + "{% set _ = strftime_now(x) %}{% endfor %}",
        "{% set x = '1' * 10000 %}" + loop + "{% set _ = x|int %}{% set _ = x|float %}{% endfor %}",
        "{% set x = 'aB ' * 3333 %}" + loop + "{% set _ = x|truncate(9000, false, '') %}{% endfor %}",
        loop + (0..<5000).map { "{% set v\($0) = 1 %}" }.joined() + "{% endfor %}",
        "{% macro a(" + (0..<20_000).map { "a\($0)" }.joined(separator: ",") + ") %}{% endmacro %}{{ a() }}{{ a() }}",
        many("{% for i in [1] %}", 150) + loop + "{{ q }}{% endfor %}" + many("{% endfor %}", 150),
        "{{ range(-9223372036854775807, 9223372036854775807) }}", many("{#"), many("{% raw %}"),
    ]

    @Test("End in a typed error, soon", arguments: hostile.indices)
    func ends(index: Int) {
        let source = Self.hostile[index]
        let start = ContinuousClock.now
        #expect(throws: TemplateError.self, "\(source.prefix(100))") { try rendered(source) }
        #expect(ContinuousClock.now - start < Self.patience, "\(source.prefix(100))")
    }

    @Test("Numbers at the edge of what fits are no reason to stop")
    func edges() throws {
        #expect(try rendered("{{ 'abc'[::-9223372036854775807 - 1] }}{{ [1][9223372036854775807] }}") == "c")
        #expect(try rendered("{{ 2 ** -9223372036854775807 }}{{ (-9223372036854775807 - 1) % -1 }}") == "0.00")
    }

    @Test("A small stack is enough for the deepest that the limits allow")
    func smallStack() {
        let sources = Self.hostile.prefix(16)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            for source in sources { _ = try? rendered(source) }
            done.signal()
        }
        thread.stackSize = 512 << 10
        thread.start()
        done.wait()
    }

    /// Words that a damaged template may have put in anywhere.
    private static let words = [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "(", ")", "[", "]", "{", "}", "'", "\"", "|", ".", ",", ":", "~",
        "not ",
        " if ", " else ", " in ", " is ", "for x in y", "endfor", "set ", "loop.", "messages", "namespace(",
        "9999999999",
        "range(99999)", "|tojson", "|map('upper')", " * 99999", "\\", "\u{0}", "é", "\n", "{% raw %}", "{%- endif %}",
    ]

    @Test("Damaged templates end in text or in a typed error, soon", arguments: UInt64(1)...8)
    func damaged(seed: UInt64) throws {
        var random = Random(state: seed)
        var starts = [
            "{% for m in messages %}<|{{ m['role'] }}|>{{ m.content|trim }}{% if loop.last %}x{% endif %}{% endfor %}",
            "{% macro a(b, c=1) %}{{ b ~ c }}{% endmacro %}{{ a(1) }}{% set n = namespace(x=1) %}{% set n.x = [1][0] %}",
        ]
        if SharedData.isPresent {
            let folder = try SharedData.url("llama.cpp/models/templates")
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            where name.hasSuffix(".jinja") {
                let data = try Data(contentsOf: folder.appendingPathComponent(name))
                starts.append(String(decoding: data, as: UTF8.self))
            }
        }
        let messages: [TemplateValue] = [["role": "user", "content": "a"], ["role": "assistant", "content": "b"]]
        for _ in 0..<60 {
            var scalars = Array(starts[random.below(starts.count)].unicodeScalars)
            for _ in 0...random.below(4) {
                let place = random.below(scalars.count + 1)
                let end = min(scalars.count, place + random.below(12))
                let word = Self.words[random.below(Self.words.count)]
                switch random.below(3) {
                case 0: scalars.removeSubrange(place..<end)
                case 1: scalars.insert(contentsOf: word.unicodeScalars, at: place)
                default: scalars.replaceSubrange(place..<end, with: word.unicodeScalars)
                }
            }
            var source = ""
            source.unicodeScalars.append(contentsOf: scalars)
            let start = ContinuousClock.now
            do throws(TemplateError) {
                _ = try ChatTemplate(source).render(messages: messages)
            } catch {
                #expect(!error.message.isEmpty)
            }
            #expect(ContinuousClock.now - start < Self.patience, "seed \(seed): \(source)")
        }
    }

    private struct Random {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(limit, 1)))
        }
    }
}
