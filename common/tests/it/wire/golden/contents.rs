//! The golden bytes of what is said of contents.

use super::*;
use common::content::transfer::Refusal;

pub(super) fn golden_messages() -> Vec<Golden> {
    let golden = |name, hex, message| Golden { name, hex, message, position: Position::Later };
    let request = |ask| Message::Request(Request { sequence: SEQUENCE, ask, ttl: None });
    let query = |ask| {
        Message::query(Query {
            via: Via::Direct,
            sequence: SEQUENCE,
            client: client("192.0.2.7:9990"),
            contact: Some(mark(0xa1b2_c3d4_e5f6_0718, 7, 5)),
            ttl: 3,
            hops: 1,
            ask,
            path: Path::default(),
        })
    };
    let empty = || {
        let entry = entry_of(b"a", 0, ContentHash([0; 32]), b"", Have::all(1));
        Entries { entries: vec![entry], more: 0, uploads: 0 }
    };
    let list = |list, from: &[u8]| Message::List(List { list, from: from.to_vec() });
    let list_part = |list, entries| Message::ListPart(ListPart { list, entries });
    let opened = |have| Message::Opened(Opened { fetch: 7, size: 26_214_400, have });
    let refused = |refusal| Message::Refused(Refused { fetch: 7, refusal });
    let block = |bytes: &[u8]| Message::Block(Block { fetch: 7, block: 12, bytes: bytes.to_vec() });
    vec![
        golden(
            "request to find",
            "00000019  00  04  fd 0123456789abcdef  02 02 05 6661726f6c 05 6261727261",
            request(find(&["farol", "barra"])),
        ),
        golden(
            "request for a name",
            "00000016  00  04  fd 0123456789abcdef  03 09 6661726f6c2e6d7034",
            request(Ask::Named(file_name(b"farol.mp4"))),
        ),
        golden(
            "request for a hash",
            "00000011  00  04  fd 0123456789abcdef  04 04 9f2c41d0",
            request(Ask::Hashed(HashStart::new(&[0x9f, 0x2c, 0x41, 0xd0]).unwrap())),
        ),
        golden(
            "query to find",
            "0000002a  00  05  fd 0123456789abcdef  00 c0000207 fb2706 00  01 a1b2c3d4e5f60718 07 02  03 01
             02 01 05 6661726f6c  00",
            query(find(&["farol"])),
        ),
        golden(
            "query for a name",
            "0000002d  00  05  fd 0123456789abcdef  00 c0000207 fb2706 00  01 a1b2c3d4e5f60718 07 02  03 01
             03 09 6661726f6c2e6d7034  00",
            query(Ask::Named(file_name(b"farol.mp4"))),
        ),
        golden(
            "query for a hash",
            "00000028  00  05  fd 0123456789abcdef  00 c0000207 fb2706 00  01 a1b2c3d4e5f60718 07 02  03 01
             04 04 9f2c41d0  00",
            query(Ask::Hashed(HashStart::new(&[0x9f, 0x2c, 0x41, 0xd0]).unwrap())),
        ),
        golden(
            "answer with entries",
            "0000006d  00  06  fd 0123456789abcdef  90e55c6f649afd07  02  03 01
             09 6661726f6c2e6d7034 fc 01900000 9f2c41d07ab3000102030405060708090a0b0c0d0e0f10111213141516171819
             1f 746865206c69676874686f757365206f66204261727261206174206475736b  00 01 00 fb0190
             02 01",
            Message::Answer(Answer {
                sequence: SEQUENCE,
                asked: Some(AskHash::of(&find(&["farol", "barra"]))),
                hops: 2,
                body: AnswerBody::Entries(Entries { entries: vec![farol()], more: 2, uploads: 1 }),
            }),
        ),
        golden(
            "brought, of entries",
            "00000051  00  0a  a1b2c3d4e5f60718 07 03  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             03 01  01 61 00 0000000000000000000000000000000000000000000000000000000000000000 00 00 01 00 01  00 00",
            Message::Brought(Brought {
                contact: ContactName(0xa1b2_c3d4_e5f6_0718),
                number: 7,
                ttl: 3,
                answer: brought(BroughtBody::Whole(AnswerBody::Entries(empty()))),
            }),
        ),
        golden(
            "handed, of entries",
            "00000050  00  0b  fd 0123456789abcdef  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             03 01  01 61 00 0000000000000000000000000000000000000000000000000000000000000000 00 00 01 00 01  00 00",
            Message::Handed(Handed {
                sequence: SEQUENCE,
                answer: brought(BroughtBody::Whole(AnswerBody::Entries(empty()))),
            }),
        ),
        golden("list", "00000004  00  10  00  00", list(0, b"")),
        golden("list behind a name", "0000000e  00  10  01  0a 6661726f6c2e6d703400", list(1, b"farol.mp4\0")),
        golden(
            "list part",
            "00000031  00  11  01  01
             01 61 fc 00100000 9f2c41d07ab3000102030405060708090a0b0c0d0e0f10111213141516171819 00  01
             fb 0100  00",
            list_part(
                1,
                Entries { entries: vec![entry_of(b"a", 1_048_576, HASH, b"", Have::Partly)], more: 256, uploads: 0 },
            ),
        ),
        golden("list part with nothing in it", "00000006  00  11  01  00 00 00", list_part(1, Entries::default())),
        golden(
            "open",
            "00000023  00  12  07  9f2c41d07ab3000102030405060708090a0b0c0d0e0f10111213141516171819",
            Message::Open(Open { fetch: 7, hash: HASH }),
        ),
        golden("opened", "0000000e  00  13  07  fc 01900000  00 01 00 fb0190", opened(Have::all(400))),
        golden(
            "opened, of one that has some of it",
            "00000010  00  13  07  fc 01900000  00 02 00 0c 20 fb0170",
            opened(Have::Runs(vec![(0, 12), (32, 368)])),
        ),
        golden("refused, gone", "00000004  00  14  07  00", refused(Refusal::Gone)),
        golden("refused, busy", "00000004  00  14  07  01", refused(Refusal::Busy)),
        golden("refused, changed", "00000004  00  14  07  02", refused(Refusal::Changed)),
        golden(
            "hashes wanted",
            "00000007  00  15  07  00  fb0190",
            Message::HashesWanted(HashesWanted { fetch: 7, first: 0, count: 400 }),
        ),
        golden(
            "hash part",
            "00000047  00  16  07  fb0100
             40 9f2c41d07ab3000102030405060708090a0b0c0d0e0f10111213141516171819
             ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            Message::HashPart(HashPart { fetch: 7, first: 256, hashes: vec![HASH.0, [0xff; 32]] }),
        ),
        golden(
            "blocks wanted",
            "00000005  00  17  07  0c  40",
            Message::BlocksWanted(BlocksWanted { fetch: 7, first: 12, count: 64 }),
        ),
        golden("block", "0000000a  00  18  07  0c  05 6661726f6c", block(b"farol")),
        golden("block of no bytes", "00000005  00  18  07  0c  00", block(b"")),
    ]
}

const HASH: ContentHash = ContentHash([
    0x9f, 0x2c, 0x41, 0xd0, 0x7a, 0xb3, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
    0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
]);

fn farol() -> Entry {
    entry_of(b"farol.mp4", 26_214_400, HASH, b"the lighthouse of Barra at dusk", Have::all(400))
}
