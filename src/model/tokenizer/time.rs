//! `strftime_now`: today, for templates that tell the model the date. In UTC.

use web_time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// The time now, in a format of C's `strftime`.
pub(super) fn now(format: &str) -> String {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    at(passed.map_or(0, |passed| passed.as_secs()), format)
}

/// A time in seconds since 1970; a letter that is not known stays as it is.
pub(super) fn at(seconds: u64, format: &str) -> String {
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    let mut written = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            written.push(letter);
            continue;
        }
        let mut letter = letters.next().unwrap_or('%');
        // `%-d` is `%d` without the zero.
        let bare = letter == '-';
        if bare {
            letter = letters.next().unwrap_or('%');
        }
        let two = |number: u64| match bare {
            true => number.to_string(),
            false => format!("{number:02}"),
        };
        match letter {
            'Y' => written.push_str(&year.to_string()),
            'y' => written.push_str(&two(year % 100)),
            'm' => written.push_str(&two(month as u64)),
            'd' => written.push_str(&two(day)),
            'B' => written.push_str(month_name),
            'b' => written.push_str(&month_name[..3]),
            'A' => written.push_str(day_name),
            'a' => written.push_str(&day_name[..3]),
            'H' => written.push_str(&two(clock[0])),
            'M' => written.push_str(&two(clock[1])),
            'S' => written.push_str(&two(clock[2])),
            '%' => written.push('%'),
            other => written.extend(['%', other]),
        }
    }
    written
}

/// The date of a day counted from 1970-01-01, by the 400-year cycle of the calendar. Years begin in March here, so that
/// the leap day is a year's last.
fn civil(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = cycle * 400 + year + u64::from(month <= 2);
    (year, month as usize, day - (153 * from_march + 2) / 5 + 1)
}
