//! The parts of the suite.

pub mod bad;
pub mod behaviours;
pub mod faults;
pub mod figures;
pub mod gaps;
pub mod host;
pub mod page;
pub mod table;
