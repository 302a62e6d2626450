//! The suites that run the whole of tcloud
