//! Listeners and connections: bytes to frames and back, TLS, budgets and deadlines.
