//! The matrix product, over any leading batch dimensions, with its backward pass.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// The operations Seedbed adds to a backend of burn.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"), Autodiff)]
pub trait Kernels: Backend {
    /// `[.., m, k] × [.., k, n] → [.., m, n]`; the leading dimensions must be equal.
    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// The CPU twin: flex's own product, which is blocked, threaded at the desk and SIMD in the tab.
#[cfg(feature = "cpu")]
impl Kernels for burn::backend::Flex {
    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        <Self as burn::backend::ops::FloatTensorOps<Self>>::float_matmul(lhs, rhs)
    }
}

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Product;

        impl<B: Kernels> Backward<B, 2> for Product {
            /// What each side's gradient needs: the other side, kept only where that gradient is wanted.
            type State = (Option<FloatTensor<B>>, Option<FloatTensor<B>>);

            fn backward(
                self,
                ops: Ops<Self::State, 2>,
                grads: &mut Gradients,
                _: &mut Checkpointer,
            ) {
                let (lhs, rhs) = ops.state;
                binary::<B, _, _>(
                    ops.parents,
                    ops.node,
                    grads,
                    // Both closures run only for a parent that is tracked, and its partner was kept then.
                    |grad| match rhs {
                        Some(rhs) => B::product(grad, B::float_transpose(rhs)),
                        None => grad,
                    },
                    |grad| match lhs {
                        Some(lhs) => B::product(B::float_transpose(lhs), grad),
                        None => grad,
                    },
                );
            }
        }

        let (left_tracked, right_tracked) = (lhs.is_tracked(), rhs.is_tracked());
        let (left, left_node) = lhs.into_parts();
        let (right, right_node) = rhs.into_parts();
        match Product
            .prepare::<C>([left_node, right_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(
                (
                    right_tracked.then(|| left.clone()),
                    left_tracked.then(|| right.clone()),
                ),
                B::product(left, right),
            ),
            OpsKind::UnTracked(prep) => prep.finish(B::product(left, right)),
        }
    }
}

/// `[.., m, k] × [.., k, n] → [.., m, n]`, differentiable in both arguments; leading dimensions must be equal.
pub fn product<const D: usize>(lhs: Tensor<D>, rhs: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::product(lhs.into_dispatch(), rhs.into_dispatch()))
}
