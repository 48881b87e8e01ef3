"""finback: minimal container-based Linux systems from one YAML file."""

__version__ = "0.1.0"
