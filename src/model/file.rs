//! The files a model is made of, wherever they lie: on a disk, in a tab's own storage, in memory. They are read a part
//! at a time, so that a model never exists twice.

use std::borrow::Cow;
use std::fmt::Debug;

use super::ModelError;

/// A file that is read a part at a time.
pub trait ModelFile: Debug {
    /// Its name, without folders.
    fn name(&self) -> &str;

    /// Bytes.
    fn size(&self) -> u64;

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Why it could not, for people; among others when the file ends before `out` is full.
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String>;
}

/// A file whose bytes are all in memory.
#[derive(Debug, Clone, Copy)]
pub struct HeldFile<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl ModelFile for HeldFile<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String> {
        match slice(self.bytes, offset, out.len()) {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err("it ends too early".into()),
        }
    }
}

fn slice(bytes: &[u8], offset: u64, length: usize) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    bytes.get(offset..offset.checked_add(length)?)
}

/// Bytes that are there, or that are fetched when they are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data<'a> {
    Held(&'a [u8]),
    Filed(&'a dyn ModelFile),
}

impl<'a> Data<'a> {
    /// Bytes in all.
    pub fn size(self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Filed(file) => file.size(),
        }
    }

    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`ModelError::Missing`] when they cannot be read.
    pub fn read(self, offset: u64, length: usize) -> Result<Cow<'a, [u8]>, ModelError> {
        let (name, cause) = match self {
            Self::Held(bytes) => match slice(bytes, offset, length) {
                Some(bytes) => return Ok(Cow::Borrowed(bytes)),
                None => ("weights", "it ends too early".into()),
            },
            Self::Filed(file) => {
                let mut bytes = vec![0; length];
                match file.read(offset, &mut bytes) {
                    Ok(()) => return Ok(Cow::Owned(bytes)),
                    Err(cause) => (file.name(), cause),
                }
            }
        };
        Err(ModelError::Missing {
            path: name.into(),
            cause,
        })
    }
}

/// Where a tensor's bytes lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub data: Data<'a>,
    pub offset: u64,
    pub length: usize,
}

impl<'a> Part<'a> {
    /// Some of its bytes.
    pub fn read(self, from: usize, length: usize) -> Result<Cow<'a, [u8]>, ModelError> {
        self.data.read(self.offset + from as u64, length)
    }

    /// All of its bytes.
    pub fn whole(self) -> Result<Cow<'a, [u8]>, ModelError> {
        self.read(0, self.length)
    }
}

/// A small file as a whole; what describes a model never takes more.
///
/// # Errors
///
/// [`ModelError::Missing`] when it cannot be read or is absurdly large.
pub(super) fn whole(file: &dyn ModelFile) -> Result<Vec<u8>, ModelError> {
    const MOST: u64 = 256 << 20;
    if file.size() > MOST {
        return Err(ModelError::Missing {
            path: file.name().into(),
            cause: format!("it has {} bytes, no such file is that large", file.size()),
        });
    }
    let bytes = Data::Filed(file).read(0, file.size() as usize)?;
    Ok(bytes.into_owned())
}
