"""The hub's logic, without a router."""
