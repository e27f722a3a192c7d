//! Every limit of the network under its name.
//!
//! It holds numbers and their reasons; the code that keeps within a limit is where the thing limited lives.

use std::time::Duration;

// ---- what is said ----

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4 * 1024;
/// Longest name of a servent, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text in a TP3 message, in bytes: a key, a value or a path.
pub const TP3_TEXT_BYTES_MAX: usize = 400;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Largest frame body: a value of full length and the words around it.
pub const FRAME_BYTES_MAX: usize = VALUE_BYTES_MAX + 8 * 1024;
/// Largest frame body a servent accepts: a query with the longest key and path, or an answer that goes back. Longer values
/// only ever go to clients.
pub const SERVENT_FRAME_BYTES_MAX: usize = KEY_BYTES_MAX + 4 * 1024;
/// Largest frame body before the peer has said hello: a hello is under 150 bytes, and a stranger gets no more room.
pub const HELLO_FRAME_BYTES_MAX: usize = 256;
/// Most addresses a path may hold: that of the contact, and one for each of the `TTL_MAX` + 1 links a query may cross.
pub const PATH_ADDRESSES_MAX: usize = TTL_MAX as usize + 2;

/// Longest body of an answer that goes back from servent to servent, in bytes of its value or of its addresses: a place with
/// as many as there may be takes less. A longer value is announced, and fetched by whoever asked.
pub const BROUGHT_BYTES_MAX: usize = 6 * 1024;
const _: () = assert!(BROUGHT_BYTES_MAX < SERVENT_FRAME_BYTES_MAX);

// ---- how far it goes ----

/// The TTL a contact starts a query with unless told otherwise.
pub const TTL_DEFAULT: u8 = 3;
/// The largest TTL that can be asked for; a query above it is dropped and counted.
pub const TTL_MAX: u8 = 15;
/// What the TTL of a query from others is cut down to, unless our own `--ttl` is larger.
pub const TTL_FROM_OTHERS_MAX: u8 = 7;

// ---- clocks ----

/// How far one stamp moves a clock.
pub const STAMP_STEP_MAX: u64 = 1 << 40;
/// How fast stamps move a clock in the long run, beyond the first [`STAMP_STEP_MAX`]: a liar needs 136 years to bring one to
/// its end, and no honest overlay has as many events.
pub const STAMPS_PER_SECOND: u64 = 1 << 32;

// ---- how much is held ----

/// How far the number of a query may be ahead of the lowest that is still open at its contact. A contact that has one open for
/// so long asks nothing more until that ends.
pub const SPAN_MAX: u64 = u16::MAX as u64;

/// Queries remembered that their contacts have open. Full of them, the seen set refuses new ones: one forgotten too early
/// would come back as a second answer and a loop.
pub const SEEN_IDS_MAX: usize = 262_144;
/// Contacts whose queries are remembered.
pub const CONTACTS_MAX: usize = 65_536;
/// Queries of each of them that are remembered whatever others have open.
pub const CONTACT_PLACES: usize = 2;
/// Places of each kind that whoever comes first may take. Of the others no neighbor, and no contact, has more than is left for
/// all others.
pub const PLACES_FREE: usize = 4_096;
const _: () = assert!(2 * (PLACES_FREE + CONTACT_PLACES * CONTACTS_MAX) <= SEEN_IDS_MAX + 2 * PLACES_FREE);
/// How long a contact is remembered that is quiet, and with it what it had open. Counted in beats ([`NEIGHBOR_BEAT`]) that were
/// not late.
pub const CONTACT_QUIET_MAX: Duration = Duration::from_secs(120);
/// Queries of its own clients that a contact has passed on and not heard of to the end. With more its clients are not read: a
/// relay would only keep them waiting, and with them what others ask.
pub const COPIES_OPEN_MAX: usize = 256;
/// For so long a query is young. What takes longer and is lost then waited for somebody silent, and nobody else is to wait for
/// that.
pub const COPY_YOUNG_MAX: Duration = Duration::from_millis(100);
/// The same of those that wait for somebody silent. Each takes a place, and a little at every neighbor.
pub const OWN_PENDING_MAX: usize = 4_096;
const _: () = assert!(COPIES_OPEN_MAX < OWN_PENDING_MAX && OWN_PENDING_MAX < QUERIES_PENDING_MAX);
/// Queries remembered that came without a contact, over a dialect that has no words for it.
pub const SEEN_TP3_IDS_MAX: usize = 65_536;
/// How long a query is remembered that came without a contact: a restarted TP3 client counts from zero again. A query of which
/// a copy may come home that way stays open as long.
pub const SEEN_TP3_AGE_MAX: Duration = Duration::from_secs(30);
/// Queries passed on whose echoes are still awaited. A query beyond that is answered but not passed on.
pub const QUERIES_PENDING_MAX: usize = 65_536;
/// Finished queries whose echo is kept for [`ECHO_WAIT_MAX`], to be said again should it be lost with its link. Of one
/// beyond that a copy offered again counts as lost.
pub const ECHOES_KEPT_MAX: usize = 65_536;
/// Moments noted at which a query that is pending, or its kept echo, is looked at; half of them may be in vain.
pub const LOOKS_MAX: usize = LOOKS_FEW + 2 * (QUERIES_PENDING_MAX + ECHOES_KEPT_MAX);
/// As many are left as they are, in vain or not.
pub const LOOKS_FEW: usize = 64;
/// Bytes of queries kept while their echoes are awaited, to be offered again to a neighbor whose link was lost. One
/// beyond that is not offered again.
pub const OFFERS_KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a whole flood may spend waiting for echoes, shared out evenly over its depth: every servent gives up before
/// the one that asked it, and the contact before its client's 4 seconds are over.
pub const ECHO_WAIT_MAX: Duration = Duration::from_millis(3_500);
const _: () = assert!(ECHO_WAIT_MAX.as_millis() < SILENCE_DEFAULT.as_millis());

// ---- answers that go back ----

/// How long after its echo, or its finished, a servent knows which way answers to a copy go that come later: those whose dial
/// failed.
pub const ROUTE_KEPT: Duration = Duration::from_secs(3);
/// Copies of which that is known. The oldest goes for another.
pub const ROUTES_KEPT_MAX: usize = 65_536;
/// How long an answer that could go back waits for a dial to its client, its turn and the client's hello included. Then it
/// goes back.
pub const BACK_AFTER: Duration = Duration::from_secs(2);
const _: () = assert!(BACK_AFTER.as_millis() < ROUTE_KEPT.as_millis());
/// Answers to one copy that go back through a servent.
pub const BROUGHT_PER_QUERY_MAX: usize = 4_096;
/// Those of them that come over one link.
pub const BROUGHT_PER_LINK_MAX: usize = BROUGHT_PER_QUERY_MAX / 2;
/// Bytes unsent on a link above which answers that are to go back over it are dropped, so that they are no reason to close it
/// nor keep a query waiting.
pub const BROUGHT_UNSENT_BYTES_MAX: usize = 1024 * 1024;
const _: () =
    assert!(BROUGHT_UNSENT_BYTES_MAX < NEIGHBOR_UNSENT_BYTES_MAX && BROUGHT_UNSENT_BYTES_MAX < CLIENT_UNSENT_BYTES_MAX);

// ---- who is at the other end ----

/// Links to neighbors, dialled and accepted together.
pub const NEIGHBORS_MAX: usize = 256;
/// Connections of all kinds at once.
pub const CONNECTIONS_MAX: usize = 16_384;
/// How long the other end of a new link may take to say hello.
pub const HELLO_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a frame may take from its first byte to its last.
pub const FRAME_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a link that a servent has closed may take to send its last words and see the other side close.
pub const LINGER_MAX: Duration = Duration::from_secs(2);
/// How often a servent looks at how long its neighbors have been quiet. The three waits below are counted in these beats,
/// so each may take up to one beat longer. A beat that comes a beat late is none of them: time in which a servent did nothing
/// is no silence of others.
pub const NEIGHBOR_BEAT: Duration = Duration::from_secs(1);
/// A neighbor not heard for this long is pinged at the next beat.
pub const PING_AFTER: Duration = Duration::from_secs(2);
/// A neighbor not heard for this long is suspect at the next beat: whoever has heard it says so.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(5);
/// A neighbor not heard for this long is gone at the next beat.
pub const NEIGHBOR_QUIET_MAX: Duration = Duration::from_secs(8);
/// The first pause before a neighbor is dialled again; it doubles with every failure.
pub const REDIAL_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause before a neighbor is dialled again.
pub const REDIAL_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a dial may take to connect.
pub const DIAL_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a neighbor waits to be dialled while its name is looked up. Then it is dialled where it was. The
/// start waits as long for the names of all, where the address to go by depends on them.
pub const LOOK_UP_WAIT_MAX: Duration = Duration::from_secs(2);

// ---- members ----

/// Servents that all know all of. Of more each knows as many, and not the same.
pub const MEMBERS_MAX: usize = 1_024;
/// Members remembered: as many as that again, because no neighbor may fill more places alone than are left for all others.
pub const MEMBER_PLACES_MAX: usize = 2 * MEMBERS_MAX;
/// Members told at once.
pub const PEERS_MAX: usize = 64;
/// How long what has changed is gathered before it is told, and the least time between two tellings.
pub const NEWS_PAUSE: Duration = Duration::from_millis(100);
/// How often one of the neighbors is asked for its next page.
pub const PAGE_PAUSE: Duration = Duration::from_secs(10);
/// Pages answered to one link at once, and one more in each [`NEWS_PAUSE`]: twice as many as there can be.
pub const PAGES_AT_ONCE_MAX: usize = 2 * MEMBER_PLACES_MAX / PEERS_MAX;
/// Changes of what is said of one member within [`FLAPPING_WINDOW`] with which it is flapping. That it failed or left is told
/// seldom where so many of them were more than a suspicion and what contradicts it: that it is gone, or there again, or another.
pub const FLAPPING_CHANGES: u8 = 4;
/// In such a time they are counted.
pub const FLAPPING_WINDOW: Duration = Duration::from_secs(60);
/// How long what is said of one that is flapping waits to be told.
pub const FLAPPING_PAUSE: Duration = Duration::from_secs(30);
/// So many changes of any kind within [`FLAPPING_WINDOW`] are told before that one is suspected, or online, waits too.
pub const FLAPPING_CHANGES_MAX: u8 = 4 * FLAPPING_CHANGES;
/// Servents that are greeted at once for clients.
pub const GREETINGS_MAX: usize = 64;
/// How long one that is to be greeted waits for its turn and for a dial.
pub const GREETING_WAIT_MAX: Duration = Duration::from_secs(3);
const _: () = assert!(GREETING_WAIT_MAX.as_millis() < SILENCE_DEFAULT.as_millis());
/// A member that is suspect and was heard by nobody for so long has failed, whoever suspected it.
pub const SUSPECT_MAX: Duration = Duration::from_secs(30);
/// How long a member is remembered that failed, since anybody heard it.
pub const FAILED_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How long one is remembered that left, or to which there is no link, since anybody heard it.
pub const MEMBER_KEPT: Duration = Duration::from_secs(3_600);
/// How often a servent says anew that it is there: twice before it would be forgotten by those that hear it last. OSPF does
/// it once (RFC 2328: `LSRefreshTime` is half of `MaxAge`).
pub const MEMBER_REFRESH: Duration = Duration::from_secs(1_200);
/// That one is there, of which that was known, is passed on no sooner after changes of it began to be counted last: whoever
/// says so again and again has it told no oftener.
pub const MEMBER_REFRESH_PAUSE: Duration = Duration::from_secs(300);
/// How often one that knows itself that a member is dead, or may be, looks anew when it is told otherwise: those who say so
/// may have heard it later, and not that it died.
pub const LOOKS_AGAIN_MAX: u8 = 1;

// ---- content ----

/// The least length of a block but the last of its content: a subtree of BLAKE3's tree, of 64 of its chunks.
pub const BLOCK_BYTES_MIN: usize = 64 * 1024;
/// Most blocks of one content. A content for which the least length makes more has longer ones.
pub const BLOCKS_MAX: u32 = 262_144;
/// The greatest length of a block.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// The largest content.
pub const CONTENT_BYTES_MAX: u64 = BLOCKS_MAX as u64 * BLOCK_BYTES_MAX as u64;
/// Longest name of a shared file, in bytes: its path from the directory.
pub const FILE_NAME_BYTES_MAX: usize = 1024;
/// As much of what a file is described as is told with it, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1024;
/// Files shared by one servent.
pub const SHARED_FILES_MAX: usize = 1_000_000;
/// How long after the last looking through of a shared directory the next begins.
pub const LOOK_THROUGH_PAUSE: Duration = Duration::from_secs(60);
/// Words looked for at once.
pub const FIND_WORDS_MAX: usize = 8;
/// Longest of them, in bytes.
pub const FIND_WORD_BYTES_MAX: usize = 256;
/// As many bytes of a hash are said at least where a content is asked for by the first of them.
pub const HASH_START_BYTES_MIN: usize = 4;
/// Further files that have the words of a find are counted within so much of the names and descriptions behind those that are
/// told, and those beyond are not: whoever asks learns that there are many.
pub const FIND_COUNTED_BYTES_MAX: usize = 1024 * 1024;
/// Finds that wait for what is yet to be looked through, each with what was found so far.
pub const FINDS_WAITING_MAX: usize = 1024;
/// Entries told at once.
pub const ENTRIES_MAX: usize = 32;
/// The bytes of them together.
pub const ENTRIES_BYTES_MAX: usize = 4 * 1024;
const _: () = assert!(ENTRIES_BYTES_MAX < BROUGHT_BYTES_MAX);
/// Runs of blocks with which it is told who has which. Of more it is told that there are some.
pub const HAVE_RUNS_MAX: usize = 64;
/// Hashes of blocks asked for at once.
pub const HASHES_MAX: u32 = 1_024;
/// Bytes of blocks and their hashes unsent on a link above which no more are queued.
pub const BULK_UNSENT_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of blocks read at once for one fetch, where these are no longer.
pub const BLOCKS_READ_BYTES_MAX: usize = 256 * 1024;
/// Contents being given out at once. No network has more of them than are left for all others. One counts for as many as what
/// is read for it at once is times [`BLOCKS_READ_BYTES_MAX`], which is more than one only where its blocks are longer.
pub const UPLOADS_MAX: usize = 64;
/// Those of them that go over one link.
pub const UPLOADS_PER_LINK_MAX: usize = 4;
/// Requests of one fetch that wait to be served.
pub const UPLOAD_WANTED_MAX: usize = 64;
/// How long a fetch may want nothing, or take nothing of what it wanted, before its place is another's.
pub const UPLOAD_IDLE_MAX: Duration = Duration::from_secs(30);
/// Blocks asked for at once.
pub const BLOCKS_WANTED_MAX: u32 = 64;
const _: () = assert!(BLOCK_BYTES_MAX + 1024 < FRAME_BYTES_MAX);

// ---- writes ----

/// Bytes of writes that wait to be on the disk, over all clients. None has more of them than are left for all others, and whoever
/// comes to that is not read until some are.
pub const WRITES_WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
const _: () = assert!(8 * FRAME_BYTES_MAX < WRITES_WAITING_BYTES_MAX);
/// Bytes of writes that are put on the disk at once.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of keys, values, names and descriptions that were written and are kept.
pub const WRITTEN_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Keys and names that were written and are kept.
pub const WRITTEN_KEYS_MAX: usize = 1_048_576;
/// Keys that one client watches.
pub const WATCHES_PER_CLIENT_MAX: usize = 64;
/// After how long a client is told anew of a key that it watches, where it has not read what it was told before.
pub const CHANGED_AGAIN_PAUSE: Duration = Duration::from_millis(250);

// ---- calls ----

/// Dials of calls under way at once, from the dial until the other end has said hello. Many, because each to an address
/// that swallows packets takes [`DIAL_WAIT_MAX`]; no network has more of them than are left for all others.
pub const CALL_DIALS_MAX: usize = 2_048;
/// Dials of them to one network, so that nobody can have this servent dial an ip more often than a crowd behind it might.
pub const CALL_DIALS_PER_NETWORK_MAX: usize = 64;
/// Addresses known at once that are called, whether waiting for a dial, linked, or left alone after a failure; one that
/// is called on two errands counts twice.
pub const CALL_ADDRESSES_MAX: usize = 4_096;
/// Links of calls kept for more to say; one more closes the one that would be the next to end unused, which among those on
/// one errand is the one idle longest.
pub const CALL_LINKS_MAX: usize = 1_024;
/// How long an address is left alone after its first failure; the pause doubles with every further one.
pub const CALL_REST_MIN: Duration = Duration::from_millis(250);
/// The longest an address is left alone, and how long after that its failures are remembered.
pub const CALL_REST_MAX: Duration = Duration::from_secs(8);
/// Bytes waiting for one address to be reached on one errand: two values of full length.
pub const CALL_QUEUED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Bytes waiting for all addresses to be reached.
pub const CALLS_QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// An answer link unused for this long is closed.
pub const ANSWER_IDLE_MAX: Duration = Duration::from_secs(60);
/// How often a TP3 client that refuses an answer is tried again: most open their port only after they have asked.
pub const TP3_ANSWER_TRIES_MAX: u32 = 10;
/// The pause between two such tries.
pub const TP3_ANSWER_PAUSE: Duration = Duration::from_millis(30);

// ---- bytes queued to write, per class of peer ----

/// Bytes unsent on a link whose other end has not said hello.
pub const STRANGER_UNSENT_BYTES_MAX: usize = 4 * 1024;
/// Bytes unsent to a client on its own link to its contact.
pub const CLIENT_UNSENT_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// Bytes unsent to a neighbor.
pub const NEIGHBOR_UNSENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes unsent on an answer link.
pub const ANSWER_UNSENT_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

// ---- the client ----

/// How long a client waits after the last answer, unless told otherwise.
pub const SILENCE_DEFAULT: Duration = Duration::from_secs(4);
/// Queries one client may have pending at once; one more is not asked. A contact has [`COPIES_OPEN_MAX`] of all its clients under
/// way, and reads no more until some of them are over.
pub const CLIENT_PENDING_MAX: usize = 16_384;
const _: () = assert!(COPIES_OPEN_MAX < CLIENT_PENDING_MAX);
/// Servents a client keeps in mind at once because they have answered what is pending, over all queries. The answer of one
/// more is told, but not held against what the contact promises, so its query is not called complete.
pub const CLIENT_ANSWERERS_MAX: usize = 1_048_576;
/// Values a client fetches at once that were announced to it. As many megabytes may be half said then.
pub const FETCHES_MAX: usize = 16;
/// Those that wait for their turn: of one query as many as a contact hands. One more is missing.
pub const FETCHES_WAITING_MAX: usize = BROUGHT_PER_QUERY_MAX;
/// Addresses at which one servent is looked for to fetch its value for one query: whoever announces it names the address, and
/// the first need not be true.
pub const FETCH_ADDRESSES_MAX: usize = 4;
/// How long a servent that has such a value may take from the dial to its hello; and from the request to the value, where another
/// value waits for the place.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(2);
const _: () = assert!(FETCH_WAIT_MAX.as_millis() < SILENCE_DEFAULT.as_millis());
/// Holders of one content that are known. One more takes the place of one that is asked no more and gave nothing, if there is one.
pub const CONTENT_HOLDERS_MAX: usize = 256;
/// How long a holder may owe something and be silent before another is asked, if there is one.
pub const HOLDER_QUIET: Duration = Duration::from_secs(3);
/// And before it is dropped.
pub const HOLDER_QUIET_MAX: Duration = Duration::from_secs(10);
const _: () = assert!(HELLO_WAIT_MAX.as_millis() + DIAL_WAIT_MAX.as_millis() < HOLDER_QUIET_MAX.as_millis());
/// How often a holder may be dropped in vain, without a block in between, and be asked again.
pub const HOLDER_FAILURES_MAX: u8 = 3;
/// The first pause before a holder that is busy is asked again, or one whose link was lost dialled; it doubles each time.
pub const BUSY_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
pub const BUSY_PAUSE_MAX: Duration = Duration::from_secs(8);
/// How long after it was asked who has a content that is asked again, while nobody is left who has what is missing.
pub const ASK_AGAIN_PAUSE: Duration = Duration::from_secs(5);
/// How long that goes on, since anything came, unless told otherwise.
pub const HOLDERS_WAIT_DEFAULT: Duration = Duration::from_secs(30);
/// Messages with hashes that a holder is asked for ahead.
pub const HASH_PARTS_ASKED_MAX: usize = 8;
/// Bytes of blocks that a holder is asked for ahead.
pub const BLOCKS_ASKED_BYTES_MAX: usize = 4 * BLOCK_BYTES_MAX;
const _: () = assert!(BLOCKS_ASKED_BYTES_MAX <= BLOCKS_WANTED_MAX as usize * BLOCK_BYTES_MIN);
/// With no more than these it is asked for more, so that it never has nothing to send.
pub const BLOCKS_ASKED_BYTES_LOW: usize = BLOCKS_ASKED_BYTES_MAX / 2;
/// Bytes of blocks that have come and are not in the file, together with those that are asked for.
pub const BLOCKS_HELD_BYTES_MAX: usize = 2 * BLOCKS_ASKED_BYTES_MAX;
/// Writes that one client may have sent and not been told of.
pub const WRITES_PENDING_MAX: usize = 4_096;
/// Longest command line a client reads: longer values are put from a file.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Connections a client accepts on its answer address at once.
pub const CLIENT_CONNECTIONS_MAX: usize = 4_096;
