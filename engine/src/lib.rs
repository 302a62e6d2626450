//! Observes hosts and applies plans
