//! What can be wrong with a safetensors file.

/// A safetensors file that cannot be used; one variant for each way in which it can be malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SafetensorsError {
    /// The file ends before the length of its header does.
    #[error("it ends before its header begins; download it again, it is cut short")]
    Truncated,
    /// A header longer than the rest of the file.
    #[error(
        "its header claims {length} bytes, more than the {left} there are; download it again, it is cut short"
    )]
    HeaderLength {
        /// The length as claimed.
        length: u64,
        /// Bytes behind it.
        left: u64,
    },
    /// A header of a length that no model's has.
    #[error("its header claims {0} bytes, more than any model needs; the file is damaged")]
    HeaderTooLarge(u64),
    /// A header that is not what it should be.
    #[error("its header cannot be read ({0}); the file is damaged")]
    Header(String),
    /// A tensor name that occurs twice.
    #[error("the tensor `{0}` occurs twice; the file is damaged")]
    TensorTwice(String),
    /// A type that does not exist.
    #[error(
        "the tensor `{name}` has the type `{dtype}`, which safetensors does not have; the file is damaged"
    )]
    UnknownType {
        /// The tensor.
        name: String,
        /// The type as written.
        dtype: String,
    },
    /// A shape that takes more bytes than can be counted.
    #[error("the shape of the tensor `{0}` is too large to be true; the file is damaged")]
    Shape(String),
    /// A range of bytes that is not what shape and type take.
    #[error(
        "the tensor `{name}` has {found} bytes where its shape and type take {expected}; the file is damaged"
    )]
    Size {
        /// The tensor.
        name: String,
        /// Bytes of its range.
        found: u64,
        /// Bytes that it takes.
        expected: u64,
    },
    /// A range that ends before it begins.
    #[error("the range of the tensor `{0}` ends before it begins; the file is damaged")]
    Range(String),
    /// A tensor that reaches beyond the end of the file.
    #[error(
        "the tensor `{0}` reaches beyond the end of the file; download it again, it is cut short"
    )]
    Beyond(String),
    /// Two tensors that share bytes.
    #[error("the tensors `{0}` and `{1}` overlap; the file is damaged")]
    Overlap(String, String),
    /// Bytes of no tensor.
    #[error("the bytes {from} to {to} of its data belong to no tensor; the file is damaged")]
    Gap {
        /// The first of them.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// The index of several files cannot be read.
    #[error("model.safetensors.index.json cannot be read ({0}); download it again")]
    Index(String),
    /// An index that names what is no file of its own folder.
    #[error(
        "model.safetensors.index.json names `{0}`, which is no safetensors file of its own folder"
    )]
    IndexFile(String),
}
