//! Dates: `2026-11-23`.

use tcloud_model::{Value, codes};

use super::Fault;

/// Reads a date; also says what to do about a minus between numbers.
pub(super) fn read(text: &str) -> Result<Value, Box<Fault>> {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let &[year, month, day] = parts.as_slice() else {
        return Err(minus(text));
    };
    if !parts.iter().all(digits) {
        return Err(minus(text));
    }
    let whole = 0..text.len();
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        let fault = Fault::at(codes::E0025, whole, format!("`{text}` is not a date"));
        return Err(fault.help("dates are written year-month-day: `2026-11-23`"));
    }
    let number = |part: &str| part.parse::<i16>().unwrap_or(0);
    let (year, month, day) = (number(year), number(month), number(day));
    if !(1..=12).contains(&month) {
        let fault = Fault::at(codes::E0025, 5..7, format!("there is no month {month}"));
        return Err(fault.help("dates are written year-month-day: `2026-11-23`"));
    }
    let last = days_in(year, month);
    if !(1..=last).contains(&day) {
        let message = format!("there is no day {day} in {year:04}-{month:02}");
        let fault = Fault::at(codes::E0025, 8..10, message);
        return Err(fault.help(format!("the last day of that month is {last}")));
    }
    match (u8::try_from(month), u8::try_from(day)) {
        (Ok(month), Ok(day)) => Ok(Value::Date(year, month, day)),
        _ => Err(minus(text)),
    }
}

fn days_in(year: i16, month: i16) -> i16 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn minus(text: &str) -> Box<Fault> {
    let spaced = text.split('-').collect::<Vec<_>>().join(" - ");
    Fault::at(codes::E0014, 0..text.len(), "a minus between numbers needs spaces".to_owned())
        .help(format!("write `{spaced}`; dates look like `2026-11-23`"))
        .instead(spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        assert_eq!(read("2028-02-29"), Ok(Value::Date(2028, 2, 29)));
        for (text, message) in [
            ("2026-02-29", "there is no day 29 in 2026-02"),
            ("2026-13-01", "there is no month 13"),
            ("26-1-1", "`26-1-1` is not a date"),
            ("5-3", "a minus between numbers needs spaces"),
        ] {
            assert_eq!(read(text).map_err(|fault| fault.message), Err(message.to_owned()));
        }
    }
}
