//! The embedded hypervisor
