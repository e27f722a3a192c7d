//! What a servent is called in a drawing.
//!
//! A name is a claim of a stranger: nothing of it is shown but through `shown.rs`.

use std::net::{IpAddr, SocketAddr};

use crate::overlay::{DrawnOverlay, DrawnServent, Since};
use crate::shown::{shown, shown_among_lines};

/// The address of a servent and its name: `127.0.0.1:9001 kitchen`. Where all have one ip, which somebody has given already, the
/// port is enough: `:9001 kitchen`.
pub(crate) fn label(servent: &DrawnServent, shared_ip: Option<IpAddr>) -> String {
    let address = address_label(servent.address, shared_ip);
    match name_label(servent) {
        Some(name) => format!("{address} {name}"),
        None => address,
    }
}

/// The address alone.
pub(crate) fn address_label(address: SocketAddr, shared_ip: Option<IpAddr>) -> String {
    if shared_ip == Some(address.ip()) { format!(":{}", address.port()) } else { address.to_string() }
}

/// The name alone beside lines that are made of characters, where it says one.
pub(crate) fn name_label(servent: &DrawnServent) -> Option<String> {
    name_of(servent).map(shown_among_lines)
}

/// The same for documents, which quote it in their own way.
pub(crate) fn name_in_document(servent: &DrawnServent) -> Option<String> {
    name_of(servent).map(shown)
}

fn name_of(servent: &DrawnServent) -> Option<&str> {
    servent.name.as_deref().filter(|name| !name.is_empty())
}

/// What stands in front of what is new or gone.
pub(crate) fn sign_of(since: Since) -> &'static str {
    match since {
        Since::Same => "",
        Since::New => "+",
        Since::Gone => "-",
    }
}

/// The address with that in front of it.
pub(crate) fn signed_address(servent: &DrawnServent) -> String {
    let sign = sign_of(servent.since);
    let blank = if sign.is_empty() { "" } else { " " };
    format!("{sign}{blank}{}", servent.address)
}

/// The ip that all of them have.
pub(crate) fn shared_ip(overlay: &DrawnOverlay) -> Option<IpAddr> {
    // An address of a link means another host on another interface.
    let host = |servent: &DrawnServent| match servent.address {
        SocketAddr::V4(address) => (IpAddr::V4(*address.ip()), 0),
        SocketAddr::V6(address) => (IpAddr::V6(*address.ip()), address.scope_id()),
    };
    let first = host(overlay.contact()?);
    overlay.servents().iter().all(|servent| host(servent) == first).then_some(first.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servent(address: &str, name: Option<&str>) -> DrawnServent {
        DrawnServent {
            address: address.parse().unwrap(),
            name: name.map(str::to_owned),
            hops: None,
            has_answered: true,
            tells_neighbors: true,
            left_out: 0,
            since: Since::Same,
        }
    }

    #[test]
    fn a_name_stands_behind_the_address_and_is_escaped() {
        let home: IpAddr = "127.0.0.1".parse().unwrap();
        let kitchen = servent("127.0.0.1:9001", Some("kitchen"));
        assert_eq!(label(&kitchen, None), "127.0.0.1:9001 kitchen");
        assert_eq!(label(&kitchen, Some(home)), ":9001 kitchen");
        assert_eq!(label(&servent("[::1]:9002", None), Some(home)), "[::1]:9002");
        assert_eq!(label(&servent("127.0.0.1:9001", Some("")), None), "127.0.0.1:9001");
        assert_eq!(label(&servent("127.0.0.1:1", Some("\x1b[2J\n\u{202e}")), Some(home)), r":1 \x1b[2J\n\u{202e}");
    }
}
