//! Text to token ids and back, and the frame around turns of a conversation.

mod bytes;
mod file;
mod frame;
mod gguf;
#[cfg(any(not(feature = "template"), test))]
mod known;
#[cfg(feature = "template")]
mod template;
mod time;

use file::{Read, Tokenizer};
pub(super) use gguf::hub_tokenizer;

use super::weights::{Gguf, GgufError};
use super::{Config, ModelError};

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who says beforehand what the model is to be; some models refuse it.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said; marker tokens inside are read as plain text, never as markers.
    pub content: String,
}

/// A tokenizer of the hub's `tokenizer.json` with the ids of the ChatML markers.
pub struct Vocabulary {
    tokenizer: Tokenizer,
    size: usize,
    start: Option<u32>,
    end: Option<u32>,
    begin: Option<u32>,
    /// What else ends a text, as the model's configuration says.
    ends: Vec<u32>,
    newline: Vec<u32>,
    /// The model's own frame, where it is another than the built-in one.
    frame: Option<Box<frame::Frame>>,
    /// Whether there was one that is not known.
    unknown_frame: bool,
}

const START: &str = "<|im_start|>";
const END: &str = "<|im_end|>";
/// What ends a turn in other families' frames: Gemma's, Llama 3's.
const OTHER_ENDS: [&str; 2] = ["<end_of_turn>", "<|eot_id|>"];

impl Vocabulary {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tokenizer`] when it is not one, [`ModelError::TokenizerPart`] when it has a model or another part
    /// that is not read, [`ModelError::TokenizerMerge`] when its merges are of what is no token.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::new(file::read(bytes)?)
    }

    /// Reads the tokenizer in the metadata of a GGUF file.
    ///
    /// # Errors
    ///
    /// [`ModelError::Gguf`] when there is none, it is of a kind that is not read, or it is broken.
    pub fn from_gguf(file: &Gguf<'_>) -> Result<Self, ModelError> {
        let described = gguf::read(file)?;
        let read = file::read(described.json.as_bytes())
            .map_err(|error| GgufError::Tokenizer(format!("is broken: {error}")))?;
        let mut vocabulary = Self::new(read)?;
        let id = |text: &Option<String>| {
            text.as_ref()
                .and_then(|text| vocabulary.tokenizer.token_to_id(text))
        };
        let begin = id(&described.bos).filter(|_| described.begins);
        let end = id(&described.eos);
        vocabulary.begin = begin;
        vocabulary.end = vocabulary.end.or(end);
        match file.text("tokenizer.chat_template")? {
            Some(source) => vocabulary.with_chat_template(source, described.bos, described.eos),
            None => Ok(vocabulary),
        }
    }

    /// Lengths are the caller's affair: what a file says of padding and truncation was not read.
    fn new(read: Read) -> Result<Self, ModelError> {
        let Read {
            mut tokenizer,
            size,
            begin,
        } = read;
        // Text is data: a seed that spells a marker must not become one.
        tokenizer.set_encode_special_tokens(true);
        let mut vocabulary = Self {
            start: tokenizer.token_to_id(START),
            end: std::iter::once(END)
                .chain(OTHER_ENDS)
                .find_map(|end| tokenizer.token_to_id(end)),
            begin,
            size,
            tokenizer,
            ends: Vec::new(),
            newline: Vec::new(),
            frame: None,
            unknown_frame: false,
        };
        vocabulary.newline = vocabulary.encode("\n")?;
        Ok(vocabulary)
    }

    /// Entries of the vocabulary, markers included: one more than the largest id.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The id that ends an assistant's turn: `<|im_end|>` or another family's marker where there is one, else what
    /// the model says ends a text.
    pub fn end(&self) -> Option<u32> {
        self.end
    }

    /// The id that every text begins with, for models trained so; [`Vocabulary::encode`] leaves it out.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// Whether generation stops at this id: it ends a turn, or is one of those that end a text as the model's files
    /// say (`eos_token_id`; GGUF's `eos` and `eot`).
    pub fn is_end(&self, id: u32) -> bool {
        self.end == Some(id) || self.ends.contains(&id)
    }

    /// Takes what ends a text from the model's configuration, and what ends a turn where no marker of its own does.
    pub(super) fn ends_as(&mut self, config: &Config) {
        self.end = self.end.or(config.eos.last().copied());
        self.ends.clone_from(&config.eos);
    }

    /// Token ids of a text, without markers.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tokenizer`] when the tokenizer cannot encode it (a vocabulary without bytes or `<unk>`).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|error| ModelError::Tokenizer(error.to_string()))?
            .get_ids()
            .to_vec())
    }

    /// The text of token ids, markers left out.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tokenizer`] when the decoder cannot make text of them.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.tokenizer
            .decode(ids, true)
            .map_err(|error| ModelError::Tokenizer(error.to_string()))
    }

    /// Token ids of turns in the model's frame, followed by the opening of the assistant's turn.
    ///
    /// The frame is the model's own ([`Vocabulary::with_chat_template`]), else ChatML:
    /// `<|im_start|>role\ncontent<|im_end|>\n` for each turn. A vocabulary without the markers gets plain lines
    /// `Role: content`.
    ///
    /// # Errors
    ///
    /// As [`Vocabulary::encode`]; [`ModelError::Template`] when the model's template refuses the turns.
    pub fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, ModelError> {
        if let Some(frame) = &self.frame {
            return Ok(frame.ids(self, turns, true)?.0);
        }
        let mut ids = Vec::new();
        for turn in turns {
            self.open(turn.role, &mut ids)?;
            ids.extend(self.encode(&turn.content)?);
            ids.extend(self.end);
            ids.extend_from_slice(&self.newline);
        }
        self.open(Role::Assistant, &mut ids)?;
        Ok(ids)
    }

    /// Token ids of the assistant's answer, its end marker included.
    ///
    /// # Errors
    ///
    /// As [`Vocabulary::encode`].
    pub fn answer(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.encode(text)?;
        match self.end {
            Some(end) => ids.push(end),
            None => ids.extend_from_slice(&self.newline),
        }
        Ok(ids)
    }

    /// Token ids of a whole conversation, and for each whether the model's template marks it as written by the model
    /// (`generation` blocks); all unmarked when it has none. A token never reaches across such a border.
    ///
    /// # Errors
    ///
    /// As [`Vocabulary::prompt`].
    #[cfg(feature = "template")]
    pub fn conversation(&self, turns: &[Turn]) -> Result<(Vec<u32>, Vec<bool>), ModelError> {
        if let Some(frame) = &self.frame {
            return frame.ids(self, turns, false);
        }
        let (mut ids, mut own) = (Vec::new(), Vec::new());
        for turn in turns {
            self.open(turn.role, &mut ids)?;
            own.resize(ids.len(), false);
            ids.extend(self.encode(&turn.content)?);
            ids.extend(self.end);
            own.resize(ids.len(), turn.role == Role::Assistant);
            ids.extend_from_slice(&self.newline);
            own.resize(ids.len(), false);
        }
        Ok((ids, own))
    }

    fn open(&self, role: Role, ids: &mut Vec<u32>) -> Result<(), ModelError> {
        match self.start {
            Some(start) => {
                ids.push(start);
                ids.extend(self.encode(role.name())?);
                ids.extend_from_slice(&self.newline);
            }
            None => ids.extend(self.encode(&format!("{}: ", role.name()))?),
        }
        Ok(())
    }
}
