//! The few things of a text that matter before it is parsed: brackets, lines, and texts that are
//! not closed. One pass over bytes; everything inside texts and comments is skipped.

/// How deep `${…}` with texts in them may stand in each other before it counts as a mistake.
pub(crate) const MAX_TEXT_DEPTH: usize = 16;

/// How many texts of one line are followed to its end in vain before the rest of it counts as text.
const MAX_UNCLOSED: usize = 32;

/// How far the end of a text in another tool's form is looked for.
const MAX_HEREDOC_LINES: usize = 1000;

/// Something that the structure of a text depends on. Positions are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `{`, `[` or `(`.
    Open(usize),
    /// `}`, `]` or `)`.
    Close(usize),
    /// A line starts here; also given for the first one.
    Line(usize),
    /// A text that begins at the quote `at` is not closed; it is taken to end before `end`.
    OpenText {
        /// The opening quote.
        at: usize,
        /// Where the closing quote is supposed to be.
        end: usize,
        /// Whether it is a block text.
        block: bool,
    },
    /// A line of a block text begins in column 0.
    FlatText(usize),
    /// A `${` on this text's line is not closed, but the text is.
    OpenInterpolation {
        /// The dollar sign.
        at: usize,
        /// The quote that closes the text.
        end: usize,
    },
    /// A text stands too deep in texts, at its opening quote.
    DeepText(usize),
    /// `/* … */` or `<<EOF … EOF`, which the language does not have.
    Foreign {
        /// Its first byte.
        at: usize,
        /// One past its last byte.
        end: usize,
    },
}

/// The events of a text, in order.
pub(crate) struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
    /// The opening brackets of the current line that are still open.
    opened: Vec<u8>,
    begun: bool,
    /// Lines of the last block text that begin in column 0.
    flat: Vec<usize>,
    /// The end of the line that was looked at last.
    line_end: usize,
    /// How many texts of the current line have no end.
    unclosed: usize,
    /// There is no `*/` from here on.
    no_star_slash: bool,
}

impl<'t> Scan<'t> {
    /// Starts at the first byte.
    pub(crate) fn new(text: &'t str) -> Scan<'t> {
        Scan {
            bytes: text.as_bytes(),
            at: 0,
            opened: Vec::new(),
            begun: false,
            flat: Vec::new(),
            line_end: 0,
            unclosed: 0,
            no_star_slash: false,
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The end of the line that a byte stands in.
    fn line_end(&mut self, at: usize) -> usize {
        if self.line_end <= at {
            self.line_end = line_end(self.bytes, at);
        }
        self.line_end
    }

    fn quote(&mut self, at: usize) -> Option<Event> {
        let raw = is_raw(self.bytes, at);
        if self.bytes[at..].starts_with(b"\"\"\"") {
            return self.block(at, raw);
        }
        let line_end = self.line_end(at);
        let line = self.bytes.get(..line_end).unwrap_or(&[]);
        match text_end(line, at, raw, 0) {
            Ok(end) => {
                self.at = end;
                None
            }
            Err(Unclosed::TooDeep(deep)) => {
                self.at = self.before_closers(at + 1, line_end);
                Some(Event::DeepText(deep))
            }
            Err(Unclosed::Open) => {
                self.unclosed += 1;
                if self.unclosed <= MAX_UNCLOSED
                    && let Some((at, end)) = open_interpolation(line, at, raw)
                {
                    self.at = end + 1;
                    return Some(Event::OpenInterpolation { at, end });
                }
                let end = self.before_closers(at + 1, line_end);
                self.at = end;
                Some(Event::OpenText { at, end, block: false })
            }
        }
    }

    /// Where an unclosed text probably ends: at the end of its line, but before the brackets there
    /// that close what the line opened.
    fn before_closers(&self, from: usize, line_end: usize) -> usize {
        let mut end = line_end;
        let mut kept = end;
        for open in self.opened.iter().rev() {
            while end > from && matches!(self.byte(end - 1), b' ' | b'\t' | b'\r' | b',') {
                end -= 1;
            }
            if end <= from || self.byte(end - 1) != closer(*open) {
                break;
            }
            end -= 1;
            kept = end;
        }
        while kept > from && matches!(self.byte(kept - 1), b' ' | b'\t' | b'\r') {
            kept -= 1;
        }
        kept
    }

    /// The end of `/* … */`, or of the two signs when nothing closes them.
    fn slash_star(&mut self, at: usize) -> Event {
        let rest = self.bytes.get(at + 2..).unwrap_or(&[]);
        let length = if self.no_star_slash { None } else { find(rest, b"*/") };
        self.no_star_slash |= length.is_none();
        self.at = length.map_or(at + 2, |length| at + 4 + length);
        Event::Foreign { at, end: self.at }
    }

    /// `<<EOF` up to a line with `EOF` alone.
    fn heredoc(&mut self, at: usize) -> Option<Event> {
        let line_end = self.line_end(at);
        let marker = heredoc_marker(self.bytes.get(at + 2..line_end)?)?;
        let mut to = line_end;
        for _ in 0..MAX_HEREDOC_LINES {
            let next = self::line_end(self.bytes, (to + 1).min(self.bytes.len()));
            let line = self.bytes.get(to + 1..next)?;
            if line.trim_ascii() == marker {
                self.at = next;
                return Some(Event::Foreign { at, end: next });
            }
            to = next;
        }
        None
    }

    fn block(&mut self, at: usize, raw: bool) -> Option<Event> {
        let mut to = at + 3;
        while to < self.bytes.len() {
            match self.byte(to) {
                b'"' if self.bytes[to..].starts_with(b"\"\"\"") => {
                    self.at = to + 3;
                    return None;
                }
                b'\\' if !raw => to += 1 + usize::from(self.byte(to + 1) != b'\n'),
                b'\n' => {
                    to += 1;
                    match self.byte(to) {
                        b' ' | b'\t' | b'\r' | b'\n' | b'"' | 0 => {}
                        _ if is_head(&self.bytes[to..]) => {
                            return self.open_block(at, to);
                        }
                        _ => self.flat.push(to),
                    }
                }
                _ => to += 1,
            }
        }
        self.open_block(at, self.bytes.len())
    }

    /// A block text without end: it is taken to end with the last line before `to`.
    fn open_block(&mut self, at: usize, to: usize) -> Option<Event> {
        self.flat.clear();
        let mut end = to.min(self.bytes.len());
        while end > at + 3 && self.byte(end - 1).is_ascii_whitespace() {
            end -= 1;
        }
        self.at = end;
        Some(Event::OpenText { at, end, block: true })
    }
}

impl Iterator for Scan<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if !self.begun {
            self.begun = true;
            return Some(Event::Line(0));
        }
        if let Some(at) = self.flat.pop() {
            return Some(Event::FlatText(at));
        }
        while let Some(at) = next_stop(self.bytes, self.at) {
            let byte = self.bytes[at];
            self.at = at + 1;
            match byte {
                b'\n' => {
                    self.opened.clear();
                    self.unclosed = 0;
                    return Some(Event::Line(self.at));
                }
                b'{' | b'[' | b'(' => {
                    self.opened.push(byte);
                    return Some(Event::Open(at));
                }
                b'}' | b']' | b')' => {
                    self.opened.pop();
                    return Some(Event::Close(at));
                }
                b'"' => {
                    if let Some(event) = self.quote(at) {
                        return Some(event);
                    }
                    if let Some(at) = self.flat.pop() {
                        return Some(Event::FlatText(at));
                    }
                }
                b'#' => self.at = self.line_end(at),
                b'/' if self.byte(self.at) == b'/' => self.at = self.line_end(at),
                b'/' if self.byte(self.at) == b'*' => {
                    return Some(self.slash_star(at));
                }
                b'<' if self.byte(self.at) == b'<' => {
                    if let Some(event) = self.heredoc(at) {
                        return Some(event);
                    }
                }
                _ => {}
            }
        }
        self.at = self.bytes.len();
        None
    }
}

/// Where the next byte stands that may begin an event: most bytes do not. These are the bytes that
/// [`Scan::next`] tells apart.
fn next_stop(bytes: &[u8], from: usize) -> Option<usize> {
    const STOPS: [bool; 256] = {
        let mut stops = [false; 256];
        let all = b"\n{[(}])\"#/<";
        let mut at = 0;
        while at < all.len() {
            stops[all[at] as usize] = true;
            at += 1;
        }
        stops
    };
    let length = bytes.get(from..)?.iter().position(|byte| STOPS[usize::from(*byte)])?;
    Some(from + length)
}

/// The bracket that closes this one.
pub(crate) fn closer(open: u8) -> u8 {
    match open {
        b'{' => b'}',
        b'[' => b']',
        _ => b')',
    }
}

/// The end of the line that `at` stands in, without the newline.
pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Whether a byte may stand in a word.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether the quote at `at` belongs to `r"`. An `r` at the end of a word does not count.
fn is_raw(bytes: &[u8], at: usize) -> bool {
    let letter = |back: usize| {
        let before = at.checked_sub(back).and_then(|at| bytes.get(at));
        before.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let minus = at >= 2 && bytes.get(at - 2) == Some(&b'-');
    at >= 1 && bytes.get(at - 1) == Some(&b'r') && !letter(2) && !(minus && letter(3))
}

/// Why a text has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unclosed {
    /// It is not closed on its line.
    Open,
    /// A text in it, which begins at this quote, stands too deep to be looked at.
    TooDeep(usize),
}

/// The end of a text in quotes that begins at `at`; the bytes end with its line.
fn text_end(line: &[u8], at: usize, raw: bool, depth: usize) -> Result<usize, Unclosed> {
    let mut to = at + 1;
    while let Some(byte) = line.get(to) {
        match byte {
            b'"' => return Ok(to + 1),
            b'\\' if !raw => to += 2,
            b'$' if !raw && line.get(to + 1) == Some(&b'{') => {
                to = interpolation_end(line, to + 1, depth + 1)?;
            }
            _ => to += 1,
        }
    }
    Err(Unclosed::Open)
}

/// Where `${` begins, and the quote that closes the text, when only the `}` is missing; the bytes
/// end with the line.
fn open_interpolation(bytes: &[u8], at: usize, raw: bool) -> Option<(usize, usize)> {
    let line = bytes.get(at..)?;
    let dollar = find(line, b"${")?;
    let quote = line.iter().skip(dollar).position(|b| *b == b'"')? + dollar;
    (!raw).then_some((at + dollar, at + quote))
}

/// The `EOF` of `<<-EOF`, from what follows the signs on the line. It looks no further than it has to,
/// since there may be many such signs on a line.
fn heredoc_marker(rest: &[u8]) -> Option<&[u8]> {
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let signs = rest[blanks..].iter().take_while(|b| matches!(b, b'-' | b'~')).count();
    let rest = &rest[blanks + signs..];
    let length = rest.iter().take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    let (marker, after) = rest.split_at(length);
    (length > 0 && after.iter().all(u8::is_ascii_whitespace)).then_some(marker)
}

/// Where `pattern` begins in `bytes`.
fn find(bytes: &[u8], pattern: &[u8; 2]) -> Option<usize> {
    bytes.windows(2).position(|window| window == pattern)
}

/// The end of the code of a line: what follows is a comment or blank.
pub(crate) fn code_end(bytes: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    let mut last = start;
    while at < end {
        match bytes.get(at) {
            Some(b'#') => break,
            Some(b'/') if bytes.get(at + 1) == Some(&b'/') => break,
            Some(b'"') if bytes[at..].starts_with(b"\"\"\"") => return end,
            Some(b'"') => {
                let line = bytes.get(..end).unwrap_or(bytes);
                at = text_end(line, at, is_raw(bytes, at), 0).unwrap_or(end);
                last = at;
                continue;
            }
            Some(byte) if !byte.is_ascii_whitespace() => last = at + 1,
            _ => {}
        }
        at += 1;
    }
    last
}

/// Where a text or a comment that begins at `at` ends; all of them end before `end` unless something
/// is wrong.
pub(crate) fn skipped(text: &str, at: usize, end: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(..end)?;
    match bytes.get(at..)? {
        [b'"', b'"', b'"', ..] => {
            let length = text.get(at + 3..end).and_then(|rest| rest.find("\"\"\""));
            Some(length.map_or(end, |length| at + length + 6))
        }
        [b'"', ..] => Some(text_end(bytes, at, is_raw(bytes, at), 0).unwrap_or(end)),
        [b'#', ..] | [b'/', b'/', ..] => Some(line_end(bytes, at)),
        _ => None,
    }
}

/// The end of `{…}` after a dollar sign; it has to close on its line.
fn interpolation_end(bytes: &[u8], at: usize, depth: usize) -> Result<usize, Unclosed> {
    let mut open = 0_usize;
    let mut to = at;
    while let Some(byte) = bytes.get(to) {
        match byte {
            b'{' => open += 1,
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Ok(to + 1);
                }
            }
            b'"' if depth < MAX_TEXT_DEPTH => {
                to = text_end(bytes, to, is_raw(bytes, to), depth)?;
                continue;
            }
            b'"' => return Err(Unclosed::TooDeep(to)),
            b'\n' => return Err(Unclosed::Open),
            _ => {}
        }
        to += 1;
    }
    Err(Unclosed::Open)
}

/// Statements that begin with a word of the language and have no body that must follow.
const KEYWORDS: [&[u8]; 12] = [
    b"let",
    b"param",
    b"output",
    b"type",
    b"use",
    b"fn",
    b"moved",
    b"adopt",
    b"forget",
    b"in",
    b"existing",
    b"import",
];

/// Whether a line looks like the first one of a top-level item: a keyword and a name, or a block
/// with its opening brace. An attribute does not.
pub(crate) fn is_head(line: &[u8]) -> bool {
    if !line.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return false;
    }
    let word = &line[..line.iter().position(|b| !is_word(*b)).unwrap_or(line.len())];
    let rest = &line[word.len()..line_end(line, 0)];
    let blank = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
    let (named, next) = (blank > 0, rest.get(blank).copied().unwrap_or(0));
    if KEYWORDS.contains(&word) {
        return named && (next.is_ascii_alphabetic() || next == b'_' || next == b'"');
    }
    match next {
        b'{' => true,
        b'"' | b'_' => named && rest.contains(&b'{'),
        next => named && next.is_ascii_alphabetic() && rest.contains(&b'{'),
    }
}
