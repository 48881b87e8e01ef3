"""The demo: build the talk's system from Debian's archive, boot it, fetch its web page, show how the boot went."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
PORT = 8080
SECONDS = 120


def finback(*arguments: str) -> None:
    """Run finback, showing the command; leave with its status when it fails."""
    print("$ finback " + " ".join(arguments), flush=True)
    status = subprocess.run([sys.executable, "-m", "finback", *arguments], cwd=OUT, check=False).returncode
    if status:
        sys.exit(status)


def fetch(url: str, began: float) -> None:
    """Ask until there is an answer; leave with status 6 when none comes."""
    while time.monotonic() - began < SECONDS:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                body = answer.read().decode()
                print(f"\n{url}: HTTP {answer.status} after {time.monotonic() - began:.1f} s, {len(body)} bytes")
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    print(f"no answer from {url} within {SECONDS} s; the console is in the machine's state folder", file=sys.stderr)
    finback("stop", "talk", "--timeout", "5")
    sys.exit(6)


def main() -> None:
    """Build, boot, fetch, show, stop."""
    OUT.mkdir(parents=True, exist_ok=True)
    finback("build", "--lock", "talk.lock", str(ROOT / "assemblies" / "talk" / "talk.yml"))
    began = time.monotonic()
    finback("run", "--detach", "--publish", f"{PORT}:80", "talk")
    try:
        fetch(f"http://127.0.0.1:{PORT}/", began)
        time.sleep(1)
        print("\nThe boot, in seconds since the kernel started:\n")
        finback("ps", "--timeline", "talk")
    finally:
        finback("stop", "talk")


if __name__ == "__main__":
    main()
