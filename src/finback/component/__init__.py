"""The library: component definitions, and how Debian packages become an OCI image."""
