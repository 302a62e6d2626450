//! What is going on while a plan is applied: on a terminal one bar and the steps that have run
//! longest, in a few lines however many steps there are; elsewhere one line for each step that ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::escape::escape;
use crate::redact;
use crate::terminal::{Terminal, Tone};
use crate::view::layout::count;

/// How many running steps are shown.
const RUNNING: usize = 6;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It did what it should.
    Done,
    /// It failed.
    Failed,
    /// It was not tried.
    Skipped,
    /// Nobody knows.
    Unknown,
}

impl Ended {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Failed => "failed",
            Ended::Skipped => "skipped",
            Ended::Unknown => "unknown",
        }
    }

    /// Its tone.
    pub(crate) fn tone(self) -> Tone {
        match self {
            Ended::Done => Tone::Good,
            Ended::Failed => Tone::Danger,
            Ended::Skipped | Ended::Unknown => Tone::Warning,
        }
    }
}

/// The progress of a run.
pub(crate) struct Progress<'a> {
    terminal: &'a Terminal,
    screen: Option<Screen>,
    /// By the order in which they began: the slowest are the first.
    running: BTreeMap<u64, Running>,
    begun: u64,
    failed: usize,
}

/// A step that runs.
struct Running {
    step: u32,
    text: String,
    since: Instant,
}

struct Screen {
    bars: MultiProgress,
    whole: ProgressBar,
    lines: Vec<ProgressBar>,
}

impl Screen {
    fn new(total: usize, what: &str) -> Screen {
        let bars = MultiProgress::new();
        let whole = bars.add(ProgressBar::new(total as u64));
        // The templates are constants; should one be wrong, the default is drawn instead.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len}  {elapsed}{msg}")
        {
            whole.set_style(style.progress_chars("##-"));
        }
        whole.set_prefix(what.to_owned());
        whole.enable_steady_tick(Duration::from_millis(250));
        let lines = (0..=RUNNING).map(|_| {
            let line = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            line
        });
        let lines = lines.collect();
        Screen { bars, whole, lines }
    }
}

impl<'a> Progress<'a> {
    /// Progress over so many steps; without any, only what is said is shown.
    pub(crate) fn new(terminal: &'a Terminal, total: usize, what: &str) -> Progress<'a> {
        let screen = (terminal.animated && total > 0).then(|| Screen::new(total, what));
        Progress { terminal, screen, running: BTreeMap::new(), begun: 0, failed: 0 }
    }

    /// A step began.
    pub(crate) fn began(&mut self, step: u32, text: String) {
        self.running.insert(self.begun, Running { step, text, since: Instant::now() });
        self.begun += 1;
        self.draw();
    }

    /// A step is tried again.
    pub(crate) fn again(&mut self, step: u32, why: &str) {
        if let Some(running) = self.running.values().find(|running| running.step == step) {
            self.say(&format!("  again    {}: {}", running.text, escape(why)));
        }
    }

    /// A step ended; `text` says what it was about, `why` why it did not do what it should.
    pub(crate) fn ended(&mut self, step: u32, how: Ended, text: &str, why: Option<&str>) {
        self.running.retain(|_, running| running.step != step);
        if matches!(how, Ended::Failed | Ended::Unknown) {
            self.failed += 1;
        }
        if let Some(screen) = &self.screen {
            screen.whole.inc(1);
        }
        // On a terminal only what went wrong leaves a line behind; the closing account names what was
        // skipped, which after a stop may be nearly everything.
        if self.screen.is_none() || matches!(how, Ended::Failed | Ended::Unknown) {
            let word = self.terminal.error_palette.paint(how.tone(), &format!("{:<8}", how.word()));
            let why = why.map(|why| format!(": {}", escape(why))).unwrap_or_default();
            self.say(&format!("  {word} {text}{why}"));
        }
        self.draw();
    }

    /// Says something among the progress.
    pub(crate) fn say(&self, text: &str) {
        match &self.screen {
            // Fails only when the terminal is gone, and then nobody misses the line.
            Some(screen) => drop(screen.bars.println(redact::process().scrub(text))),
            None => self.terminal.note(text),
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(self) {
        if let Some(screen) = self.screen {
            screen.lines.iter().for_each(ProgressBar::finish_and_clear);
            screen.whole.finish_and_clear();
        }
    }

    /// Draws again, also when nothing happened: time passes.
    pub(crate) fn draw(&self) {
        let Some(screen) = &self.screen else { return };
        let shown = self.running.values().take(RUNNING);
        let mut texts: Vec<String> = shown
            .map(|running| format!("{:>9}  {}", passed(running.since.elapsed()), running.text))
            .collect();
        if self.running.len() > RUNNING {
            texts.push(format!("{:11}and {} more", "", self.running.len() - RUNNING));
        }
        for (at, line) in screen.lines.iter().enumerate() {
            line.set_message(texts.get(at).cloned().unwrap_or_default());
        }
        let failed = if self.failed == 0 {
            String::new()
        } else {
            format!(
                "  {}",
                self.terminal.error_palette.paint(Tone::Danger, &count(self.failed, "failure"))
            )
        };
        screen.whole.set_message(failed);
    }
}

/// How long something has taken: `7 s`, `12 min`.
fn passed(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_two_units() {
        assert_eq!(passed(Duration::from_millis(900)), "0 s");
        assert_eq!(passed(Duration::from_secs(119)), "119 s");
        assert_eq!(passed(Duration::from_secs(120)), "2 min");
    }
}
