//! Orders of logs that were written by hand: such that can be true, and such that cannot.

use super::*;

const EAST: &str = "127.0.0.1:9001";
const WEST: &str = "127.0.0.1:9002";
const SOUTH: &str = "127.0.0.1:9003";

/// A log as it is written down here: what stands behind `clock n` of each line is the event and what follows it.
#[derive(Clone)]
struct WrittenLog {
    servent: &'static str,
    id: u64,
    n: u64,
    text: String,
}

impl WrittenLog {
    fn by(servent: &'static str) -> WrittenLog {
        WrittenLog { servent, id: 7, n: 0, text: String::new() }
    }

    /// As it was started anew in the same file.
    fn anew(mut self) -> WrittenLog {
        (self.id, self.n) = (self.id + 1, 0);
        self
    }

    fn line(mut self, clock: u64, event: &str, more: &str) -> WrittenLog {
        self.n += 1;
        let WrittenLog { servent, id, n, .. } = self;
        self.text += &format!(
            "{{\"clock\":{clock},\"servent\":\"{servent}\",\"id\":\"{id:016x}\",\"n\":{n},\"at_unix_ms\":9,\"event\":\"{event}\"{more}}}\n"
        );
        self
    }

    fn started(self) -> WrittenLog {
        self.line(0, "started", "")
    }

    fn linked(self, clock: u64, peer: &str) -> WrittenLog {
        self.line(clock, "linked", &format!(",\"peer\":\"{peer}\""))
    }

    fn said(self, clock: u64, message: &str, peer: &str) -> WrittenLog {
        self.line(clock, "sent", &format!(",\"message\":\"{message}\",\"peer\":\"{peer}\""))
    }

    fn heard(self, clock: u64, message: &str, peer: &str, stamp: u64) -> WrittenLog {
        self.line(clock, "received", &format!(",\"message\":\"{message}\",\"peer\":\"{peer}\",\"stamp\":{stamp}"))
    }

    fn dropped(self, clock: u64) -> WrittenLog {
        self.line(clock, "dropped", ",\"count\":3")
    }

    fn stopped(self, clock: u64) -> WrittenLog {
        self.line(clock, "stopped", ",\"reason\":\"told to stop\"")
    }

    /// As if the line that was written last were not there, but had been.
    fn without(mut self) -> WrittenLog {
        let kept = self.text.trim_end().rfind('\n').map_or(0, |end| end + 1);
        self.text.truncate(kept);
        self
    }
}

fn logs<'a>(texts: &[(&str, &'a [u8])]) -> Vec<NamedLog<&'a [u8]>> {
    texts.iter().map(|(name, text)| NamedLog { name: (*name).to_owned(), source: *text }).collect()
}

fn told(east: &WrittenLog, west: &WrittenLog, as_they_are: bool) -> (Vec<String>, Verdict) {
    let logs = logs(&[("east.jsonl", east.text.as_bytes()), ("west.jsonl", west.text.as_bytes())]);
    let mut out = Vec::new();
    let verdict = tell(&logs, as_they_are, &mut out).unwrap();
    (String::from_utf8(out).unwrap().lines().map(str::to_owned).collect(), verdict)
}

/// What is wrong with the order of two logs, and how many of the messages that were heard could be judged and could not.
fn wrong(east: &WrittenLog, west: &WrittenLog) -> (Vec<String>, u64, u64) {
    let (_, Verdict { differences, judged, unjudged, .. }) = told(east, west, false);
    assert_eq!(differences.is_empty(), differences.told().next().is_none());
    (differences.told().collect(), judged, unjudged)
}

fn refusal(text: &[u8]) -> String {
    let mut out = Vec::new();
    let error = tell(&logs(&[("east.jsonl", text)]), false, &mut out).unwrap_err();
    assert!(out.is_empty(), "nothing is told of what is no log");
    format!("{error:#}")
}

/// East as it begins: linked with west, to which it says something.
fn east_speaks() -> WrittenLog {
    WrittenLog::by(EAST).started().linked(1, WEST).said(2, "query", WEST)
}

/// West as it begins: it is the one whom east is linked with, because it hears that.
fn west_hears() -> WrittenLog {
    WrittenLog::by(WEST).started().linked(3, EAST).heard(4, "query", EAST, 2)
}

/// West asks, east answers, and both part.
fn east() -> WrittenLog {
    let log = WrittenLog::by(EAST).started().heard(1, "hello", WEST, 0).linked(1, WEST).said(2, "hello", WEST);
    log.heard(45, "peers wanted", WEST, 44).said(46, "peers", WEST)
}

fn west() -> WrittenLog {
    let log = WrittenLog::by(WEST).started().said(1, "hello", EAST).heard(3, "hello", EAST, 2).linked(3, EAST);
    log.said(44, "peers wanted", EAST).heard(47, "peers", EAST, 46)
}

#[test]
fn lines_are_told_in_words_by_clock_then_by_address_then_by_number() {
    let (east, west) =
        (east().stopped(46), west().line(47, "unlinked", &format!(",\"peer\":\"{EAST}\",\"reason\":\"it left\\n\"")));
    let (lines, verdict) = told(&east, &west, false);
    assert_eq!(
        lines,
        [
            "0 127.0.0.1:9001 started",
            "0 127.0.0.1:9002 started",
            "1 127.0.0.1:9001 heard hello from 127.0.0.1:9002",
            "1 127.0.0.1:9001 linked with 127.0.0.1:9002",
            "1 127.0.0.1:9002 said hello to 127.0.0.1:9001",
            "2 127.0.0.1:9001 said hello to 127.0.0.1:9002",
            "3 127.0.0.1:9002 heard hello from 127.0.0.1:9001",
            "3 127.0.0.1:9002 linked with 127.0.0.1:9001",
            "44 127.0.0.1:9002 said peers wanted to 127.0.0.1:9001",
            "45 127.0.0.1:9001 heard peers wanted from 127.0.0.1:9002",
            "46 127.0.0.1:9001 said peers to 127.0.0.1:9002",
            "46 127.0.0.1:9001 stopped: told to stop",
            "47 127.0.0.1:9002 heard peers from 127.0.0.1:9001",
            "47 127.0.0.1:9002 unlinked from 127.0.0.1:9001: it left\\n",
        ]
    );
    assert!(verdict.differences.is_empty());
    // Hellos are said before anybody is known.
    assert_eq!((verdict.lines, verdict.servents, verdict.judged, verdict.unjudged), (14, 2, 2, 0));
}

#[test]
fn a_member_a_question_and_what_was_dropped_are_told_in_words() {
    let peer = format!(",\"peer\":\"{SOUTH}\"");
    let log = WrittenLog::by(EAST)
        .started()
        .line(5, "member", &format!("{peer},\"was\":\"online\",\"now\":\"failed\",\"why\":\"it refused\""))
        .line(6, "member", &format!("{peer},\"now\":\"online\",\"why\":\"heard of\""))
        .line(7, "member", &format!("{peer},\"was\":\"left\",\"now\":null,\"why\":\"it is long ago\""))
        .line(8, "asked", &format!("{peer},\"message\":\"? coffee\\u001b[2J\""))
        .line(9, "put", &format!("{peer},\"subject\":\"tea\",\"outcome\":\"stored\""))
        .dropped(9);
    assert_eq!(
        told(&log, &WrittenLog::by(WEST), false).0[1..],
        [
            "5 127.0.0.1:9001 noted that 127.0.0.1:9003 is failed, was online: it refused",
            "6 127.0.0.1:9001 noted that 127.0.0.1:9003 is online: heard of",
            "7 127.0.0.1:9001 noted that 127.0.0.1:9003 is forgotten, was left: it is long ago",
            "8 127.0.0.1:9001 was asked by 127.0.0.1:9003: ? coffee\\x1b[2J",
            "9 127.0.0.1:9001 was asked by 127.0.0.1:9003 to put tea: stored",
            "9 127.0.0.1:9001 wrote less than happened: 3 lines were dropped",
        ]
    );
}

#[test]
fn the_lines_as_they_are_come_in_the_same_order() {
    let (east, west) = (east(), west());
    let (lines, _) = told(&east, &west, true);
    let mut sorted: Vec<&str> = east.text.lines().chain(west.text.lines()).collect();
    sorted.sort_by_key(|line| {
        let line = EventLine::parse(line.as_bytes()).unwrap();
        (line.clock, line.servent, line.n)
    });
    assert_eq!(lines, sorted);
}

#[test]
fn the_time_of_day_says_nothing_and_addresses_are_no_text() {
    const AT: &str = "\"at_unix_ms\":9";
    // As if the machine of west went by a clock that runs backwards.
    let backwards = |log: WrittenLog| {
        let lines = log.text.lines().enumerate();
        let text = lines.map(|(place, line)| line.replace(AT, &format!("\"at_unix_ms\":{}", 1_000 - place)) + "\n");
        WrittenLog { text: text.collect(), ..log }
    };
    let (lines, verdict) = told(&east(), &backwards(west()), false);
    assert_eq!(lines, told(&east(), &west(), false).0);
    assert!(verdict.differences.is_empty());

    let mut all = WrittenLog::by("[::1]:80").started();
    for servent in ["127.0.0.1:10000", "127.0.0.2:80", "10.0.0.1:9001", "127.0.0.1:9001"] {
        all.text += &WrittenLog::by(servent).started().text;
    }
    let (lines, _) = told(&all, &WrittenLog::by(EAST), false);
    let by_address = ["10.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1:10000", "127.0.0.2:80", "[::1]:80"];
    assert_eq!(lines, by_address.map(|servent| format!("0 {servent} started")));
}

#[test]
fn it_does_not_matter_in_which_order_logs_are_named_nor_how_often_they_begin_anew() {
    let east = east().stopped(50).anew().started().heard(46, "peers", WEST, 0).stopped(47);
    let (one, _) = told(&east, &west(), false);
    let (other, _) = told(&west(), &east, false);
    assert_eq!(one, other);
    let clocks: Vec<u64> = one.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(clocks.is_sorted() && clocks.len() == 16, "{clocks:?}");
}

#[test]
fn what_is_heard_before_it_was_said_is_named_with_both_lines() {
    for clock in [44, 46] {
        let west = WrittenLog::by(WEST).started().linked(3, EAST).said(46, "peers wanted", EAST);
        let (east, n) = (WrittenLog::by(EAST).started().heard(clock, "peers wanted", WEST, 46), 2);
        let (wrong, judged, _) = wrong(&east, &west);
        let said = format!("heard peers wanted from {WEST} (stamp 46) before it was said (west.jsonl:3)");
        assert_eq!((wrong, judged), (vec![format!("east.jsonl:{n}: {said}")], 1), "{clock}");
    }
    // The same where the address of who heard it comes after that of who said it.
    let east = WrittenLog::by(EAST).started().linked(3, WEST).said(46, "peers wanted", WEST);
    let west = WrittenLog::by(WEST).started().heard(46, "peers wanted", EAST, 46);
    let (wrong, ..) = wrong(&east, &west);
    let said = format!("heard peers wanted from {EAST} (stamp 46) before it was said (east.jsonl:3)");
    assert_eq!(wrong, [format!("west.jsonl:2: {said}")]);
}

#[test]
fn what_is_heard_too_early_and_never_said_is_named_too() {
    let east = WrittenLog::by(EAST).started().heard(40, "peers wanted", WEST, 44);
    let (wrong, ..) = wrong(&east, &west().stopped(47));
    let early = format!("east.jsonl:2: heard peers wanted from {WEST} (stamp 44) before it was said (west.jsonl:5)");
    // What west heard at its end east may have had no time to write.
    assert_eq!(wrong, [early]);
    let east = WrittenLog::by(EAST).started().heard(40, "peers wanted", WEST, 45);
    let (wrong, ..) = tests::wrong(&east, &west());
    assert_eq!(wrong, [format!("east.jsonl:2: heard peers wanted from {WEST} (stamp 45) before it was said")]);
}

#[test]
fn what_is_heard_and_was_not_said_is_named() {
    let heard = |message, stamp| east_speaks().heard(60, message, WEST, stamp);
    let west = west_hears().said(44, "peers wanted", EAST).linked(47, SOUTH).stopped(50);
    let verdict = |east: &WrittenLog| wrong(east, &west).0;
    assert!(verdict(&heard("peers wanted", 44)).is_empty());
    for (message, stamp) in [("peers wanted", 43), ("peers", 44), ("peers wanted", 47), ("peers wanted", 59)] {
        let said =
            format!("east.jsonl:4: heard {message} from {WEST} (stamp {stamp}), whose log does not say it was said");
        assert_eq!(verdict(&heard(message, stamp)), [format!("{said} (it has come to west.jsonl:6)")]);
    }
    // Said once is heard once.
    let twice = heard("peers wanted", 44).heard(61, "peers wanted", WEST, 44);
    assert!(verdict(&twice)[0].starts_with("east.jsonl:5: heard peers wanted from"), "{:?}", verdict(&twice));
    // To somebody else whose log is here is not to this one.
    let mut west = west_hears().said(44, "peers", SOUTH).stopped(50);
    assert_eq!(wrong(&heard("peers", 44), &west).0.len(), 0);
    west.text += &WrittenLog::by(SOUTH).started().text;
    assert_eq!(wrong(&heard("peers", 44), &west).0.len(), 1);
}

#[test]
fn a_line_that_was_taken_out_is_missed() {
    let west = WrittenLog::by(WEST).started().linked(3, EAST).said(44, "peers wanted", EAST).without();
    let west = west.heard(47, "peers", EAST, 46).stopped(50);
    let (wrong, ..) = wrong(&east(), &west);
    assert_eq!(
        wrong,
        [
            format!(
                "west.jsonl:3: line 4 of {WEST} comes after its line 2 (west.jsonl:2): \
                 lines are missing, and none says that any were dropped"
            ),
            format!(
                "east.jsonl:5: heard peers wanted from {WEST} (stamp 44), whose log does not say it was said \
                 (it has come to west.jsonl:2)"
            ),
        ]
    );
}

#[test]
fn nothing_is_judged_of_what_was_dropped() {
    let answered = |log: WrittenLog| log.heard(80, "peers", EAST, 46).stopped(90);
    let west =
        |dropped: u64| answered(WrittenLog::by(WEST).started().linked(3, EAST).linked(40, EAST).dropped(dropped));
    assert_eq!(wrong(&east(), &west(44)), (vec![], 1, 1));
    assert_eq!(wrong(&east(), &west(50)), (vec![], 1, 1));
    assert_eq!(wrong(&east(), &west(43)).0.len(), 1, "it was dropped before that");
    let later = answered(WrittenLog::by(WEST).started().linked(3, EAST).linked(45, EAST).dropped(50));
    assert_eq!(wrong(&east(), &later).0.len(), 1, "it was dropped after that");
    // Nor what who heard it may have dropped before.
    let east = WrittenLog::by(EAST).started().dropped(45).heard(45, "peers wanted", WEST, 46);
    assert_eq!(wrong(&east, &WrittenLog::by(WEST).started().linked(2, EAST).stopped(50)), (vec![], 0, 1));
}

#[test]
fn nothing_is_judged_of_what_came_before_a_log_was_begun_anew() {
    let begun_anew = |clock| {
        let mut log = WrittenLog::by(WEST);
        log.n = 1_000;
        log.linked(clock, EAST).heard(80, "peers", EAST, 46).stopped(90)
    };
    assert_eq!(wrong(&east(), &begun_anew(44)), (vec![], 1, 1));
    assert_eq!(wrong(&east(), &begun_anew(60)), (vec![], 1, 1));
    // Who is called by name later was known by it before: it is only not judged of what came first.
    assert_eq!(wrong(&east().heard(91, "query", WEST, 70), &begun_anew(44)).0.len(), 1);
}

#[test]
fn a_servent_that_was_killed_may_have_said_what_it_did_not_write() {
    let heard = |stamp| east_speaks().heard(90, "peers", WEST, stamp);
    let west = west_hears().said(44, "peers wanted", EAST);
    for (stamp, differences) in [(20, 1), (44, 0), (60, 0)] {
        assert_eq!(wrong(&heard(stamp), &west).0.len(), differences, "{stamp}");
    }
}

#[test]
fn whoever_is_started_anew_is_another_and_its_clock_begins_anew() {
    let west = west().stopped(50).anew().started().linked(2, EAST).said(9, "peers wanted", EAST).stopped(20);
    let east = east().heard(47, "peers wanted", WEST, 9);
    assert_eq!(wrong(&east, &west), (vec![], 3, 0));
    assert_eq!(wrong(&east.heard(48, "peers wanted", WEST, 12), &west).0.len(), 1);
}

/// What another says at the address of a log: one that was started anew, or before, and keeps none.
#[test]
fn whoever_keeps_no_log_at_the_address_of_one_that_does_is_not_judged() {
    let unlinked =
        |log: WrittenLog, clock| log.line(clock, "unlinked", &format!(",\"peer\":\"{WEST}\",\"reason\":\"it left\""));
    // Its clock begins anew, or goes on beyond that of the one that was ended.
    for stamp in [3, 44, 59, 70] {
        let east = unlinked(east_speaks().heard(45, "peers wanted", WEST, 44), 51).linked(60, WEST);
        let east = east.said(61, "peers wanted", WEST).heard(71, "peers wanted", WEST, stamp);
        for end in [WrittenLog::stopped, |log: WrittenLog, clock| log.linked(clock, SOUTH)] {
            let west = end(west_hears().said(44, "peers wanted", EAST), 50);
            assert_eq!(wrong(&east, &west), (vec![], 2, 1), "{stamp}");
        }
        // Where the log goes on, what it does not say was not said.
        let west = west_hears().said(44, "peers wanted", EAST).heard(62, "peers wanted", EAST, 61);
        assert_eq!(wrong(&east, &west.clone().stopped(80)).0.len(), 1, "{stamp}");
        let west = west_hears().said(44, "peers wanted", EAST).stopped(50).anew().started().linked(60, EAST);
        let west = west.heard(62, "peers wanted", EAST, 61).stopped(80);
        assert_eq!(wrong(&east, &west).0.len(), 1, "{stamp}");
    }
    // Before it, in the very words that it has as well.
    let east = unlinked(WrittenLog::by(EAST).started().linked(1, WEST).heard(5, "peers", WEST, 3), 6);
    let east = east.linked(7, WEST).said(8, "query", WEST).heard(12, "peers", WEST, 3);
    let west =
        WrittenLog::by(WEST).started().linked(2, EAST).said(3, "peers", EAST).heard(9, "query", EAST, 8).stopped(20);
    assert_eq!(wrong(&east, &west), (vec![], 2, 1));
    assert_eq!(wrong(&east.heard(13, "peers", WEST, 3), &west).0.len(), 1, "it was said once");
}

#[test]
fn whoever_is_heard_while_the_one_whose_log_is_here_goes_on_is_judged() {
    let linked =
        |log: WrittenLog| log.linked(30, WEST).heard(40, "peers", WEST, 39).linked(50, WEST).said(60, "query", WEST);
    let west = west_hears().heard(61, "query", EAST, 60).stopped(70);
    assert_eq!(wrong(&linked(east_speaks()), &west).0.len(), 1, "it was there before and after");
    let west = west_hears().stopped(70);
    assert_eq!(wrong(&linked(east_speaks()), &west), (vec![], 1, 1), "it may not have been there any more");
    let west = WrittenLog::by(WEST).started().linked(3, EAST).heard(61, "query", EAST, 60).stopped(70);
    assert_eq!(wrong(&linked(east_speaks()), &west), (vec![], 1, 1), "it may not have been there yet");
}

/// Both dial, and one of the two links goes.
#[test]
fn of_two_links_with_one_servent_the_one_that_stays_is_judged() {
    let twice = |log: WrittenLog| {
        log.linked(5, WEST).line(6, "unlinked", &format!(",\"peer\":\"{WEST}\",\"reason\":\"a duplicate\""))
    };
    let east = twice(east_speaks()).said(7, "query", WEST).heard(40, "peers", WEST, 39);
    assert_eq!(wrong(&east, &west_hears().heard(8, "query", EAST, 7).stopped(70)).0.len(), 1);
}

#[test]
fn whoever_goes_by_another_address_there_is_found_by_what_was_said() {
    // Last words to whoever has not said who it is, and what is told to whoever greets, a neighbor or none.
    for message in ["goodbye", "peers"] {
        let west = west_hears().said(44, message, "127.0.0.1:40022").stopped(50);
        let heard = east_speaks().heard(45, message, WEST, 44);
        assert_eq!(wrong(&heard, &west), (vec![], 2, 0));
        assert_eq!(wrong(&heard.clone().heard(46, message, WEST, 44), &west).0.len(), 1, "it was said once");
        assert_eq!(wrong(&heard.heard(46, message, WEST, 43), &west).0.len(), 1, "it was not said then");
        let too_early = WrittenLog::by(EAST).started().heard(44, message, WEST, 44);
        assert_eq!(wrong(&too_early, &west).0.len(), 1);
    }
    // What is said to this one itself at that clock is taken first.
    let west = west_hears().said(44, "peers", SOUTH).said(44, "peers", EAST).stopped(50);
    let twice = east_speaks().heard(45, "peers", WEST, 44).heard(46, "peers", WEST, 44);
    assert_eq!(wrong(&twice, &west), (vec![], 3, 0));
    assert_eq!(wrong(&twice.heard(47, "peers", WEST, 44), &west).0.len(), 1);
}

#[test]
fn whom_nobody_calls_by_its_name_is_not_judged() {
    // Behind a NAT east goes by another address, and what was said to that is not there.
    let west = WrittenLog::by(WEST).started().linked(3, SOUTH).said(43, "peers wanted", SOUTH).stopped(50);
    assert_eq!(wrong(&east(), &west), (vec![], 0, 1));
}

#[test]
fn a_clock_that_falls_is_named_with_both_lines() {
    let west = WrittenLog::by(WEST).started().linked(50, EAST).linked(44, SOUTH);
    assert_eq!(
        wrong(&WrittenLog::by(EAST), &west).0,
        [format!("west.jsonl:3: the clock of {WEST} falls from 50 (west.jsonl:2) to 44")]
    );
    let (lines, _) = told(&WrittenLog::by(EAST), &west, false);
    assert!(lines[1].starts_with("44 ") && lines[2].starts_with("50 "), "they are sorted all the same: {lines:?}");
}

#[test]
fn a_log_that_is_there_twice_is_none() {
    let (wrong, ..) = wrong(&east(), &east());
    let twice = "(east.jsonl:6): lines come twice, or in another order than they were written in";
    assert_eq!(wrong[1], format!("west.jsonl:1: line 1 of {EAST} comes after its line 6 {twice}"));
}

#[test]
fn the_first_hundred_are_told_and_the_others_counted() {
    let mut east = east_speaks();
    for clock in 0..DIFFERENCES_TOLD_MAX as u64 + 7 {
        east = east.heard(60 + clock, "peers", WEST, 44);
    }
    let (wrong, judged, _) = wrong(&east, &west_hears().stopped(50));
    assert_eq!((wrong.len(), judged), (DIFFERENCES_TOLD_MAX + 1, DIFFERENCES_TOLD_MAX as u64 + 8));
    assert_eq!(wrong.last().unwrap(), "and 7 more of the kind");
    let mut east = WrittenLog::by(EAST).started();
    for _ in 0..DIFFERENCES_TOLD_MAX + 7 {
        east = east.heard(40, "peers", WEST, 44);
    }
    assert_eq!(tests::wrong(&east, &west().stopped(50)).0.last().unwrap(), "and 7 more of the kind");
}

/// What nobody hears fills no memory; and that it was forgotten accuses nobody.
#[test]
fn of_all_that_was_said_only_so_much_is_kept_and_what_was_forgotten_is_not_judged() {
    const KEPT: usize = 5;
    let unheard = |east: WrittenLog, clocks: std::ops::Range<u64>| {
        clocks.fold(east, |east, clock| east.said(clock, "query", SOUTH))
    };
    // All that was said is kept, or is one more than may be when the first is heard.
    for (others, judged) in [(KEPT as u64 - 2, [2, 0]), (KEPT as u64 - 1, [1, 1])] {
        let east = unheard(WrittenLog::by(EAST).started().linked(1, WEST).said(2, "query", WEST), 3..3 + others);
        let last = 3 + others;
        let east = east.said(last, "query", WEST);
        let west = WrittenLog::by(WEST).started().linked(1, EAST);
        let west = west.heard(last + 1, "query", EAST, 2).heard(last + 2, "query", EAST, last);
        let logs = logs(&[("east.jsonl", east.text.as_bytes()), ("west.jsonl", west.text.as_bytes())]);
        let verdict = tell_keeping(KEPT, &logs, false, &mut std::io::sink()).unwrap();
        assert_eq!(verdict.differences.told().collect::<Vec<_>>(), Vec::<String>::new(), "{others}");
        assert_eq!([verdict.judged, verdict.unjudged], judged, "{others}");
    }
}

#[test]
fn what_is_no_line_is_refused_by_its_place() {
    let log = east();
    for (bad, expected) in [
        (&b"nonsense"[..], "east.jsonl:7: it is no event: expected ident, at column 2"),
        (b"{}", "east.jsonl:7: it is no event: missing field `clock`"),
        (b"caf\xe9", "east.jsonl:7: it is not UTF-8"),
        (b"\x1b[2J", "east.jsonl:7: it is no event: expected value"),
    ] {
        let text = [log.text.as_bytes(), bad, b"\n"].concat();
        assert!(refusal(&text).starts_with(expected), "{}", refusal(&text));
        let text = [&text, log.text.as_bytes()].concat();
        // It may be what was left of one that was killed: then the next one was started.
        let twice = [log.text.as_bytes(), bad, b"\n", bad, b"\n", log.text.as_bytes()].concat();
        assert!(refusal(&twice).starts_with(expected), "{}", refusal(&twice));
        let mut out = Vec::new();
        assert!(tell(&logs(&[("east.jsonl", &text)]), false, &mut out).is_ok());
    }
    let whole = String::from_utf8(log.text.into_bytes()).unwrap();
    for (field, instead, expected) in [
        ("\"clock\":0", "\"clock\":-1", "it is no event: invalid value: integer `-1`"),
        (EAST, "localhost:9001", "it is no event: invalid socket address syntax"),
        ("0000000000000007", "7", "its id is not 16 hexadecimal digits"),
        ("0000000000000007", "+000000000000007", "its id is not 16 hexadecimal digits"),
        ("\"n\":1,", "\"n\":0,", "its n is 0, where lines are numbered from 1"),
        ("\"started\"", "\"begun\\u001b\"", "`begun\\x1b` is no event that is known"),
        ("\"started\"", "\"linked\"", "it tells of `linked` and has no peer"),
        ("\"started\"", "\"received\"", "it tells of `received` and has no peer"),
        ("\"started\"", "\"stopped\"", "it tells of `stopped` and has no reason"),
        ("\"started\"", "\"dropped\"", "it tells of `dropped` and has no count"),
    ] {
        let text = whole.replacen(field, instead, 1);
        assert!(
            refusal(text.as_bytes()).starts_with(&format!("east.jsonl:1: {expected}")),
            "{}",
            refusal(text.as_bytes())
        );
    }
    let long = [b"x".repeat(LINE_BYTES_MAX * 2), b"\n".to_vec()].concat();
    assert_eq!(refusal(&long), "east.jsonl:1: it is longer than 65536 bytes, and no line of such a log is");
}

#[test]
fn what_has_no_end_yet_and_what_is_empty_is_no_fault() {
    let mut cut = east();
    cut.text.truncate(cut.text.len() - 9);
    let (lines, verdict) = told(&cut, &WrittenLog::by(WEST), false);
    assert_eq!((lines.len(), verdict.lines, verdict.servents, verdict.broken_off), (5, 5, 1, 1));
    let (lines, verdict) = told(&WrittenLog::by(EAST), &WrittenLog::by(WEST), false);
    assert!(lines.is_empty() && verdict.differences.is_empty() && verdict.broken_off == 0);
    let blank = WrittenLog { text: format!("\n{}\n\n", east().text), ..east() };
    assert_eq!(told(&blank, &west(), false).0.len(), 12);
}

#[test]
fn a_log_whose_clock_begins_anew_all_the_time_is_none() {
    let mut log = WrittenLog::by(EAST);
    for _ in 0..=RUNS_MAX {
        log = log.anew().started();
    }
    let error = refusal(log.text.as_bytes());
    assert!(error.starts_with("east.jsonl:4097: clocks have begun anew 4096 times: is each of these"), "{error}");
}

#[test]
fn a_stamp_that_moves_some_clocks_further_than_others_is_not_judged() {
    let far = 1 << 41;
    let west = WrittenLog::by(WEST).started().linked(3, EAST).said(far, "peers", EAST).stopped(far + 1);
    let east = WrittenLog::by(EAST).started().heard(1 << 40, "peers", WEST, far);
    assert_eq!(wrong(&east, &west), (vec![], 0, 1));
}
