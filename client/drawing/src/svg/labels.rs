//! What stands in the box of a servent, and how large that makes the box.
//!
//! Widths are guessed high: whoever looks may have any monospaced font.

use super::plane::{Extent, real};
use crate::label::name_in_document;
use crate::overlay::{DrawnOverlay, DrawnServent, Since};
use crate::width::{columns_apart, cut_apart};

/// Pixels of a letter's height.
pub(super) const FONT: f64 = 12.0;
/// Pixels from one letter to the next. Most fonts have 0.6 of their height, and the widest that is common 0.62.
pub(super) const ADVANCE: f64 = 0.62 * FONT;
/// From one line to the next.
pub(super) const LINE: f64 = 15.0;
/// What lies between a text and its box, at either side.
const MARGIN: Extent = Extent { width: 9.0, height: 5.0 };
/// As many columns of a name are shown in the box; the rest is in the words that come up where one points at it.
const NAME_COLUMNS_MAX: usize = 24;
/// With more servents than this their addresses stand without the IP address where they all have the same.
const FULL_ADDRESSES_MAX: usize = 60;

/// The lines of a box.
#[derive(Debug)]
pub(super) struct BoxLabel {
    pub(super) address: String,
    /// What it says it is called, as it is shown.
    pub(super) name: Option<String>,
    /// How many more neighbors it has: stands behind the address.
    pub(super) more: Option<String>,
    pub(super) extent: Extent,
}

/// The labels of all servents, and the IP address that is said once for all of them, where it is.
pub(super) fn labels(overlay: &DrawnOverlay) -> (Vec<BoxLabel>, Option<String>) {
    let servents = overlay.servents();
    let mut ips = servents.iter().map(|servent| servent.address.ip());
    let one_ip = ips.next().filter(|first| servents.len() > FULL_ADDRESSES_MAX && ips.all(|ip| ip == *first));
    let labels = servents.iter().map(|servent| BoxLabel::new(servent, one_ip.is_some())).collect();
    (labels, one_ip.map(|ip| ip.to_string()))
}

impl BoxLabel {
    fn new(servent: &DrawnServent, is_short: bool) -> BoxLabel {
        // As on a link: the minus of letters, which a document need not do without.
        let mark = match servent.since {
            Since::Same => "",
            Since::New => "+ ",
            Since::Gone => "− ",
        };
        let address =
            if is_short { format!("{mark}:{}", servent.address.port()) } else { format!("{mark}{}", servent.address) };
        let name = name_in_document(servent).map(|name| cut_apart(&name, NAME_COLUMNS_MAX).into_owned());
        let more = (servent.left_out > 0).then(|| format!("+{}", servent.left_out));
        let first = columns_apart(&address) + more.as_deref().map_or(0, |more| columns_apart(more) + 1);
        let widest = first.max(name.as_deref().map_or(0, columns_apart));
        let lines = if name.is_some() { 2 } else { 1 };
        let extent = Extent {
            width: (real(widest) * ADVANCE + 2.0 * MARGIN.width).ceil(),
            height: real(lines) * LINE + 2.0 * MARGIN.height,
        };
        BoxLabel { address, name, more, extent }
    }
}
