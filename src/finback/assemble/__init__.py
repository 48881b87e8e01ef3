"""Plan to System: bundles, files, segments. Pure over the store."""
