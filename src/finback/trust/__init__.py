"""Bytes in, verdict out: signatures and who may make them. Time is a parameter."""
