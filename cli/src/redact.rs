//! The one filter before everything that leaves the process: secrets that were read are taken out,
//! as they are and in the forms in which programs write texts down.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tcloud_model::Value;

/// What stands where a secret stood.
const INSTEAD: &str = "(secret)";

/// The shortest text that is hidden. What is shorter could be any word, and hiding it would only
/// show where it is.
const SHORTEST: usize = 3;

/// The shortest form in Base64 or in hexadecimal digits that is hidden, in bytes.
const SHORTEST_FORM: usize = 6;

/// The shortest line of a secret that is hidden by itself, in bytes: one of a key, not a brace.
const SHORTEST_LINE: usize = 8;

/// The secrets that this process has read.
static PROCESS: Redactor = Redactor::new();

/// The filter of this process: panics and logs have nobody to pass them another one.
pub(crate) fn process() -> &'static Redactor {
    &PROCESS
}

/// Secrets, and how to find them.
pub(crate) struct Redactor(Mutex<Known>);

struct Known {
    forms: BTreeSet<String>,
    /// Finds all forms at once; `None` before the first one.
    finder: Option<AhoCorasick>,
}

impl Redactor {
    pub(crate) const fn new() -> Redactor {
        Redactor(Mutex::new(Known { forms: BTreeSet::new(), finder: None }))
    }

    /// From now on this is a secret.
    pub(crate) fn note(&self, secret: &str) {
        let mut known = self.known();
        let before = known.forms.len();
        known.forms.extend(forms(secret));
        if known.forms.len() > before {
            let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).to_owned();
            // Fails only beyond two billion patterns.
            known.finder = builder.build(&known.forms).ok();
        }
    }

    /// The text without secrets.
    pub(crate) fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = self.known();
        let Some(finder) = &known.finder else { return text.into() };
        if !finder.is_match(text) {
            return text.into();
        }
        let mut clean = String::with_capacity(text.len());
        finder.replace_all_with(text, &mut clean, |_, _, clean| {
            clean.push_str(INSTEAD);
            true
        });
        clean.into()
    }

    /// The same JSON without secrets. A secret is a text, and stands in texts alone: names of
    /// fields, numbers and signs that look like one are none, and stay as they are.
    pub(crate) fn scrub_json<'t>(&self, json: &'t str) -> Cow<'t, str> {
        if self.known().finder.is_none() {
            return json.into();
        }
        let mut clean = String::with_capacity(json.len());
        let mut rest = json;
        while let Some(start) = rest.find('"') {
            let (before, from) = rest.split_at(start);
            let (text, after) = from.split_at(text_length(from));
            clean.push_str(before);
            match after.trim_start().starts_with(':') {
                true => clean.push_str(text),
                false => clean.push_str(&self.scrub_json_text(text)),
            }
            rest = after;
        }
        clean.push_str(rest);
        clean.into()
    }

    /// One text of JSON, with its quotes. What it says is searched, however it is written.
    fn scrub_json_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Ok(said) = serde_json::from_str::<String>(text) else { return self.scrub(text) };
        match self.scrub(&said) {
            Cow::Borrowed(_) => text.into(),
            Cow::Owned(clean) => serde_json::Value::from(clean).to_string().into(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the text is that JSON begins with, in bytes, with its quotes.
fn text_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

/// All that is looked for because of one secret.
fn forms(secret: &str) -> BTreeSet<String> {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    let plain = std::iter::once(secret).chain(std::iter::once(secret.trim())).chain(lines);
    let plain: BTreeSet<&str> = plain.filter(|text| text.len() >= SHORTEST).collect();
    let mut all = BTreeSet::new();
    for text in plain {
        let encoded = in_base64(text.as_bytes()).chain(in_hex(text.as_bytes()));
        all.extend(encoded.filter(|form| form.len() >= SHORTEST_FORM));
        all.extend(escaped(text).filter(|form| form.len() >= SHORTEST));
        all.insert(text.to_owned());
    }
    all
}

/// In Base64, wherever in a longer text it begins: three bytes become four letters, so there are
/// three ways. Letters that depend on what stands around it are left out.
fn in_base64(secret: &[u8]) -> impl Iterator<Item = String> {
    let at = |before: usize| {
        let padded = [vec![0; before], secret.to_vec()].concat();
        let letters = STANDARD_NO_PAD.encode(&padded);
        let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        letters.get(first..end).unwrap_or_default().to_owned()
    };
    let all = (0..3).map(at).collect::<Vec<String>>().into_iter();
    all.flat_map(|letters| [letters.replace('+', "-").replace('/', "_"), letters])
}

fn in_hex(secret: &[u8]) -> impl Iterator<Item = String> {
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    [digits.to_uppercase(), digits].into_iter()
}

/// As texts stand in URLs, XML, JSON, messages for developers, shells, and in `.tcloud` text.
fn escaped(secret: &str) -> impl Iterator<Item = String> {
    let inner = |quoted: String| {
        let inner = quoted.get(1..quoted.len().saturating_sub(1));
        inner.unwrap_or_default().to_owned()
    };
    let json = inner(serde_json::Value::from(secret).to_string());
    let ascii = |wide: fn(u16) -> String| {
        json.chars().fold(String::new(), |mut ascii, c| {
            match c.is_ascii() {
                true => ascii.push(c),
                false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    ascii.push_str(&wide(*unit));
                }),
            }
            ascii
        })
    };
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quotes = |double: &str, single: &str| xml.replace('"', double).replace('\'', single);
    let url = percent(secret, |byte| format!("%{byte:02X}"));
    // `.tcloud` text writes a dollar otherwise before a brace.
    let before_brace = inner(Value::text(&format!("{secret}{{")).to_string());
    [
        url.replace("%20", "+"),
        url,
        percent(secret, |byte| format!("%{byte:02x}")),
        quotes("&quot;", "&apos;"),
        quotes("&quot;", "&#39;"),
        quotes("&quot;", "&#x27;"),
        quotes("&quot;", "'"),
        quotes("&#34;", "&#39;"),
        xml,
        ascii(|unit| format!("\\u{unit:04x}")),
        ascii(|unit| format!("\\u{unit:04X}")),
        json.replace('/', "\\/"),
        json,
        inner(format!("{secret:?}")),
        inner(Value::text(secret).to_string()),
        before_brace.strip_suffix('{').unwrap_or_default().to_owned(),
        crate::escape::escape(secret).into_owned(),
        secret.replace('\'', "'\\''"),
        secret.replace('\'', "''"),
        secret.replace('\n', "\\n"),
    ]
    .into_iter()
}

/// With every byte written out that is not unreserved in RFC 3986.
fn percent(secret: &str, written: fn(u8) -> String) -> String {
    secret.bytes().fold(String::new(), |mut url, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                url.push(char::from(byte));
            }
            byte => url.push_str(&written(byte)),
        }
        url
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        secrets.iter().for_each(|secret| redactor.note(secret));
        redactor
    }

    #[test]
    fn what_was_read_is_hidden_the_longest_first_and_short_words_are_not() {
        let redactor = redactor(&["abc", "abcdef", "x", ""]);
        assert_eq!(redactor.scrub("abcdef abc x"), "(secret) (secret) x");
        assert_eq!(redactor.scrub("nothing"), "nothing");
        let dollar = self::redactor(&["pay-in-$"]);
        assert_eq!(dollar.scrub(&Value::text("pay-in-${").to_string()), "\"(secret){\"");
    }

    #[test]
    fn each_line_of_a_key_is_hidden() {
        let key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2Vw\nqqqqqqqqqqqq\n-----END KEY-----\n";
        let redactor = redactor(&[key]);
        assert_eq!(redactor.scrub("bad line `qqqqqqqqqqqq`"), "bad line `(secret)`");
        let indented = key.replace('\n', "\n  ");
        assert_eq!(
            redactor.scrub(&indented).split_whitespace().collect::<Vec<_>>(),
            ["(secret)"; 4]
        );
    }

    #[test]
    fn json_stays_json_and_only_its_texts_are_searched() {
        let redactor = redactor(&["5432", "port", "true", "\":\"", "n0pe", "a\"b", "ö\u{202e}\n"]);
        for (json, clean) in [
            (
                r#"{"port":5432,"on":true,"to":"5432"}"#,
                r#"{"port":5432,"on":true,"to":"(secret)"}"#,
            ),
            (r#"{"port" : "x\n0pe", "a":"b"}"#, r#"{"port" : "x\n0pe", "a":"b"}"#),
            (
                r#"["a\"b", "a\u0022b", "\\", "a\\\"b"]"#,
                r#"["(secret)", "(secret)", "\\", "(secret)"]"#,
            ),
            (r#"["\u00f6\u202e\n", "ö\u202e\u000a"]"#, r#"["(secret)", "(secret)"]"#),
            ("[\"port", "[\"(secret)"),
        ] {
            assert_eq!(redactor.scrub_json(json), clean);
        }
    }

    proptest! {
        #[test]
        fn any_json_stays_json_whatever_the_secrets_are(
            secrets in proptest::collection::vec("[a-c0-3\"\\\\:,{}\n]{1,6}", 1..4),
            texts in proptest::collection::vec("[a-c0-3\"\\\\:,{}\nä]{0,12}", 1..6), number: u16,
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let redactor = redactor(&secrets);
            let whole = serde_json::json!({ "ab": texts, "12": number, "c": { "a": true } });
            let mut expected = whole.clone();
            for text in expected["ab"].as_array_mut().expect("a list") {
                *text = redactor.scrub(text.as_str().expect("a text")).into();
            }
            for json in [whole.to_string(), format!("{whole:#}")] {
                let clean = redactor.scrub_json(&json).into_owned();
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).ok(), Some(expected.clone()));
            }
        }

        #[test]
        fn no_form_of_a_secret_survives(
            secret in "[ -~äß€\u{1f600}\n\t]{8,40}", before in ".{0,9}", after in ".{0,9}",
        ) {
            prop_assume!(secret.trim().len() >= 8 && !INSTEAD.contains(secret.trim()));
            let redactor = redactor(&[&secret]);
            let whole = format!("{before}{secret}{after}");
            let json = serde_json::Value::from(&*whole).to_string();
            let hex: String = whole.bytes().map(|byte| format!("{byte:02x}")).collect();
            let (standard, url) = (STANDARD.encode(&whole), URL_SAFE.encode(&whole));
            let written = Value::text(&whole).to_string();
            for text in [whole.clone(), json, hex, standard, url, format!("{whole:?}"), written] {
                let clean = redactor.scrub(&text);
                prop_assert!(clean.contains(INSTEAD), "{text} -> {clean}");
                for form in forms(&secret).iter().filter(|form| form.len() >= 8) {
                    prop_assert!(!clean.contains(form.as_str()), "{clean} has {form}");
                }
            }
        }
    }
}
