"""The hub's logic, without a router: who is there, and who may do what."""
