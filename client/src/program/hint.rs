//! What is said of answers that did not arrive: where they were sent, and what a person can do about it.
//!
//! That answers are missing is known from the tally; why, only the one who knows the hosts and networks between can
//! tell, so it asks and does not claim.

use std::net::{IpAddr, SocketAddr};

use common::counted::counted;
use common::dialect::Dialect;
use common::session::Ending;
use servent::interfaces;

/// A port that is proposed to somebody who named none.
const PORT_EXAMPLE: u16 = 9_990;

/// Where a client stands.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    /// The contact as it was named.
    pub(crate) contact: String,
    /// The contact's address.
    pub(crate) contact_address: SocketAddr,
    /// The address the contact goes by, as answers have it.
    pub(crate) contact_goes_by: SocketAddr,
    /// Where answers are heard that are dialled, if anywhere.
    pub(crate) answers_at: Option<SocketAddr>,
    /// Whether the answer port was asked for.
    pub(crate) port_was_named: bool,
}

impl Whereabouts {
    /// What is said of a query to which answers are missing.
    pub(crate) fn hint(&self, ending: &Ending) -> String {
        let loopback = self.answers_at.map(|answers_at| answers_at.ip()).filter(IpAddr::is_loopback);
        let own = loopback.and_then(|ip| address_of_this_machine(ip, &own_ips(), interfaces::outward_ip()));
        self.hint_with(ending, own)
    }

    /// What is said once where answers come back.
    pub(crate) fn why_back(&self) -> String {
        let contact = self.contact_address;
        match self.answers_at.map(|answers_at| answers_at.ip().to_canonical()) {
            // Whoever is on this host may well be heard straight.
            Some(ip) if ip.is_loopback() || is_of_one_link(ip) => {
                format!("answers of other hosts come through {contact}: they cannot dial {ip}")
            }
            _ => format!("answers come through {contact}: this machine cannot be dialled"),
        }
    }

    fn hint_with(&self, ending: &Ending, own: Option<IpAddr>) -> String {
        let what = not_arrived(ending);
        // Where none is dialled none was kept out.
        let Some(answers_at) = self.answers_at.filter(|_| ending.tally.is_dialled) else {
            return format!("{what}: lost on the way back, or more than are brought back; ask again");
        };
        let Whereabouts { contact, .. } = self;
        if answers_at.ip().is_loopback() {
            let ip = answers_at.ip();
            let cause = format!(
                "neither dialled to {ip}, which other hosts cannot reach, nor brought back; ask this machine's own address"
            );
            return match own {
                Some(ip) => {
                    let example = SocketAddr::new(ip, self.contact_address.port());
                    format!("{what}: {cause}, such as client {example}")
                }
                None => format!("{what}: {cause}"),
            };
        }
        let cause =
            format!("{what}: neither dialled to {answers_at} (does a firewall keep them out?) nor brought back");
        if self.port_was_named {
            return cause;
        }
        format!("{cause}; client --answer-port {PORT_EXAMPLE} {contact} uses a port you can open")
    }
}

/// How many answers of how many are missing.
pub(crate) fn not_arrived(ending: &Ending) -> String {
    let promised = ending.tally.answers;
    let answers = if promised == 1 { "answer" } else { "answers" };
    format!("{} of {promised} {answers} did not arrive", ending.missing)
}

/// What is said of answers that are not those which the servents gave: whose they are nobody can tell.
pub(crate) const DOUBTFUL: &str =
    "not all answers are from the servents that answered: somebody else took part, and there may be more";

/// What is said of a query that the contact does not understand.
pub(crate) fn not_understood(contact: &str) -> String {
    match Dialect::told_by(contact) {
        (Dialect::OWN, _) => {
            format!("contact {contact} is too old to understand this, and was not asked: attach to a newer servent")
        }
        (other, _) => {
            let name = other.manners().name;
            format!("contact {contact} speaks {name}, which has no words for this, and was not asked")
        }
    }
}

/// What was lost of a query, if anything was: answers nobody could count may be among it.
pub(crate) fn lost_on_the_way(ending: &Ending) -> Option<String> {
    match (ending.tally_told, ending.tally.lost) {
        (_, 0) => None,
        (false, _) => Some("the contact did not report: incomplete, there may be more answers".to_owned()),
        (true, lost) => Some(format!("{} lost on the way: there may be more answers", counted(lost, "report"))),
    }
}

/// Whether it is one of a link of the network, and means nobody elsewhere.
fn is_of_one_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// An address that other hosts may reach instead of a loopback one: the one used towards the rest of the world, or else
/// any; of the same family, because the contact listens in that one.
fn address_of_this_machine(loopback: IpAddr, own: &[IpAddr], outward: Option<IpAddr>) -> Option<IpAddr> {
    let is_fit = |ip: &IpAddr| {
        ip.is_ipv4() == loopback.is_ipv4() && !ip.is_loopback() && !ip.is_unspecified() && !is_of_one_link(*ip)
    };
    outward.filter(is_fit).or_else(|| own.iter().copied().find(is_fit))
}

fn own_ips() -> Vec<IpAddr> {
    interfaces::own_networks().iter().map(ipnet::IpNet::addr).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::query::Tally;
    use common::session::EndReason;
    use std::time::Duration;

    fn ending(missing: u64, promised: u64) -> Ending {
        let tally = Tally { reached: 4, answers: promised, is_dialled: true, ..Tally::default() };
        let (answers, elapsed) = (promised - missing, Duration::ZERO);
        Ending { reason: EndReason::Silence, answers, missing, doubtful: false, tally, tally_told: true, elapsed }
    }

    fn place(contact: &str, answers_at: &str) -> Whereabouts {
        let contact_address: SocketAddr = contact.parse().unwrap();
        let (contact, answers_at) = (contact.to_owned(), Some(answers_at.parse().unwrap()));
        Whereabouts { contact, contact_address, contact_goes_by: contact_address, answers_at, port_was_named: false }
    }

    #[test]
    fn what_was_lost_is_told_apart_from_what_did_not_arrive() {
        let lost = |lost, tally_told| {
            let ending = ending(0, 1);
            let ending = Ending { tally: Tally { lost, ..ending.tally }, tally_told, ..ending };
            lost_on_the_way(&ending)
        };
        assert_eq!(lost(0, true), None);
        assert_eq!(lost(1, true).unwrap(), "1 report lost on the way: there may be more answers");
        assert_eq!(lost(2, true).unwrap(), "2 reports lost on the way: there may be more answers");
        assert_eq!(lost(1, false).unwrap(), "the contact did not report: incomplete, there may be more answers");
    }

    #[test]
    fn what_is_not_asked_is_told_with_what_to_do_instead() {
        assert_eq!(
            not_understood("localhost:9000"),
            "contact localhost:9000 is too old to understand this, and was not asked: attach to a newer servent"
        );
        assert_eq!(
            not_understood("tp3://localhost:9000"),
            "contact tp3://localhost:9000 speaks TP3, which has no words for this, and was not asked"
        );
    }

    #[test]
    fn loopback_is_what_other_hosts_cannot_reach() {
        let place = place("127.0.0.1:9000", "127.0.0.1:41895");
        assert_eq!(
            place.hint_with(&ending(2, 3), Some("192.0.2.7".parse().unwrap())),
            "2 of 3 answers did not arrive: neither dialled to 127.0.0.1, which other hosts cannot reach, nor brought back; \
             ask this machine's own address, such as client 192.0.2.7:9000"
        );
        assert_eq!(
            place.hint_with(&ending(1, 1), None),
            "1 of 1 answer did not arrive: neither dialled to 127.0.0.1, which other hosts cannot reach, nor brought back; \
             ask this machine's own address"
        );
    }

    #[test]
    fn why_answers_come_back_is_said_as_it_is_where_the_client_stands() {
        for (contact, answers_at, said) in [
            (
                "192.0.2.7:9000",
                "192.0.2.9:41895",
                "answers come through 192.0.2.7:9000: this machine cannot be dialled",
            ),
            (
                "127.0.0.1:9000",
                "127.0.0.1:41895",
                "answers of other hosts come through 127.0.0.1:9000: they cannot dial 127.0.0.1",
            ),
            ("[::1]:9000", "[::1]:41895", "answers of other hosts come through [::1]:9000: they cannot dial ::1"),
            (
                "169.254.3.4:9000",
                "169.254.3.5:41895",
                "answers of other hosts come through 169.254.3.4:9000: they cannot dial 169.254.3.5",
            ),
            (
                "[fe80::1]:9000",
                "[fe80::2]:41895",
                "answers of other hosts come through [fe80::1]:9000: they cannot dial fe80::2",
            ),
        ] {
            assert_eq!(place(contact, answers_at).why_back(), said);
        }
    }

    #[test]
    fn in_a_network_it_may_be_a_firewall() {
        let mut place = place("192.0.2.7:9000", "192.0.2.7:41895");
        assert_eq!(
            place.hint_with(&ending(2, 3), None),
            "2 of 3 answers did not arrive: neither dialled to 192.0.2.7:41895 (does a firewall keep them out?) nor brought \
             back; client --answer-port 9990 192.0.2.7:9000 uses a port you can open"
        );
        // Who named a port has one that could be opened.
        place.port_was_named = true;
        assert_eq!(
            place.hint_with(&ending(1, 2), None),
            "1 of 2 answers did not arrive: neither dialled to 192.0.2.7:41895 (does a firewall keep them out?) nor brought \
             back"
        );
    }

    #[test]
    fn what_nobody_dials_no_firewall_keeps_out() {
        let said = "1 of 2 answers did not arrive: lost on the way back, or more than are brought back; ask again";
        let place = place("192.0.2.7:9000", "192.0.2.7:41895");
        let back = ending(1, 2);
        let back = Ending { tally: Tally { is_dialled: false, ..back.tally }, ..back };
        assert_eq!(place.hint_with(&back, None), said);
        let portless = Whereabouts { answers_at: None, ..place };
        assert_eq!(portless.hint_with(&ending(1, 2), None), said);
    }

    #[test]
    fn the_address_proposed_is_one_that_others_may_reach() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let own = ips(&["127.0.0.1", "169.254.3.4", "172.17.0.1", "192.0.2.7", "::1", "fe80::1", "2001:db8::7"]);
        let outward = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let proposed = |own: &[IpAddr], outward| address_of_this_machine(loopback, own, outward);
        assert_eq!(proposed(&own, outward("192.0.2.7")), outward("192.0.2.7"));
        assert_eq!(proposed(&own, outward("2001:db8::7")), outward("172.17.0.1"), "the contact listens in one family");
        assert_eq!(proposed(&own, None), outward("172.17.0.1"));
        assert_eq!(proposed(&own[..2], None), None);
        assert_eq!(proposed(&own[..2], Some(loopback)), None);
        let six = address_of_this_machine("::1".parse().unwrap(), &own, None);
        assert_eq!(six, outward("2001:db8::7"));
    }
}
