"""Spec to Plan: every image, package and host file pinned by digest; the lock that remembers them."""
