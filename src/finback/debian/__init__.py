"""Debian's archive and package formats: parse, verify, select, unpack. Nothing of a package is ever executed."""
