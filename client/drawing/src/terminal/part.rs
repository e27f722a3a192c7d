//! A part of an overlay whose servents all hang together, in layers: by how many links there are to the first of it.
//!
//! What is drawn has numbers of its own here, from zero, and each list that is made for them has as many entries; so whatever
//! lays it out may use them as places.

use crate::hops::linked_parts;
use crate::overlay::{DrawnOverlay, Since};

/// Servents that hang together, and the links between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayeredPart {
    /// The place of each among the servents of the overlay.
    pub(crate) servents: Vec<usize>,
    /// By layer, from the top: who stands there, from the left.
    pub(crate) layers: Vec<Vec<usize>>,
    /// By servent: its layer.
    pub(crate) layer_of: Vec<usize>,
    pub(crate) links: Vec<PartLink>,
}

/// A link, from the upper end to the lower. In one layer either end may be the upper one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartLink {
    pub(crate) upper: usize,
    pub(crate) lower: usize,
    pub(crate) stroke: LinkStroke,
    /// Whether the upper end says who its neighbors are, and does not name the lower one.
    pub(crate) upper_denies: bool,
    pub(crate) lower_denies: bool,
}

/// How a link is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkStroke {
    /// The flood did not use it.
    pub(crate) is_dashed: bool,
    pub(crate) since: Since,
    pub(crate) is_doubtful: bool,
}

impl LayeredPart {
    /// All of an overlay, first the one around the contact.
    pub(crate) fn all_of(overlay: &DrawnOverlay) -> Vec<LayeredPart> {
        // By servent of the overlay: its part, and its number there.
        let mut numbers: Vec<Option<(usize, usize)>> = vec![None; overlay.servents().len()];
        let mut parts: Vec<LayeredPart> = Vec::new();
        for met in linked_parts(overlay) {
            let mut part = LayeredPart::default();
            for (servent, layer) in met {
                if let Some(number) = numbers.get_mut(servent) {
                    *number = Some((parts.len(), part.servents.len()));
                }
                if part.layers.len() <= layer {
                    part.layers.push(Vec::new());
                }
                if let Some(its) = part.layers.get_mut(layer) {
                    its.push(part.servents.len());
                }
                part.servents.push(servent);
                part.layer_of.push(layer);
            }
            parts.push(part);
        }
        for link in overlay.links() {
            let number = |end: usize| numbers.get(end).copied().flatten();
            let (Some((part, one)), Some((_, other))) = (number(link.one), number(link.other)) else { continue };
            let denies = |end: usize, names: bool| {
                link.is_doubtful && !names && overlay.servents().get(end).is_some_and(|servent| servent.tells_neighbors)
            };
            let one_denies = denies(link.one, link.witness.first);
            let other_denies = denies(link.other, link.witness.second);
            let stroke =
                LinkStroke { is_dashed: !link.witness.flood, since: link.since, is_doubtful: link.is_doubtful };
            if let Some(part) = parts.get_mut(part) {
                let is_turned = part.layer_of.get(one) > part.layer_of.get(other);
                let ends = if is_turned { (other, one) } else { (one, other) };
                let denials = if is_turned { (other_denies, one_denies) } else { (one_denies, other_denies) };
                part.links.push(PartLink {
                    upper: ends.0,
                    lower: ends.1,
                    stroke,
                    upper_denies: denials.0,
                    lower_denies: denials.1,
                });
            }
        }
        parts
    }

    /// Whether a link is between two of one layer.
    pub(crate) fn is_across(&self, link: &PartLink) -> bool {
        self.layer_of.get(link.upper) == self.layer_of.get(link.lower)
    }
}

/// A number of columns or places, to be computed with.
pub(crate) fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
