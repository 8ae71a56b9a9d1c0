"""What runs inside Crossbar: who may join, what each may do, and what keeps the router standing."""
