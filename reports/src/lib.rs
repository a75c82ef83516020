//! What a run means: one report a file.
