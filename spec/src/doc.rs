//! Reference documentation.
