"""Figures and ratios about finback itself; nothing here passes or fails."""
