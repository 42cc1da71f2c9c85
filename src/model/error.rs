//! What can be wrong with a model's files.

/// A model, a tokenizer or an adapter that cannot be used; each variant names the part and the remedy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A file is not there or cannot be read.
    #[error(
        "{path}: cannot be read ({cause}); a model folder holds config.json, tokenizer.json and model.safetensors"
    )]
    Missing {
        /// The file.
        path: String,
        /// The system's own words.
        cause: String,
    },
    /// A file of a model could not be written.
    #[error("{path}: cannot be written ({cause}); choose another folder or make room")]
    NotWritten {
        /// The file.
        path: String,
        /// The system's own words.
        cause: String,
    },
    /// Files that are no model.
    #[error(
        "{0}: this is no model; choose one .gguf file, or a folder with config.json, tokenizer.json and model.safetensors"
    )]
    NoModel(String),
    /// `config.json` is broken or holds numbers that cannot be.
    #[error("config.json: {0}")]
    Config(String),
    /// The model is of a family this version does not run.
    #[error("config.json: architecture `{found}` is not known; known are: {known}")]
    Architecture {
        /// The architecture named in the file.
        found: String,
        /// Those this version runs.
        known: String,
    },
    /// `tokenizer.json` is broken or does not belong to the model.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// A chat template that cannot be read, or refuses the conversation.
    #[error("chat template: {0}")]
    Template(String),
    /// A chat template that does not come to an end, or makes too much text on its way there.
    #[cfg(feature = "template")]
    #[error(
        "the chat template that begins `{begins}` takes more than {steps} steps or {megabytes} MB, far beyond what any conversation needs; take the model from whoever made it, or put its template as `chat_template.jinja` beside its files"
    )]
    TemplateTakesTooMuch {
        /// Its first letters.
        begins: String,
        /// Steps that it may take.
        steps: u64,
        /// Text and lists that it may make in them.
        megabytes: u64,
    },
    /// A part of `tokenizer.json` of a type that is not read.
    #[error(
        "tokenizer.json: the {part} `{found}` is not known; known are {known}, so take a model that has one of them"
    )]
    TokenizerPart {
        /// What it is: the model, the normalizer …
        part: &'static str,
        /// Its type as the file has it.
        found: String,
        /// Those that are read.
        known: String,
    },
    /// A merge of what is no token, or into what is none.
    #[error(
        "tokenizer.json: the merge {0} is none of its vocabulary; take the file from the model's own folder"
    )]
    TokenizerMerge(String),
    /// A safetensors file that is broken.
    #[error("safetensors: {0}")]
    Safetensors(#[from] super::weights::SafetensorsError),
    /// A GGUF file that is broken or not supported.
    #[error("gguf: {0}")]
    Gguf(#[from] super::weights::GgufError),
    /// A tensor the configuration asks for is not in the file.
    #[error("weights: tensor `{0}` is missing; the weights do not belong to this config.json")]
    TensorMissing(String),
    /// A tensor has another shape than the configuration says.
    #[error(
        "weights: tensor `{name}` has shape {found:?} where config.json asks for {expected:?}; they are of different models"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a type that is not read.
    #[error(
        "weights: tensor `{name}` is stored as {dtype}; of safetensors F32, F16 and BF16 are read"
    )]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type in the file.
        dtype: String,
    },
    /// A weight is not a finite number.
    #[error(
        "weights: tensor `{0}` holds a value that is no finite number; download the file again"
    )]
    NotFinite(String),
    /// An adapter that does not fit the model.
    #[error("adapter: {0}")]
    Adapter(String),
    /// An adapter whose tensors have another rank than its configuration.
    #[error(
        "adapter: tensor `{tensor}` is of rank {found} and adapter_config.json says r = {rank}; take both files from the same adapter"
    )]
    AdapterRank {
        /// The tensor.
        tensor: String,
        /// Its rank.
        found: usize,
        /// That of the configuration.
        rank: usize,
    },
    /// An adapter that was trained beside another model.
    #[error("adapter: {what}; it was trained beside `{base}`, so load that model")]
    AdapterBase {
        /// The tensor that does not fit, and how.
        what: String,
        /// The base model the adapter names.
        base: String,
    },
    /// A token id the model does not have.
    #[error("token id {id} does not exist; the model's ids lie below {size}")]
    TokenId {
        /// The id that was asked for.
        id: u32,
        /// Entries of the vocabulary.
        size: usize,
    },
    /// More tokens than the model was made for.
    #[error("{tokens} tokens are more than the model's context of {context}; shorten the text")]
    Context {
        /// Tokens that were asked for.
        tokens: usize,
        /// The model's longest sequence.
        context: usize,
    },
}
