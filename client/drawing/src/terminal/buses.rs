//! Which links of a channel, the room between two layers, are drawn as one line.
//!
//! A line with several ends above and below, a bus, stands for a link between each above it and each below it. So it can only
//! be made of links of which there is none missing, that are drawn alike; and it is what keeps a channel low: of four that are
//! all linked with the same one there are four ends above and one below, and not four lines. A link within a layer that is not
//! a short line between two side by side hangs below the two, as a line with two ends above and none below.

use std::collections::{BTreeMap, BTreeSet};

use super::part::{LayeredPart, LinkStroke, PartLink};
use crate::marks::LinkMark;

/// One line of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bus {
    pub(crate) stroke: LinkStroke,
    pub(crate) tops: Vec<BusEnd>,
    pub(crate) bottoms: Vec<BusEnd>,
}

/// Where a bus meets a servent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BusEnd {
    pub(crate) servent: usize,
    /// What stands on the line there, from the servent on.
    pub(crate) marks: Vec<LinkMark>,
    /// Where it is, once that is known.
    pub(crate) column: i64,
}

impl Bus {
    pub(crate) fn ends(&self) -> impl Iterator<Item = &BusEnd> {
        self.tops.iter().chain(&self.bottoms)
    }

    /// From the first column it takes to the last.
    pub(crate) fn span(&self) -> (i64, i64) {
        let columns = || self.ends().map(|end| end.column);
        (columns().min().unwrap_or_default(), columns().max().unwrap_or_default())
    }

    /// Whether nothing of it lies level.
    pub(crate) fn is_upright(&self) -> bool {
        let (from, to) = self.span();
        from == to
    }

    /// Whether it takes a sentence to say what it stands for.
    pub(crate) fn links_each_with_each(&self) -> bool {
        self.tops.len() > 1 && self.bottoms.len() > 1
    }
}

/// The buses of each channel, which lies below the layer of the same place; of the links between two of a layer only those
/// that `hangs` says of.
pub(crate) fn buses(part: &LayeredPart, hangs: impl Fn(&PartLink) -> bool) -> Vec<Vec<Bus>> {
    let mut channels: Vec<Vec<Bus>> = vec![Vec::new(); part.layers.len()];
    let mut alike: BTreeMap<(usize, LinkStroke), BTreeSet<(usize, usize)>> = BTreeMap::new();
    for link in &part.links {
        let Some(layer) = part.layer_of.get(link.upper).copied() else { continue };
        if part.is_across(link) {
            if hangs(link)
                && let Some(channel) = channels.get_mut(layer)
            {
                let marks = marks_of(link);
                let tops = vec![end(link.upper, marks.0), end(link.lower, marks.1)];
                channel.push(Bus { stroke: link.stroke, tops, bottoms: Vec::new() });
            }
        } else if link.stroke.is_doubtful {
            if let Some(channel) = channels.get_mut(layer) {
                let marks = marks_of(link);
                let (tops, bottoms) = (vec![end(link.upper, marks.0)], vec![end(link.lower, marks.1)]);
                channel.push(Bus { stroke: link.stroke, tops, bottoms });
            }
        } else {
            alike.entry((layer, link.stroke)).or_default().insert((link.upper, link.lower));
        }
    }
    for ((layer, stroke), links) in alike {
        if let Some(channel) = channels.get_mut(layer) {
            let groups = grouped(links);
            channel.extend(groups.into_iter().map(|(uppers, lowers)| of_group(stroke, &uppers, &lowers)));
        }
    }
    channels
}

/// What stands at the upper and at the lower end of a link that is drawn alone.
pub(crate) fn marks_of(link: &PartLink) -> (Vec<LinkMark>, Vec<LinkMark>) {
    let denied = |denies: bool| denies.then_some(LinkMark::Denied);
    let mut upper: Vec<LinkMark> = denied(link.upper_denies).into_iter().collect();
    let mut lower: Vec<LinkMark> = denied(link.lower_denies).into_iter().collect();
    // Where there is nothing else yet.
    if lower.is_empty() || !upper.is_empty() {
        lower.extend(LinkMark::of(link.stroke.since));
    } else {
        upper.extend(LinkMark::of(link.stroke.since));
    }
    (upper, lower)
}

fn end(servent: usize, marks: Vec<LinkMark>) -> BusEnd {
    BusEnd { servent, marks, column: 0 }
}

fn of_group(stroke: LinkStroke, uppers: &BTreeSet<usize>, lowers: &BTreeSet<usize>) -> Bus {
    let mark = LinkMark::of(stroke.since);
    // Each link has it once, where one end of it is alone on its side.
    let marks_above = lowers.len() == 1 && uppers.len() > 1;
    let ends = |servents: &BTreeSet<usize>, is_marked: bool| {
        let marks: Vec<LinkMark> = mark.filter(|_| is_marked).into_iter().collect();
        servents.iter().map(|servent| end(*servent, marks.clone())).collect()
    };
    Bus { stroke, tops: ends(uppers, marks_above), bottoms: ends(lowers, !marks_above) }
}

/// Those above and those below.
type BusGroup = (BTreeSet<usize>, BTreeSet<usize>);

/// Parts links into groups in which everybody above is linked with everybody below. Each time the group that saves the most ends
/// is taken.
fn grouped(mut links: BTreeSet<(usize, usize)>) -> Vec<BusGroup> {
    let mut groups = Vec::new();
    while !links.is_empty() {
        let mut below: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut above: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (upper, lower) in &links {
            below.entry(*upper).or_default().insert(*lower);
            above.entry(*lower).or_default().insert(*upper);
        }
        let stars = below.iter().map(|(upper, lowers)| (BTreeSet::from([*upper]), lowers.clone()));
        let turned = above.iter().map(|(lower, uppers)| (uppers.clone(), BTreeSet::from([*lower])));
        let pairs = below.iter().flat_map(|(one, its)| {
            let others = below.range(one + 1..).map(move |(_, theirs)| its & theirs);
            others.filter(|common| common.len() > 1)
        });
        let shared = pairs.map(|common| {
            let uppers = below.iter().filter(|(_, lowers)| common.is_subset(lowers)).map(|(upper, _)| *upper);
            (uppers.collect::<BTreeSet<usize>>(), common)
        });
        let mut best: Option<(usize, BusGroup)> = None;
        for group in stars.chain(turned).chain(shared) {
            let saved = 2 * group.0.len() * group.1.len() - group.0.len() - group.1.len();
            if best.as_ref().is_none_or(|(most, _)| saved > *most) {
                best = Some((saved, group));
            }
        }
        let Some((_, (uppers, lowers))) = best else { break };
        links.retain(|(upper, lower)| !(uppers.contains(upper) && lowers.contains(lower)));
        groups.push((uppers, lowers));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_have_ends_in_common_are_one_group() {
        let groups = |links: &[(usize, usize)]| {
            let groups = grouped(links.iter().copied().collect());
            let lists = groups.into_iter().map(|(uppers, lowers)| (Vec::from_iter(uppers), Vec::from_iter(lowers)));
            lists.collect::<Vec<_>>()
        };
        assert_eq!(groups(&[(0, 5)]), [(vec![0], vec![5])]);
        assert_eq!(groups(&[(0, 5), (0, 6), (0, 7)]), [(vec![0], vec![5, 6, 7])]);
        assert_eq!(groups(&[(0, 5), (1, 5), (2, 5)]), [(vec![0, 1, 2], vec![5])]);
        assert_eq!(groups(&[(0, 5), (0, 6), (1, 5), (1, 6)]), [(vec![0, 1], vec![5, 6])]);
        // A link too few.
        assert_eq!(groups(&[(0, 5), (0, 6), (1, 6)]), [(vec![0], vec![5, 6]), (vec![1], vec![6])]);
        assert!(groups(&[]).is_empty());
    }
}
