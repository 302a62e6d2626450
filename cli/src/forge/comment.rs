//! The one comment of a plan: found by its marker and its author, made or brought up to date.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Method;

use super::ask::Api;
use super::{Forge, ForgeError, Place};

/// What the first line of a comment begins with.
const MARKER: &str = "[//]: # (tcloud:";

/// How often a forge is asked that is away or wants to be asked later.
const ATTEMPTS: u32 = 5;

/// The longest wait that a forge may ask for, in seconds.
const LONGEST_WAIT: u64 = 60;

/// Comments on one page. Forgejo and Gitea give all of them, or at most this many.
const PAGE: usize = 50;

/// More pages than any request to merge has.
const PAGES: usize = 200;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// There was none.
    Created,
    /// It said something else.
    Updated,
    /// It said the same.
    Unchanged,
}

/// A comment that there is once.
pub(crate) struct Sticky<'a> {
    place: &'a Place,
    text: &'a str,
    marker: &'a str,
}

impl Sticky<'_> {
    /// A text with a marker in its first line, which the forge takes.
    pub(crate) fn new<'a>(place: &'a Place, text: &'a str) -> Result<Sticky<'a>, ForgeError> {
        let marker = text.lines().next().map(str::trim_end).unwrap_or_default();
        if !marker.starts_with(MARKER) {
            return Err(ForgeError::NoMarker);
        }
        let (forge, most) = (place.forge.name(), place.forge.longest());
        if text.len() > most {
            return Err(ForgeError::TooLong { bytes: text.len(), forge, most });
        }
        Ok(Sticky { place, text, marker })
    }

    /// Makes it or brings it up to date. What fails for a moment is tried again from the beginning,
    /// so that a comment whose answer was lost is found and not made twice.
    pub(crate) fn write(&self) -> Result<Done, ForgeError> {
        let mut attempt = 1;
        loop {
            let error = match self.try_write() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let growing = 1 << (attempt - 1);
            let wait = match &error {
                ForgeError::Away { .. } => growing,
                // Zero is what it says, and asking at once is what it wants.
                ForgeError::Refused { again: Some(0), .. } => 0,
                ForgeError::Refused { again: Some(asked), .. } => growing.max(*asked),
                _ => return Err(error),
            };
            if attempt == ATTEMPTS || wait > LONGEST_WAIT {
                return Err(error);
            }
            tracing::info!("{error}; again in {wait} s");
            std::thread::sleep(Duration::from_secs(wait));
            attempt += 1;
        }
    }

    fn try_write(&self) -> Result<Done, ForgeError> {
        let api = Api::of(self.place);
        let authors = self.authors(&api)?;
        let body = json!({ "body": self.text });
        let Some((id, said)) = self.find(&api, &authors)? else {
            api.ask(Method::POST, &self.place.comments, Some(&body))?;
            return Ok(Done::Created);
        };
        if same(&said, self.text) {
            return Ok(Done::Unchanged);
        }
        let method = if self.place.forge == Forge::Gitlab { Method::PUT } else { Method::PATCH };
        api.ask(method, &format!("{}/{id}", self.place.comment), Some(&body))?;
        Ok(Done::Updated)
    }

    /// Whose comments are ours. The comment of anybody else with our marker is left alone: its author
    /// could change it afterwards, and readers would take it for ours.
    fn authors(&self, api: &Api<'_>) -> Result<Vec<String>, ForgeError> {
        if let Some(author) = &self.place.author {
            return Ok(vec![author.clone()]);
        }
        let robots = self.place.forge.robots();
        match api.ask(Method::GET, "/user", None) {
            Ok(user) => Ok(name(&user).map(str::to_owned).into_iter().collect()),
            // The token of a job may write comments, and not ask for its own name.
            Err(ForgeError::Refused { status: 403 | 404, again: None, .. })
                if !robots.is_empty() =>
            {
                Ok(robots.iter().map(|name| (*name).to_owned()).collect())
            }
            Err(error) => Err(error),
        }
    }

    /// Our comment: its number, and what it says.
    fn find(&self, api: &Api<'_>, authors: &[String]) -> Result<Option<(u64, String)>, ForgeError> {
        let mut seen = BTreeSet::new();
        for page in 1..=PAGES {
            let size = if self.place.forge == Forge::Forgejo { "limit" } else { "per_page" };
            let path = format!("{}?{size}={PAGE}&page={page}", self.place.comments);
            let answer = api.ask(Method::GET, &path, None)?;
            let garbled = || ForgeError::Garbled {
                forge: self.place.forge.name(),
                asked: format!("GET {}", self.place.comments),
            };
            let comments = answer.as_array().ok_or_else(garbled)?;
            let before = seen.len();
            for comment in comments {
                let id = comment["id"].as_u64().ok_or_else(garbled)?;
                let author = name(&comment["user"]).or_else(|| name(&comment["author"]));
                let is_ours = author.is_some_and(|own| authors.iter().any(|author| author == own));
                let text = comment["body"].as_str().unwrap_or_default();
                if is_ours && text.lines().next().is_some_and(|own| own.trim_end() == self.marker) {
                    return Ok(Some((id, text.to_owned())));
                }
                seen.insert(id);
            }
            // Those that know no pages give everything each time.
            if comments.len() < PAGE || seen.len() == before {
                break;
            }
        }
        Ok(None)
    }
}

/// What somebody is called.
fn name(user: &Value) -> Option<&str> {
    user["login"].as_str().or_else(|| user["username"].as_str())
}

/// Forges keep neither the ends of lines nor the end of a text as they were.
fn same(one: &str, other: &str) -> bool {
    one.trim_end().lines().eq(other.trim_end().lines())
}
