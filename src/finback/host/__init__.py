"""The only code that touches the machine: store, files, HTTP, processes, clock, environment."""
