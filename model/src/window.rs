//! When a guest may be restarted: on which days, from when to when, by the clock of which place.
//!
//! The rules of all time zones are compiled in, so that a text means the same on every machine and
//! nothing is read for it. Times that no clock shows, since it was put forward over them, count as
//! the moment of that change; of times that it shows twice the first counts.

use std::fmt;
use std::sync::LazyLock;

pub use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, ZonedDateTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::diagnostic::nearest;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// Minutes of a day.
const DAY: i16 = 24 * 60;

/// `Sat 20:00-24:00 Europe/Berlin`
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The days on which it begins.
    days: Vec<Weekday>,
    /// Minutes after midnight.
    begin: i16,
    /// Minutes after the same midnight; beyond [`DAY`] when it goes over the next one.
    end: i16,
    zone: TimeZone,
}

/// A moment as a clock of the window's zone shows it: `Sat 2026-11-28 20:00 Europe/Berlin`. Every
/// change of a plan has room for two, and hardly any has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment(Box<ZonedDateTime>);

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWindow {
    /// What is wrong, as the end of a sentence that names the text.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl Window {
    /// Reads `DAYS BEGIN-END ZONE`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Window, NoWindow> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (days, times, zone) = match parts[..] {
            [days, times, zone] => (days, times, Some(zone)),
            [days, times] => (days, times, None),
            _ => {
                let help = "write days, times and a time zone: `Sat 20:00-24:00 Europe/Berlin`";
                return Err(wrong("is no window", help));
            }
        };
        let read_days = parse_days(days)?;
        let (begin, end) = parse_times(times)?;
        let Some(zone) = zone else {
            let help = format!("write where: `{days} {times} Europe/Berlin`, or `UTC`");
            return Err(wrong("does not say in which time zone", help));
        };
        Ok(Window { days: read_days, begin, end, zone: parse_zone(zone)? })
    }

    /// Until when it is open, if it is at this moment. Windows that follow each other without a gap
    /// are one, seen two weeks ahead at most.
    pub fn open_until(&self, now: Timestamp) -> Option<Moment> {
        let mut until = None;
        for (begin, end) in self.spans(now) {
            let reached = until.unwrap_or(now);
            if begin <= reached && reached < end {
                until = Some(end);
            }
        }
        until.map(|until| self.moment(until))
    }

    /// When it opens next, after this moment.
    pub fn next_opening(&self, now: Timestamp) -> Option<Moment> {
        let mut spans = self.spans(now);
        spans.find(|(begin, _)| *begin > now).map(|(begin, _)| self.moment(begin))
    }

    fn moment(&self, time: Timestamp) -> Moment {
        Moment(Box::new(time.to_zoned_datetime(self.zone.clone())))
    }

    /// From yesterday, which may go over midnight, until the second time after each day of a week:
    /// a clock that was put forward can leave one of them out.
    fn spans(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.to_datetime(now).date();
        let dates = (-1..=15).filter_map(move |days| date(today, days));
        dates.filter(|date| self.days.contains(&date.weekday())).filter_map(|date| {
            let (begin, end) = (self.time(date, self.begin)?, self.time(date, self.end)?);
            (begin < end).then_some((begin, end))
        })
    }

    fn time(&self, day: Date, minutes: i16) -> Option<Timestamp> {
        let (hour, minute) = (minutes % DAY / 60, minutes % 60);
        let hour = i8::try_from(hour).ok()?;
        let shown = date(day, (minutes / DAY).into())?.at(hour, i8::try_from(minute).ok()?, 0, 0);
        let time = self.zone.to_ambiguous_timestamp(shown);
        if matches!(time.offset(), AmbiguousOffset::Gap { .. }) {
            let before = time.earlier().ok()?;
            return self.zone.following(before).next().map(|change| change.timestamp());
        }
        time.compatible().ok()
    }
}

fn date(day: Date, days: i64) -> Option<Date> {
    day.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn wrong(message: impl Into<String>, help: impl Into<String>) -> NoWindow {
    NoWindow { message: message.into(), help: help.into() }
}

/// `Sat`, `Mon-Fri`, `Sat,Sun`, `daily`.
fn parse_days(text: &str) -> Result<Vec<Weekday>, NoWindow> {
    if text == "daily" {
        return Ok(DAYS.map(|(_, day)| day).to_vec());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len();
        days.extend((first..=first + length).map(|at| DAYS[at % DAYS.len()].1));
    }
    Ok(days)
}

/// The position of a day in [`DAYS`].
fn parse_day(text: &str) -> Result<usize, NoWindow> {
    DAYS.iter().position(|(day, _)| *day == text).ok_or_else(|| {
        let days =
            "Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in `Sat`, `Sat,Sun`, `Mon-Fri`, or `daily`";
        wrong(format!("names a day `{}`, which there is not", text.escape_debug()), days)
    })
}

/// `20:00-24:00` as minutes. What ends before it begins goes over midnight.
fn parse_times(text: &str) -> Result<(i16, i16), NoWindow> {
    let times =
        text.split_once('-').and_then(|(begin, end)| Some((minutes(begin)?, minutes(end)?)));
    let help =
        "write hours and minutes from 00:00 to 24:00: `20:00-24:00`, over midnight `22:00-02:00`";
    let problem = match times {
        Some((DAY, _)) => "begins at 24:00, which is 00:00 of the next day",
        Some((begin, end)) if begin == end => "ends when it begins",
        Some((begin, end)) if begin < end => return Ok((begin, end)),
        Some((begin, end)) => return Ok((begin, end + DAY)),
        None => return Err(wrong(format!("has the times `{}`", text.escape_debug()), help)),
    };
    Err(wrong(problem, help))
}

/// `20:00` after midnight.
fn minutes(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i16>().ok().filter(|_| digits)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let time = hour * 60 + minute;
    (minute < 60 && time <= DAY).then_some(time)
}

fn parse_zone(text: &str) -> Result<TimeZone, NoWindow> {
    if let Ok(zone) = ZONES.get(text)
        && zone.iana_name().is_some()
    {
        return Ok(zone);
    }
    let names: Vec<String> = ZONES.available().map(|name| name.to_string()).collect();
    let help = match nearest(text, names.iter().map(String::as_str)) {
        Some(meant) => format!("write `{meant}`"),
        None => "zones are called as in `Europe/Berlin`, or `UTC`".to_owned(),
    };
    Err(wrong(format!("names a time zone `{}`, which there is not", text.escape_debug()), help))
}

impl Moment {
    /// The moment itself.
    pub fn time(&self) -> Timestamp {
        self.0.timestamp()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.0.time_zone().iana_name().unwrap_or("UTC");
        write!(f, "{} {zone}", self.0.strftime("%a %Y-%m-%d %H:%M"))
    }
}

/// As RFC 9557 has it: `2026-11-28T20:00:00+01:00[Europe/Berlin]`.
impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parser = jiff::fmt::temporal::DateTimeParser::new();
        let read = parser.parse_zoned_datetime_with(&ZONES, &text).map_err(de::Error::custom)?;
        Ok(Moment(Box::new(read)))
    }
}

#[cfg(test)]
mod tests;
