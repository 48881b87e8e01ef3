"""The stores: what they hold, and what moves between them."""
