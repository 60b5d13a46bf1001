//! Our server as the monitor of real clients.
