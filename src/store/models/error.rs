//! Why a model could not be fetched or found.

use crate::model::SourceError;
use crate::store::StoreError;

/// A model that could not be fetched, found or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The name or the repository.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no place for caches.
    #[error(
        "there is no home folder to keep models in; name a folder in the variable SEEDBED_MODELS"
    )]
    NoHome,
    /// An address that would show the token and the models to everybody on the way.
    #[error("{0} is no address of a hub; it must begin with https://, or http:// on this machine")]
    Address(String),
    /// The model is not on this machine.
    #[error(
        "{0} is neither a file nor a folder nor a model kept here; fetch a model with `seedbed pull owner/name`"
    )]
    NotKept(String),
    /// The hub does not know it.
    #[error("{0} is not on the hub; check the name and the revision")]
    NotFound(String),
    /// The hub wants to know who asks.
    #[error(
        "the hub refuses {0} (status {1}); accept its licence there and put your token into the variable HF_TOKEN"
    )]
    Refused(String, u16),
    /// No answer, or one that is none.
    #[error(
        "{host} gave no usable answer for {what} ({cause}); try again, what has arrived is kept"
    )]
    NoAnswer {
        /// The host.
        host: String,
        /// The file or list that was asked for.
        what: String,
        /// What went wrong.
        cause: String,
    },
    /// A file of another length than the hub lists.
    #[error(
        "{file}: {found} bytes arrived where the hub lists {expected}; it was thrown away, try again"
    )]
    Size {
        /// The file.
        file: String,
        /// Bytes as listed.
        expected: u64,
        /// Bytes that arrived.
        found: u64,
    },
    /// A file whose content is not what the hub published.
    #[error(
        "{file}: its SHA-256 is {found} where the hub publishes {expected}; it was thrown away, try again"
    )]
    Hash {
        /// The file.
        file: String,
        /// As published.
        expected: String,
        /// Of what arrived.
        found: String,
    },
}
