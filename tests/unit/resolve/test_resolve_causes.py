"""One cause is one error, wherever it shows."""

from __future__ import annotations

import pytest

from finback.ground.diagnostic import Diagnostic, FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Source, Span
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.resolve import Copied, Request, _by_cause, resolve
from finback.spec.load import load_spec

SPEC = """\
kernel: {image: one.example/kernel}
init: [one.example/init, two.example/init]
services:
  - {name: a, image: one.example/init}
  - {name: b, image: three.example/b}
  - {name: c, image: three.example/b}
"""


class Silence:
    """A catalogue whose hosts do not answer, except one that has no such image."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, wanted: Wanted) -> Found:
        self.asked.append(wanted.reference)
        host, _, rest = wanted.reference.partition("/")
        if host == "three.example":
            raise error("F171", f"{wanted.reference} has no variant for this platform", help="use another")
        raise error("F201", f"https://{host}/v2/{rest} can't be reached: refused", help="check the network")


class NoFiles:
    def folder(self, path: str, span: Span | None) -> tuple[Copied, ...] | None:
        del path, span
        return None

    def read(self, path: str, span: Span | None) -> tuple[bytes, int] | None:
        del path, span
        return None

    def keep(self, data: bytes) -> Digest:
        return Digest.of(data)


def problems(catalogue: Silence) -> tuple[Diagnostic, ...]:
    spec = load_spec(Source("t.yml", SPEC))
    request = Request(spec=spec, name="t", platform=Platform(), epoch=0, substitute=lambda _: None)
    with pytest.raises(FinbackError) as failure:
        resolve(request, catalogue, NoFiles())
    return failure.value.diagnostics


def test_a_host_that_does_not_answer_is_reported_once_with_all_places() -> None:
    catalogue = Silence()
    found = problems(catalogue)
    assert [(d.code, d.message.split()[0]) for d in found] == [
        ("F201", "https://one.example/v2/kernel"),
        ("F201", "https://two.example/v2/init"),
        ("F171", "three.example/b"),
    ]
    assert [d.span.line + 1 if d.span else 0 for d in found] == [1, 2, 5]
    assert found[0].notes == ("the same holds for t.yml:2:8, t.yml:4:22",)
    assert found[1].notes == ()
    assert found[2].notes == ("the same holds for t.yml:6:22",)
    # Nothing is asked for twice.
    assert len(catalogue.asked) == len(set(catalogue.asked))


def test_a_digest_in_an_address_makes_no_other_cause_and_notes_of_each_are_kept() -> None:
    address = "https://one.example/v2/x/manifests/"
    texts = (f"{address}sha256:00 can't be reached: refused", f"{address}latest can't be reached: refused")
    found = _by_cause([Diagnostic(code="F201", message=t, notes=(f"of {n}",)) for n, t in enumerate(texts)])
    assert [d.notes for d in found] == [("of 0", "of 1")]
