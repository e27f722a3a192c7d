//! Which dialects there are.

/// How bytes on a link are to be read, and how a client wants its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Our own, described in docs/PROTOCOL.md.
    #[default]
    Native,
    /// The course protocol the network descends from, described in docs/TP3.md.
    Tp3,
}
