"""``python -m finback``."""

from finback.cli import main

main()
