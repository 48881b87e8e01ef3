"""Values that every layer shares: digests, platforms, positions, diagnostics, events, plug-in registries."""
