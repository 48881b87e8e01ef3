"""The library's components: made, checked, booted, probed."""
