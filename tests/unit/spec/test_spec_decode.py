from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.source import Origin, Source, origin
from finback.spec import node
from finback.spec.decode import load, load_partly
from finback.spec.model import Item, Resources, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    number: int
    word: Literal["one", "two"] | None = None
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    text: str | None = None
    flag: bool | None = None
    number: int | None = None
    either: int | str | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] | None = None
    texts: tuple[str, ...] | None = None
    table: dict[str, str] | None = None
    origin: Origin = origin()


def outer(text: str) -> Outer:
    return load(Outer, Source("t.yml", text))


def problems(text: str, cls: type[Any] = Outer) -> tuple[Diagnostic, ...]:
    with pytest.raises(FinbackError) as caught:
        load(cls, Source("t.yml", text))
    return caught.value.diagnostics


def only(text: str, cls: type[Any] = Outer) -> Diagnostic:
    found = problems(text, cls)
    assert len(found) == 1, [d.message for d in found]
    return found[0]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~", "null", "--- {}\n...\n", "\ufeff"])
def test_an_empty_document_is_an_empty_record(text: str) -> None:
    assert outer(text) == Outer()


@pytest.mark.parametrize("text", ["text:", "text: ~", "flag: null", "many: Null", "inner: NULL", "table:"])
def test_null_is_not_given(text: str) -> None:
    assert outer(text) == Outer()


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-12", -12), ("+5", 5), ("0x1F", 31), ("0o17", 15), ("017", 15), ("089", 89), ("0b11", 3),
     ("1_000", 1000), ("9223372036854775807", 2**63 - 1)],
)  # fmt: skip
def test_whole_numbers(text: str, value: object) -> None:
    assert outer(f"number: {text}").number == value
    assert outer(f"either: {text}").either == value


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("'5'", "remove the quotes: 5"), ("64k", "65536"), ("2 GiB", "2147483648"), ("1e3", "write 1000"),
     ("7.0", "write 7"), ("unlimited", "-1"), ("9223372036854775808", "2^63"), ("1.5", "digits"),
     ("x", "digits"), ("_", "digits"),
     ("9" * 5000, "2^63")],
)  # fmt: skip
def test_what_is_no_number_says_what_to_write(text: str, remedy: str) -> None:
    found = only(f"number: {text}")
    assert found.code == "F003"
    assert remedy in found.help
    assert len(found.message) < 120


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("TRUE", True), ("false", False)])
def test_switches(text: str, value: object) -> None:
    assert outer(f"flag: {text}").flag is value


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("yes", "write true"), ("On", "write true"), ("n", "write false"), ("0", "write false"), ("tRUE", "write true"),
     ("'true'", "remove the quotes: true"), ("maybe", "write true or false")],
)  # fmt: skip
def test_what_is_no_switch_says_what_to_write(text: str, remedy: str) -> None:
    found = only(f"flag: {text}")
    assert (found.code, found.help) == ("F003", remedy)


@pytest.mark.parametrize("text", ["no", "1.20", "0644", "2024-01-01", "true", "1e3", ".inf", "=", "0x"])
def test_a_text_stays_as_it_is_written(text: str) -> None:
    assert outer(f"text: {text}\ntexts: [{text}]\ntable: {{k: {text}}}") == Outer(
        text=text, texts=(text,), table={"k": text}
    )


def test_a_number_or_a_name() -> None:
    assert outer("either: root").either == "root"
    assert outer("either: '12'").either == "12"


def test_blocks_and_quotes() -> None:
    assert outer("text: |\n  a\n  b\n").text == "a\nb\n"
    assert outer("text: >-\n  a\n  b\n").text == "a b"
    assert outer("text: ''\ntexts: []\ntable: {}") == Outer(text="", texts=(), table={})


def test_anchors_and_merge_keys() -> None:
    text = """
    inner: &one {number: 1, word: one}
    many:
      - *one
      - <<: *one
        number: 2
      - <<: [{number: 3}, *one]
    """
    assert outer(text).many == (
        Inner(number=1, word="one"),
        Inner(number=2, word="one"),
        Inner(number=3, word="one"),
    )


def test_an_anchor_may_be_set_anew() -> None:
    assert outer("texts: [&a x, *a, &a y, *a]").texts == ("x", "x", "y", "y")


def test_positions_of_values_elements_and_records() -> None:
    text = "text: abc\nmany:\n  - number: 1\n    word: two\ntexts: [p,\n  'q r']\ntable:\n  k: v\n"
    read = outer(text)
    at = read.origin.at
    assert [(s.line, s.column, s.length) for s in (at("text"), at("texts", 1), at("table", "k"), at("many", 0))] == [
        (0, 6, 3), (5, 2, 5), (7, 5, 1), (2, 4, 6),
    ]  # fmt: skip
    word = read.many[0].origin.at("word")
    assert (word.line, word.column, word.length) == (3, 10, 3)
    assert read.origin.at("nothing") == read.origin.span


def test_positions_count_characters() -> None:
    assert outer("texts: ['日本', \U0001f600x]").origin.at("texts", 1).column == 14


@pytest.mark.parametrize(
    ("text", "code", "remedy"),
    [
        ("text: [a]", "F002", "without dash or brackets: a"),
        ("text: {a: b}", "F002", '"a: b"'),
        ("text: {{ name }}", "F002", "no templates"),
        ("texts: a b", "F002", '`texts: ["a b"]`'),
        ("texts: {a: b}", "F002", "`- a: b`"),
        ("texts: [{a: b}]", "F002", '"a: b"'),
        ("texts: [[a]]", "F002", "brackets: a"),
        ("texts:\n  -\n", "F002", "after the dash"),
        ("inner: 5", "F002", "`number: 5`"),
        ("inner: [{number: 1}]", "F002", "remove the dashes"),
        ("many: {number: 1}", "F002", "`- number: 1`"),
        ("many: [1]", "F002", "`- number: 1`"),
        ("table: [a=1]", "F002", '`a: "1"`'),
        ("table: {a: [b]}", "F002", "brackets: b"),
        ("table: {a: }", "F002", '`a: ""`'),
        ("table: {a: null}", "F002", '`a: ""`'),
        ("- a", "F002", "begin with a key"),
        ("plain", "F002", "begin with a key"),
        ("[a, b]: c", "F002", "single word"),
        ("texs: []", "F004", "did you mean texts?"),
        ("TEXT: a", "F004", "did you mean text?"),
        ("qqqq: a", "F004", "known keys: text, flag"),
        ("inner: {number: 1, flag: true}", "F004", "one level up: indent it like `inner:`"),
        ("word: one", "F004", "below `inner:`"),
        ("text: a\ntext: b", "F005", "keep one"),
        ("texts: [a]\ntexts: [b]", "F005", "join the two lists"),
        ("<<: {text: a}\n<<: {text: b}", "F005", "<<: [*ONE, *TWO]"),
        ("inner: {}", "F006", "add `number: ...`"),
        ("inner: {number: }", "F006", "after the colon"),
        ("inner: {number: 1, word: on}", "F007", "did you mean one?"),
        ("<<: 5", "F002", "name anchors"),
        ("text: !!str a", "F001", "remove it"),
        ("text: *x", "F001", "quotes"),
        ("texts: &x [*x]", "F001", "outside"),
    ],
)
def test_each_mistake_has_its_code_and_remedy(text: str, code: str, remedy: str) -> None:
    found = only(text)
    assert found.code == code
    assert remedy in found.help
    assert found.span is not None


def test_problems_come_in_the_order_of_the_text() -> None:
    found = problems("number: x\nflag: y\nzzz: 1\ninner: {word: 3}\n")
    assert [(d.code, d.span.line) for d in found] == [("F003", 0), ("F003", 1), ("F004", 2), ("F006", 3), ("F007", 3)]


def test_what_is_right_can_be_had_beside_what_is_wrong() -> None:
    text = "init: [a, [b], c]\nkernel: {image: [x]}\nservices: [{name: s, image: i, net: [h], pid: host}, 5]\nfile: []"
    spec, found = load_partly(Spec, Source("t.yml", text))
    assert len(found) == 5
    assert spec.init == ("a", "c")
    assert spec.kernel is None
    assert spec.services == (Item(name="s", image="i", pid="host"),)
    assert spec.files == ()
    assert spec.origin.at("init", 1).column == 15


def test_a_spelling_that_is_near_is_read_as_what_it_means() -> None:
    found = problems("service: [{name: s, imgae: i, readonly: yes}]", Spec)
    assert [d.code for d in found] == ["F004", "F004", "F003"]
    assert [d.code for d in problems("services: []\nservice: [5]", Spec)] == ["F004"]


def test_oci_spelling_is_kept() -> None:
    text = "memory: {kernelTCP: 1, disableOOMKiller: true}\n"
    text += "blockio: {throttleReadIOPSDevice: [{major: 8, minor: 0, rate: 5}]}"
    made = load(Resources, Source("t.yml", text))
    assert made.memory.kernel_tcp == 1
    assert made.block_io.throttle_read_iops_device[0].rate == 5


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "{[", "a:\n "])
def test_depth_is_bounded(opening: str) -> None:
    assert problems(opening * 100_000)[0].code in ("F001", "F008")


def test_the_number_of_values_is_bounded() -> None:
    assert only("texts: [" + "a," * (node.MAX_NODES + 1) + "]").code == "F008"


def test_aliases_can_not_blow_up() -> None:
    rows = ["a0: &a0 [" + "x," * 100 + "]"]
    rows += [f"a{i}: &a{i} [" + f"*a{i - 1}," * 100 + "]" for i in range(1, 10)]
    assert all(d.code == "F004" for d in problems("\n".join(rows)))
    texts = ", ".join(["*t"] * 3000)
    items = "x: &t {number: 1}\nmany: [" + texts + "]\n"
    assert only(items).code == "F004"
    row = "services:\n  - &s {name: s, image: i, env: [" + "A=1," * 1000 + "]}\n" + "  - *s\n" * 1000
    assert only(row, Spec).code == "F008"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text: caf\xe9", "the byte 0xe9 is not UTF-8"),
        (b"\xff\xfet\x00", "the file is not UTF-8 but UTF-16"),
        (b"text: a\x00b", "U+0000"),
        (b"text: \x1b[31m", "U+001B"),
    ],
)
def test_what_is_not_text(data: bytes, message: str) -> None:
    found = only(data.decode("utf-8", "surrogateescape"))
    assert found.code == "F009"
    assert message in found.message


def test_the_place_of_a_byte_that_is_not_text() -> None:
    span = only("a: b\r\nc: d\n  x: \udcff").span
    assert (span.line, span.column) == (2, 5)


def test_a_comment_that_ends_a_block_too_early() -> None:
    read = outer("text: |\n# was: x\n    a\n    b\nflag: true\n")
    assert read.text.strip().split() == ["a", "b"]
    assert read.flag
    assert outer("text: |\n    # kept\n    a\n").text == "# kept\na\n"


def test_the_pure_python_parser_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = "kernel: {image: a}\nservices:\n  - name: s\n    image: 'i'\n    binds: [\"/a:/b\"]\n    env:\n    - A=|\n"
    fast = load(Spec, Source("t.yml", text))
    monkeypatch.setattr(node, "_PARSER", yaml.BaseLoader)
    slow = load(Spec, Source("t.yml", text))
    assert slow == fast
    assert [s.line for s in slow.services[0].origin.spans.values()] == [
        s.line for s in fast.services[0].origin.spans.values()
    ]
    assert only("a: [", Spec).code == "F001"


yamlish = st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t<~0x\\é\x85\u2028\udcff"), max_size=80)


@settings(max_examples=400)
@given(st.one_of(yamlish, st.text(max_size=60)))
def test_any_text_is_a_record_or_an_error(text: str) -> None:
    for cls in (Spec, Outer):
        _, problems = load_partly(cls, Source("t.yml", text))
        for found in problems:
            assert found.help
            assert found.span is not None


pieces = st.sampled_from(
    ["kernel:", "services:", "files:", "init:", "- ", "  ", "\n", "\n  ", "\n    ", "name: a", "image: b", "&x ", "*x",
     "<<: ", "[", "]", "{", "}", ", ", ": ", "runtime:", "env:", "null", "readonly: yes", "'", "|", "devices:"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(pieces, max_size=25).map("".join))
def test_any_sequence_of_pieces_is_a_spec_or_an_error(text: str) -> None:
    _, found = load_partly(Spec, Source("t.yml", text))
    assert all(d.help for d in found)


@pytest.mark.parametrize(
    "text",
    [
        'files: [{path: "a\\0b", contents: x}]',
        'files: [{path: a, symlink: "b\\0"}]',
        'services: [{name: a, image: b, command: [c, "\\0"]}]',
        'services: [{name: a, image: b, env: ["A=\\0"]}]',
        'services: [{name: a, image: b, sysctl: {net.core.x: "\\0"}}]',
        'services: [{name: a, image: b, annotations: {"\\0": x}}]',
        'kernel: {image: a, cmdline: "a\\0b"}',
    ],
)
def test_nul_ends_paths_and_arguments(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        load(Spec, Source("t.yml", text))
    assert [d.code for d in failure.value.diagnostics] == ["F009"]
    assert failure.value.diagnostics[0].span is not None


def test_nul_is_content() -> None:
    spec = load(Spec, Source("t.yml", 'files: [{path: a, contents: "a\\0b"}]'))
    assert [f.contents for f in spec.files or ()] == ["a\0b"]
