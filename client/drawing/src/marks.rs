//! What is said of servents and links by marks, brackets and tones, alike in the layers (`terminal.rs`) and in the tree.
//!
//! What those that occur mean is told by `legend`. Where any of it stands is not decided here.

pub(crate) mod legend;

use std::net::IpAddr;

use crate::label::sign_of;
use crate::overlay::{DrawnOverlay, DrawnServent, Since};
use crate::style::Tone;

/// What stands above those that no links lead to.
pub(crate) const NOT_LINKED: &str = "No links lead to:";

/// What is said of a link by a character on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LinkMark {
    /// This end does not name it.
    Denied,
    /// It is new.
    New,
    /// It is gone.
    Gone,
}

impl LinkMark {
    pub(crate) fn of(since: Since) -> Option<LinkMark> {
        match since {
            Since::Same => None,
            Since::New => Some(LinkMark::New),
            Since::Gone => Some(LinkMark::Gone),
        }
    }

    /// In ASCII lines are drawn with `+` and `-`.
    pub(crate) fn character(self, unicode: bool) -> char {
        match self {
            LinkMark::Denied => '?',
            LinkMark::New if unicode => '+',
            LinkMark::New => '*',
            LinkMark::Gone => 'x',
        }
    }
}

/// The ip that is left out of what a servent is called: the contact's stands for all.
pub(crate) fn ip_left_out(overlay: &DrawnOverlay, place: usize, shared_ip: Option<IpAddr>) -> Option<IpAddr> {
    shared_ip.filter(|_| place != overlay.contact_place())
}

/// What a servent is called, with all that is marked at it.
pub(crate) fn marked(overlay: &DrawnOverlay, place: usize, servent: &DrawnServent, called: &str) -> String {
    let mut text = String::from(sign_of(servent.since));
    if servent.has_answered {
        text.push_str(called);
    } else {
        text.extend(["(", called, ")"]);
    }
    match servent.left_out {
        0 if overlay.is_at_horizon(place) => text.push_str(" ~"),
        0 => {}
        count => text.push_str(&format!(" ~+{count}")),
    }
    text
}

/// How a servent looks.
pub(crate) fn tone_of(overlay: &DrawnOverlay, place: usize, servent: &DrawnServent) -> Tone {
    match servent.since {
        Since::New => Tone::New,
        Since::Gone => Tone::Gone,
        Since::Same if place == overlay.contact_place() => Tone::Strong,
        Since::Same if !servent.has_answered => Tone::Faint,
        Since::Same => Tone::Plain,
    }
}

/// How a link looks.
pub(crate) fn tone_of_link(is_dashed: bool, since: Since, is_doubtful: bool) -> Tone {
    match since {
        Since::New => Tone::New,
        Since::Gone => Tone::Gone,
        Since::Same if is_doubtful => Tone::Doubtful,
        Since::Same if is_dashed => Tone::Faint,
        Since::Same => Tone::Plain,
    }
}
