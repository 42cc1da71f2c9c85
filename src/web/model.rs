//! Models as JavaScript hands them over: files that are read a part at a time, whatever they lie in.

use js_sys::{Array, Function, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::errors::thrown;
use super::{Engine, plain};
use crate::Error;
use crate::generate::{Batch, Sampling};
use crate::kernels::Packing;
use crate::model::{
    Config, Format, Memory, Model, ModelError, ModelFile, Placement, Role, Turn, merged_files,
};

/// A file behind `{name, size, read(offset, length)}`, where `read` gives a `Uint8Array` at once.
#[derive(Debug)]
struct JsFile {
    name: String,
    size: u64,
    object: JsValue,
    read: Function,
}

impl JsFile {
    fn all(files: &Array) -> Result<Vec<Self>, JsValue> {
        let file = |object: JsValue| {
            let field = |name: &str| Reflect::get(&object, &name.into());
            Ok(Self {
                name: field("name")?.as_string().unwrap_or_default(),
                size: field("size")?.as_f64().unwrap_or_default() as u64,
                read: field("read")?.dyn_into()?,
                object,
            })
        };
        files.iter().map(file).collect()
    }
}

impl ModelFile for JsFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), String> {
        let (offset, length) = (
            JsValue::from(offset as f64),
            JsValue::from(out.len() as f64),
        );
        let read = self.read.call2(&self.object, &offset, &length);
        let read = read.and_then(|bytes| bytes.dyn_into::<Uint8Array>());
        match read {
            Ok(bytes) if bytes.length() as usize == out.len() => {
                bytes.copy_to(out);
                Ok(())
            }
            Ok(_) => Err("it ends too early; it was changed or cut short".into()),
            Err(error) => Err(reason(&error)),
        }
    }
}

/// Why JavaScript could not.
fn reason(error: &JsValue) -> String {
    let error = error.dyn_ref::<js_sys::Error>();
    error.map_or_else(|| "no reason given".into(), |error| error.message().into())
}

/// The formats that matrices can be kept in, with the bits that one of their numbers takes.
const DTYPES: [(&str, Option<Packing>, u64); 4] = [
    ("f32", None, 32),
    ("f16", Some(Packing::F16), 16),
    ("q8", Some(Packing::Q8), 9),
    ("q4", Some(Packing::Q4), 5),
];
/// Tokens of the longest sequence that memory is estimated for.
const CONTEXT: usize = 1024;

#[derive(Serialize)]
struct ModelInfo {
    name: String,
    parameters: u64,
    layers: usize,
    hidden: usize,
    vocabulary: usize,
    context: usize,
    /// Bytes of the matrices on the device.
    bytes: usize,
    /// Bytes of memory that the module has taken from the browser by now.
    heap: usize,
    /// Whether its chat template is not known, so that turns stand in a frame that may be foreign to it.
    unknown_frame: bool,
}

#[derive(Serialize)]
struct Described {
    family: &'static str,
    parameters: u64,
    layers: usize,
    hidden: usize,
    vocabulary: usize,
    context: usize,
    /// Of each format that the files can be kept in.
    memory: Vec<Needed>,
}

/// Bytes of memory with matrices of one format.
#[derive(Serialize)]
struct Needed {
    dtype: &'static str,
    run: f64,
    tune: f64,
}

#[derive(Serialize)]
struct Text {
    text: String,
    tokens: usize,
    /// Whether the model ended it itself.
    ended: bool,
}

fn refused(error: impl Into<Error>) -> JsValue {
    thrown(&error.into())
}

fn views(files: &[JsFile]) -> Vec<&dyn ModelFile> {
    files.iter().map(|file| file as &dyn ModelFile).collect()
}

#[wasm_bindgen]
impl Engine {
    /// Loads a model from files that are read while it goes to the device, a few megabytes at a time; each is an
    /// object `{name, size, read(offset, length): Uint8Array}`. `dtype` is what its matrices are kept in: `f32`,
    /// `f16`, `q8`, `q4`, or `stored` for what a GGUF file has them in. It replaces the model before, which is gone even when this one cannot be loaded.
    pub async fn open_model(
        &self,
        name: String,
        files: Array,
        dtype: String,
    ) -> Result<JsValue, JsValue> {
        let files = JsFile::all(&files)?;
        let known = DTYPES.iter().find(|(name, ..)| *name == dtype);
        let format = match known {
            Some((_, packing, _)) => (*packing).into(),
            None if dtype == "stored" => Format::Stored,
            None => {
                return Err(refused(Error::Setting(format!(
                    "dtype `{dtype}` is not known; choose stored, f32, f16, q8 or q4"
                ))));
            }
        };
        self.take_model(&name, &views(&files), format)
    }

    /// What a model's files say of it, and the memory it would take; no weight is read.
    pub fn describe_model(&self, files: Array) -> Result<JsValue, JsValue> {
        let files = JsFile::all(&files)?;
        let config = Config::read(&views(&files)).map_err(refused)?;
        let context = CONTEXT.min(config.max_position_embeddings);
        let stored = Format::stored_bits(&views(&files)).map_err(refused)?;
        let formats = DTYPES.map(|(dtype, _, bits)| (dtype, bits));
        let formats = formats
            .into_iter()
            .chain(stored.map(|bits| ("stored", bits)));
        let memory = formats.map(|(dtype, bits)| {
            let needed = Memory::estimate(&config, bits, context);
            Needed {
                dtype,
                run: needed.run as f64,
                tune: needed.tune as f64,
            }
        });
        let memory = memory.collect();
        plain(&Described {
            family: config.family.names().1,
            parameters: config.parameters(),
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            vocabulary: config.vocab_size,
            context: config.max_position_embeddings,
            memory,
        })
    }

    /// Adds an adapter, the two files of a PEFT directory, into the weights of a model, whose files are given as for
    /// `open_model`, and hands the files of the whole to `write(name, Uint8Array)`, one after the other and a few megabytes at
    /// a time.
    pub fn merge_model(
        &self,
        files: Array,
        config: Vec<u8>,
        adapter: Vec<u8>,
        write: Function,
    ) -> Result<(), JsValue> {
        let files = JsFile::all(&files)?;
        let mut give = |name: &str, piece: &[u8]| {
            let written = write.call2(&JsValue::NULL, &name.into(), &Uint8Array::from(piece));
            written.map(|_| ()).map_err(|error| ModelError::NotWritten {
                path: name.into(),
                cause: reason(&error),
            })
        };
        merged_files(&views(&files), &config, &adapter, &mut give).map_err(refused)
    }

    /// What the untouched model answers, in its own frame: `limit` tokens at most, the best one always.
    pub async fn say(&self, prompt: String, limit: usize) -> Result<JsValue, JsValue> {
        let model = self.loaded()?;
        let asked = Turn {
            role: Role::User,
            content: prompt,
        };
        let said = async {
            let prompt = model.vocabulary.prompt(&[asked])?;
            let mut batch = Batch::start(&model, None, &[prompt], limit, Sampling::GREEDY, 1)?;
            while !batch.is_done() {
                batch.step().await?;
            }
            let written = &batch.written()[0];
            Ok::<_, Error>(Text {
                text: model.vocabulary.decode(&written.ids)?,
                tokens: written.ids.len(),
                ended: written.finish == crate::generate::Finish::Stop,
            })
        };
        plain(&said.await.map_err(refused)?)
    }

    fn take_model(
        &self,
        name: &str,
        files: &[&dyn ModelFile],
        format: Format,
    ) -> Result<JsValue, JsValue> {
        if self.running.get() {
            return Err(refused(Error::Setting(
                "a run is going on; stop it first".into(),
            )));
        }
        // Two models at once may be more than the tab has memory for.
        *self.model.borrow_mut() = None;
        *self.outcome.borrow_mut() = Default::default();
        let place = Placement {
            device: self.opened.device.clone(),
            format,
        };
        let model = Model::read(name, files, place).map_err(|error: ModelError| refused(error))?;
        let shape = model.decoder.config();
        let info = ModelInfo {
            name: name.into(),
            parameters: shape.parameters(),
            layers: shape.num_hidden_layers,
            hidden: shape.hidden_size,
            vocabulary: shape.vocab_size,
            context: shape.max_position_embeddings,
            bytes: model.decoder.bytes(),
            heap: core::arch::wasm32::memory_size(0) << 16,
            unknown_frame: model.vocabulary.frame_is_unknown(),
        };
        *self.model.borrow_mut() = Some(std::rc::Rc::new(model));
        plain(&info)
    }
}
