//! Where frames can be shown.

use super::Finding;
use crate::output;

pub(super) fn look() -> Vec<Finding> {
    let (best, reasons) = output::probe_display();
    vec![super::window(best, &reasons), super::terminal()]
}
