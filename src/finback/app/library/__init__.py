"""The library as a whole: built, measured, pushed."""
