//! Work spread over the cores: rayon's threads at the desk; in a tab the helpers of the page's worker, where the page may
//! share memory between threads.
//!
//! Work is handed out in pieces that each write a part of the result of their own, so what is computed does not
//! depend on who computes it. A helper in a tab has this module's memory and a stack of its own, but shares its
//! allocator, which knows no threads: **work must not allocate**.

/// Calls `work(index, values)` for every `size` values, the last of them perhaps fewer; where `heavy`, over all cores.
pub(super) fn each_chunk(
    values: &mut [f32],
    size: usize,
    heavy: bool,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    if size == 0 {
        return;
    }
    #[cfg(not(target_arch = "wasm32"))]
    if heavy {
        use rayon::prelude::*;
        let chunks = values.par_chunks_mut(size).enumerate();
        return chunks.for_each(|(index, values)| work(index, values));
    }
    #[cfg(target_arch = "wasm32")]
    if heavy {
        let parts = tab::Parts::of(values, size);
        return tab::spread(parts.count(), &|index| work(index, parts.get(index)));
    }
    let _ = heavy;
    for (index, values) in values.chunks_mut(size).enumerate() {
        work(index, values);
    }
}

/// As [`each_chunk`] over two results of as many chunks each: `work(index, chunk of the first, chunk of the second)`.
pub(super) fn each_chunk_pair(
    (first, first_size): (&mut [f32], usize),
    (second, second_size): (&mut [f32], usize),
    heavy: bool,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync + Send,
) {
    if first_size == 0 || second_size == 0 {
        return;
    }
    #[cfg(not(target_arch = "wasm32"))]
    if heavy {
        use rayon::prelude::*;
        let firsts = first.par_chunks_mut(first_size);
        let pairs = firsts.zip(second.par_chunks_mut(second_size));
        return pairs
            .enumerate()
            .for_each(|(index, (first, second))| work(index, first, second));
    }
    #[cfg(target_arch = "wasm32")]
    if heavy {
        let firsts = tab::Parts::of(first, first_size);
        let seconds = tab::Parts::of(second, second_size);
        let count = firsts.count().min(seconds.count());
        return tab::spread(count, &|index| {
            work(index, firsts.get(index), seconds.get(index));
        });
    }
    let _ = heavy;
    let firsts = first.chunks_mut(first_size);
    let pairs = firsts.zip(second.chunks_mut(second_size));
    for (index, (first, second)) in pairs.enumerate() {
        work(index, first, second);
    }
}

#[cfg(target_arch = "wasm32")]
pub(super) use tab::count;

/// How many threads work on one thing.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(super) fn count() -> usize {
    rayon::current_num_threads()
}

#[cfg(target_arch = "wasm32")]
pub use tab::use_helpers;

/// The helpers of a tab: `pkg/src/worker/threads.ts` is the other half.
#[cfg(target_arch = "wasm32")]
mod tab {
    use std::cell::RefCell;
    use std::marker::PhantomData;

    use js_sys::Function;
    use wasm_bindgen::JsValue;

    thread_local! {
        static POOL: RefCell<Option<Pool>> = const { RefCell::new(None) };
    }

    #[derive(Clone)]
    struct Pool {
        /// `(task, pieces)`: has every piece done by [`seedbed_piece`], here and in the helpers, and comes back after the last.
        spread: Function,
        threads: usize,
    }

    /// From now on work is spread over `threads` threads by `spread(task, pieces)`.
    pub fn use_helpers(spread: Function, threads: usize) {
        POOL.set((threads > 1).then_some(Pool { spread, threads }));
    }

    /// How many threads work on one thing.
    pub fn count() -> usize {
        POOL.with_borrow(|pool| pool.as_ref().map_or(1, |pool| pool.threads))
    }

    /// What pieces are made of: calls `work` with the chunks from `index · size` on.
    struct Task<'a> {
        work: &'a (dyn Fn(usize) + Sync),
        /// Chunks in all, and in a piece.
        count: usize,
        size: usize,
    }

    /// Calls `work(index)` for every chunk.
    pub(super) fn spread(count: usize, work: &(dyn Fn(usize) + Sync)) {
        let pool = POOL.with_borrow(Clone::clone);
        let Some(pool) = pool.filter(|_| count > 1) else {
            (0..count).for_each(work);
            return;
        };
        // More pieces than threads, for a core may be slower than another; few, for each has to be fetched.
        let size = count.div_ceil(4 * pool.threads);
        let task = Task { work, count, size };
        let pieces = count.div_ceil(size);
        let place = &raw const task as usize;
        let done = pool.spread.call2(
            &JsValue::NULL,
            &JsValue::from(place as u32),
            &JsValue::from(pieces as u32),
        );
        assert!(done.is_ok(), "a helper thread failed");
    }

    /// Does one piece of a task, in whichever thread calls it.
    #[expect(
        unsafe_code,
        reason = "a task goes through JavaScript to the helpers as a number"
    )]
    #[unsafe(no_mangle)]
    extern "C" fn seedbed_piece(task: usize, piece: usize) {
        // SAFETY: `spread` of this module alone makes the number, of a task on its stack, and does not come back
        // before the last piece is done; `work` may be called from several threads.
        let task = unsafe { &*(task as *const Task<'_>) };
        let first = piece * task.size;
        (first..(first + task.size).min(task.count)).for_each(task.work);
    }

    /// A slice in chunks that go to several threads.
    pub(super) struct Parts<'a> {
        start: *mut f32,
        length: usize,
        size: usize,
        owner: PhantomData<&'a mut [f32]>,
    }

    #[expect(unsafe_code, reason = "the chunks do not overlap")]
    // SAFETY: `get` gives every chunk once, to one thread.
    unsafe impl Sync for Parts<'_> {}

    impl<'a> Parts<'a> {
        pub(super) fn of(values: &'a mut [f32], size: usize) -> Self {
            Self {
                start: values.as_mut_ptr(),
                length: values.len(),
                size,
                owner: PhantomData,
            }
        }

        pub(super) fn count(&self) -> usize {
            self.length.div_ceil(self.size)
        }

        /// The chunk with this number, which `spread` hands out once.
        #[expect(clippy::mut_from_ref, reason = "each chunk is asked for once")]
        pub(super) fn get(&self, index: usize) -> &mut [f32] {
            let first = index * self.size;
            assert!(first < self.length, "a chunk that is not there");
            #[expect(
                unsafe_code,
                reason = "the borrow checker does not see that the chunks do not overlap"
            )]
            // SAFETY: it lies inside the slice, which is borrowed for as long, and no other chunk covers it.
            unsafe {
                std::slice::from_raw_parts_mut(
                    self.start.add(first),
                    self.size.min(self.length - first),
                )
            }
        }
    }
}
