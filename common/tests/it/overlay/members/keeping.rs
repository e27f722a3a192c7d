//! Whom a servent knew before, and when it has written down whom it knows.

use super::*;
use common::disk::{Job, JobDone};
use common::member_file::{KNOWN_MEMBERS_MAX, KnownMember};

/// As often what has changed is written down.
const MINUTE: Duration = Duration::from_secs(60);

fn known(id: u128, is_online: bool, clock: u64) -> KnownMember {
    KnownMember { address: servent_address(id), is_online, clock }
}

fn knowing(known: Vec<KnownMember>) -> Told {
    Told::with(Config { known, keeps_members: true, ..config() })
}

/// What is to be written, of all that is wanted.
fn kept(out: &[Output]) -> Vec<Vec<KnownMember>> {
    let kept = |output: &Output| match output {
        Output::Disk(Job::KeepMembers(members)) => Some(members.clone()),
        _ => None,
    };
    out.iter().filter_map(kept).collect()
}

impl Told {
    /// Lets this time pass, in which these are heard. What is to be written meanwhile.
    fn kept_in(&mut self, alive: &[LinkId], duration: Duration) -> Vec<Vec<KnownMember>> {
        let mut kept_by_now = Vec::new();
        for _ in 0..duration.as_secs() {
            kept_by_now.extend(kept(&self.mind.pass_and_see(seconds(1))));
            for link in alive {
                self.mind.hear(*link, Message::Pong);
            }
        }
        kept_by_now
    }

    fn is_written(&mut self, written: Result<(), &str>) -> Vec<Output> {
        self.mind.tell(Input::Disk(JobDone::MembersKept(written.map_err(str::to_owned))))
    }
}

#[test]
fn whom_it_knew_before_is_offline_until_heard_and_told_to_nobody() {
    let mut told = knowing(vec![known(5, true, 40), known(6, false, 7)]);
    let seen = |told: &mut Told| -> Vec<(SocketAddr, Word, u64)> {
        told.page().iter().map(|member| (member.address, member.word, member.clock)).skip(1).collect()
    };
    let expected = [(servent_address(5), Word::Failed, 40), (servent_address(6), Word::Failed, 7)];
    let before = seen(&mut told);
    assert!(expected.iter().all(|member| before.contains(member)) && before.len() == 2, "{before:?}");

    let link = told.neighbor(1);
    let page = peers_in(told.hear(link, wanted(None)));
    let addresses: Vec<SocketAddr> = page[0].1.members.iter().map(|member| member.address).collect();
    assert!(!addresses.contains(&servent_address(5)) && !addresses.contains(&servent_address(6)), "{addresses:?}");
    // Nor later, as of somebody it has missed itself.
    let news = told.pass_with(&[link], seconds(40));
    let mut told_of = news.iter().flat_map(|(_, peers)| &peers.members).map(|member| member.address);
    assert!(told_of.all(|address| address != servent_address(5) && address != servent_address(6)), "{news:?}");
    let after = seen(&mut told);
    assert!(expected.iter().all(|member| after.contains(member)), "{after:?}");
}

#[test]
fn nobody_is_dialled_because_it_was_known_before() {
    let mut told = knowing(vec![known(5, true, 40), known(6, false, 7)]);
    let is_dial = |output: &Output| matches!(output, Output::Dial { .. });
    let out = told.mind.pass_and_see(10 * MINUTE);
    assert!(!out.iter().any(is_dial), "{out:?}");
    let link = told.neighbor(1);
    for _ in 0..40 {
        let out = told.mind.pass_and_see(seconds(1));
        assert!(!out.iter().any(is_dial), "{out:?}");
        told.mind.hear(link, Message::Pong);
    }
}

#[test]
fn whoever_knew_others_before_does_not_speak_from_before_that() {
    assert_eq!(knowing(Vec::new()).clock(), 0);
    assert_eq!(knowing(vec![known(5, true, 40), known(6, false, 70), known(7, false, 3)]).clock(), 70);
    // A clock that no servent could have come to moves it no further than a stamp, and is shown so.
    let mut told = knowing(vec![known(5, true, u64::MAX)]);
    assert_eq!(told.clock(), STAMP_STEP_MAX);
    let shown: Vec<u64> = told.page().iter().map(|member| member.clock).collect();
    assert!(shown.iter().all(|clock| *clock <= told.clock()), "{shown:?}");
}

#[test]
fn whom_it_knew_before_gives_way_to_whatever_others_say_whatever_its_clock() {
    for word in Word::ALL {
        let mut told = knowing(vec![known(9, true, 1_000)]);
        let [one, other] = [1, 2].map(|id| told.neighbor(id));
        told.quieten(&[one, other]);
        told.hear(one, news(&[member(9, 5, word)]));
        let page = told.page();
        let known = page.iter().find(|member| member.address == servent_address(9)).unwrap();
        assert_eq!((known.id, known.word, known.clock), (identity(9), word, 5));
        let passed_on = told.words_told(NEWS_PAUSE);
        assert_eq!(passed_on, [(other, servent_address(9), word)], "as of one that was unknown");
    }
    let mut told = knowing(vec![known(1, true, 1_000)]);
    let link = told.neighbor(1);
    assert_eq!(told.word(1), Some(Word::Online), "a link has come to it");
    assert!(told.clock() > 1_000);
    told.mind.closed(link);
}

#[test]
fn that_nobody_is_known_any_more_is_written_again_where_it_could_not_be() {
    let mut told = knowing(vec![known(5, true, 40)]);
    let out = told.mind.pass_and_see(FAILED_KEPT + 2 * MINUTE);
    assert_eq!(kept(&out), [vec![]]);
    told.is_written(Err("it is a test"));
    assert_eq!(kept(&told.mind.pass_and_see(MINUTE)), [vec![]]);
    told.is_written(Ok(()));
    assert_eq!(kept(&told.mind.pass_and_see(10 * MINUTE)), Vec::<Vec<KnownMember>>::new());
}

#[test]
fn whom_it_knew_before_is_forgotten_after_a_day() {
    let mut told = knowing(vec![known(5, true, 40)]);
    told.mind.pass(FAILED_KEPT - MINUTE);
    assert_eq!(told.word(5), Some(Word::Failed));
    let out = told.mind.pass_and_see(3 * MINUTE);
    assert_eq!((told.word(5), kept(&out)), (None, vec![vec![]]));
}

/// A file may be full of servents that are gone for ever.
#[test]
fn those_known_before_take_no_place_that_others_need() {
    let listed = |number: usize| KnownMember {
        address: SocketAddr::from((Ipv4Addr::from(0x0c00_0000 + u32::try_from(number).unwrap()), 1)),
        is_online: true,
        clock: 9,
    };
    let mut told = knowing((0..KNOWN_MEMBERS_MAX + 9).map(listed).collect());
    assert_eq!(told.mind.held("members"), MEMBER_PLACES_MAX);
    let [one, other] = [1, 2].map(|id| told.neighbor(id));
    told.quieten(&[one, other]);
    let ids: Vec<u128> = (100..100 + MEMBERS_MAX as u128 - 3).collect();
    for ids in ids.chunks(PEERS_MAX) {
        let members: Vec<Member> = ids.iter().map(|id| member(*id, 1, Word::Online)).collect();
        told.hear(one, news(&members));
    }
    assert_eq!(told.mind.held("members"), MEMBER_PLACES_MAX);
    let mut passed_on = BTreeSet::new();
    for (link, peers) in told.pass_with(&[one, other], seconds(10)) {
        assert!(link == other, "whoever told of them hears nothing of them");
        passed_on.extend(peers.members.iter().map(|member| member.address));
    }
    assert!(ids.iter().all(|id| passed_on.contains(&servent_address(*id))), "{} are passed on", passed_on.len());
    // More than that one neighbor alone may not have known: then one of its own goes, and no more of the listed ones.
    for id in 5_000..5_500 {
        told.hear(one, news(&[member(id, 1, Word::Online)]));
    }
    let told_of = |told: &mut Told, link| {
        let (mut behind, mut known) = (None, BTreeSet::new());
        while let [(_, peers)] = &peers_in(told.hear(link, wanted(behind)))[..] {
            known.extend(peers.members.iter().map(|member| member.address));
            behind = peers.members.last().map(|member| member.address);
            if peers.kind == PeersKind::LastPage {
                break;
            }
        }
        known
    };
    assert!(told_of(&mut told, other).len() <= MEMBERS_MAX + 3);
    assert_eq!(told.mind.held("members"), MEMBER_PLACES_MAX);
}

#[test]
fn what_has_changed_is_written_once_a_minute() {
    let mut told = knowing(vec![known(5, true, 40)]);
    let links = [1, 2].map(|id| told.neighbor(id));
    let [written] = &told.kept_in(&links, MINUTE)[..] else { panic!("once") };
    let states: Vec<(SocketAddr, bool)> = written.iter().map(|known| (known.address, known.is_online)).collect();
    let mut expected = [(1, true), (2, true), (5, false)].map(|(id, is_online)| (servent_address(id), is_online));
    expected.sort_unstable();
    assert_eq!(states, expected, "by address, and without this servent");
    assert_eq!(written.iter().find(|known| known.address == servent_address(5)), Some(&known(5, false, 40)));
    // While it is being written, and when nothing has changed, nothing more is.
    told.hear(links[0], news(&[member(9, 50, Word::Online)]));
    assert_eq!(told.kept_in(&links, 2 * MINUTE), [] as [Vec<KnownMember>; 0]);
    assert_eq!(told.is_written(Ok(())), []);
    let [written] = &told.kept_in(&links, MINUTE)[..] else { panic!("once more") };
    assert!(written.contains(&known(9, true, 50)), "{written:?}");
    told.is_written(Ok(()));
    assert_eq!(told.kept_in(&links, 2 * MINUTE), [] as [Vec<KnownMember>; 0]);
}

#[test]
fn what_could_not_be_written_is_tried_again_a_minute_later() {
    let mut told = knowing(Vec::new());
    let links = [told.neighbor(1)];
    assert_eq!(told.kept_in(&links, MINUTE).len(), 1);
    for _ in 0..3 {
        assert_eq!(told.is_written(Err("it is read only")), []);
        assert_eq!(told.kept_in(&links, MINUTE).len(), 1);
    }
    told.is_written(Ok(()));
    assert_eq!(told.kept_in(&links, MINUTE).len(), 0);
}

#[test]
fn whoever_leaves_has_written_what_has_changed_as_it_was_before_the_goodbyes() {
    let mut told = knowing(Vec::new());
    let link = told.neighbor(1);
    let out = told.mind.tell(Input::Leave);
    let [written] = &kept(&out)[..] else { panic!("{out:?}") };
    assert!(written.len() == 1 && written[0].is_online, "{written:?}");
    assert!(out.ends_with(&goodbye(link, Goodbye::Leaving)));
    assert_eq!(told.is_written(Err("it is read only")), [], "and hears what came of it");

    // Also while something else is being written; and not what is written already.
    let mut told = knowing(Vec::new());
    let links = [told.neighbor(1)];
    assert_eq!(told.kept_in(&links, MINUTE).len(), 1);
    told.hear(links[0], news(&[member(9, 50, Word::Online)]));
    assert_eq!(kept(&told.mind.tell(Input::Leave)).len(), 1);
    let mut told = knowing(Vec::new());
    let links = [told.neighbor(1)];
    assert_eq!(told.kept_in(&links, MINUTE).len(), 1);
    told.is_written(Ok(()));
    assert_eq!(kept(&told.mind.tell(Input::Leave)), [] as [Vec<KnownMember>; 0]);
}

#[test]
fn whoever_was_told_no_file_writes_nothing() {
    let mut told = Told::with(Config { known: vec![known(5, true, 40)], ..config() });
    let links = [told.neighbor(1)];
    assert_eq!(told.kept_in(&links, 2 * MINUTE), [] as [Vec<KnownMember>; 0]);
    assert_eq!(kept(&told.mind.tell(Input::Leave)), [] as [Vec<KnownMember>; 0]);
}
