//! Fetching a model from a hub: what is needed is listed, then each file comes in, is checked and gets its name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::{Kept, KeptFile, METADATA, Models, PullError, failed};
use crate::model::{Config, Listing, Remote, Repository};

/// A hub: where it is, and who asks.
pub struct Hub {
    address: String,
    token: Option<String>,
    agent: ureq::Agent,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is coming in.
    pub file: &'a str,
    /// Bytes here, of all files together.
    pub here: u64,
    /// Bytes in all.
    pub all: u64,
}

/// The most bytes that are read of a list of files, and of any file whose size it does not say.
const LONGEST_LIST: u64 = 16 << 20;
const CONFIG: &str = "config.json";

impl Hub {
    /// A hub at an address, asked with a token where it wants one.
    ///
    /// # Errors
    ///
    /// [`PullError::Address`] when it is neither https nor on this machine.
    pub fn at(address: &str, token: Option<String>) -> Result<Self, PullError> {
        let address = address.trim_end_matches('/').to_owned();
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .filter_map(|local| address.strip_prefix(local))
            .any(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        if !local && !address.starts_with("https://") {
            return Err(PullError::Address(address));
        }
        let agent = ureq::Agent::config_builder()
            .https_only(!local)
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .build();
        Ok(Self {
            address,
            token,
            agent: agent.into(),
        })
    }

    /// The hub of the variable `HF_ENDPOINT`, else huggingface.co, with the token of `HF_TOKEN`.
    ///
    /// # Errors
    ///
    /// As [`Hub::at`].
    pub fn of_user() -> Result<Self, PullError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let address = variable("HF_ENDPOINT");
        Self::at(
            address.as_deref().unwrap_or("https://huggingface.co"),
            variable("HF_TOKEN"),
        )
    }

    fn no_answer(&self, what: &str, cause: impl ToString) -> PullError {
        PullError::NoAnswer {
            host: self.address.clone(),
            what: what.into(),
            cause: cause.to_string(),
        }
    }

    /// The answer to a request for the bytes from `from` on.
    fn get(
        &self,
        url: &str,
        what: &str,
        from: u64,
    ) -> Result<ureq::http::Response<ureq::Body>, PullError> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", &format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("Range", &format!("bytes={from}-"));
        }
        let answer = request
            .call()
            .map_err(|error| self.no_answer(what, error))?;
        match answer.status().as_u16() {
            200 | 206 | 416 => Ok(answer),
            401 | 403 => Err(PullError::Refused(what.into(), answer.status().as_u16())),
            404 => Err(PullError::NotFound(what.into())),
            status => Err(self.no_answer(what, format!("status {status}"))),
        }
    }

    /// What a repository holds at its revision.
    ///
    /// # Errors
    ///
    /// [`PullError::NotFound`], [`PullError::Refused`], [`PullError::NoAnswer`] or [`PullError::Source`].
    pub fn listing(&self, repository: &Repository) -> Result<Listing, PullError> {
        let bytes = self.read(&repository.listing_url(&self.address), &repository.name)?;
        Ok(Listing::from_json(repository, &bytes)?)
    }

    /// The shape of a model before it is fetched, for what it will take; nothing when only a GGUF file would say it.
    ///
    /// # Errors
    ///
    /// As [`Hub::listing`]; [`crate::model::ModelError`] when it is of a family that is not run.
    pub fn config(
        &self,
        repository: &Repository,
        listing: &Listing,
        chosen: Option<&str>,
    ) -> Result<Option<Config>, crate::Error> {
        let needed = listing.needed(chosen).map_err(PullError::from)?;
        if !needed.iter().any(|file| file.name == CONFIG) {
            return Ok(None);
        }
        let url = repository.file_url(&self.address, &listing.commit, CONFIG);
        Ok(Some(Config::from_json(&self.read(&url, CONFIG)?)?))
    }

    fn read(&self, url: &str, what: &str) -> Result<Vec<u8>, PullError> {
        let mut answer = self.get(url, what, 0)?;
        let body = answer.body_mut().with_config().limit(LONGEST_LIST);
        body.read_to_vec()
            .map_err(|error| self.no_answer(what, error))
    }
}

impl Models {
    /// Fetches what a model needs of a [`Hub::listing`], unless it is here already. `chosen` is one GGUF file out of
    /// several. An interrupted download is continued where it stopped.
    ///
    /// # Errors
    ///
    /// [`PullError`]; what has arrived is kept for the next time, unless it is wrong.
    pub fn pull(
        &self,
        hub: &Hub,
        repository: &Repository,
        listing: &Listing,
        chosen: Option<&str>,
        mut on: impl FnMut(Progress<'_>),
    ) -> Result<Kept, PullError> {
        self.tidy()?;
        let needed = listing.needed(chosen)?;
        let folder = self.folder(repository);
        if let Some(kept) = super::read(&folder) {
            let same = |file: &&Remote| kept.files.iter().any(|here| here.name == file.name);
            if kept.commit == listing.commit && needed.iter().all(same) {
                return Ok(kept);
            }
        }
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        // Until all is here again, and of one commit, this is no model.
        let metadata = folder.join(METADATA);
        let _ = fs::remove_file(&metadata);
        self.forget_other_commits(&folder, &listing.commit)?;
        let all = needed.iter().map(|file| file.size).sum();
        let (mut files, mut before) = (Vec::new(), 0);
        for remote in needed {
            let url = repository.file_url(&hub.address, &listing.commit, &remote.name);
            let kept = fetch(hub, &url, remote, &folder, |here| {
                on(Progress {
                    file: &remote.name,
                    here: before + here,
                    all,
                });
            })?;
            before += kept.size;
            files.push(kept);
        }
        let fetched = SystemTime::now().duration_since(UNIX_EPOCH);
        let kept = Kept {
            repository: repository.name.clone(),
            revision: repository.revision.clone(),
            commit: listing.commit.clone(),
            hub: hub.address.clone(),
            fetched: fetched.map_or(0, |passed| passed.as_secs()),
            files,
        };
        let text = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        let temporary = folder.join("model.json.part");
        fs::write(&temporary, text).map_err(failed(&temporary))?;
        fs::rename(&temporary, &metadata).map_err(failed(&metadata))?;
        let _ = fs::remove_file(folder.join(COMMIT));
        Ok(kept)
    }

    /// A branch may have moved since a download began: files of two commits are no model.
    fn forget_other_commits(&self, folder: &Path, commit: &str) -> Result<(), PullError> {
        let mark = folder.join(COMMIT);
        if fs::read_to_string(&mark).is_ok_and(|begun| begun == commit) {
            return Ok(());
        }
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let path = entry.map_err(failed(folder))?.path();
            if path.is_file() {
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
        fs::write(&mark, commit).map_err(failed(&mark))?;
        Ok(())
    }
}

/// Which commit a download that is under way belongs to.
const COMMIT: &str = "commit.part";

/// One file: continued where it stopped, checked, and renamed.
fn fetch(
    hub: &Hub,
    url: &str,
    remote: &Remote,
    folder: &Path,
    mut on: impl FnMut(u64),
) -> Result<KeptFile, PullError> {
    let path = folder.join(&remote.name);
    let part = folder.join(format!("{}.part", remote.name));
    if path.exists() {
        // It was whole and checked when it got its name.
        fs::rename(&path, &part).map_err(failed(&part))?;
    }
    let mut hash = Sha256::new();
    let mut here = hashed(&part, &mut hash)?;
    let unknown = remote.size == 0;
    if here < remote.size || unknown {
        here = download(hub, url, remote, &part, (here, &mut hash), &mut on)?;
    }
    on(here);
    if here < remote.size {
        return Err(hub.no_answer(&remote.name, "it ended early"));
    }
    match check(remote, here, hash) {
        Ok(kept) => {
            fs::rename(&part, &path).map_err(failed(&path))?;
            Ok(kept)
        }
        Err(error) => {
            // Wrong bytes must not be continued.
            fs::remove_file(&part).map_err(failed(&part))?;
            Err(error)
        }
    }
}

/// Writes what is missing behind the `here` bytes of a beginning, takes it into the hash, and gives the length reached:
/// at most one byte more than is listed.
fn download(
    hub: &Hub,
    url: &str,
    remote: &Remote,
    part: &Path,
    (mut here, hash): (u64, &mut Sha256),
    on: &mut impl FnMut(u64),
) -> Result<u64, PullError> {
    let mut answer = hub.get(url, &remote.name, here)?;
    match answer.status().as_u16() {
        // There is nothing behind what is here.
        416 => return Ok(here),
        // The server begins anew.
        200 => {
            here = 0;
            *hash = Sha256::new();
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(here > 0)
        .truncate(here == 0)
        .open(part)
        .map_err(failed(part))?;
    let most = if remote.size > 0 {
        remote.size + 1
    } else {
        LONGEST_LIST
    };
    let mut body = answer
        .body_mut()
        .as_reader()
        .take(most.saturating_sub(here));
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = body
            .read(&mut buffer)
            .map_err(|error| hub.no_answer(&remote.name, error))?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).map_err(failed(part))?;
        hash.update(&buffer[..count]);
        here += count as u64;
        on(here);
    }
    file.sync_all().map_err(failed(part))?;
    Ok(here)
}

/// The file's record, when length and hash are what the hub says.
fn check(remote: &Remote, here: u64, hash: Sha256) -> Result<KeptFile, PullError> {
    if remote.size > 0 && here != remote.size {
        return Err(PullError::Size {
            file: remote.name.clone(),
            expected: remote.size,
            found: here,
        });
    }
    let found: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match &remote.sha256 {
        Some(expected) if *expected != found => Err(PullError::Hash {
            file: remote.name.clone(),
            expected: expected.clone(),
            found,
        }),
        published => Ok(KeptFile {
            name: remote.name.clone(),
            size: here,
            sha256: found,
            published: published.is_some(),
        }),
    }
}

/// Takes what is already here into the hash, and gives its length.
fn hashed(part: &Path, hash: &mut Sha256) -> Result<u64, PullError> {
    let Ok(mut file) = File::open(part) else {
        return Ok(0);
    };
    let (mut length, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed(part))? {
            0 => return Ok(length),
            count => {
                hash.update(&buffer[..count]);
                length += count as u64;
            }
        }
    }
}
