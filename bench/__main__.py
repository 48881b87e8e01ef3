"""Run the benchmarks, or those named: `python -m bench [NAME...]`. Each module here with a `main` is one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

names = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_") and p.stem != "measure")
for name in sys.argv[1:] or names:
    if name not in names:
        sys.exit(f"there is no benchmark {name}: there are {', '.join(names)}")
    print(f"\n{name}", flush=True)
    importlib.import_module(f"bench.{name}").main()
