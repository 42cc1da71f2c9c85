//! Changes to files that readers trip over: flipped bits, lengths that lie, what is cut short, doubled or put together of
//! two files, numbers and brackets of text.

/// Makes files of files, always the same ones from one seed.
pub struct Mutator(fastrand::Rng);

/// The longest file that is made.
const LONGEST: usize = 1 << 16;
/// Lengths and counts that arithmetic goes wrong with.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    127,
    255,
    256,
    65_535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 60,
    (1 << 63) - 1,
    u64::MAX,
];
const WORDS: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "-0.0",
    "1e308",
    "1e999",
    "NaN",
    "0.1",
    "[]",
    "{}",
    "[[",
    "]]",
    "{\"",
    "\"}",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "\u{FEFF}",
    ",",
    ":",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\"type\":",
    "\"BPE\"",
    "\"Sequence\"",
    "{{",
    "}}",
    "{%",
    "%}",
    "🙂",
];

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A file made of one of `parents`, or of two.
    pub fn child(&mut self, parents: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = parents[self.0.usize(..parents.len())].clone();
        for _ in 0..self.0.usize(1..5) {
            let other = &parents[self.0.usize(..parents.len())];
            self.change(&mut bytes, other);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    /// A place in the file, more often near its beginning, where lengths and counts stand.
    fn place(&mut self, length: usize) -> usize {
        let most = if self.0.bool() {
            length
        } else {
            length.min(512)
        };
        self.0.usize(..most.max(1)).min(length)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.place(length);
        let most = [1, 4, 16, 64, 1024][self.0.usize(..5)];
        from..(from + self.0.usize(..=most)).min(length)
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let length = bytes.len();
        let at = self.place(length);
        match self.0.u32(..12) {
            0 if length > at => bytes[at] ^= 1 << self.0.u32(..8),
            1 if length > at => bytes[at] = self.0.u8(..),
            2 | 3 => self.lie(bytes, at),
            4 => bytes.truncate(at),
            5 => {
                let range = self.range(length);
                bytes.drain(range);
            }
            6 => {
                // Once more, or many times.
                let range = self.range(length);
                let copy = bytes[range.clone()].repeat([1, 1, 3, 40][self.0.usize(..4)]);
                bytes.splice(range.start..range.start, copy);
            }
            7 => {
                let from = self.place(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            8 => {
                let (here, there) = (self.range(length), self.range(other.len()));
                bytes.splice(here, other[there].iter().copied());
            }
            9 => {
                let word =
                    WORDS[self.0.usize(..WORDS.len())].repeat([1, 1, 1, 200][self.0.usize(..4)]);
                bytes.splice(at..at, word.into_bytes());
            }
            10 => self.count(bytes, at),
            _ => self.swap(bytes, other),
        }
    }

    /// A little-endian number of four or eight bytes becomes another: one of the usual suspects, or near what it was.
    fn lie(&mut self, bytes: &mut [u8], at: usize) {
        let size = if self.0.bool() { 4 } else { 8 };
        let Some(place) = bytes.get_mut(at..at + size) else {
            return;
        };
        let mut number = [0; 8];
        number[..size].copy_from_slice(place);
        let before = u64::from_le_bytes(number);
        let number = match self.0.u32(..4) {
            0 => before.wrapping_add(self.0.u64(..9)).wrapping_sub(4),
            1 => before.wrapping_mul(self.0.u64(2..9)),
            _ => NUMBERS[self.0.usize(..NUMBERS.len())],
        };
        place.copy_from_slice(&number.to_le_bytes()[..size]);
    }

    /// The number that is written next becomes another.
    fn count(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(from) = (at..bytes.len()).find(|place| bytes[*place].is_ascii_digit()) else {
            return;
        };
        let digits = bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = NUMBERS[self.0.usize(..NUMBERS.len())].to_string();
        let sign = if self.0.u32(..6) == 0 { "-" } else { "" };
        bytes.splice(from..from + digits, format!("{sign}{number}").into_bytes());
    }

    /// A quoted text becomes one of another file.
    fn swap(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let (Some(here), Some(there)) = (self.quoted(bytes), self.quoted(other)) else {
            return;
        };
        bytes.splice(here, other[there].iter().copied());
    }

    fn quoted(&mut self, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
        let at = self.place(bytes.len());
        let quote = |from: usize| (from..bytes.len()).find(|place| bytes[*place] == b'"');
        let from = quote(at)? + 1;
        Some(from..quote(from)?)
    }
}
