//! The bytes a token stands for.

use super::Vocabulary;

/// What stands for a space in vocabularies over bytes (GPT-2's), and in those over words (SentencePiece's).
const SPACES: (&str, char) = ("\u{120}", '\u{2581}');

impl Vocabulary {
    /// Whether its tokens spell bytes as GPT-2's do, else characters as SentencePiece's do.
    pub fn is_byte_level(&self) -> bool {
        self.tokenizer.token_to_id(SPACES.0).is_some()
    }

    /// The bytes that a token adds to a text, which may be a part of a character; none for markers and for ids that are
    /// not there.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let token = self.tokenizer.id_to_token(id)?;
        if let Some(added) = self
            .tokenizer
            .get_added_vocabulary()
            .get_added_tokens_decoder()
            .get(&id)
        {
            return (!added.special).then(|| token.into_bytes());
        }
        if self.is_byte_level() {
            return token.chars().map(byte).collect();
        }
        // `<0x0A>` stands for one byte where a vocabulary falls back on bytes.
        let hexadecimal = token
            .strip_prefix("<0x")
            .and_then(|rest| rest.strip_suffix('>'));
        match hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => Some(vec![byte]),
            None => Some(token.replace(SPACES.1, " ").into_bytes()),
        }
    }
}

/// The byte that a character stands for in GPT-2's vocabulary: printable ones stand for themselves, the others follow one
/// by one from U+0100 on.
fn byte(character: char) -> Option<u8> {
    let plain = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let number = u32::from(character);
    match number.checked_sub(256) {
        None => plain(number).then_some(number as u8),
        Some(place) => (0..256u32)
            .filter(|byte| !plain(*byte))
            .nth(place as usize)
            .map(|byte| byte as u8),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let mut found: Vec<u8> = (0..1024)
            .filter_map(char::from_u32)
            .filter_map(byte)
            .collect();
        found.sort_unstable();
        assert_eq!(found, (0..=255).collect::<Vec<u8>>());
        assert_eq!(
            (byte('\u{120}'), byte('\u{10a}'), byte('a')),
            (Some(b' '), Some(b'\n'), Some(b'a'))
        );
    }

    #[test]
    fn the_bytes_of_a_texts_tokens_are_the_text() {
        let text = " Ümläut, 漢字 and\n\ta 🌱 <|im_end|> 42";
        let vocabulary = Vocabulary::from_json(include_bytes!(
            "../../../tests/fixtures/tiny-llama-1m/tokenizer.json"
        ))
        .unwrap();
        assert!(vocabulary.is_byte_level());
        let spelt: Vec<u8> = (vocabulary.encode(text).unwrap().iter())
            .flat_map(|id| vocabulary.token_bytes(*id).unwrap())
            .collect();
        assert_eq!(spelt, text.as_bytes());
        assert_eq!(vocabulary.token_bytes(vocabulary.end().unwrap()), None);
        assert_eq!(vocabulary.token_bytes(u32::MAX), None);
    }
}
