"""A file system as a value: entries, the content behind them, and the order that archives need."""
