//! Tables, plots and pages from measured rows.
