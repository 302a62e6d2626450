//! The journal, the state folded from it, leases and stores
