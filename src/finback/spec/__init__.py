"""YAML text to Spec: decode, merge, check, and the JSON Schema of it all."""
