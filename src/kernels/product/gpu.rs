//! Launches the WGSL products: which of the kernels fits the way the two matrices lie in memory, and how the right
//! one is read.

use burn_cubecl::CubeBackend;
use burn_cubecl::template::{KernelSource, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::KernelId;

use super::{Job, Packing, Place, ProductOps};
use crate::kernels::launch::{ACCESS, THREADS, contiguous, empty, indices, launch, span};
use crate::kernels::tiles::tiles;

/// Columns and rows of a workgroup's threads.
const GROUP: (u32, u32) = (8, 8);
/// Output columns and rows of one thread.
const TILE: usize = 4;
/// The same where threads enough are left, or are not really there: a software adapter's time goes into fetching, and a tile
/// twice as wide and as high fetches half as much for each product (1.5 to 1.8 times as fast on SwiftShader).
const WIDE: usize = 8;

/// Which way the matrices lie, each a WGSL file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lay {
    /// Left by rows, right by rows.
    RowsRows,
    /// Left by rows, right by columns.
    RowsColumns,
    /// Left by columns, right by rows.
    ColumnsRows,
    /// Any strides, one value at a time.
    Any,
    /// Rows of a packed weight as floats.
    Unpack,
}

/// A kernel of this folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kernel {
    lay: Lay,
    packing: Option<Packing>,
    tile: usize,
    /// Through workgroup memory.
    staged: bool,
}

impl Kernel {
    /// The kernel that does a job.
    fn of(job: &Job, lay: Lay, packing: Option<Packing>) -> Self {
        let staged = matches!(lay, Lay::RowsRows | Lay::RowsColumns)
            && job.m >= tiles().staged_from
            && job.n >= WIDE * GROUP.0 as usize;
        Self {
            lay,
            packing,
            tile: if staged { WIDE } else { tile(job, lay) },
            staged,
        }
    }
}

impl KernelSource for Kernel {
    fn source(&self) -> SourceTemplate {
        let file = match self.lay {
            Lay::RowsRows if self.staged => include_str!("staged_rows.wgsl"),
            Lay::RowsColumns if self.staged => include_str!("staged_columns.wgsl"),
            Lay::RowsRows => include_str!("rows_rows.wgsl"),
            Lay::RowsColumns => include_str!("rows_columns.wgsl"),
            Lay::ColumnsRows => include_str!("columns_rows.wgsl"),
            Lay::Any => include_str!("any.wgsl"),
            Lay::Unpack => include_str!("unpack.wgsl"),
        };
        SourceTemplate::new(unrolled(file, self.tile, self.tile / 4))
            .register("access", ACCESS)
            .register("tile_rows", self.tile.to_string())
            .register("tile_fours", (self.tile / 4).to_string())
            .register("columns", GROUP.0.to_string())
            .register("rows", GROUP.1.to_string())
            .register("threads", THREADS.to_string())
            .register("span", span())
            .register("right", right(self.packing))
            // Scales are bound too where there are some, and move the result and the numbers one on.
            .register("result", if scaled(self.packing) { "3" } else { "2" })
            .register("info", if scaled(self.packing) { "4" } else { "3" })
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Repeats lines that name `$r` for each row of a tile and those that name `$q` for each four of its columns: registers have
/// no index, so a tile held in them has no loop.
pub(in crate::kernels) fn unrolled(source: &str, rows: usize, fours: usize) -> String {
    let mut text = String::with_capacity(source.len() * 2);
    for line in source.lines() {
        let code = !line.trim_start().starts_with("//");
        let times = |mark: &str, times: usize| {
            if code && line.contains(mark) {
                times
            } else {
                1
            }
        };
        for row in 0..times("$r", rows) {
            for four in 0..times("$q", fours) {
                let line = line
                    .replace("$r", &row.to_string())
                    .replace("$q", &four.to_string());
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    text
}

/// Whether a format has scales. What a kernel does not read may not be bound.
pub(in crate::kernels) fn scaled(packing: Option<Packing>) -> bool {
    matches!(packing, Some(Packing::Q8 | Packing::Q4))
}

/// WGSL that declares the right side (bindings 1, and 2 for scales or nothing) and reads four values of it that lie side
/// by side: `right_four(i)` for the values from `4·i` on.
pub(in crate::kernels) fn right(packing: Option<Packing>) -> String {
    let words = format!("@group(0) @binding(1) var<storage, {ACCESS}> words: array<u32>;");
    let scales = format!("@group(0) @binding(2) var<storage, {ACCESS}> scales: array<u32>;");
    match packing {
        None => format!(
            "@group(0) @binding(1) var<storage, {ACCESS}> rhs: array<vec4<f32>>;
fn right_four(i: u32) -> vec4<f32> {{ return rhs[i]; }}"
        ),
        Some(Packing::F16) => format!(
            "{words}
fn right_four(i: u32) -> vec4<f32> {{
    return vec4(unpack2x16float(words[2u * i]), unpack2x16float(words[2u * i + 1u]));
}}"
        ),
        Some(Packing::Q8) => format!(
            "{words}
{scales}
fn right_four(i: u32) -> vec4<f32> {{
    let bytes = vec4<i32>(bitcast<i32>(words[i])) << vec4(24u, 16u, 8u, 0u);
    return vec4<f32>(bytes >> vec4(24u)) * bitcast<f32>(scales[i / 8u]);
}}"
        ),
        Some(Packing::Q4) => format!(
            "{words}
{scales}
fn right_four(i: u32) -> vec4<f32> {{
    let nibbles = (vec4(words[i / 2u] >> (16u * (i & 1u))) >> vec4(0u, 4u, 8u, 12u)) & vec4(15u);
    let step = unpack2x16float(scales[i / 8u]);
    return vec4<f32>(nibbles) * step.x + step.y;
}}"
        ),
    }
}

fn whole(size: usize) -> bool {
    size.is_multiple_of(TILE)
}

/// Rows of values in fours.
fn by_rows(place: Place) -> bool {
    place.column == 1 && whole(place.row) && whole(place.offset)
}

/// Which kernel does a job over plain matrices.
fn lay(job: &Job) -> Lay {
    let (lhs, rhs) = (job.lhs, job.rhs);
    let fours = by_rows(job.out) && whole(job.n);
    if by_rows(lhs) && by_rows(rhs) && whole(job.k) && fours {
        Lay::RowsRows
    } else if by_rows(lhs) && by_rows(rhs.turned()) && whole(job.k) {
        Lay::RowsColumns
    } else if by_rows(lhs.turned()) && by_rows(rhs) && whole(job.m) && fours {
        Lay::ColumnsRows
    } else {
        Lay::Any
    }
}

/// The numbers every product kernel reads, in the order of the WGSL files' `info`.
fn info(job: &Job, lay: Lay) -> Vec<u32> {
    let (left, right) = match lay {
        Lay::RowsRows => (job.lhs.row, job.rhs.row),
        Lay::RowsColumns => (job.lhs.row, job.rhs.column),
        Lay::ColumnsRows => (job.lhs.column, job.rhs.row),
        Lay::Any | Lay::Unpack => (job.lhs.row, job.rhs.row),
    };
    let mut info: Vec<u32> = [
        job.m,
        job.k,
        job.n,
        job.lhs.offset,
        job.rhs.offset,
        job.out.offset,
        left,
        right,
        job.out.row,
        usize::from(job.add),
    ]
    .map(|value| value as u32)
    .to_vec();
    info.push(job.alpha.to_bits());
    if lay == Lay::Any {
        info.extend([job.lhs.column as u32, job.rhs.column as u32]);
    }
    info
}

fn groups(job: &Job, tile: usize) -> (u32, u32, u32) {
    (
        job.n.div_ceil(tile).div_ceil(GROUP.0 as usize) as u32,
        job.m.div_ceil(tile).div_ceil(GROUP.1 as usize) as u32,
        1,
    )
}

/// How large a thread's tile is.
fn tile(job: &Job, lay: Lay) -> usize {
    let fits =
        matches!(lay, Lay::RowsRows | Lay::RowsColumns) && job.m >= 2 * WIDE && job.n >= 2 * WIDE;
    if fits && job.m * job.n >= tiles().wide_from * WIDE * WIDE {
        WIDE
    } else {
        TILE
    }
}

/// The tensors a kernel over a packed weight reads and writes.
fn bound<'a>(
    read: &[&'a CubeTensor],
    scales: &'a CubeTensor,
    out: &'a CubeTensor,
    packing: Packing,
) -> Vec<&'a CubeTensor> {
    let mut tensors = read.to_vec();
    if scaled(Some(packing)) {
        tensors.push(scales);
    }
    tensors.push(out);
    tensors
}

fn count(tensor: &CubeTensor) -> usize {
    tensor.meta.shape().num_elements()
}

impl ProductOps for CubeBackend {
    fn product_into(lhs: CubeTensor, rhs: CubeTensor, out: CubeTensor, job: Job) -> CubeTensor {
        let (lhs, rhs, out) = (contiguous(lhs), contiguous(rhs), contiguous(out));
        assert!(
            job.fits(count(&lhs), count(&rhs), count(&out)),
            "product: a matrix lies outside its tensor"
        );
        let lay = lay(&job);
        let kernel = Kernel::of(&job, lay, None);
        launch(
            kernel,
            GROUP,
            groups(&job, kernel.tile),
            &[&lhs, &rhs, &out],
            &info(&job, lay),
        );
        out
    }

    fn product_packed(
        lhs: CubeTensor,
        words: CubeTensor,
        scales: CubeTensor,
        out: CubeTensor,
        job: Job,
        packing: Packing,
    ) -> CubeTensor {
        let (lhs, out) = (contiguous(lhs), contiguous(out));
        assert!(
            job.fits(
                count(&lhs),
                count(&words) * packing.values_per_word(),
                count(&out)
            ),
            "product: a matrix lies outside its tensor"
        );
        let lay = lay(&job);
        assert!(
            matches!(lay, Lay::RowsRows | Lay::RowsColumns),
            "product: a packed weight needs activations by rows, in fours"
        );
        let kernel = Kernel::of(&job, lay, Some(packing));
        launch(
            kernel,
            GROUP,
            groups(&job, kernel.tile),
            &bound(&[&lhs, &words], &scales, &out, packing),
            &info(&job, lay),
        );
        out
    }

    fn unpack_rows(
        words: CubeTensor,
        scales: CubeTensor,
        ids: CubeTensor,
        columns: usize,
        packing: Packing,
        scale: f32,
        like: CubeTensor,
    ) -> CubeTensor {
        let rows = count(&ids);
        let out = empty(&like, [rows, columns], like.dtype);
        let kernel = Kernel {
            lay: Lay::Unpack,
            packing: Some(packing),
            tile: TILE,
            staged: false,
        };
        launch(
            kernel,
            (THREADS, 1),
            indices(rows * columns / 4),
            &bound(&[&contiguous(ids), &words], &scales, &out, packing),
            &[rows as u32, (columns / 4) as u32, scale.to_bits()],
        );
        out
    }
}
