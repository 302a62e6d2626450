//! The provider against a real libvirtd, from the laboratory in `tests/lab`. What came of it is
//! looked at with virsh, and not with the provider's own eyes.

mod cards;
mod care;
mod conformance;
mod lab;
mod power;
mod reach;
mod storage;
mod unread;
