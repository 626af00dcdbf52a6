"""How the parts talk: one port, in one process or over NATS; and running the bundled NATS server."""
