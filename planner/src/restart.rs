//! Whether a guest is stopped and started for what it cannot take while it runs.

use tcloud_model::{Fields, Moment, Timestamp, Window};

/// What the text says of one guest, at one time.
#[derive(Debug, PartialEq)]
pub(crate) enum Restart {
    /// It is left alone; when its window opens, if it has one.
    Waits(Option<Moment>),
    /// It is stopped and started; until when that may begin, if it is for its window.
    Now(Option<Moment>),
}

impl Restart {
    pub(crate) fn of(attributes: &Fields, now: Timestamp) -> Restart {
        match attributes.text("restart") {
            None | Some("pending") => Restart::Waits(None),
            Some("now") => Restart::Now(None),
            // The compiler has read it as a window; what is none opens never.
            Some(text) => match Window::parse(text) {
                Ok(window) => match window.open_until(now) {
                    Some(until) => Restart::Now(Some(until)),
                    None => Restart::Waits(window.next_opening(now)),
                },
                Err(_) => Restart::Waits(None),
            },
        }
    }
}
