//! Personal data that can be told by its form: e-mail addresses, telephone, card and account numbers, long numbers,
//! names.

use serde::{Deserialize, Serialize};

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalKind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A payment card's number, with a valid check digit.
    Card,
    /// An international bank account number, with valid check digits.
    Account,
    /// A number of six digits or more.
    Number,
    /// A word written like a name.
    Name,
}

impl PersonalKind {
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Email => "holds an e-mail address",
            Self::Phone => "holds a telephone number",
            Self::Card => "holds a card number",
            Self::Account => "holds an account number",
            Self::Number => "holds a long number",
            Self::Name => "holds a name",
        }
    }
}

/// Personal data found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// What it is.
    pub kind: PersonalKind,
    /// As it stands.
    pub span: String,
}

/// What in a text has the form of personal data. A date is none, and neither is a number of fewer than six digits.
pub(super) fn find(text: &str) -> Vec<Personal> {
    let mut found = Vec::new();
    for token in text.split_whitespace() {
        let token = token.trim_matches(|c: char| !c.is_alphanumeric());
        if let Some((name, host)) = token.split_once('@')
            && !name.is_empty()
            && host
                .split_once('.')
                .is_some_and(|(host, end)| !host.is_empty() && end.len() > 1)
        {
            found.push(Personal {
                kind: PersonalKind::Email,
                span: token.to_owned(),
            });
        }
    }
    accounts(text, &mut found);
    numbers(text, &mut found);
    found
}

/// Runs of digits, with the marks that are written between them.
fn numbers(text: &str, found: &mut Vec<Personal>) {
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let plus = rest[..start].ends_with('+');
        let (mut end, mut gap) = (start, 0);
        for (at, c) in rest[start..].char_indices() {
            if c.is_ascii_digit() {
                (end, gap) = (start + at + 1, 0);
            } else if matches!(c, ' ' | '-' | '.' | '(' | ')' | '/') && gap < 2 {
                gap += 1;
            } else {
                break;
            }
        }
        let span = &rest[start..end];
        let digits: Vec<u32> = span.chars().filter_map(|c| c.to_digit(10)).collect();
        let groups: Vec<usize> = span
            .split(|c: char| !c.is_ascii_digit())
            .map(str::len)
            .filter(|&length| length > 0)
            .collect();
        let date = matches!(groups[..], [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 4]);
        let kind = match digits.len() {
            13..=19 if luhn(&digits) => Some(PersonalKind::Card),
            7..=15 if plus || groups.len() > 1 || digits[0] == 0 => Some(PersonalKind::Phone),
            6.. => Some(PersonalKind::Number),
            _ => None,
        };
        if let Some(kind) = kind
            && !date
        {
            found.push(Personal {
                kind,
                span: span.to_owned(),
            });
        }
        rest = &rest[end..];
    }
}

/// The check digit of payment cards (ISO/IEC 7812-1).
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, 2 * digit) {
            (0, _) => digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// International bank account numbers (ISO 13616), in one piece or in groups.
fn accounts(text: &str, found: &mut Vec<Personal>) {
    let tokens: Vec<&str> = text
        .split_whitespace()
        .map(|token| token.trim_matches(|c: char| !c.is_alphanumeric()))
        .collect();
    for start in 0..tokens.len() {
        let mut number = String::new();
        for token in &tokens[start..] {
            number.push_str(token);
            if number.len() > 34 || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                break;
            }
            if number.len() >= 15 && checks(&number) {
                found.push(Personal {
                    kind: PersonalKind::Account,
                    span: number,
                });
                break;
            }
        }
    }
}

/// Two letters, two digits, and a remainder of 1 modulo 97 once the head is moved to the end.
fn checks(number: &str) -> bool {
    let head = number.as_bytes();
    if !head[..2].iter().all(u8::is_ascii_alphabetic) || !head[2..4].iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    let mut rest = 0;
    for c in number[4..].chars().chain(number[..4].chars()) {
        let value = c.to_digit(36).unwrap_or(0);
        rest = (rest * if value > 9 { 100 } else { 10 } + value) % 97;
    }
    rest == 1
}

/// The words inside sentences that are written like names.
pub(super) fn names(text: &str) -> Vec<&str> {
    let (mut names, mut starts) = (Vec::new(), true);
    for token in text.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        let mut characters = word.chars();
        let capital = characters.next().is_some_and(char::is_uppercase);
        if capital && !starts && word.chars().count() > 2 && characters.any(char::is_lowercase) {
            names.push(word);
        }
        starts = token.ends_with(['.', '!', '?', ':']);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<PersonalKind> {
        find(text).into_iter().map(|found| found.kind).collect()
    }

    #[test]
    fn personal_data_is_told_by_its_form() {
        use PersonalKind::{Account, Card, Email, Number, Phone};
        assert_eq!(kinds("write to <jo.doe@mail.example.org>."), [Email]);
        assert_eq!(kinds("call +49 (30) 901820, please"), [Phone]);
        assert_eq!(kinds("call 030-901820"), [Phone]);
        assert_eq!(kinds("it is 4111 1111 1111 1111"), [Card]);
        assert_eq!(kinds("it is 4111 1111 1111 1112"), [Number]);
        assert!(kinds("pay to DE89 3704 0044 0532 0130 00 today").contains(&Account));
        assert!(kinds("pay to GB82WEST12345698765432.").contains(&Account));
        assert!(!kinds("pay to GB82WEST12345698765433.").contains(&Account));
        assert_eq!(kinds("order 7734261"), [Number]);
    }

    #[test]
    fn dates_short_numbers_and_plain_words_are_none() {
        for text in [
            "",
            "in 2024",
            "on 2024-05-06",
            "at 7:30",
            "on 6.5.2024",
            "3 of 12",
            "a@b",
            "@you",
            "#1 at 5 @ home",
            "ABCD EFGH IJKL MNOP",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn names_are_capital_words_inside_a_sentence() {
        assert_eq!(
            names("Call Zebulon now. Then Mary, in NYC"),
            ["Zebulon", "Mary"]
        );
        assert!(names("Call me").is_empty());
    }

    #[test]
    fn any_text_can_be_searched() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..500 {
            let text: String = (0..rng.usize(0..60))
                .map(|_| match rng.u8(0..4) {
                    0 => rng.char('0'..='9'),
                    1 => rng.char('A'..='Z'),
                    2 => ['@', '.', ' ', '+', '-'][rng.usize(0..5)],
                    _ => rng.char(..),
                })
                .collect();
            let _ = (find(&text), names(&text));
        }
    }
}
