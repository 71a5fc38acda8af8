//! A segment: one run of batches with its indexes and its mark.
