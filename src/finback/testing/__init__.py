"""What tests of finback, and of programs that use it, need: a registry that fails when it is told to."""
