//! What is written, what a clock shows, and what is answered.

use super::*;

fn window(text: &str) -> Window {
    Window::parse(text).expect("a window")
}

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

/// Until when a window is open, or when it opens.
fn told(text: &str, now: &str) -> String {
    let (window, now) = (window(text), at(now));
    let until = window.open_until(now).map(|until| format!("until {until}"));
    until.unwrap_or_else(|| match window.next_opening(now) {
        Some(opens) => format!("opens {opens}"),
        None => "never".to_owned(),
    })
}

#[test]
fn its_first_minute_is_in_it_and_its_last_is_not() {
    let text = "Sat 20:00-24:00 Europe/Berlin";
    let opens = "opens Sat 2026-11-28 20:00 Europe/Berlin";
    let until = "until Sun 2026-11-29 00:00 Europe/Berlin";
    assert_eq!(told(text, "2026-11-23T08:00:00Z"), opens);
    assert_eq!(told(text, "2026-11-28T18:59:59.999Z"), opens);
    assert_eq!(told(text, "2026-11-28T19:00:00Z"), until);
    assert_eq!(told(text, "2026-11-28T22:59:59.999Z"), until);
    assert_eq!(told(text, "2026-11-28T23:00:00Z"), "opens Sat 2026-12-05 20:00 Europe/Berlin");
}

#[test]
fn over_midnight_it_belongs_to_the_day_on_which_it_begins() {
    let text = "Fri 22:30-01:15 UTC";
    assert_eq!(told(text, "2026-11-27T01:00:00Z"), "opens Fri 2026-11-27 22:30 UTC");
    assert_eq!(told(text, "2026-11-27T23:00:00Z"), "until Sat 2026-11-28 01:15 UTC");
    assert_eq!(told(text, "2026-11-28T01:14:00Z"), "until Sat 2026-11-28 01:15 UTC");
    assert_eq!(told(text, "2026-11-28T01:15:00Z"), "opens Fri 2026-12-04 22:30 UTC");
}

#[test]
fn days_are_listed_and_spanned_also_over_the_end_of_the_week() {
    // A Tuesday, a Thursday, a Sunday.
    let [tuesday, thursday, sunday] =
        ["2026-11-24T12:00:00Z", "2026-11-26T12:00:00Z", "2026-11-29T12:00:00Z"];
    let open =
        |days: &str, now| window(&format!("{days} 10:00-14:00 UTC")).open_until(at(now)).is_some();
    let told = |days| [tuesday, thursday, sunday].map(|now| open(days, now));
    assert_eq!(told("daily"), [true, true, true]);
    assert_eq!(told("Mon-Fri"), [true, true, false]);
    assert_eq!(told("Sat-Tue"), [true, false, true]);
    assert_eq!(told("Thu,Sat-Sun"), [false, true, true]);
    assert_eq!(told("Sun-Sun"), [false, false, true]);
}

#[test]
fn windows_without_a_gap_between_them_are_one() {
    let now = at("2026-11-28T23:59:59Z");
    let until = |text: &str| window(text).open_until(now).map(|until| until.time());
    assert_eq!(until("Sat 00:00-24:00 UTC"), Some(at("2026-11-29T00:00:00Z")));
    assert_eq!(until("Sat,Sun 00:00-24:00 UTC"), Some(at("2026-11-30T00:00:00Z")));
    assert!(until("daily 00:00-24:00 UTC") > Some(at("2026-12-05T00:00:00Z")));
    assert_eq!(until("daily 22:00-21:59 UTC"), Some(at("2026-11-29T21:59:00Z")));
}

#[test]
fn the_clock_of_its_zone_counts_in_summer_and_in_winter() {
    let text = "daily 20:00-21:00 Europe/Berlin";
    assert_eq!(told(text, "2026-07-01T18:30:00Z"), "until Wed 2026-07-01 21:00 Europe/Berlin");
    assert_eq!(told(text, "2026-12-01T18:30:00Z"), "opens Tue 2026-12-01 20:00 Europe/Berlin");
    assert!(
        window("daily 20:00-21:00 Asia/Kathmandu").open_until(at("2026-12-01T14:30:00Z")).is_some()
    );
}

/// In Berlin, 2026-03-29 has no 02:00 to 03:00 and 2026-10-25 has it twice.
#[test]
fn what_no_clock_shows_is_left_out_and_what_it_shows_twice_counts_once() {
    let open = |text: &str, now: &str| {
        window(text).open_until(at(now)).map(|until| until.time().to_string())
    };
    let spring = "Sun 01:00-02:30 Europe/Berlin";
    assert_eq!(open(spring, "2026-03-29T00:59:59Z"), Some("2026-03-29T01:00:00Z".to_owned()));
    assert_eq!(open(spring, "2026-03-29T01:00:00Z"), None);
    let late = "Sun 02:30-03:30 Europe/Berlin";
    assert_eq!(open(late, "2026-03-29T00:59:59Z"), None);
    assert_eq!(open(late, "2026-03-29T01:00:00Z"), Some("2026-03-29T01:30:00Z".to_owned()));
    let lost = "Sun 02:15-02:45 Europe/Berlin";
    assert_eq!(told(lost, "2026-03-29T01:00:00Z"), "opens Sun 2026-04-05 02:15 Europe/Berlin");
    let autumn = "Sun 01:00-02:30 Europe/Berlin";
    assert_eq!(open(autumn, "2026-10-25T00:29:59Z"), Some("2026-10-25T00:30:00Z".to_owned()));
    assert_eq!(open(autumn, "2026-10-25T01:15:00Z"), None);
    let long = "Sun 01:00-04:00 Europe/Berlin";
    assert_eq!(open(long, "2026-10-24T23:00:00Z"), Some("2026-10-25T03:00:00Z".to_owned()));
}

#[test]
fn what_is_no_window_says_what_to_write() {
    let said = |text: &str| {
        let NoWindow { message, help } = Window::parse(text).expect_err(text);
        format!("{message}: {help}")
    };
    for text in ["", "nwo", "Sat 20:00 - 24:00 UTC", "Sat Sun 20:00-24:00 UTC"] {
        assert!(
            said(text).starts_with("is no window: write days, times and a time zone"),
            "{text}"
        );
    }
    assert_eq!(
        said("Sat 20:00-24:00"),
        "does not say in which time zone: write where: `Sat 20:00-24:00 Europe/Berlin`, or `UTC`"
    );
    for days in ["Sam", "sat", "Sat,", "Sat-", "Mon–Fri", "Mon-Wed-Fri", "7"] {
        let said = said(&format!("{days} 20:00-24:00 UTC"));
        assert!(said.starts_with("names a day `") && said.contains("`Mon-Fri`"), "{said}");
    }
    for times in
        ["20-24", "20:00", "20:00–24:00", "8:00-9:00", "20:60-21:00", "23:00-24:01", "+1:00-02:00"]
    {
        let said = said(&format!("Sat {times} UTC"));
        assert!(said.starts_with(&format!("has the times `{times}`: write hours")), "{said}");
    }
    assert!(said("Sat 24:00-02:00 UTC").starts_with("begins at 24:00"));
    assert!(said("Sat 08:00-08:00 UTC").starts_with("ends when it begins"));
    assert_eq!(
        said("Sat 20:00-24:00 Europe/Berln"),
        "names a time zone `Europe/Berln`, which there is not: write `Europe/Berlin`"
    );
    assert!(said("Sat 20:00-24:00 CEST").starts_with("names a time zone `CEST`"));
    assert!(said("Sat 20:00-24:00 Etc/Unknown").starts_with("names a time zone"));
}

#[test]
fn a_moment_is_the_same_in_json_and_back() {
    let moment = window("Sat 20:00-24:00 Europe/Berlin").next_opening(at("2026-11-28T10:00:00Z"));
    let moment = moment.expect("it opens");
    let json = serde_json::to_string(&moment).expect("json");
    assert_eq!(json, "\"2026-11-28T20:00:00+01:00[Europe/Berlin]\"");
    assert_eq!(
        serde_json::from_str::<Moment>(&json).expect("a moment").to_string(),
        moment.to_string()
    );
    assert!(serde_json::from_str::<Moment>("\"2026-11-28T20:00:00+01:00[Nowhere]\"").is_err());
}
