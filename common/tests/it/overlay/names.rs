//! Neighbors known by a name, which is looked up before every dial.

use super::*;

fn look_up() -> Output {
    Output::Disk(Job::LookUp { neighbor: 0, name: "there".to_owned() })
}

fn looked_up(addresses: Result<&[SocketAddr], &str>) -> Input {
    let addresses = addresses.map(<[SocketAddr]>::to_vec).map_err(str::to_owned);
    Input::Disk(JobDone::LookedUp { neighbor: 0, addresses })
}

impl Mind {
    /// Waits for the next look-up of the only neighbor, which is known by a name alone.
    fn next_look_up(&mut self) -> Duration {
        let start = self.now;
        self.now = self.overlay.deadline().expect("a look-up to come");
        assert_eq!(self.tell(Input::Deadline), [look_up()]);
        self.now.since(start)
    }
}

#[test]
fn a_name_is_looked_up_before_every_dial_and_followed() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    assert_eq!(mind.next_look_up(), Duration::ZERO);
    assert_eq!(mind.pass(seconds(60)), [], "whoever looks it up may take long");
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)]);
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "nobody asked");
    assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
    mind.next_look_up();
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [dial_neighbor(0, there)], "it has moved");
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(link, servent_hello(5));
    assert_eq!(mind.closed(link), []);
    mind.next_look_up();
    for nothing in [Err("no name server answers"), Ok(&[][..])] {
        assert_eq!(mind.tell(looked_up(nothing)), [dial_neighbor(0, there)], "it was there");
        assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
        mind.next_look_up();
    }
}

/// A mind whose neighbor was here, could not be dialled, and is looked up once more.
fn looking_up_again(here: SocketAddr) -> Mind {
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    mind.next_look_up();
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)]);
    mind.dial_failed(Dial::Neighbor(0));
    mind.next_look_up();
    mind
}

#[test]
fn a_neighbor_whose_name_takes_long_is_dialled_where_it_was() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = looking_up_again(here);
    assert_eq!(mind.overlay.deadline(), Some(mind.now + LOOK_UP_WAIT_MAX));
    for _ in 0..3 {
        // Nor is it asked again before there was an answer.
        mind.now = mind.overlay.deadline().expect("a dial to come");
        assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, here)]);
        mind.dial_failed(Dial::Neighbor(0));
    }
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "for the next time");
    mind.next_look_up();
    mind.now = mind.now + LOOK_UP_WAIT_MAX;
    assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, there)]);
}

#[test]
fn a_neighbor_that_does_not_say_who_it_is_goes_by_where_it_was_dialled() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = looking_up_again(here);
    mind.now = mind.now + LOOK_UP_WAIT_MAX;
    assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, here)]);
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "it is under way to where it was");
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(link, Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless)));
    let client = mind.client(1);
    let out = mind.hear(client, Message::Request(Request { sequence: 1, ask: Ask::Topology, ttl: None }));
    let neighbors = out.iter().find_map(|output| match output {
        Output::Send { message: Message::Answer(Answer { body: AnswerBody::Place { neighbors, .. }, .. }), .. } => {
            Some(neighbors.as_slice())
        }
        _ => None,
    });
    assert_eq!(neighbors, Some(&[here][..]));
}

#[test]
fn an_address_that_a_name_has_no_more_is_not_dialled() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    mind.next_look_up();
    assert_eq!(mind.tell(looked_up(Ok(&[here, there]))), [dial_neighbor(0, here)]);
    mind.dial_failed(Dial::Neighbor(0));
    mind.next_look_up();
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)], "and not the second, whose turn it was");
}

#[test]
fn a_name_that_means_nothing_yet_is_looked_up_again_as_a_lost_neighbor_is_dialled_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    assert_eq!(mind.next_look_up(), Duration::ZERO);
    let mut full = REDIAL_PAUSE_MIN;
    for round in 0..20 {
        let nothing = if round % 2 == 0 { Err("nobody is called so") } else { Ok(&[][..]) };
        assert_eq!(mind.tell(looked_up(nothing)), []);
        let pause = mind.next_look_up();
        assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
        full = (full * 2).min(REDIAL_PAUSE_MAX);
    }
    assert_eq!(full, REDIAL_PAUSE_MAX);
    assert_eq!(mind.tell(looked_up(Ok(&[servent_address(5)]))), [dial_neighbor(0, servent_address(5))]);
}

/// Name servers turn the order from one answer to the next.
#[test]
fn every_address_of_a_name_has_its_turn_in_whatever_order_they_are_told() {
    let addresses = [5, 6, 7].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    let mut dialled = BTreeSet::new();
    for turn in 0..3 {
        mind.next_look_up();
        let mut told = addresses;
        told.rotate_left(turn);
        let out = mind.tell(looked_up(Ok(&told)));
        let [Output::Dial { address, .. }] = out.as_slice() else { panic!("no dial: {out:?}") };
        dialled.insert(*address);
        mind.dial_failed(Dial::Neighbor(0));
    }
    assert_eq!(dialled, BTreeSet::from(addresses));
}
