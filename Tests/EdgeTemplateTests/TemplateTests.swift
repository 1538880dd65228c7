import Testing

@testable import EdgeTemplate

/// The text of a rendering.
func rendered(
    _ source: String, _ context: TemplateValue.Members = [:], now: TemplateTime = .epoch
) throws(TemplateError) -> String {
    try Template(source).render(context, now: now).map(\.text).joined()
}

@Suite("Templates")
struct TemplateTests {
    @Test(
        "Expressions follow Python",
        arguments: [
            ("1 + 2 * 3 ** 2", "19"), ("2 ** 3 ** 2", "64"), ("-2 ** 2", "4"), ("7 // -2", "-4"), ("-7 % 3", "2"),
            ("7 / 2", "3.5"), ("1 ~ 2 + 3", "error"), ("'a' ~ 1 ~ none", "a1None"), ("1e16", "1e+16"),
            ("1e15", "1000000000000000.0"), ("0.0001", "0.0001"), ("0.00001", "1e-05"), ("1.10", "1.1"),
            ("1 < 2 < 3", "True"), ("1 < 3 < 2", "False"), ("not 1 == 2", "True"), ("1 if 0", ""),
            ("1 if 0 else 2 if 0 else 3", "3"), ("[1, 'a', none, true, 1.0]", "[1, 'a', None, True, 1.0]"),
            ("{'a': [\"it's\"]}", "{'a': [\"it's\"]}"), ("(1,)", "(1,)"), ("1, 2", "(1, 2)"), ("'a' 'b'", "ab"),
            ("'abc'[-2:]", "bc"), ("'abc'[::-1]", "cba"), ("[1, 2, 3][1:][0]", "2"), ("'%s-%03d' % ('a', 7)", "a-007"),
            ("'%.2f' % 2.675", "2.67"), ("'{:>5}|{:.1f}'.format('a', 0.25)", "    a|0.2"), ("2.5|round", "2.0"),
            ("'a b'.split()|length", "2"), ("'aXbX'.replace('X', '-')", "a-b-"), ("'hi'.title()", "Hi"),
            ("[3, 1, 2]|sort|join(',')", "1,2,3"), ("{'b': 1, 'a': 2}|dictsort", "[('a', 2), ('b', 1)]"),
            ("[1, 2, 3, 4, 5]|batch(2)|list", "[[1, 2], [3, 4], [5]]"), ("[1, 1, 2]|unique|list", "[1, 2]"),
            ("'é\"\\n'|tojson", "\"é\\\"\\n\""), ("{'a': {}}|tojson(indent=2)", "{\n  \"a\": {}\n}"),
            ("'<a>'|e", "&lt;a&gt;"), ("x is defined or true", "True"), ("'a' is in ['a']", "True"),
            ("[[1, 2], [3]]|map('first')|join", "13"), ("[1, 2, 3]|select('odd')|list", "[1, 3]"),
            ("'a\\tb'|list", "['a', '\\t', 'b']"), ("[1, 2]|sum", "3"), ("dict(a=1).get('b', 2)", "2"),
            ("'abc' is string and 1 is not string", "True"), ("5 is divisibleby 5", "True"), ("'x' * 3", "xxx"),
            ("'a,b,c'.rsplit(',', 1)", "['a,b', 'c']"), ("' a  b '.split(None, 1)", "['a', 'b ']"),
            ("'ß'|upper", "SS"), ("-5|abs", "5"), ("0x10 + 0b11 + 1_000", "1019"), ("9223372036854775807 + 1", "error"),
        ])
    func expressions(source: String, expected: String) {
        let result = (try? rendered("{{ \(source) }}")) ?? "error"
        #expect(result == expected, "\(source)")
    }

    @Test(
        "White space goes where the settings of transformers take it",
        arguments: [
            ("a\n{% if 1 %}\nb\n{% endif %}\nc\n", "a\nb\nc"), ("  {% if 1 %}x{% endif %}", "x"),
            ("a {% if 1 %} b {% endif %} c", "a  b  c"), ("  {{ 1 }}\n", "  1"), ("  {%+ if 1 %}x{% endif %}", "  x"),
            ("{% if 1 +%}\nx{% endif %}", "\nx"), ("a \n {{- 1 -}} \n b", "a1b"), ("  {# c #}\nx", "x"),
            ("{% raw %}{{ x }}{% endraw %}\ny", "{{ x }}y"), ("a\r\nb\r", "a\nb"), ("a\n\n", "a\n"),
            ("{{ '}}' }}{{ {'a': {'b': 1}}.a.b }}", "}}1"), ("{% generation %}\nx{% endgeneration %}", "x"),
        ])
    func whiteSpace(source: String, expected: String) throws {
        #expect(try rendered(source) == expected)
    }

    @Test(
        "Statements",
        arguments: [
            ("{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }},{% endfor %}", "3,7,"),
            (
                "{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}{{ x }}{{ loop.last }} {% endfor %}",
                "11False 23True "
            ),
            ("{% for x in [] %}a{% else %}b{% endfor %}", "b"),
            ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "1"),
            ("{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "13"),
            ("{% for x in 'ab' %}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('-', '+') }}{% endfor %}", "b-a+"),
            ("{% set x = 1 %}{% for y in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"),
            ("{% set n = namespace(x=1) %}{% for y in [1] %}{% set n.x = 2 %}{% endfor %}{{ n.x }}", "2"),
            ("{% set x %}a{{ 1 }}{% endset %}{{ x }}", "a1"), ("{% set x | upper %}a{% endset %}{{ x }}", "A"),
            ("{% filter upper | trim %} a {% endfilter %}", "A"),
            ("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "3"),
            (
                "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ m(1) }} {{ m(1, 3, 4) }}",
                "12() 13(4,)"
            ),
            ("{% macro m() %}<{{ caller(1) }}>{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", "<1>"),
            ("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"),
            ("{% if a, b %}x{% endif %}", "x"), ("{% for x in [1] if [x] %}{{ x }}{% endfor %}", "1"),
            ("{% for x in [1] %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "1"),
            ("{% for x in [1, 2] %}{% set o = loop %}{% for y in [1] %}{{ o.index }}{% endfor %}{% endfor %}", "12"),
        ])
    func statements(source: String, expected: String) throws {
        #expect(try rendered(source) == expected)
    }

    @Test("A date is written as asked")
    func date() throws {
        let now = TemplateTime(year: 2024, month: 7, day: 26, hour: 15, minute: 4, second: 5)
        let source = "{{ strftime_now('%A %a %d %B %b %Y %y %-d %H:%M:%S %I %p %j %%') }}"
        #expect(
            try rendered(source, now: now) == "Friday Fri 26 July Jul 2024 24 26 15:04:05 03 PM 208 %")
    }

    @Test(
        "Errors say what and where",
        arguments: [
            ("{{ 1 +\n  }}", TemplateError.Code.syntax, 2, 3), ("a\n{% iff %}", .syntax, 2, 4),
            ("{% if 1 %}", .syntax, 1, 11), ("{{ 'a }}", .syntax, 1, 4), ("{{ x.y }}", .undefined, 1, 5),
            ("\n\n{{ 1 + 'a' }}", .type, 3, 6), ("{{ 'a'|nope }}", .unsupported, 1, 8),
            ("{{ raise_exception('no') }}", .raised, 1, 19), ("{{ 1 // 0 }}", .value, 1, 6),
            ("{% include 'x' %}", .unsupported, 1, 4), ("{{ (1] }}", .syntax, 1, 6), ("{% break %}", .syntax, 1, 4),
            ("{{ 1 is nope }}", .unsupported, 1, 9), ("{% set true = 1 %}", .syntax, 1, 8),
        ])
    func errors(source: String, code: TemplateError.Code, line: Int, column: Int) {
        #expect {
            try rendered(source)
        } throws: { error in
            guard let error = error as? TemplateError else { return false }
            return error.code == code && error.line == line && error.column == column
        }
    }

    @Test("JSON is read with its order kept, and defects are told")
    func json() throws {
        let value = try TemplateValue(json: #"{"b": [1, -2.5, true, null], "a": "\u00e9\ud83d\ude00\n"}"#)
        #expect(value.json == #"{"b":[1,-2.5,true,null],"a":"é😀\n"}"#)
        for text in ["", "{", "[1,]", "01", "tru", "\"\\x\"", "{\"a\" 1}", "1 2", String(repeating: "[", count: 1000)] {
            #expect(throws: TemplateError.self, "\(text)") { try TemplateValue(json: text) }
        }
    }
}
