//! Opening a device, asking whether it computes rightly, and reading results back.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::counted::{read_back, uploaded};
#[cfg(feature = "gpu")]
use super::tiles::{self, Class};
#[cfg(feature = "gpu")]
use super::{Job, Place};

/// Which device is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The GPU where one answers and is a real one, else the CPU.
    #[default]
    Auto,
    /// The GPU, or an error.
    Gpu,
    /// The CPU.
    Cpu,
}

/// What kind of device was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WebGPU in the browser; Vulkan, Metal or DirectX 12 at the desk.
    Gpu,
    /// burn's backend `flex`.
    Cpu,
}

impl Kind {
    /// The word for it in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpu if cfg!(target_arch = "wasm32") => "webgpu",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

/// What a device grants to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest tensor.
    pub binding: u64,
    /// Bytes of all that is held at one time; none where nobody has set a bound.
    pub budget: Option<u64>,
}

impl Limits {
    /// No device tells how much memory it has free. In a tab a run may take so much: wasm addresses no more than 4 GiB,
    /// and graphics drivers begin to end processes above it. At the desk the user knows better.
    const BUDGET: Option<u64> = if cfg!(target_arch = "wasm32") {
        Some(7 << 29)
    } else {
        None
    };

    /// Those of the CPU.
    #[cfg(feature = "cpu")]
    const CPU: Self = Self {
        binding: isize::MAX as u64,
        budget: Self::BUDGET,
    };
}

/// A device that answered.
#[derive(Debug, Clone)]
pub struct Opened {
    /// burn's handle.
    pub device: Device,
    /// GPU or CPU.
    pub kind: Kind,
    /// For people: the adapter's own name.
    pub name: String,
    /// Something a person should know: a fallback that was taken, a software adapter.
    pub notice: Option<String>,
    /// What it grants.
    pub limits: Limits,
}

/// A device that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No GPU answers.
    #[error("no GPU can be used ({0}); choose the CPU, or a browser and driver with WebGPU")]
    NoGpu(String),
    /// This build has no such device.
    #[error("this build has no {0} device; build with that feature or choose another device")]
    NotBuilt(&'static str),
    /// The self-test gave wrong numbers.
    #[error(
        "the GPU `{name}` computes wrongly ({found} where {expected} is right); choose the CPU, or update its driver"
    )]
    Wrong {
        /// The adapter.
        name: String,
        /// What it computed.
        found: String,
        /// What is right.
        expected: String,
    },
    /// The device stopped answering.
    #[error(
        "the device stopped answering ({0}); what was made so far is kept, start again or choose the CPU"
    )]
    Lost(String),
    /// There was no room for a tensor.
    #[error(
        "the device is out of memory ({0}); what was made so far is kept, choose fewer or shorter rows, a smaller model or fewer bits"
    )]
    OutOfMemory(String),
}

impl DeviceError {
    /// From the words of a backend about a reading that failed. They may be many lines; the first says it.
    fn of_reading(words: &str) -> Self {
        let line: String = words
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        let lower = words.to_lowercase();
        let memory = [
            "out of memory",
            "outofmemory",
            "buffertoobig",
            "buffer is too big",
        ];
        match memory.iter().any(|mark| lower.contains(mark)) {
            true => Self::OutOfMemory(line),
            false => Self::Lost(line),
        }
    }
}

/// Opens a device.
///
/// # Errors
///
/// [`DeviceError`] when the wanted one cannot be had. With [`Choice::Auto`] and a CPU in the build there is always one.
pub async fn open(choice: Choice) -> Result<Opened, DeviceError> {
    match choice {
        Choice::Cpu => cpu(None),
        Choice::Gpu => gpu().await,
        Choice::Auto => match gpu().await {
            Ok(opened) if opened.notice.is_none() || !cfg!(feature = "cpu") => Ok(opened),
            // A GPU played by the CPU is slower than the CPU itself.
            Ok(opened) => cpu(Some(format!(
                "{} is no real GPU, so the CPU is used",
                opened.name
            ))),
            Err(error) if cfg!(feature = "cpu") => cpu(Some(error.to_string())),
            Err(error) => Err(error),
        },
    }
}

#[cfg(feature = "cpu")]
fn cpu(notice: Option<String>) -> Result<Opened, DeviceError> {
    Ok(Opened {
        device: Device::flex(),
        kind: Kind::Cpu,
        name: if cfg!(target_arch = "wasm32") {
            "CPU (WebAssembly SIMD)".into()
        } else {
            "CPU".into()
        },
        notice,
        limits: Limits::CPU,
    })
}

#[cfg(not(feature = "cpu"))]
fn cpu(_: Option<String>) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt("cpu"))
}

#[cfg(not(feature = "gpu"))]
async fn gpu() -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt("gpu"))
}

#[cfg(feature = "gpu")]
async fn gpu() -> Result<Opened, DeviceError> {
    // burn opens its runtime once; a second opening waits for the first and shares it.
    static OPENED: async_lock::Mutex<Option<Opened>> = async_lock::Mutex::new(None);
    let mut held = OPENED.lock().await;
    if let Some(opened) = held.as_ref() {
        return Ok(opened.clone());
    }
    let (device, setup) = Device::wgpu_options()
        // Kernels are sent to the driver in lots of this size.
        .tasks_max(64)
        .init_with_setup_async()
        .await
        .map_err(|error| DeviceError::NoGpu(error.to_string()))?;
    let info = setup.adapter.get_info();
    let described = if info.name.is_empty() {
        info.driver.clone()
    } else {
        info.name.clone()
    };
    let name = match described.is_empty() {
        // Browsers name no adapter to WebAssembly.
        true if cfg!(target_arch = "wasm32") => "WebGPU".to_owned(),
        true => format!("{:?}", info.backend),
        false => format!("{described} ({:?})", info.backend),
    };
    let class = Class::of(&format!("{:?}", info.device_type), &name, is_mobile());
    tiles::choose(class);
    let software = class == Class::Software;
    let granted = setup.device.limits();
    let opened = Opened {
        device,
        kind: Kind::Gpu,
        limits: Limits {
            binding: granted
                .max_buffer_size
                .min(granted.max_storage_buffer_binding_size),
            budget: Limits::BUDGET,
        },
        notice: software
            .then(|| "this GPU is played by the CPU; the CPU device is much faster".to_owned()),
        name,
    };
    self_test(&opened).await?;
    *held = Some(opened.clone());
    Ok(opened)
}

/// Whether the browser says that it runs on a phone or tablet.
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
fn is_mobile() -> bool {
    let get = |of: &wasm_bindgen::JsValue, name: &str| js_sys::Reflect::get(of, &name.into());
    get(&js_sys::global(), "navigator")
        .and_then(|navigator| get(&navigator, "userAgent"))
        .ok()
        .and_then(|agent| agent.as_string())
        .is_some_and(|agent| agent.contains("Mobi") || agent.contains("Android"))
}

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn is_mobile() -> bool {
    cfg!(any(target_os = "android", target_os = "ios"))
}

/// Small products with known answers, through each kernel: drivers that compute wrongly do exist.
#[cfg(feature = "gpu")]
async fn self_test(opened: &Opened) -> Result<(), DeviceError> {
    let matrix = |rows: usize, columns: usize, salt: usize| {
        let values: Vec<f32> = (0..rows * columns)
            .map(|i| ((i * 7 + salt) % 11) as f32 - 5.0)
            .collect();
        (
            values.clone(),
            floats(values, [rows, columns], &opened.device),
        )
    };
    for (m, k, n) in [(5, 8, 12), (3, 7, 5)] {
        let (a, left) = matrix(m, k, 1);
        let (b, right) = matrix(k, n, 3);
        // The same with each side lying the other way round in memory.
        let turned = |values: &[f32], rows: usize, columns: usize| {
            let turned = (0..rows * columns).map(|i| values[i % rows * columns + i / rows]);
            floats(turned.collect(), [columns, rows], &opened.device)
        };
        let expected: Vec<f32> = (0..m * n)
            .map(|i| (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum())
            .collect();
        let found = read(super::product(left.clone(), right.clone())).await?;
        let job = Job::dense(m, k, n);
        let out = || Tensor::<2>::empty([m, n], &opened.device);
        let by_rows = read(super::product_into(
            left.clone(),
            turned(&b, k, n),
            out(),
            Job {
                rhs: Place::rows(0, k).turned(),
                ..job
            },
        ))
        .await?;
        let by_columns = read(super::product_into(
            turned(&a, m, k),
            right,
            out(),
            Job {
                lhs: Place::rows(0, m).turned(),
                ..job
            },
        ))
        .await?;
        for values in [found, by_rows, by_columns] {
            // Whole numbers this small are exact in f32, in whatever order they are added.
            if values != expected {
                return Err(DeviceError::Wrong {
                    name: opened.name.clone(),
                    found: format!("{:?}", values.first()),
                    expected: format!("{:?}", expected.first()),
                });
            }
        }
    }
    Ok(())
}

/// Waits for a tensor's values, in row-major order. Nothing reads a device in any other way: a synchronous read
/// panics in the browser.
///
/// # Errors
///
/// [`DeviceError::Lost`] when the device does not give them.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    if !is_cpu(&tensor.device()) {
        read_back(4 * tensor.shape().num_elements());
    }
    // Everything computed here is f32; burn's conversion between all types would add 300 kB to the module.
    Dispatch::float_into_data(tensor.into_dispatch())
        .await
        .map_err(|error| DeviceError::of_reading(&error.to_string()))?
        .try_into_vec::<f32>()
        .map_err(|error| DeviceError::Lost(format!("{error:?}")))
}

/// Counts values of 32 bits that go to a device which is not the CPU.
fn count_upload(values: usize, device: &Device) {
    if !is_cpu(device) {
        uploaded(4 * values);
    }
}

/// Values in row-major order as a tensor. burn's own `from_data` would bring its conversion between all types along.
pub fn floats<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    count_upload(values.len(), device);
    let data = TensorData::new(values, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// Numbers such as token ids and columns as a tensor of 32-bit integers, the only kind of integer the kernels take.
/// What is not below 2³¹ keeps its bits.
pub fn integers(values: &[u32], device: &Device) -> Tensor<1, Int> {
    words(values.to_vec(), device)
}

/// As [`integers`], of values that are given away: they may be half a model.
pub fn words(values: Vec<u32>, device: &Device) -> Tensor<1, Int> {
    // In the same memory.
    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
    let count = values.len();
    count_upload(count, device);
    let data = TensorData::new(values, [count]);
    Tensor::from_dispatch(Dispatch::int_from_data(data, device.as_dispatch()))
}

/// As [`read`], for integers.
///
/// # Errors
///
/// [`DeviceError::Lost`] when the device does not give them.
pub async fn read_integers(tensor: Tensor<1, Int>) -> Result<Vec<u32>, DeviceError> {
    if !is_cpu(&tensor.device()) {
        read_back(4 * tensor.shape().num_elements());
    }
    let values = Dispatch::int_into_data(tensor.into_dispatch())
        .await
        .map_err(|error| DeviceError::of_reading(&error.to_string()))?
        .try_into_vec::<i32>()
        .map_err(|error| DeviceError::Lost(format!("{error:?}")))?;
    Ok(values.into_iter().map(|value| value as u32).collect())
}

/// Whether this is the CPU, where a reading costs nothing.
pub fn is_cpu(device: &Device) -> bool {
    #[cfg(feature = "cpu")]
    return *device == Device::flex();
    #[cfg(not(feature = "cpu"))]
    {
        let _ = device;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_fails_for_want_of_memory_is_told_from_a_lost_device() {
        let lost =
            DeviceError::of_reading("the device is poisoned: Unknown: gone\nBacktrace:\n 1: a");
        assert_eq!(
            lost,
            DeviceError::Lost("the device is poisoned: Unknown: gone".into())
        );
        assert!(lost.to_string().contains("start again or choose the CPU"));
        let full = DeviceError::of_reading("wgpu error: Out of Memory");
        assert!(full.to_string().contains("fewer or shorter rows"), "{full}");
    }
}
