//! What can be wrong with a GGUF file.

/// A GGUF file that cannot be used; one variant for each way in which it can be malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// The file does not begin with `GGUF`.
    #[error("it does not begin with the letters GGUF; choose a .gguf file")]
    Magic,
    /// A version that is not read.
    #[error(
        "its version is {0}; versions 2 and 3 (little-endian) are read, convert it again with a newer llama.cpp"
    )]
    Version(u32),
    /// The file ends inside something.
    #[error("it ends inside {0}; download it again, it is cut short")]
    Truncated(String),
    /// The description reaches beyond the part of the file that is read for it.
    #[error("its description is longer than 64 MB, which no model's is; download it again")]
    Head,
    /// A count of entries that the rest of the file could not hold.
    #[error("it claims {count} {what}, more than fit into it; download it again")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many are claimed.
        count: u64,
    },
    /// A string longer than the rest of the file.
    #[error("a string of {length} bytes in {place} is longer than the file; download it again")]
    StringLength {
        /// Where it stands.
        place: String,
        /// Its length as claimed.
        length: u64,
    },
    /// An array longer than the rest of the file.
    #[error(
        "the array `{key}` claims {count} entries, more than fit into the file; download it again"
    )]
    ArrayLength {
        /// The metadata key.
        key: String,
        /// Its length as claimed.
        count: u64,
    },
    /// Text that is no UTF-8.
    #[error("the text of {0} is not UTF-8; the file is damaged or was made by a broken converter")]
    Utf8(String),
    /// A metadata value of a type that does not exist.
    #[error("the value of `{key}` has the type {kind}, which does not exist; the file is damaged")]
    ValueType {
        /// The metadata key.
        key: String,
        /// The type's number.
        kind: u32,
    },
    /// Arrays inside arrays inside arrays.
    #[error("the arrays in `{0}` are nested more than four deep; no model needs that")]
    Nesting(String),
    /// A metadata key that occurs twice.
    #[error("the key `{0}` occurs twice; the file is damaged")]
    KeyTwice(String),
    /// An alignment that is no power of two.
    #[error("general.alignment is {0}; it must be a power of two up to 65536")]
    Alignment(u64),
    /// A file in parts.
    #[error("it is one of {0} parts; join them with llama-gguf-split --merge")]
    Split(u64),
    /// A tensor name that occurs twice.
    #[error("the tensor `{0}` occurs twice; the file is damaged")]
    TensorTwice(String),
    /// A tensor with no dimension or more than four.
    #[error("the tensor `{name}` has {count} dimensions; there can be 1 to 4")]
    Dimensions {
        /// The tensor.
        name: String,
        /// Its number of dimensions.
        count: u32,
    },
    /// A shape whose product overflows, or is nothing.
    #[error(
        "the shape of the tensor `{0}` holds a zero or is too large to be true; the file is damaged"
    )]
    Shape(String),
    /// A tensor type that does not exist or is not read.
    #[error(
        "the tensor `{name}` has the type {kind}; read are F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K"
    )]
    TensorType {
        /// The tensor.
        name: String,
        /// The type's number in ggml.
        kind: u32,
    },
    /// Rows that are no whole number of blocks.
    #[error(
        "the rows of the tensor `{0}` are no whole number of its type's blocks; the file is damaged"
    )]
    Blocks(String),
    /// A tensor that does not begin at the alignment.
    #[error("the tensor `{name}` begins at {offset}, which is not aligned; the file is damaged")]
    Misaligned {
        /// The tensor.
        name: String,
        /// Where it begins in the data.
        offset: u64,
    },
    /// A tensor that reaches beyond the end of the file.
    #[error(
        "the tensor `{0}` reaches beyond the end of the file; download it again, it is cut short"
    )]
    Range(String),
    /// Two tensors that share bytes.
    #[error("the tensors `{0}` and `{1}` overlap; the file is damaged")]
    Overlap(String, String),
    /// A metadata key the model needs.
    #[error(
        "the metadata `{0}` is missing; the file holds no language model or was made by an old converter"
    )]
    KeyMissing(String),
    /// A metadata value of another type than it must have.
    #[error("the metadata `{key}` is not {expected}")]
    KeyType {
        /// The metadata key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A family this version does not run.
    #[error("architecture `{0}` is not known; known are: llama, qwen2, qwen3, gemma3")]
    Architecture(String),
    /// Metadata that describes a model which cannot be.
    #[error("it describes a model that cannot be run: {0}")]
    Config(String),
    /// A tokenizer that cannot be built.
    #[error("its tokenizer {0}")]
    Tokenizer(String),
}
