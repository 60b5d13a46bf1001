//! What a schema can't check.
