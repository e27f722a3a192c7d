//! What a line a person (or a script) wrote asks for.
//!
//! Lines are bytes: a script may hold keys that are not UTF-8.

use common::address::{Address, parse_servent};
use common::content::search::{FileName, Words};
use common::dialect::Dialect;
use common::key::{Key, KeyError};
use common::limits::WATCHES_PER_CLIENT_MAX;
use common::query::Ask;
use common::text::Escaped;
use common::write::Change;

use crate::program::get::GetOptions;
use crate::program::words::{first_quoted_word, quoted_words};

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing: the line is blank, or a comment.
    Nothing,
    /// This, of everybody.
    Ask(Ask),
    /// The members that the contact knows, or the servent that is named.
    Members(Option<String>),
    /// The files that the contact shares, or the servent that is named, whose names begin like this.
    Files {
        /// The servent, if not the contact.
        servent: Option<String>,
        /// What names begin with.
        prefix: Vec<u8>,
    },
    /// To fetch contents.
    Get(GetOptions),
    /// To fetch what was found last, by its numbers; with whatever else `get` takes.
    GetFound(Vec<Vec<u8>>),
    /// To have the contact greet the servent that is named.
    Greet(String),
    /// To have the contact keep this.
    Write(Change),
    /// To have it keep, under a key, what is in a file.
    PutFile {
        /// The key.
        key: Key,
        /// Where the file is.
        file: Vec<u8>,
    },
    /// To be told of these keys whenever they change.
    Watch(Vec<Key>),
    /// To be told what there is to ask for.
    Help,
    /// To be told what this command does and takes.
    HelpOf(Usage),
    /// To leave.
    Quit,
    /// Something there is not.
    Unknown,
    /// A key that cannot be one.
    BadKey(KeyError),
    /// More than one word where there should be a key.
    ManyWords,
    /// What is no address of a servent, where there should be one; with why not.
    BadAddress(String),
    /// Words that cannot be looked for, or listed; with why not.
    BadWords(String),
    /// All keys that begin so, which cannot be asked for yet.
    Prefix,
}

/// What a person is reminded of, before the first prompt and after what is no command. No line is longer than narrow
/// terminals are wide: where one breaks a line it does not care for words.
pub const REMINDER: &str = "\
? KEY asks every servent within reach, T shows the topology,
find WORDS finds files, ls lists them, get fetches one,
M shows members, hello greets one, put and del change a key,
watch follows keys, publish and unpublish are for files,
help tells all, Q leaves";

/// Every command there is, for a person, in lines as long as those.
pub const HELP: &str = "\
? KEY  asks every servent within reach for a key, such as:
       ? coffee; a shared file's name is a key; one with
       blanks is quoted: ? \"a b\"
find   finds what files within reach have all these words in
       name or description, such as: find lighthouse barra
get    fetches a file by its name or the first digits of
       its hash, such as: get lighthouse.mp4 -o barra.mp4;
       :get 2 fetches the second that was found
ls     lists files of the contact or of another servent, all
       or those whose names begin like a word, such as:
       ls 127.0.0.1:9002 far
T      shows the topology: the way to every servent within
       reach, and at a terminal a drawing of it
M      shows the members: every servent the contact has
       heard of; or another has, such as: M 127.0.0.1:9002
hello  has the contact greet a servent, and shows what that
       changed, such as: hello 127.0.0.1:9003
put    has the contact keep a value, such as: put tea green;
       put tea @FILE takes it from a file, an empty one too;
       a value that begins with an @ is written with two
del    has the contact keep no value for a key, such as:
       del tea
publish has the contact offer a file it shares, described as
       is said, such as: publish barra.mp4 -d at dusk
unpublish has the contact publish a file no more, such as:
       unpublish barra.mp4
watch  shows what the contact has for keys, and each change
       until Ctrl-C, such as: watch kernel
help   shows this, as a lone ? does; or what one command
       takes, such as: help get (get -h does too)
Q      leaves; q, quit, exit and Ctrl-D do too
";

/// A command that says how it is used, when it is asked with `-h` or `--help`, or `help` is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// `find`.
    Find,
    /// `get`, and `:get`.
    Get,
    /// `ls`.
    Files,
    /// `M`.
    Members,
    /// `hello`.
    Greet,
    /// `put`.
    Put,
    /// `del`.
    Delete,
    /// `publish`.
    Publish,
    /// `unpublish`.
    Unpublish,
    /// `watch`.
    Watch,
}

impl Usage {
    const ALL: [Usage; 10] = [
        Usage::Find,
        Usage::Get,
        Usage::Files,
        Usage::Members,
        Usage::Greet,
        Usage::Put,
        Usage::Delete,
        Usage::Publish,
        Usage::Unpublish,
        Usage::Watch,
    ];

    fn name(self) -> &'static str {
        match self {
            Usage::Find => "find",
            Usage::Get => "get",
            Usage::Files => "ls",
            Usage::Members => "M",
            Usage::Greet => "hello",
            Usage::Put => "put",
            Usage::Delete => "del",
            Usage::Publish => "publish",
            Usage::Unpublish => "unpublish",
            Usage::Watch => "watch",
        }
    }

    /// What it takes, and what it does.
    #[must_use]
    pub fn text(self) -> String {
        let takes = match self {
            Usage::Find => "find [--] [WORD]...\n\nWithout words it tells of all files.\n",
            Usage::Get => return format!("{}\n{}", GetOptions::usage(), self.entry()),
            Usage::Files => "ls [HOST:PORT] [--] [BEGINNING OF A NAME]\n",
            Usage::Members => "M [HOST:PORT]\n",
            Usage::Greet => "hello HOST:PORT\n",
            Usage::Put => {
                "put [--] KEY VALUE\n       put [--] KEY @FILE\n\nThe value is the rest of the line. A key with blanks or quotes is quoted. An empty value\n\
                 is put from an empty file.\n"
            }
            Usage::Delete => "del [--] KEY\n\nA key with blanks or quotes is quoted.\n",
            Usage::Publish => {
                "publish [--] NAME [-d TEXT]\n\nThe text is the rest of the line. Without one it is what the data says of the file.\n"
            }
            Usage::Unpublish => "unpublish [--] NAME\n",
            Usage::Watch => "watch [--] KEY...\n\nA key with blanks or quotes is quoted.\n",
        };
        format!("Usage: {takes}\n{}", self.entry())
    }

    /// What it does, as all commands are told: a line that begins with its name, and those behind it that begin with blanks.
    fn entry(self) -> String {
        let begins = |line: &&str| line.split(' ').next() == Some(self.name());
        let mut lines = HELP.lines().skip_while(|line| !begins(line));
        let first = lines.next();
        let lines = first.into_iter().chain(lines.take_while(|line| line.starts_with(' ')));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

impl Command {
    /// Reads one line, with or without its end.
    #[must_use]
    pub fn parse(line: &[u8]) -> Command {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // The blanks of the data files, so that every key there is can be asked for.
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Command::Nothing };
        if let Some(usage) = asked_usage(line, first, words.clone()) {
            return Command::HelpOf(usage);
        }
        match first {
            [b'#', ..] => Command::Nothing,
            b"?*" => Command::Prefix,
            [b'?', word @ ..] => match ((!word.is_empty()).then_some(word).or_else(|| words.next()), words.next()) {
                (None, _) => Command::Help,
                (Some(key), None) => Key::new(key).map_or_else(Command::BadKey, |key| Command::Ask(Ask::Key(key))),
                (Some(_), Some(_)) => read_quoted_key(rest(line, b"?")),
            },
            b"M" => match (words.next(), words.next()) {
                (None, _) => Command::Members(None),
                (Some(word), None) => match read_servent(word) {
                    Ok((_, named)) => Command::Members(Some(named)),
                    Err(fault) => Command::BadAddress(fault),
                },
                (Some(_), Some(_)) => Command::BadAddress("M takes one address, or none".to_owned()),
            },
            b"hello" => match (words.next(), words.next()) {
                (Some(word), None) => match read_servent(word) {
                    Ok((Dialect::OWN, named)) => Command::Greet(named),
                    Ok((dialect, named)) => {
                        let name = dialect.manners().name;
                        Command::BadAddress(format!("`{named}` speaks {name}, and no contact greets whoever does"))
                    }
                    Err(fault) => Command::BadAddress(fault),
                },
                _ => Command::BadAddress("hello takes one address, such as: hello 127.0.0.1:9003".to_owned()),
            },
            b"find" => {
                let found = operands(rest(line, first)).and_then(|words| {
                    if words.iter().any(Vec::is_empty) {
                        return Err("an empty word is in every name: find without words tells of all files".to_owned());
                    }
                    Words::new(words.iter().map(Vec::as_slice)).map_err(|error| error.to_string())
                });
                found.map_or_else(Command::BadWords, |words| Command::Ask(Ask::Find(words)))
            }
            b"get" => quoted_words(rest(line, first))
                .map_err(|error| error.to_string())
                .and_then(GetOptions::read)
                .map_or_else(Command::BadWords, Command::Get),
            b":get" => quoted_words(rest(line, first))
                .map_or_else(|error| Command::BadWords(error.to_string()), Command::GetFound),
            b"put" => read_put(rest(line, first)),
            b"del" => operands(rest(line, first)).map_or_else(Command::BadWords, |keys| read_delete(&keys)),
            b"watch" => operands(rest(line, first)).map_or_else(Command::BadWords, |keys| read_watch(&keys)),
            b"publish" => read_publish(rest(line, first)).map_or_else(Command::BadWords, Command::Write),
            b"unpublish" => read_unpublish(rest(line, first)).map_or_else(Command::BadWords, Command::Write),
            b"ls" => read_files(rest(line, first)).unwrap_or_else(Command::BadWords),
            // Of these there is no more to say than all are told.
            b"help" if matches!(words.clone().collect::<Vec<_>>()[..], [b"?" | b"T" | b"Q" | b"help"]) => Command::Help,
            _ if words.next().is_some() => Command::Unknown,
            b"T" => Command::Ask(Ask::Topology),
            b"Q" | b"q" | b"quit" | b"exit" => Command::Quit,
            b"help" => Command::Help,
            _ => Command::Unknown,
        }
    }

    /// What is wrong with it, where there is more to say than that it is unknown.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Command::BadKey(error) => Some(error.to_string()),
            Command::BadAddress(fault) | Command::BadWords(fault) => Some(fault.clone()),
            Command::ManyWords => Some("a key is one word; one with blanks is quoted, such as: ? \"a b\"".to_owned()),
            Command::Prefix => {
                Some("?* and a blank is kept for keys that begin alike; the key * is asked as ? *".to_owned())
            }
            Command::Nothing
            | Command::Ask(_)
            | Command::Members(_)
            | Command::Files { .. }
            | Command::Get(_)
            | Command::GetFound(_)
            | Command::Greet(_)
            | Command::Write(_)
            | Command::PutFile { .. }
            | Command::Watch(_)
            | Command::Help
            | Command::HelpOf(_)
            | Command::Quit
            | Command::Unknown => None,
        }
    }
}

/// What of a line is behind its first word.
fn rest<'a>(line: &'a [u8], first: &[u8]) -> &'a [u8] {
    let line = line.trim_ascii_start();
    line.get(first.len()..).unwrap_or_default()
}

/// Which command is to say how it is used, if a line asks for that: before `--`, behind which every word is what it is.
fn asked_usage<'a>(line: &[u8], first: &[u8], words: impl Iterator<Item = &'a [u8]>) -> Option<Usage> {
    let named = |name: &[u8]| Usage::ALL.into_iter().find(|usage| usage.name().as_bytes() == name);
    let words: Vec<Vec<u8>> = words.map(<[u8]>::to_vec).collect();
    if let (b"help", [name]) = (first, words.as_slice()) {
        return if name == b":get" { Some(Usage::Get) } else { named(name) };
    }
    let usage = if first == b":get" { Usage::Get } else { named(first)? };
    let words = match usage {
        // A value, or what is said of a file, may be anything: it is asked for by the first word.
        Usage::Put | Usage::Publish => words.into_iter().take(1).collect(),
        Usage::Members | Usage::Greet => words,
        // What is amiss with quotes is told where they are read.
        Usage::Find | Usage::Get | Usage::Files | Usage::Delete | Usage::Unpublish | Usage::Watch => {
            quoted_words(rest(line, first)).ok()?
        }
    };
    let mut options = words.iter().take_while(|word| *word != b"--");
    options.any(|word| word == b"-h" || word == b"--help").then_some(usage)
}

/// The words behind a command that takes no options, without the `--` before those that look like one.
fn operands(line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut words = quoted_words(line).map_err(|error| error.to_string())?;
    if let Some(end) = words.iter().position(|word| word == b"--") {
        words.remove(end);
    }
    Ok(words)
}

/// The first word behind a command, without the `--` before one that looks like an option, and what is behind it.
fn first_operand(line: &[u8]) -> Result<(Option<Vec<u8>>, &[u8]), String> {
    let word = |line| first_quoted_word(line).map_err(|error| error.to_string());
    match word(line)? {
        (Some(end), rest) if end == b"--" => word(rest),
        found => Ok(found),
    }
}

/// The key of which a quoted word is all that is behind `?`. Without blanks it is none: there a quote is a part of the key.
fn read_quoted_key(line: &[u8]) -> Command {
    match quoted_words(line).as_deref() {
        Ok([key]) => Key::new(key).map_or_else(Command::BadKey, |key| Command::Ask(Ask::Key(key))),
        Ok(_) | Err(_) => Command::ManyWords,
    }
}

/// Which key is to have no value.
fn read_delete(keys: &[Vec<u8>]) -> Command {
    match keys {
        [key] => Key::new(key).map_or_else(Command::BadKey, |key| Command::Write(Change::Delete { key })),
        [] => Command::BadWords("del takes a key, such as: del tea".to_owned()),
        _ => Command::BadWords("del takes one key; one with blanks is quoted".to_owned()),
    }
}

/// Which keys are to be watched.
fn read_watch(keys: &[Vec<u8>]) -> Command {
    if keys.is_empty() {
        return Command::BadWords("watch takes keys, such as: watch kernel".to_owned());
    }
    if keys.len() > WATCHES_PER_CLIENT_MAX {
        return Command::BadWords(format!("{} keys; {WATCHES_PER_CLIENT_MAX} are watched at the most", keys.len()));
    }
    let keys = keys.iter().map(|key| Key::new(key)).collect::<Result<_, _>>();
    keys.map_or_else(Command::BadKey, Command::Watch)
}

/// What is to be kept: a key, and a value as a data file has it, or where that is.
fn read_put(line: &[u8]) -> Command {
    let (key, value) = match first_operand(line) {
        Ok((Some(key), value)) => (Key::new(&key), value),
        Ok((None, _)) => return Command::BadWords("put takes a key and a value, such as: put tea green".to_owned()),
        Err(fault) => return Command::BadWords(fault),
    };
    let key = match key {
        Ok(key) => key,
        Err(error) => return Command::BadKey(error),
    };
    match without_blanks(value) {
        // Whoever has forgotten it would lose what there is.
        b"" => {
            let fault =
                "put takes a value behind the key, such as: put tea green; an empty one is put from an empty @FILE";
            Command::BadWords(fault.to_owned())
        }
        b"@" => Command::BadWords("an @ with no file behind it; a value that begins with one has two".to_owned()),
        [b'@', value @ ..] if value.starts_with(b"@") => Command::Write(Change::Put { key, value: value.into() }),
        [b'@', file @ ..] => Command::PutFile { key, file: file.to_vec() },
        value => Command::Write(Change::Put { key, value: value.into() }),
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without those before and behind, which a person cannot see.
fn without_blanks(line: &[u8]) -> &[u8] {
    let begin = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(begin, |last| last + 1);
    line.get(begin..end).unwrap_or_default()
}

/// Which file is to be published, and what is said of it.
fn read_publish(line: &[u8]) -> Result<Change, String> {
    let (Some(name), rest) = first_operand(line)? else {
        return Err("publish takes the name of a file, such as: publish barra.mp4 -d at dusk".to_owned());
    };
    let text = match without_blanks(rest) {
        b"" => &[],
        b"-d" => return Err("publish: there is nothing behind -d".to_owned()),
        [b'-', b'd', text @ ..] if text.first().is_some_and(is_blank) => without_blanks(text),
        _ => return Err("publish takes one name, and -d before what is said of it".to_owned()),
    };
    Ok(Change::Publish { name: file_name(&name)?, text: text.into() })
}

/// Which file is not to be published any more.
fn read_unpublish(line: &[u8]) -> Result<Change, String> {
    match &operands(line)?[..] {
        [name] => Ok(Change::Unpublish { name: file_name(name)? }),
        _ => Err("unpublish takes the name of a file, such as: unpublish barra.mp4".to_owned()),
    }
}

fn file_name(name: &[u8]) -> Result<FileName, String> {
    FileName::new(name).map_err(|error| error.to_string())
}

/// What files are to be listed. What has a colon in it and can be an address is one.
fn read_files(line: &[u8]) -> Result<Command, String> {
    let mut words = operands(line)?.into_iter().peekable();
    let servent = words.next_if(|word| word.contains(&b':') && read_servent(word).is_ok());
    let servent = servent.map(|word| read_servent(&word)).transpose()?.map(|(_, named)| named);
    let prefix = words.next().unwrap_or_default();
    match words.next() {
        None => Ok(Command::Files { servent, prefix }),
        Some(_) if servent.is_some() => Err("ls takes an address and the beginning of a name, and no more".to_owned()),
        // Before the beginning of a name there can only be an address.
        Some(_) => {
            read_servent(&prefix).and(Err("ls takes an address as HOST:PORT before the beginning of a name".to_owned()))
        }
    }
}

/// The servent of this machine whose port the word can be, where it is nothing but a number.
pub(crate) fn servent_at_port(word: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(word).ok().filter(|text| !text.contains(':'))?;
    parse_servent(text).ok().map(|(_, address)| address)
}

/// The servent that is named, with what it speaks, or why it is none. What its name stands for is looked up when it is
/// needed.
fn read_servent(word: &[u8]) -> Result<(Dialect, String), String> {
    let text = std::str::from_utf8(word).map_err(|_| format!("`{}` is no address", Escaped::new(word)))?;
    let (dialect, _) = parse_servent(text).map_err(|error| Escaped::new(error.to_string().as_bytes()).to_string())?;
    Ok((dialect, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::limits::{FIND_WORD_BYTES_MAX, KEY_BYTES_MAX};

    fn key(bytes: &[u8]) -> Command {
        Command::Ask(Ask::Key(Key::new(bytes).unwrap()))
    }

    #[test]
    fn what_a_person_is_told_breaks_no_word_where_a_terminal_is_narrow() {
        for line in REMINDER.lines().chain(HELP.lines()) {
            assert!(line.len() <= 60 && line.trim_end() == line, "{line}");
        }
        let first_words = HELP.lines().filter_map(|line| line.split_once(' ')).map(|(word, _)| word);
        let commands: Vec<&str> = first_words.filter(|word| !word.is_empty()).collect();
        assert_eq!(
            commands,
            ["?", "find", "get", "ls", "T", "M", "hello", "put", "del", "publish", "unpublish", "watch", "help", "Q"]
        );
        commands.iter().for_each(|word| assert!(REMINDER.contains(&format!("{word} ")), "{word}"));
    }

    #[test]
    fn lines_and_what_they_ask_for() {
        for (line, expected) in [
            (&b"? tea"[..], key(b"tea")),
            (b"?   tea", key(b"tea")),
            (b"?\ttea\r\n", key(b"tea")),
            (b"  ? tea  ", key(b"tea")),
            (b"? caf\xc3\xa9", key("café".as_bytes())),
            (b"? \xff\xfe", key(b"\xff\xfe")),
            (b"? form\x0cfeed\r\n", key(b"form\x0cfeed")),
            (b"? ?", key(b"?")),
            (b"T", Command::Ask(Ask::Topology)),
            (b" T\n", Command::Ask(Ask::Topology)),
            (b"M", Command::Members(None)),
            (b" M \r\n", Command::Members(None)),
            (b"M 9002", Command::Members(Some("9002".to_owned()))),
            (b"M  localhost:9002\n", Command::Members(Some("localhost:9002".to_owned()))),
            (b"M\t[::1]:9002", Command::Members(Some("[::1]:9002".to_owned()))),
            (b"M tp3://localhost:9002", Command::Members(Some("tp3://localhost:9002".to_owned()))),
            (b"hello 9003", Command::Greet("9003".to_owned())),
            (b" hello  localhost:9003\r\n", Command::Greet("localhost:9003".to_owned())),
            (b"hello\t[::1]:9003", Command::Greet("[::1]:9003".to_owned())),
            (b"Q", Command::Quit),
            (b"", Command::Nothing),
            (b" \t\r\n", Command::Nothing),
            (b"?tea", key(b"tea")),
            (b"?caf\xe9\n", key(b"caf\xe9")),
            (b"??", key(b"?")),
            (b"? *", key(b"*")),
            (b"? #1", key(b"#1")),
            (b"?#1", key(b"#1")),
            (b"? two words", Command::ManyWords),
            (b"?two words", Command::ManyWords),
            (b"?? tea", Command::ManyWords),
            // What has blanks is a key if it is one word as `put` reads it; what has none stands for itself.
            (b"? \"a b\"", key(b"a b")),
            (b"?\t'a  \"b' \r\n", key(b"a  \"b")),
            (b"?\"a b\"", key(b"a b")),
            (b"? a\\ b", key(b"a b")),
            (b"? \"it's \\\"\\\\\"", key(b"it's \"\\")),
            (b"? \" \"", key(b" ")),
            (b"?*' '", key(b"* ")),
            (b"? \"a\"", key(b"\"a\"")),
            (b"? \"\"", key(b"\"\"")),
            (b"? a\\b", key(b"a\\b")),
            (b"? \"a b", Command::ManyWords),
            (b"? \"a b\" c", Command::ManyWords),
            (b"?* 'a b'", Command::Prefix),
            (b"? two # words", Command::ManyWords),
            (b"?*", Command::Prefix),
            (b"?* te", Command::Prefix),
            (b"?*te", key(b"*te")),
            (b"? *te", key(b"*te")),
            (b"?**", key(b"**")),
            (b"?", Command::Help),
            (b" ? \n", Command::Help),
            (b"help", Command::Help),
            (b"q", Command::Quit),
            (b"quit", Command::Quit),
            (b"exit\r\n", Command::Quit),
            (b"#", Command::Nothing),
            (b" #? tea", Command::Nothing),
            (b"# Q", Command::Nothing),
            (b"T now", Command::Unknown),
            (b"T # now", Command::Unknown),
            (b"Q now", Command::Unknown),
            (b"help me", Command::Unknown),
            (b"t", Command::Unknown),
            (b"m", Command::Unknown),
            (b"M9002", Command::Unknown),
            (b"hello9003", Command::Unknown),
            (b"Hello 9003", Command::Unknown),
            (b"tea", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn whose_members_are_asked_for_and_who_is_greeted_is_an_address_and_what_is_none_is_told_why() {
        for (line, fault) in [
            (&b"M 9001 9002"[..], "M takes one address, or none"),
            (b"M 9001 # mine", "M takes one address, or none"),
            (b"M localhost", "`localhost` has no port"),
            (b"M h:0", "`h:0` is nobody's address: nobody listens on port 0"),
            (b"M h:65536", "`h:65536` has `65536` where a port from 0 to 65535 should be"),
            (b"M gopher://h:70", "`gopher://h:70` begins with no dialect there is"),
            (b"M \x1b[2J:1", "`\\x1b[2J:1` has `\\x1b[2J` where a host should be"),
            (b"M \xff:1", "`\\xff:1` is no address"),
            (b"hello", "hello takes one address, such as: hello 127.0.0.1:9003"),
            (b"hello 9001 9002", "hello takes one address, such as"),
            (b"hello world", "`world` has no port"),
            (b"hello h:0", "`h:0` is nobody's address: nobody listens on port 0"),
            (b"hello tp3://h:1", "`tp3://h:1` speaks TP3, and no contact greets whoever does"),
            (b"hello \x1b[2J:1", "`\\x1b[2J:1` has `\\x1b[2J` where a host should be"),
            (b"hello \xff:1", "`\\xff:1` is no address"),
        ] {
            let command = Command::parse(line);
            let Command::BadAddress(said) = &command else { panic!("{command:?}") };
            assert!(said.starts_with(fault), "{said}");
            assert_eq!(command.fault().as_ref(), Some(said));
        }
    }

    fn find(words: &[&str]) -> Command {
        Command::Ask(Ask::Find(Words::new(words.iter().map(|word| word.as_bytes())).unwrap()))
    }

    fn files(servent: Option<&str>, prefix: &str) -> Command {
        Command::Files { servent: servent.map(str::to_owned), prefix: prefix.as_bytes().to_vec() }
    }

    #[test]
    fn lines_about_files_and_what_they_ask_for() {
        let get = |words: &[&str]| {
            let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            Command::Get(GetOptions::read(words).unwrap())
        };
        for (line, expected) in [
            ("find", find(&[])),
            (" find \r\n", find(&[])),
            ("find farol  barra", find(&["farol", "barra"])),
            ("find 'the lighthouse' \"of\" b\\ c", find(&["the lighthouse", "of", "b c"])),
            ("find # 1", find(&["#", "1"])),
            ("find find", find(&["find"])),
            ("find -- -h", find(&["-h"])),
            ("find a -- -- --help", find(&["a", "--", "--help"])),
            ("find -x", find(&["-x"])),
            ("ls -- -h", files(None, "-h")),
            ("ls 127.0.0.1:9002 -- --help", files(Some("127.0.0.1:9002"), "--help")),
            ("get -- -h", get(&["--", "-h"])),
            ("ls", files(None, "")),
            ("ls films/", files(None, "films/")),
            ("ls 'films/a b'", files(None, "films/a b")),
            ("ls 127.0.0.1:9002", files(Some("127.0.0.1:9002"), "")),
            ("ls :9002", files(None, ":9002")),
            ("ls [::1]:9002 films/", files(Some("[::1]:9002"), "films/")),
            ("ls localhost:9002 'a b'", files(Some("localhost:9002"), "a b")),
            ("ls tp3://h:9", files(Some("tp3://h:9"), "")),
            // What has no colon is the beginning of a name, though it could be a port.
            ("ls 9002", files(None, "9002")),
            ("ls a:b", files(None, "a:b")),
            ("get farol.mp4", get(&["farol.mp4"])),
            ("get 'a b' c -o x", Command::BadWords("get: -o names one file, and 2 contents are asked for".to_owned())),
            ("get 'a b' -o 'c d' -f", get(&["a b", "-o", "c d", "-f"])),
            (":get 2 -f", Command::GetFound(vec![b"2".to_vec(), b"-f".to_vec()])),
            (":get", Command::GetFound(Vec::new())),
            ("Find a", Command::Unknown),
            ("LS", Command::Unknown),
            ("gets a", Command::Unknown),
            (":gets", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(Command::parse(b"ls caf\xe9"), Command::Files { servent: None, prefix: b"caf\xe9".to_vec() });
        let Command::Ask(Ask::Find(words)) = Command::parse(b"find caf\xe9") else { panic!("it is one") };
        assert_eq!(words.each().collect::<Vec<_>>(), [b"caf\xe9"]);
    }

    #[test]
    fn every_command_that_takes_words_says_how_it_is_used() {
        for (usage, lines) in [
            (Usage::Find, &["find -h", "find barra --help", "find '-h'", "help find"][..]),
            (Usage::Get, &["get -h", "get --help", "get a -o -h", ":get -h", "help get", "help :get"]),
            (Usage::Files, &["ls -h", "ls 127.0.0.1:9002 --help", "help ls"]),
            (Usage::Members, &["M -h", "M --help", "help M"]),
            (Usage::Greet, &["hello -h", "hello --help", "help hello"]),
            (Usage::Put, &["put -h", "put --help tea", "help put"]),
            (Usage::Delete, &["del -h", "del tea --help", "help del"]),
            (Usage::Publish, &["publish -h", "publish --help", "help publish"]),
            (Usage::Unpublish, &["unpublish -h", "unpublish 'a b' --help", "help unpublish"]),
            (Usage::Watch, &["watch -h", "watch tea --help", "help watch"]),
        ] {
            for line in lines {
                assert_eq!(Command::parse(line.as_bytes()), Command::HelpOf(usage), "{line}");
            }
            let (text, name) = (usage.text(), usage.name());
            assert!(text.starts_with(&format!("Usage: {name} ")), "{text}");
            let (_, entry) = text.split_once(&format!("\n{name} ")).unwrap();
            assert!(entry.contains("such as:"), "with its example: {text}");
            assert!(HELP.contains(&format!("\n{name} {entry}")), "all that is told of it, and no more: {text}");
        }
        let get = Usage::Get.text();
        for option in ["-o <FILE>", "-f ", "--from <IP:PORT>", "--sources <FILE>", "--wait <TIME>", "[default: 30s]"] {
            assert!(get.contains(option), "{option}: {get}");
        }
        for line in ["T -h", "Q -h", "help me", "help find ls", "help x", "-h", ":ls -h"] {
            assert_eq!(Command::parse(line.as_bytes()), Command::Unknown, "{line}");
        }
        for line in ["help ?", "help T", "help Q", "help help"] {
            assert_eq!(Command::parse(line.as_bytes()), Command::Help, "{line}");
        }
        assert_eq!(Command::parse(b"? -h"), key(b"-h"));
    }

    fn key_of(bytes: &[u8]) -> Key {
        Key::new(bytes).unwrap()
    }

    fn put(key: &[u8], value: &[u8]) -> Command {
        Command::Write(Change::Put { key: key_of(key), value: value.into() })
    }

    #[test]
    fn lines_about_what_is_kept_and_watched() {
        let name = |name: &[u8]| FileName::new(name).unwrap();
        let publish = |of: &[u8], text: &[u8]| Command::Write(Change::Publish { name: name(of), text: text.into() });
        let unpublish = |of: &[u8]| Command::Write(Change::Unpublish { name: name(of) });
        let file = |file: &[u8]| Command::PutFile { key: key_of(b"tea"), file: file.to_vec() };
        let delete = |key: &[u8]| Command::Write(Change::Delete { key: key_of(key) });
        let watch = |keys: &[&[u8]]| Command::Watch(keys.iter().map(|key| key_of(key)).collect());
        for (line, expected) in [
            (&b"put tea green, 80 \xc2\xb0C"[..], put(b"tea", b"green, 80 \xc2\xb0C")),
            // As a line of a data file is read.
            (b"  put\ttea \t a\tb  c \t\r\n", put(b"tea", b"a\tb  c")),
            (b"put t\xff \xfe\0'", put(b"t\xff", b"\xfe\0'")),
            (b"put tea brew -h", put(b"tea", b"brew -h")),
            (b"put -- -h tea", put(b"-h", b"tea")),
            (b"put -- -- tea", put(b"--", b"tea")),
            (b"put 'a b' c", put(b"a b", b"c")),
            (b"put \"a b\" 'c\" d'", put(b"a b", b"'c\" d'")),
            (b"put it\\'s a\\b", put(b"it's", b"a\\b")),
            (b"put #1 # 2", put(b"#1", b"# 2")),
            (b"put @tea @@green", put(b"@tea", b"@green")),
            (b"put tea @@", put(b"tea", b"@")),
            (b"put tea @@@", put(b"tea", b"@@")),
            (b"put tea a@b", put(b"tea", b"a@b")),
            (b"put tea @a b/c\xff ", file(b"a b/c\xff")),
            (b"del tea", delete(b"tea")),
            (b"del -- -h", delete(b"-h")),
            (b"del -x", delete(b"-x")),
            (b"del \"a b\"", delete(b"a b")),
            (b"publish farol.mp4", publish(b"farol.mp4", b"")),
            (b"publish farol.mp4  -d  the  'lighthouse' -d \r\n", publish(b"farol.mp4", b"the  'lighthouse' -d")),
            (b"publish 'a b' -d\tat dusk -h", publish(b"a b", b"at dusk -h")),
            (b"publish a\\ b\"c d\"", publish(b"a bc d", b"")),
            (b"publish -- -h -d x", publish(b"-h", b"x")),
            (b"publish -d -d x", publish(b"-d", b"x")),
            (b"unpublish farol.mp4", unpublish(b"farol.mp4")),
            (b"unpublish -- 'a b'", unpublish(b"a b")),
            (b"watch kernel", watch(&[b"kernel"])),
            (b"watch a -- -h b", watch(&[b"a", b"-h", b"b"])),
            (b"watch \"a b\" x", watch(&[b"a b", b"x"])),
            (b"Put a b", Command::Unknown),
            (b"delete a", Command::Unknown),
            (b"puts", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{}", String::from_utf8_lossy(line));
        }
        let many = format!("watch{}", " k".repeat(WATCHES_PER_CLIENT_MAX + 1));
        for (line, fault) in [
            ("put", "put takes a key and a value, such as: put tea green"),
            ("put tea", "put takes a value behind the key, such as: put tea green; an empty one is put from"),
            ("put -- tea ", "put takes a value behind the key"),
            ("put 'a b'", "put takes a value behind the key"),
            ("put 'a b", "a quote ' that does not end"),
            ("del tea milk", "del takes one key; one with blanks is quoted"),
            ("watch \"a b", "a quote \" that does not end"),
            ("put tea @", "an @ with no file behind it; a value that begins with one has two"),
            ("del", "del takes a key, such as: del tea"),
            ("watch", "watch takes keys, such as: watch kernel"),
            (&many, "65 keys; 64 are watched at the most"),
            ("publish", "publish takes the name of a file, such as: publish barra.mp4 -d at dusk"),
            ("publish --", "publish takes the name of a file"),
            ("publish a b", "publish takes one name, and -d before what is said of it"),
            ("publish a -dx", "publish takes one name, and -d before what is said of it"),
            ("publish a -d", "publish: there is nothing behind -d"),
            ("publish 'a", "a quote ' that does not end"),
            ("publish ''", "the name is empty"),
            ("unpublish", "unpublish takes the name of a file, such as: unpublish barra.mp4"),
            ("unpublish a b", "unpublish takes the name of a file"),
            ("unpublish a\0b", "the name has a NUL in it"),
        ] {
            let command = Command::parse(line.as_bytes());
            let Command::BadWords(said) = &command else { panic!("{line}: {command:?}") };
            assert!(said.starts_with(fault), "{line}: {said}");
            assert_eq!(command.fault().as_ref(), Some(said));
        }
        for before in ["put", "del", "watch tea"] {
            let line = format!("{before} {} v", "k".repeat(KEY_BYTES_MAX + 1));
            let line = line.strip_suffix(" v").filter(|_| before == "del").unwrap_or(&line);
            assert_eq!(Command::parse(line.as_bytes()), Command::BadKey(KeyError::TooLong(KEY_BYTES_MAX + 1)));
        }
    }

    #[test]
    fn words_about_files_that_make_no_sense_are_told_why() {
        let long = format!("find {}", "w".repeat(FIND_WORD_BYTES_MAX + 1));
        for (line, fault) in [
            ("find 'a", "a quote ' that does not end"),
            ("find a\\", "a backslash with nothing behind it"),
            ("find \"\"", "an empty word is in every name: find without words tells of all files"),
            ("find a '' b", "an empty word is in every name"),
            ("find -h 'a", "a quote ' that does not end"),
            ("find 1 2 3 4 5 6 7 8 9", "9 words; 8 are the most"),
            (&long, "a word of "),
            ("find a\0b", "a word with a NUL in it"),
            ("ls 1.2.3.4:9 a b", "ls takes an address and the beginning of a name, and no more"),
            ("ls a b", "`a` has no port"),
            ("ls 9002 a", "ls takes an address as HOST:PORT before the beginning of a name"),
            ("ls \"a", "a quote \" that does not end"),
            ("get", "get takes a name or the first 8 digits of a hash"),
            ("get 'a", "a quote ' that does not end"),
            ("get a --from", "get: "),
            (":get 'a", "a quote ' that does not end"),
        ] {
            let command = Command::parse(line.as_bytes());
            let Command::BadWords(said) = &command else { panic!("{line}: {command:?}") };
            assert!(said.starts_with(fault), "{line}: {said}");
            assert_eq!(command.fault().as_ref(), Some(said));
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_told_apart_from_an_unknown_command() {
        for start in [&b"? "[..], b"?"] {
            let line = [start, &[b'k'; KEY_BYTES_MAX + 1]].concat();
            assert_eq!(Command::parse(&line), Command::BadKey(KeyError::TooLong(KEY_BYTES_MAX + 1)));
        }
    }
}
