//! A node: serve, dispatch, one handler for each API, broker and controller roles.
