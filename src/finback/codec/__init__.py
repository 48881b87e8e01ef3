"""Byte formats: pure bytes in and out, each module stating the subset that it knows and its specification."""
