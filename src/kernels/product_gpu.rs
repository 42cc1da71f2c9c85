//! Launches the WGSL products: which of four kernels fits the way the two matrices lie in memory.

use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::template::{KernelSource, SourceKernel, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{CubeCount, CubeDim, KernelId};
use cubecl::server::{KernelArguments, MetadataBindingInfo};

use super::product::Kernels;

/// Columns and rows of a workgroup's threads.
const THREADS: (u32, u32) = (8, 8);
/// Output columns and rows of one thread.
const TILE: usize = 4;

macro_rules! kernel {
    ($name:ident, $file:literal) => {
        struct $name;

        impl KernelSource for $name {
            fn source(&self) -> SourceTemplate {
                SourceTemplate::new(include_str!($file))
                    // Tensors share pages at the desk, and a page may not be bound for reading and writing at
                    // once; in the browser each has a buffer of its own, which may not be bound twice for writing.
                    .register(
                        "access",
                        if cfg!(target_family = "wasm") {
                            "read"
                        } else {
                            "read_write"
                        },
                    )
                    .register("columns", THREADS.0.to_string())
                    .register("rows", THREADS.1.to_string())
            }

            fn id(&self) -> KernelId {
                KernelId::new::<Self>()
            }

            fn lang(&self) -> &'static str {
                "wgsl"
            }
        }
    };
}

kernel!(RowsByColumns, "product_nn.wgsl");
kernel!(RowsByRows, "product_nt.wgsl");
kernel!(ColumnsByColumns, "product_tn.wgsl");
kernel!(AnyByAny, "product_any.wgsl");

/// How one matrix of a batch lies in memory.
struct Layout {
    /// Elements from one row to the next.
    row: usize,
    /// Elements from one column to the next.
    column: usize,
    /// Elements from one matrix of the batch to the next.
    batch: usize,
}

impl Layout {
    /// The layout, unless the batch dimensions do not follow one another at equal distances.
    fn of(tensor: &CubeTensor) -> Option<Self> {
        let (shape, strides) = (tensor.meta.shape(), tensor.meta.strides());
        let rank = shape.num_dims();
        let mut batch: Option<usize> = None;
        let mut expected = 0;
        for dim in (0..rank - 2).rev() {
            if shape[dim] == 1 {
                continue;
            }
            match batch {
                None => batch = Some(strides[dim]),
                Some(_) if strides[dim] != expected => return None,
                Some(_) => {}
            }
            expected = strides[dim] * shape[dim];
        }
        Some(Self {
            row: strides[rank - 2],
            column: strides[rank - 1],
            batch: batch.unwrap_or(0),
        })
    }

    fn by_rows(&self, columns: usize) -> bool {
        self.column == 1
            && self.row >= columns
            && self.row.is_multiple_of(TILE)
            && self.batch.is_multiple_of(TILE)
    }

    fn by_columns(&self, rows: usize) -> bool {
        self.row == 1
            && self.column >= rows
            && self.column.is_multiple_of(TILE)
            && self.batch.is_multiple_of(TILE)
    }
}

fn laid_out(tensor: CubeTensor) -> (CubeTensor, Layout) {
    match Layout::of(&tensor) {
        Some(layout) => (tensor, layout),
        None => {
            let tensor = into_contiguous(tensor);
            let shape = tensor.meta.shape();
            let (rows, columns) = (shape[shape.num_dims() - 2], shape[shape.num_dims() - 1]);
            let layout = Layout {
                row: columns,
                column: 1,
                batch: rows * columns,
            };
            (tensor, layout)
        }
    }
}

impl Kernels for CubeBackend {
    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let mut shape = lhs.meta.shape().clone();
        let rank = shape.num_dims();
        let (m, k) = (shape[rank - 2], shape[rank - 1]);
        let n = rhs.meta.shape()[rank - 1];
        assert_eq!(
            k,
            rhs.meta.shape()[rank - 2],
            "product: the inner dimensions must be equal"
        );
        let batch: usize = (0..rank - 2).map(|dim| shape[dim]).product();
        shape[rank - 1] = n;

        let (lhs, left) = laid_out(lhs);
        let (rhs, right) = laid_out(rhs);
        let whole = |size: usize| size.is_multiple_of(TILE);
        let dim = CubeDim::new_2d(THREADS.0, THREADS.1);
        let (kernel, info): (Box<dyn cubecl::CubeKernel>, Vec<usize>) =
            if left.by_rows(k) && right.by_rows(n) && whole(k) && whole(n) {
                (
                    Box::new(SourceKernel::new(RowsByColumns, dim)),
                    vec![m, k, n, left.batch, right.batch, left.row, right.row],
                )
            } else if left.by_rows(k) && right.by_columns(k) && whole(k) {
                (
                    Box::new(SourceKernel::new(RowsByRows, dim)),
                    vec![m, k, n, left.batch, right.batch, left.row, right.column],
                )
            } else if left.by_columns(m) && right.by_rows(n) && whole(m) && whole(n) {
                (
                    Box::new(SourceKernel::new(ColumnsByColumns, dim)),
                    vec![m, k, n, left.batch, right.batch, left.column, right.row],
                )
            } else {
                (
                    Box::new(SourceKernel::new(AnyByAny, dim)),
                    vec![
                        m,
                        k,
                        n,
                        left.batch,
                        right.batch,
                        left.row,
                        right.row,
                        left.column,
                        right.column,
                    ],
                )
            };

        let client = lhs.client.clone();
        let handle = client.empty(batch * m * n * lhs.dtype.size());
        let out = CubeTensor::new_contiguous(
            client.clone(),
            lhs.device.clone(),
            shape,
            handle,
            lhs.dtype,
        );
        let mut arguments = KernelArguments::new()
            .with_buffer(lhs.handle.binding())
            .with_buffer(rhs.handle.binding())
            .with_buffer(out.handle.clone().binding());
        arguments.info = MetadataBindingInfo::custom(packed(&info));
        let count = CubeCount::Static(
            n.div_ceil(TILE).div_ceil(THREADS.0 as usize) as u32,
            m.div_ceil(TILE).div_ceil(THREADS.1 as usize) as u32,
            batch as u32,
        );
        client.launch(kernel, count, arguments);
        out
    }
}

/// Two 32-bit numbers to a word, low half first, as the shader reads them.
fn packed(numbers: &[usize]) -> Vec<u64> {
    numbers
        .chunks(2)
        .map(|pair| pair[0] as u64 | (pair.get(1).copied().unwrap_or(0) as u64) << 32)
        .collect()
}
