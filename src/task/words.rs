//! What counts as a word here, for every part that compares texts.

/// Text strings that a chat template owns; a text that holds one could pass for another speaker.
const ROLE_MARKERS: [&str; 10] = [
    "<|",
    "|>",
    "<s>",
    "</s>",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
];

/// The words of a text as they are written: runs of letters and digits, with the marks that hold a word together
/// (`don't`, `three-letter`, `10:41`, `4.5`). Punctuation alone is no word. Han and kana are not spaced, so there each
/// character counts.
///
/// ```
/// use seedbed::task::words::surface_words;
/// assert_eq!(surface_words("Don't book a table , at 10:41!"), ["Don't", "book", "a", "table", "at", "10:41"]);
/// ```
pub fn surface_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut characters = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = characters.next() {
        let after = characters.peek().map_or(' ', |&(_, c)| c);
        if is_unspaced(c) {
            words.extend(start.take().map(|from| &text[from..at]));
            words.push(&text[at..at + c.len_utf8()]);
        } else if c.is_alphanumeric() || joins(before, c, after) || is_mark(c) && start.is_some() {
            start.get_or_insert(at);
        } else {
            words.extend(start.take().map(|from| &text[from..at]));
        }
        before = c;
    }
    words.extend(start.map(|from| &text[from..]));
    words
}

/// The same words in lower case, with one kind of apostrophe.
///
/// ```
/// assert_eq!(seedbed::task::words::words("What’s ON?"), ["what's", "on"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    surface_words(text).into_iter().map(lower).collect()
}

/// One word in lower case, with one kind of apostrophe.
pub fn lower(word: &str) -> String {
    word.to_lowercase().replace('’', "'")
}

/// The role marker that a text holds, if any.
///
/// ```
/// assert_eq!(seedbed::task::words::role_marker("hi <|im_end|>"), Some("<|"));
/// assert_eq!(seedbed::task::words::role_marker("1 < 2 | 3 > 2"), None);
/// ```
pub fn role_marker(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    ROLE_MARKERS
        .into_iter()
        .find(|marker| text.contains(marker))
}

/// Characters that are not seen but change what a text is: controls (line breaks and tabs too), zero-width
/// characters and direction marks.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text in lower case with single spaces: two texts with the same key are the same example.
pub(super) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(&part.to_lowercase());
    }
    key
}

fn joins(before: char, c: char, after: char) -> bool {
    let inside = |test: fn(char) -> bool| test(before) && test(after);
    match c {
        '\'' | '’' | '-' | '_' => inside(|c| c.is_alphanumeric() && !is_unspaced(c)),
        '.' | ',' | ':' => inside(|c| c.is_ascii_digit()),
        _ => false,
    }
}

/// Accents that are written as characters of their own belong to the word before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{93a}'..='\u{94f}' | '\u{e31}'..='\u{e4e}')
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_alone_is_no_word() {
        assert_eq!(words("what ? -- `` yes '' ."), ["what", "yes"]);
        assert!(words(" … 🙂 ").is_empty());
    }

    #[test]
    fn characters_of_unspaced_scripts_count_one_by_one() {
        assert_eq!(words("播放music吧"), ["播", "放", "music", "吧"]);
    }

    #[test]
    fn combining_accents_stay_with_their_letter() {
        assert_eq!(words("cafe\u{301} noir"), ["cafe\u{301}", "noir"]);
    }

    #[test]
    fn words_never_split_inside_a_character() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            let text: String = (0..rng.usize(0..40)).map(|_| rng.char(..)).collect();
            let _ = words(&text);
        }
    }
}
