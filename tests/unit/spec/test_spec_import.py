from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "urllib3", "rich", "pysequoia", "lzma", "tarfile", "asyncio", "concurrent.futures", "jsonschema", "socket", "ssl",
    "subprocess", "click", "finback.host", "finback.codec",
}  # fmt: skip


def test_checking_a_spec_imports_nothing_heavy() -> None:
    program = "import sys, json, finback.spec.load; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert "yaml" in loaded
    assert not loaded & HEAVY
