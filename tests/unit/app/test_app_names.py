from __future__ import annotations

import pytest

from finback.app.build import _check_names
from finback.assemble.system import System
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.outputs import Written
from finback.resolve.plan import Plan

SYSTEM = System(
    name="t", platform=Platform(), epoch=0, plan=Plan(name="t", platform=Platform(), epoch=0), boot=None, parts=()
)


def one(suffix: str, role: str) -> Written:
    return Written(suffix=suffix, role=role, media_type="", body=lambda: iter(()))


def test_two_formats_may_share_the_kernel_and_nothing_else() -> None:
    kernel = one("-kernel", "kernel")
    _check_names(SYSTEM, [("a", (kernel, one(".a", "disk"))), ("b", (kernel, one(".b", "disk")))])
    with pytest.raises(FinbackError) as failure:
        _check_names(SYSTEM, [("a", (one(".iso", "disc"),)), ("b", (one(".iso", "rootfs"),))])
    assert failure.value.diagnostics[0].code == "F018"
    assert "a and b both write t.iso" in failure.value.diagnostics[0].message
