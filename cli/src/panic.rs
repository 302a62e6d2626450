//! What is said when tcloud itself is wrong.

use std::io::Write;
use std::panic::PanicHookInfo;

use crate::escape::escape;
use crate::redact;

/// The exit code of a bug, the one that Rust programs end with.
pub(crate) const EXIT: u8 = 101;

/// The most that is shown of a message; it is for us, and may hold a part of a user's text.
const LONGEST: usize = 300;

/// Explains a panic in the user's terms instead of printing a trace.
pub(crate) fn explain() {
    std::panic::set_hook(Box::new(|info| {
        let text = describe(info);
        // Nothing can be done when standard error is gone too.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    // Before it is cut: half a secret would not be found.
    let message = redact::process().scrub(&message);
    let short: String = message.chars().take(LONGEST).collect();
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}", place.file(), place.line()),
    );
    format!(
        "\nBUG in tcloud {}: {}\n  at {place}\n\nThis is not your fault. What was begun is in the \
         journal: the next `tcloud apply` finishes or\nundoes it. Please report the lines above; \
         they hold no secrets.\n",
        env!("CARGO_PKG_VERSION"),
        escape(short.trim_start_matches("BUG: ")),
    )
}
